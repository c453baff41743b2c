"""What a language says: the words of numbers, dates, times and money, as the readers of ``runtime`` use them.

All words are folded: small, without accents (``folding``). A phrase of several words has one space between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Reader = Callable[[Sequence[str], int], tuple[int, int] | None]
"""Reads what begins at a place among words: gives its value and the place after it; None where nothing begins."""


def _none(words: Sequence[str], at: int) -> tuple[int, int] | None:
    return None


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words of one language.

    Numbers: ``number`` and ``ordinal`` read words (whole numbers, ranks); ``dotted`` where ``5.`` is a rank;
    ``articles`` are one before a unit (*a* dollar); ``homophones`` are what is transcribed for digits, of which those
    of ``sighs`` mean nothing alone; ``repeats`` say how often the digit after them counts; ``minus``, ``plus``,
    ``point`` and ``joints`` (the *and* between parts); ``fractions`` are what may follow a whole number, in hundredths.

    ``around`` stands around a value of any kind, ``around_dates`` and ``around_times`` also around those.

    Money: words of a whole unit, and of a hundredth of it.

    Dates: ``months`` and ``weekdays`` beside those that CLDR knows, from 1 and from 0 (Monday); ``days`` are phrases
    and how far they are from today; ``spans`` the days of a unit, ``within`` what stands before a span and ``hence``
    what stands after it; ``coming`` stands before a weekday.

    Times: ``clock`` is what follows an hour; ``past`` and ``to`` stand between minutes and hour; ``minutes`` are named
    minutes, ``units`` the word minute itself; ``halves`` are minutes that are added to the hour after them; ``hours``
    are named hours of the day; ``parts`` are parts of the day and the first hour of the twelve that they tell apart.

    Ranks: ``last`` are phrases and what they count from the end, ``things`` may stand beside a rank. ``neither`` are
    answers that are neither yes nor no, ``negations`` turn a yes that follows them into a no, and one of
    ``turned_behind`` that stands before them; ``around_answers`` may stand beside, and any words behind a ``firm`` yes.
    """

    number: Reader = _none
    ordinal: Reader = _none
    dotted: bool = False
    articles: frozenset[str] = frozenset()
    homophones: Mapping[str, str] = field(default_factory=dict)
    sighs: frozenset[str] = frozenset()
    repeats: Mapping[str, int] = field(default_factory=dict)
    minus: frozenset[str] = frozenset()
    plus: frozenset[str] = frozenset()
    point: frozenset[str] = frozenset()
    joints: frozenset[str] = frozenset()
    fractions: Mapping[str, int] = field(default_factory=dict)
    around: frozenset[str] = frozenset()
    around_dates: frozenset[str] = frozenset()
    around_times: frozenset[str] = frozenset()
    money: frozenset[str] = frozenset()
    cents: frozenset[str] = frozenset()
    months: Mapping[str, int] = field(default_factory=dict)
    weekdays: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, int] = field(default_factory=dict)
    spans: Mapping[str, int] = field(default_factory=dict)
    within: frozenset[str] = frozenset()
    hence: frozenset[str] = frozenset()
    coming: frozenset[str] = frozenset()
    clock: frozenset[str] = frozenset()
    past: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()
    minutes: Mapping[str, int] = field(default_factory=dict)
    units: frozenset[str] = frozenset()
    halves: Mapping[str, int] = field(default_factory=dict)
    hours: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)
    things: frozenset[str] = frozenset()
    neither: frozenset[str] = frozenset()
    negations: frozenset[str] = frozenset()
    turned_behind: frozenset[str] = frozenset()
    firm: frozenset[str] = frozenset()
    around_answers: frozenset[str] = frozenset()


def plain_int(word: str) -> int | None:
    """Give the whole number that a word of digits is, of 15 digits at most; ``5.`` is 5."""
    digits = word.removesuffix(".")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


def listed(words: str) -> list[str]:
    """Give the words of a table that is written as one text."""
    return words.split()


def phrases(text: str) -> frozenset[str]:
    """Give the phrases of a table that is written as one text, with commas between."""
    return frozenset(phrase.strip() for phrase in text.split(","))
