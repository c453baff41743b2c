"""Languages without a file of their own: CLDR's forms, with no word of English in a date or an amount."""

from __future__ import annotations

from datetime import date, time

import pytest

from flowengine.flow.writing import Format, amount, clock, day, prepare


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("fr", ("lundi 5 janvier", "09:30", "12,50 €")),
        ("es-MX", ("lunes, 5 de enero", "9:30 a.m.", "$12.50")),
        ("sv-SE", ("måndag 5 januari", "09:30", "12,50 kr")),
        ("xx", ("Monday, January 5", "9:30 AM", "$12.50")),
    ],
)
def test_the_written_forms(tag: str, written: tuple[str, str, str]) -> None:
    prepare(tag)
    form = Format(tag)
    assert (day(date(2026, 1, 5), form), clock(time(9, 30), form), amount(12.5, form, form.money)) == written
