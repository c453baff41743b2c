"""Values as a test writes them, held against what a variable holds: dates in ISO form, money as a number."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import date, time
from decimal import Decimal
from typing import Any

from flowengine.flow.model import Variable
from flowengine.flow.source import Mapping, Scalar, Sequence, Value, to_plain
from flowengine.flow.values import fit

# Types whose values keep the characters as they were written: `account: 007`.
_AS_WRITTEN = ("text", "digits", "phone", "enum", "date", "time", "money")


def typed(variable: Variable, value: Value) -> Any:
    """Give a written value as the variable would hold it; raises ``UnfitValueError``."""
    if isinstance(value, Scalar) and not (value.plain and value.value is None) and variable.kind in _AS_WRITTEN:
        return fit(variable.kind, value.text, variable.choices)
    return fit(variable.kind, to_plain(value), variable.choices)


def equal(variable: Variable, value: Value, held: Any) -> bool:
    """Say whether the variable holds what the test expects."""
    if isinstance(value, Scalar):
        return bool(typed(variable, value) == held)
    return _alike(value, held)


def _alike(value: Value, held: Any) -> bool:
    if isinstance(value, Sequence):
        return (
            isinstance(held, list)
            and len(held) == len(value.items)
            and all(_alike(inner, one) for inner, one in zip(value.items, held, strict=True))
        )
    if isinstance(value, Mapping):
        return (
            isinstance(held, MappingType)
            and held.keys() == value.entries.keys()
            and all(_alike(entry.value, held[key]) for key, entry in value.entries.items())
        )
    shown = show(held)
    # Inside lists and maps no type is declared: where a text is held, the characters as written count.
    if isinstance(shown, str):
        return value.text == shown and not (value.plain and value.value is None)
    return isinstance(value.value, bool) is isinstance(shown, bool) and value.value == shown


def show(held: Any) -> Any:
    """Give a value as a test writes it."""
    if isinstance(held, date | time):
        return held.isoformat()
    if isinstance(held, Decimal):
        return int(held) if held == held.to_integral_value() else float(held)
    if isinstance(held, MappingType):
        return {key: show(inner) for key, inner in held.items()}
    if isinstance(held, list | tuple):
        return [show(inner) for inner in held]
    return held


def shown(held: Any) -> str:
    """Give a value as words of a finding: as it would be written in the file of tests."""
    value = show(held)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {shown(inner)}' for key, inner in value.items())}}}"
    return str(value)
