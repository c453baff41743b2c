"""What the operators of expressions do with values: lookups, comparison, arithmetic, and why they can not.

Everything is bounded: numbers and texts do not grow, and nothing but mappings, lists, dates and hours can be entered.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from flowengine.flow.hours import OpenHours

MAX_RESULT = 4_000
MAX_NUMBER = 10**15
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Forty digits: sums and products of amounts are exact, and no operation takes long.
_EXACT = Context(prec=40, rounding=ROUND_HALF_UP)
_TENTH_PLACE = Decimal("1e-10")
_DATE_PARTS = ("year", "month", "day", "weekday")
_TIME_PARTS = ("hour", "minute")


class Refusal(Exception):
    """The values at hand do not allow it; the text is a sentence for the author."""


class Missing:
    """What a lookup gives that finds nothing: `is set` and `default` accept it, all else is refused with ``reason``."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


def present(value: Any) -> Any:
    """Give the value; refuses what is missing."""
    if isinstance(value, Missing):
        raise Refusal(value.reason)
    return value


def is_number(value: Any) -> bool:
    """Whether this is a number; true and false are none, nor is what has no end or is not a number at all (NaN)."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and not _endless(value)


def _endless(value: Any) -> bool:
    return (
        not value.is_finite() if isinstance(value, Decimal) else isinstance(value, float) and not math.isfinite(value)
    )


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "a yes or no"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (Decimal, "a number"),
    (datetime, "a date with its time"),
    (date, "a date"),
    (time, "a time"),
    (list, "a list"),
    (tuple, "a list"),
    (Mapping, "a map"),
    (OpenHours, "opening hours"),
)


def kind(value: Any) -> str:
    """Name the kind of a value for people."""
    if value is None:
        return "null"
    if _endless(value):
        return "a number without end"
    return next((word for type_, word in _KINDS if isinstance(value, type_)), "a value of the engine")


def truth(value: Any) -> bool:
    """Say whether a value counts as true: null, false, zero, and what is empty do not."""
    if isinstance(present(value), OpenHours):
        raise Refusal("opening hours are neither true nor false; write `is open` after their name")
    return bool(value)


def attribute(value: Any, name: str) -> Any:
    """Look up ``value.name``: an entry of a map, a part of a date or time, or `opens` of hours."""
    if isinstance(value, Mapping):
        return value[name] if name in value else Missing(f"`{name}` is not there")
    if isinstance(value, datetime | date) and name in _DATE_PARTS:
        return WEEKDAYS[value.weekday()] if name == "weekday" else getattr(value, name)
    if isinstance(value, datetime | time) and name in _TIME_PARTS:
        return getattr(value, name)
    if isinstance(value, OpenHours) and name == "opens":
        return value.opens
    if isinstance(value, Missing):
        return value
    return Missing(f"{kind(value)} has no `{name}`")


def entry(value: Any, index: Any) -> Any:
    """Look up ``value[index]``: by number in a list, by text in a map."""
    if isinstance(value, list | tuple) and isinstance(index, int) and not isinstance(index, bool):
        return value[index] if -len(value) <= index < len(value) else Missing(f"the list has no entry [{index}]")
    if isinstance(value, Mapping) and isinstance(index, str):
        return attribute(value, index)
    if isinstance(value, Missing):
        return value
    if value is None:
        return Missing("null has no entries")
    if isinstance(value, list | tuple | Mapping):
        raise Refusal(f"{kind(index)} is no index of {kind(value)}")
    raise Refusal(f"{kind(value)} has no entries; only lists and maps have")


def equal(left: Any, right: Any) -> bool:
    """Say whether two values are the same; an amount of money equals the decimal that is written like it."""
    if is_number(left) and is_number(right):
        left, right = _alike(left, right)
    return not _endless(left) and not _endless(right) and bool(left == right)


def contains(container: Any, value: Any) -> bool:
    """Say whether ``value in container``: an entry of a list, a key of a map, a part of a text; nothing is in null."""
    if container is None:
        return False
    if isinstance(container, list | tuple):
        return any(equal(one, value) for one in container)
    if isinstance(container, Mapping):
        return isinstance(value, str) and value in container
    if isinstance(container, str):
        if value is None:
            return False
        if isinstance(value, str):
            return value in container
        raise Refusal(f"{kind(value)} can not be in a text; only a text can")
    raise Refusal(f"`in` looks into lists, maps and texts, not into {kind(container)}")


_ORDERS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "lt": ("<", operator.lt),
    "lteq": ("<=", operator.le),
    "gt": (">", operator.gt),
    "gteq": (">=", operator.ge),
}


def compare(name: str, left: Any, right: Any) -> bool:
    """Compare by Jinja's name of the operator; refuses to order different kinds and null."""
    left, right = present(left), present(right)
    if name in ("eq", "ne"):
        return equal(left, right) is (name == "eq")
    if name in ("in", "notin"):
        return contains(right, left) is (name == "in")
    sign, order = _ORDERS[name]
    if is_number(left) and is_number(right):
        return order(*_alike(left, right))
    if left is None or right is None:
        raise Refusal(f"`{sign}` can not compare null; test with `is set` first")
    ordered = any(_both(type_, left, right) for type_ in (str, datetime, time))
    if ordered or (_both(date, left, right) and not isinstance(left, datetime) and not isinstance(right, datetime)):
        if getattr(left, "tzinfo", None) is None or getattr(right, "tzinfo", None) is None:
            # A moment without a zone is in the zone of the one beside it.
            left, right = _zoneless(left), _zoneless(right)
        return order(left, right)
    if kind(left) == kind(right):
        raise Refusal(f"`{sign}` can not order {kind(left)} and another")
    raise Refusal(f"`{sign}` can not compare {kind(left)} with {kind(right)}")


def _both(type_: type, left: Any, right: Any) -> bool:
    return isinstance(left, type_) and isinstance(right, type_)


def _zoneless(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime | time) else value


def _alike(left: Any, right: Any) -> tuple[Any, Any]:
    """Give two numbers so that Python compares and computes them exactly: with money both are decimals."""
    if isinstance(left, Decimal) != isinstance(right, Decimal):
        return _decimal(left), _decimal(right)
    return left, right


def _decimal(value: Any) -> Decimal:
    # The decimal that is written like the float, not the binary fraction that it is.
    return value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else value)


def negative(value: Any) -> Any:
    """Give ``-value``."""
    return arithmetic("-", 0, value)


def arithmetic(sign: str, left: Any, right: Any) -> Any:
    """Compute ``+ - * / // %`` on numbers, and days on dates; refuses what is too large."""
    left, right = present(left), present(right)
    if isinstance(left, date) or isinstance(right, date):
        return _days(sign, left, right)
    for side in (left, right):
        if not is_number(side):
            remedy = "; test with `is set`, or use `default`" if side is None else ""
            raise Refusal(f"`{sign}` takes numbers, not {kind(side)}{remedy}")
        _bounded(side)
    left, right = _alike(left, right)
    if sign in ("/", "//", "%") and not right:
        raise Refusal("nothing can be divided by zero")
    money = isinstance(left, Decimal)
    return _bounded((_OF_MONEY if money else _OF_NUMBERS)[sign](left, right))


def _floor(left: Decimal, right: Decimal) -> Decimal:
    # Decimals would round towards zero; money rounds as numbers do.
    whole = _EXACT.divide_int(left, right)
    rest = _EXACT.subtract(left, _EXACT.multiply(whole, right))
    return whole - 1 if rest and (rest < 0) != (right < 0) else whole


_OF_NUMBERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_OF_MONEY: Mapping[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": _EXACT.divide,
    "//": _floor,
    "%": lambda left, right: _EXACT.subtract(left, _EXACT.multiply(_floor(left, right), right)),
}


def _bounded(value: Any) -> Any:
    if _endless(value) or not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise Refusal("the number is too large; 15 digits are the limit")
    if isinstance(value, Decimal) and value and value.adjusted() < -20:
        return Decimal(0)
    return value


def _days(sign: str, left: Any, right: Any) -> Any:
    """Add days to a date, take days from it, or count the days between two."""
    if sign == "-" and isinstance(left, date) and isinstance(right, date):
        return (_day(left) - _day(right)).days
    if sign == "+" and is_number(left):
        left, right = right, left
    if sign not in ("+", "-") or not isinstance(left, date) or not is_number(right):
        raise Refusal(f"`{sign}` can not be done with {kind(left)} and {kind(right)}; dates take whole days")
    if _bounded(right) != int(right):
        raise Refusal("dates take whole days")
    try:
        days = timedelta(days=int(right))
        return left + days if sign == "+" else left - days
    except OverflowError:
        raise Refusal("this date is too far away") from None


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def plain_number(value: Any) -> str:
    """Give a number as plain digits with a point, at most ten of them behind it, and without an exponent."""
    if isinstance(value, int):
        if value.bit_length() > 3 * MAX_RESULT:
            raise Refusal("the number is too large to be written")
        return str(value)
    if value and abs(_decimal(value).adjusted()) > MAX_RESULT // 10:
        raise Refusal("the number is too large to be written")
    exact = _decimal(value)
    if isinstance(value, Decimal) and -10 <= int(exact.as_tuple().exponent) <= 0:
        return format(exact, "f")  # money keeps the places that it has: 12.50
    text = format(exact.quantize(_TENTH_PLACE, context=Context(prec=MAX_RESULT, rounding=ROUND_HALF_UP)), "f")
    text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
