"""Types of variables: what fits, what is converted, what survives as JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from flowengine.flow.values import TYPES, UnfitValueError, fit, from_json, to_json

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 1, 5, 12, 0, 7, 99, tzinfo=BERLIN)
FITS: list[tuple[str, Any, Any]] = [
    ("text", "x", "x"),
    ("digits", "007", "007"),
    ("int", 7, 7),
    ("int", "7", 7),
    ("int", 7.0, 7),
    ("number", 7, 7),
    ("number", "1.5", 1.5),
    ("money", 7, Decimal(7)),
    ("money", 12.5, Decimal("12.5")),
    ("money", "12.50", Decimal("12.50")),
    ("bool", True, True),
    ("yesno", False, False),
    ("date", "2026-01-05", date(2026, 1, 5)),
    ("date", NOON, date(2026, 1, 5)),
    ("time", NOON, time(12, 0, 7)),
    ("time", "09:30", time(9, 30)),
    ("phone", "+15550100", "+15550100"),
    ("list", (1, 2), [1, 2]),
    ("map", {"a": 1}, {"a": 1}),
    ("enum", "small", "small"),
]
UNFIT: list[tuple[str, Any]] = [
    ("text", 1),
    ("digits", 7),
    ("digits", "7a"),
    ("digits", "٧"),
    ("int", "7.5"),
    ("int", 7.5),
    ("int", True),
    ("int", "abc"),
    ("number", "1e5"),
    ("number", float("nan")),
    ("money", "1,50"),
    ("money", Decimal("Infinity")),
    ("int", float("inf")),
    ("bool", "true"),
    ("date", "5.1.2026"),
    ("date", "2026-13-01"),
    ("time", "25:00"),
    ("phone", "abc"),
    ("list", "abc"),
    ("map", [1]),
    ("enum", "huge"),
]
JSON: list[Any] = [
    None,
    [date(2026, 1, 5), {"a": Decimal(1)}],
    {"$date": 5},
    {"$map": {"$money": "x"}},
    [{"$": {}}],
    {"$date": "2026-01-05", "b": 1},
]


@pytest.mark.parametrize(("kind", "value", "held"), FITS)
def test_what_fits(kind: str, value: Any, held: Any) -> None:
    fitted = fit(kind, value, ("small", "large"))
    assert fitted == held
    assert type(fitted) is type(held)


@pytest.mark.parametrize(("kind", "value"), UNFIT)
def test_what_does_not_fit(kind: str, value: Any) -> None:
    with pytest.raises(UnfitValueError):
        fit(kind, value, ("small", "large"))


@pytest.mark.parametrize("kind", TYPES)
def test_null_fits_every_type(kind: str) -> None:
    assert fit(kind, None) is None


@pytest.mark.parametrize("held", [held for _, _, held in FITS] + JSON)
def test_a_value_survives_as_json(held: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(held)))) == held


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        datetime(2026, 1, 5, 12, 0),
        datetime(2026, 1, 5, 12, 0, tzinfo=UTC),
        # The hour that comes twice: which of the two it is stays known.
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN),
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
    ],
)
def test_a_moment_survives_with_its_zone(moment: datetime) -> None:
    again = from_json(json.loads(json.dumps(to_json({"at": moment}))))["at"]
    assert (again, again.tzinfo, again.fold) == (moment, moment.tzinfo, moment.fold)
    assert type(again) is datetime
