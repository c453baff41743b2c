"""A ``StoredCall`` as a row of the table and back, and what ``change_call`` may change in it.

Maps are kept as JSON, also in memory, so that what comes back never depends on where it was kept: tuples become lists,
keys become text, and nobody shares an object with the store.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from flowengine.call.ports import StoredCall

COLUMNS = tuple(field.name for field in dataclasses.fields(StoredCall))
ENDED = "ended"
LOST = 100
"""How many lost calls are given at once."""
FORGET_AFTER = 3600.0
"""Seconds that a used token outlives its expiry: clocks differ, and one server must not free another's tokens."""

_JSON = frozenset({"args", "headers", "snapshot", "pending", "tally"})
_FIXED = frozenset({"id", "streams", "offers"})


def encode(value: Any) -> str:
    """Give the JSON text of plain data; raises ``TypeError`` for anything else."""
    return json.dumps(value, separators=(",", ":"))


def to_column(name: str, value: Any) -> Any:
    """Give the value of one field as it stands in its column."""
    if name in _JSON:
        return None if value is None else encode(value)
    # A seed has 64 bits without a sign, SQLite's integers have one.
    return str(value) if name == "seed" else value


def from_row(row: tuple[Any, ...]) -> StoredCall:
    """Give the call of a row whose columns stand in the order of ``COLUMNS``."""
    values = dict(zip(COLUMNS, row, strict=True))
    for name in _JSON:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    values["seed"] = int(values["seed"])
    return StoredCall(**values)


def to_row(call: StoredCall) -> tuple[Any, ...]:
    """Give the row of a call, in the order of ``COLUMNS``."""
    return tuple(to_column(name, getattr(call, name)) for name in COLUMNS)


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for a field that a call has not, or that is not changed by its value."""
    wrong = sorted(name for name in changes if name not in COLUMNS or name in _FIXED)
    if wrong:
        raise TypeError(f"change_call cannot set {', '.join(wrong)}")
