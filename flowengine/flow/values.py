"""The types of variables: what fits, what is converted, and how a value survives as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

TYPES = (
    "text",
    "digits",
    "int",
    "number",
    "money",
    "bool",
    "yesno",
    "date",
    "time",
    "phone",
    "list",
    "map",
    "enum",
)

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?\Z")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_ISO_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?\Z")
_PHONE = re.compile(r"\+?[0-9]{3,15}\Z")


class UnfitValueError(ValueError):
    """The value is not of the variable's type (`error.type` at run time, a diagnostic at load)."""


def fit(kind: str, value: Any, choices: tuple[str, ...] = ()) -> Any:
    """Give the value as the type holds it; raises ``UnfitValueError``. None fits every type.

    Text becomes a date, time or number when it is the ISO form or a plain decimal; a number never becomes digits.
    Of a moment (``now``) a date takes the date, and a time the time of the clock to the second.
    """
    if value is None:
        return None
    try:
        fitted = None if _endless(value) else _FIT[kind](value)
    except (ValueError, InvalidOperation):
        fitted = None
    if fitted is None or (kind == "enum" and choices and fitted not in choices):
        raise UnfitValueError(f"{type(value).__name__} does not fit {kind}")
    return fitted


def _endless(value: Any) -> bool:
    return isinstance(value, float | Decimal) and not math.isfinite(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _digits(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isascii() and value.isdigit() else None


def _int(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal | float) and value == int(value):
        return int(value)
    if isinstance(value, str) and _DECIMAL.match(value) and "." not in value:
        return int(value)
    return None


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    return float(value) if isinstance(value, str) and _DECIMAL.match(value) else None


def _money(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float):
        return Decimal(str(value))
    return Decimal(value) if isinstance(value, str) and _DECIMAL.match(value) else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _date(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    return date.fromisoformat(value) if isinstance(value, str) and _ISO_DATE.match(value) else None


def _time(value: Any) -> time | None:
    if isinstance(value, datetime):
        return value.time().replace(microsecond=0)
    if isinstance(value, time):
        return value
    return time.fromisoformat(value) if isinstance(value, str) and _ISO_TIME.match(value) else None


def _phone(value: Any) -> str | None:
    return value if isinstance(value, str) and _PHONE.match(value) else None


def _list(value: Any) -> list[Any] | None:
    return list(value) if isinstance(value, list | tuple) else None


def _map(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


_FIT = {
    "text": _text,
    "digits": _digits,
    "int": _int,
    "number": _number,
    "money": _money,
    "bool": _bool,
    "yesno": _bool,
    "date": _date,
    "time": _time,
    "phone": _phone,
    "list": _list,
    "map": _map,
    "enum": _text,
}


def to_json(value: Any) -> Any:
    """Give a value as JSON that ``from_json`` turns back into an equal one."""
    if isinstance(value, Decimal):
        return {"$money": str(value)}
    if isinstance(value, datetime):
        return {"$datetime": _moment_text(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, time):
        return {"$time": value.isoformat()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        plain = {str(key): to_json(item) for key, item in value.items()}
        # What another system sent may look like one of our forms: {"$date": …}.
        return {"$map": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
    return value


def _moment_text(value: datetime) -> str:
    """Give a moment as RFC 9557 writes it, with the name of its zone: ``2026-01-05T09:30:00+01:00[Europe/Berlin]``."""
    zone = getattr(value.tzinfo, "key", None)
    return f"{value.isoformat()}[{zone}]" if zone else value.isoformat()


def _moment(text: str) -> datetime:
    written, _, zone = text.rstrip("]").partition("[")
    moment = datetime.fromisoformat(written)
    return moment.astimezone(ZoneInfo(zone)) if zone else moment


def from_json(value: Any) -> Any:
    """Undo ``to_json``."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if len(value) == 1:
            (key, inner), *_ = value.items()
            if key == "$money":
                return Decimal(inner)
            if key == "$date":
                return date.fromisoformat(inner)
            if key == "$time":
                return time.fromisoformat(inner)
            if key == "$datetime":
                return _moment(inner)
            if key == "$map":
                return {name: from_json(item) for name, item in inner.items()}
        return {key: from_json(item) for key, item in value.items()}
    return value
