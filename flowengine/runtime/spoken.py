"""Values that a caller says or keys: what was heard or pressed -> a value of a type, in the language of the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from flowengine.flow.diagnostics import Span
from flowengine.flow.model import NO_PHRASES, Phrase, Phrases
from flowengine.runtime import numerals
from flowengine.runtime.dates import date_of, order, time_of
from flowengine.runtime.understanding import agrees, choose

_NOWHERE = Span("", 1, 1, 1, 1)
_SIZES = {"y": 4, "m": 2, "d": 2}
_COUNTS = {"date": (8, 8), "time": (4, 4), "yesno": (1, 1), "bool": (1, 1), "phone": (3, numerals.MOST_DIGITS)}
_NUMBERS = {"int": (1, numerals.MOST_DIGITS), "number": (1, numerals.MOST_DIGITS + 1)}
_DIGITS = (1, 30)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A value of an enum as a menu's option: its own name is a phrase, too."""

    name: str
    hear: Phrases
    keys: tuple[str, ...]


def value(
    kind: str,
    text: str,
    lang: str,
    now: datetime,
    *,
    choices: tuple[str, ...] = (),
    phrases: Mapping[str, Phrases] | None = None,
    length: tuple[int, int] = _DIGITS,
    default: str = "",
) -> Any | None:
    """Give the value of a type that was said, or None where it was not understood.

    ``now`` is a moment in the zone of the flow. ``choices`` are the values of an enum and ``phrases`` what is said for
    each; ``default`` is the flow's language, whose phrases count where there are none in ``lang``. ``length`` (least
    and most) chooses between readings of digits; a value of another length is given all the same, so that the caller
    can be told that it is too short.
    """
    if kind == "enum":
        return _enum(text, lang, default or lang, choices, phrases or {})
    if kind == "digits":
        return numerals.spelled(text, lang, length)
    if kind == "date":
        return date_of(text, lang, now.date())
    reader = _READERS.get(kind)
    return reader(text, lang) if reader else None


def _text(text: str, lang: str) -> str | None:
    return text.strip() or None


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "int": numerals.whole,
    "number": numerals.number,
    "money": numerals.money,
    "time": time_of,
    "phone": numerals.telephone,
    "yesno": agrees,
    "bool": agrees,
    "text": _text,
}


def _enum(text: str, lang: str, default: str, choices: tuple[str, ...], phrases: Mapping[str, Phrases]) -> str | None:
    options = [
        _Choice(name, _with_name(phrases.get(name, NO_PHRASES), name), (str(place),))
        for place, name in enumerate(choices, 1)
    ]
    found = choose(text, options, lang, default)
    return found.name if found else None


def _with_name(phrases: Phrases, name: str) -> Phrases:
    own = Phrase(name.replace("_", " "), _NOWHERE)
    return Phrases({tag: (*said, own) for tag, said in phrases.by_language.items()} or {"": (own,)})


def by_keys(kind: str, keys: str, lang: str, choices: tuple[str, ...] = ()) -> Any | None:
    """Give the value of a type that was keyed (``*`` for star), or None where it is none.

    Star is the decimal point of a number and of money. A date is 8 digits in the order of the language, a time 4 of
    24 hours, yes is 1 and no is 2, a value of an enum is its place.
    """
    if kind == "text":
        return keys or None
    pointed = kind in ("number", "money")
    plain = keys.replace("*", "", 1) if pointed else keys
    if not (plain.isascii() and plain.isdigit()) or len(plain) > (numerals.MOST_DIGITS if kind in _DECIMALS else 30):
        return None
    if kind == "digits" or (kind == "phone" and 3 <= len(plain) <= numerals.MOST_DIGITS):
        return plain
    if kind == "enum":
        return choices[int(plain) - 1] if 1 <= int(plain) <= len(choices) else None
    if kind in ("yesno", "bool"):
        return {"1": True, "2": False}.get(plain)
    if kind in ("date", "time"):
        return _day(plain, lang) if kind == "date" else _clock(plain)
    return _number(kind, keys)


_DECIMALS = ("int", "number", "money")


def _number(kind: str, keys: str) -> Decimal | float | int | None:
    if kind == "int":
        return int(keys)
    if kind not in _DECIMALS:
        return None
    exact = Decimal(keys.replace("*", ".") if not keys.startswith("*") else f"0.{keys[1:]}")
    if kind == "money":
        return exact
    return int(exact) if exact == int(exact) else float(exact)


def _day(keys: str, lang: str) -> date | None:
    if len(keys) != 8:
        return None
    parts: dict[str, int] = {}
    at = 0
    for part in order(lang):
        parts[part] = int(keys[at : at + _SIZES[part]])
        at += _SIZES[part]
    try:
        return date(parts["y"], parts["m"], parts["d"])
    except ValueError:
        return None


def _clock(keys: str) -> time | None:
    hour, minute = int(keys[:2]), int(keys[2:] or 0)
    return time(hour, minute) if len(keys) == 4 and hour < 24 and minute < 60 else None


def key_count(kind: str, choices: tuple[str, ...] = ()) -> tuple[int, int]:
    """Give how many keys an entry of a type has, at least and at most."""
    if kind == "enum":
        return 1, max(1, len(str(len(choices))))
    if kind == "money":
        return _NUMBERS["number"]
    return _COUNTS.get(kind) or _NUMBERS.get(kind) or _DIGITS
