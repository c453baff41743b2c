"""English: the written forms."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from flowengine.flow.languages import language
from flowengine.flow.languages.en import ordinal, plural
from flowengine.flow.writing import Format, amount, clock, day, printed


@pytest.mark.parametrize(
    ("number", "written"),
    [
        *((0, "0th"), (1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (10, "10th"), (11, "11th"), (12, "12th")),
        *((13, "13th"), (21, "21st"), (22, "22nd"), (101, "101st"), (111, "111th"), (112, "112th"), (-1, "-1st")),
    ],
)
def test_ordinals(number: int, written: str) -> None:
    assert ordinal(number) == written


@pytest.mark.parametrize(
    ("one", "many"),
    [
        *(("item", "items"), ("box", "boxes"), ("bus", "buses"), ("dish", "dishes"), ("match", "matches")),
        *(("day", "days"), ("party", "parties"), ("Party", "Parties"), ("child", "children"), ("person", "people")),
        *(("new order", "new orders"), ("", "s")),
    ],
)
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("tag", "value", "written"),
    [
        ("en-US", date(2026, 1, 5), "Monday, January 5"),
        ("en", date(2028, 2, 29), "Tuesday, February 29"),
        ("en-GB", date(2026, 1, 5), "Monday 5 January"),
        ("en-US", time(9, 30), "9:30 AM"),
        ("en-US", time(0, 0), "12:00 AM"),
        ("en-US", time(13, 5), "1:05 PM"),
        ("en-GB", time(9, 30), "09:30"),
    ],
)
def test_dates_and_times(tag: str, value: Any, written: str) -> None:
    form = Format(tag)
    assert (clock(value, form) if isinstance(value, time) else day(value, form)) == written


def test_numbers() -> None:
    assert printed(1234.5, Format("en-US")) == "1234.5"
    assert amount(1234.5, Format("en-US"), "USD") == "$1,234.50"


def test_which_language_serves_a_tag() -> None:
    assert [language(tag).tag for tag in ("en-US", "en", "en-AU", "fr", "xx-YY", "")] == ["en"] * 6
