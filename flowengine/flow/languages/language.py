"""What a language adds to what Babel's CLDR data know of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Language:
    """One language, or one country's use of it.

    ``tag`` is its BCP 47 tag (``de``, ``de-AT``), ``ordinal`` gives the written form of a whole number's rank, and
    ``plural`` makes the plural of a word (None: the language has no rule, the author gives both forms). ``date`` and
    ``time`` are CLDR patterns in the place of CLDR's own (empty: those of CLDR are right).

    What callers say: ``numbers`` are words that stand for digits and signs of keys, ``around_keys`` those that stand
    around a key's name, ``fillers`` those that mean nothing; ``yes``, ``no`` and ``skip`` answer. All are folded:
    small, without accents.
    """

    tag: str
    ordinal: Callable[[int], str]
    plural: Callable[[str], str] | None = None
    date: str = ""
    time: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)
    around_keys: frozenset[str] = frozenset()
    fillers: frozenset[str] = frozenset()
    yes: frozenset[str] = frozenset()
    no: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
