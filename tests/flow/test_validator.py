"""What does not fit a schema, in the order in which it explains."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine.flow.validator import Validator

SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "pattern": "^x"},
        "b": {"type": "array", "items": {"type": "integer", "minimum": 1}},
    },
    "required": ["a"],
    "propertyNames": {"pattern": "^[a-z]$", "errorMessage": "one letter"},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": "x"}, []),
        ([], [((), "type")]),
        ({"a": 5}, [(("a",), "type")]),
        ({"a": "y"}, [(("a",), "pattern")]),
        ({}, [((), "required")]),
        ({"a": "x", "b": [1, 0, "q"]}, [(("b", 1), "minimum"), (("b", 2), "type")]),
        ({"a": "x", "c": 1}, [((), "additionalProperties")]),
        ({"a": "x", "B": 1}, [((), "propertyNames"), ((), "additionalProperties")]),
    ],
)
def test_misfits(value: Any, expected: list[Any]) -> None:
    assert [(m.path, m.keyword) for m in Validator(SCHEMA).misfits(value)] == expected


def test_a_name_is_told_by_itself() -> None:
    (misfit,) = [m for m in Validator(SCHEMA).misfits({"a": "x", "B": 1}) if m.keyword == "propertyNames"]
    assert (misfit.name, misfit.schema["errorMessage"]) == ("B", "one letter")
