"""What a language adds to what Babel's CLDR data know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flowengine.flow.languages.spoken import Spoken


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """One language, or one country's use of it.

    ``tag`` is its BCP 47 tag (``de``, ``de-AT``), ``ordinal`` gives the written form of a whole number's rank, and
    ``plural`` makes the plural of a word (None: the language has no rule, the author gives both forms). ``date`` and
    ``time`` are CLDR patterns in the place of CLDR's own (empty: those of CLDR are right).

    What callers say: ``signs`` are the words for the keys ``*`` and ``#``, ``around_keys`` those that stand around a
    key's name, ``fillers`` those that mean nothing; ``backchannels`` are phrases by which one listens without wanting
    to speak, ``unfinished`` phrases at which no sentence ends, hesitations among them; ``abbreviations`` are
    written with a dot that ends no sentence; ``yes``, ``no``, ``skip`` and
    ``more`` answer, and may be phrases.
    All are folded: small, without accents, and as ``respell`` writes what has several spellings (it is given folded
    text, and respells what it gave to itself). ``spoken`` are the words of values.
    """

    tag: str
    ordinal: Callable[[int], str]
    plural: Callable[[str], str] | None = None
    date: str = ""
    time: str = ""
    signs: Mapping[str, str] = field(default_factory=dict)
    around_keys: frozenset[str] = frozenset()
    fillers: frozenset[str] = frozenset()
    backchannels: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()
    abbreviations: frozenset[str] = frozenset()
    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    more: frozenset[str] = frozenset()
    respell: Callable[[str], str] = _as_it_is
    spoken: Spoken = field(default_factory=Spoken)
