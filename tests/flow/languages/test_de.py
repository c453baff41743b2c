"""German: the written forms."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import FORMAT, EvaluationError, Format, Template
from flowengine.flow.languages import language
from flowengine.flow.languages.de import ordinal
from flowengine.flow.writing import amount, clock, day, printed


@pytest.mark.parametrize(("number", "written"), [(1, "1."), (2, "2."), (31, "31."), (100, "100.")])
def test_ordinals(number: int, written: str) -> None:
    assert ordinal(number) == written


@pytest.mark.parametrize(
    ("tag", "value", "written"),
    [
        ("de", date(2026, 1, 5), "Montag, 5. Januar"),
        ("de-DE", date(2026, 3, 29), "Sonntag, 29. März"),
        ("de-AT", date(2026, 1, 5), "Montag, 5. Jänner"),
        ("de", time(9, 30), "9:30 Uhr"),
        ("de-DE", time(0, 5), "0:05 Uhr"),
        ("de-AT", time(17, 0), "17:00 Uhr"),
    ],
)
def test_dates_and_times(tag: str, value: Any, written: str) -> None:
    form = Format(tag)
    assert (clock(value, form) if isinstance(value, time) else day(value, form)) == written


def test_numbers() -> None:
    form = Format("de")
    assert printed(12.5, form) == "12,5"
    assert printed(1234, form) == "1234"
    assert printed("12.5", form) == "12.5"
    assert amount(1234.5, form, "EUR") == "1.234,50 €"


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ 1 | plural('Artikel', 'Artikel') }}", "1 Artikel"),
        ("{{ 0 | plural('Stunde', 'Stunden') }}", "0 Stunden"),
        ("{{ 1.5 | plural('Stunde', 'Stunden') }}", "1,5 Stunden"),
        ("{{ 1 | plural('Stunde') }}", "1 Stunde"),
    ],
)
def test_plurals(source: str, written: str) -> None:
    assert Template(source, Span("f", 1, 1, 1, 2)).text({FORMAT: Format("de")}) == written


def test_a_plural_needs_both_forms() -> None:
    with pytest.raises(EvaluationError, match="needs both forms in this language"):
        Template("{{ 2 | plural('Artikel') }}", Span("f", 1, 1, 1, 2)).text({FORMAT: Format("de")})


def test_which_language_serves_a_tag() -> None:
    assert [language(tag).tag for tag in ("de", "de-DE", "de-AT")] == ["de"] * 3
