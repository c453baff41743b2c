"""What a test writes, against what a variable holds."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest

from flowengine.flow import source
from flowengine.flow.diagnostics import Report, Span
from flowengine.flow.model import Variable
from flowengine.flow.values import UnfitValueError
from flowengine.testing import expected

SPAN = Span("x", 1, 1, 1, 1)


def written(text: str) -> Any:
    root = source.read("x", f"v: {text}\n", Report()).root
    assert isinstance(root, source.Mapping)
    return root.entries["v"].value


@pytest.mark.parametrize(
    ("kind", "text", "held"),
    [
        ("digits", "007", "007"),
        ("digits", "123456", "123456"),
        ("text", "12.50", "12.50"),
        ("text", "null", None),
        ("text", '"null"', "null"),
        ("int", "3", 3),
        ("money", "12.5", Decimal("12.50")),
        ("number", "2", 2.0),
        ("bool", "true", True),
        ("date", "2026-01-05", date(2026, 1, 5)),
        ("time", "09:30", time(9, 30)),
        ("list", "[55512, 2026-01-05, 12.5, null]", ["55512", date(2026, 1, 5), Decimal("12.50"), None]),
        ("map", "{a: 1, b: [x]}", {"a": 1, "b": ["x"]}),
        ("list", "[]", []),
    ],
)
def test_equal(kind: str, text: str, held: Any) -> None:
    assert expected.equal(Variable("v", kind, SPAN), written(text), held)


@pytest.mark.parametrize(
    ("kind", "text", "held"),
    [
        ("digits", "007", "7"),
        ("digits", "7", None),
        ("int", "3", 4),
        ("bool", "true", False),
        ("list", "[1]", [1, 2]),
        ("list", "[1]", [True]),
        ("list", "[true]", [1]),
        ("list", "[null]", ["null"]),
        ("list", "[]", None),
        ("list", "[[1]]", [1]),
        ("map", "{a: 1}", {"a": 1, "b": 2}),
        ("map", "{a: 1}", None),
    ],
)
def test_not_equal(kind: str, text: str, held: Any) -> None:
    assert not expected.equal(Variable("v", kind, SPAN), written(text), held)


def test_a_value_that_does_not_fit_its_variable() -> None:
    with pytest.raises(UnfitValueError):
        expected.typed(Variable("v", "int", SPAN), written("many"))


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (None, "null"),
        (True, "true"),
        ("007", '"007"'),
        (Decimal("12.50"), "12.5"),
        (Decimal("12.00"), "12"),
        ([date(2026, 1, 5), {"a": time(9, 30)}], '["2026-01-05", {a: "09:30:00"}]'),
    ],
)
def test_values_are_shown_as_a_test_would_write_them(held: Any, words: str) -> None:
    assert expected.shown(held) == words
