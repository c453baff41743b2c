"""Filters and tests: every example of the reference, what they refuse, and that nothing large comes out."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import FILTERS, FORMAT, TESTS, EvaluationError, Format, Template
from flowengine.flow.filter import Example

SPAN = Span("f", 1, 1, 1, 2)
EXAMPLES = [one for known in FILTERS.values() for one in known.examples]
EXAMPLES += [one for known in TESTS.values() for one in known.examples]
MONDAY = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def text(source: str, form: Format | None = None, **values: Any) -> str:
    return Template(source, SPAN).text({**values, FORMAT: form} if form else values)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"{one.source}-{one.lang}")
def test_every_example_of_the_reference(example: Example) -> None:
    assert text(example.source, Format(example.lang), **example.values) == example.result


@pytest.mark.parametrize("known", [*FILTERS.values(), *TESTS.values()], ids=lambda known: known.name)
def test_everything_is_described(known: Any) -> None:
    mapping: Any = TESTS if known.name in TESTS else FILTERS
    assert mapping[known.name] is known
    assert known.about[0].isupper()
    assert known.about.endswith(".")
    assert known.examples
    assert all(known.name in one.source for one in known.examples)


def test_the_filters_of_the_language() -> None:
    assert " ".join(FILTERS) == (
        "spell digits money date time ordinal phone last4 plural each default round join length lower upper title trim "
        "first last replace"
    )
    assert list(TESTS) == ["set", "open"]


@pytest.mark.parametrize(
    ("source", "value", "result"),
    [
        ("{{ x | spell }}", 42, "4 2"),
        ("{{ x | spell }}", " a\nb ", "a b"),
        ("{{ x | digits }}", "Ü٣12", "12"),
        ("{{ x | last4 }}", "12", "12"),
        ("{{ x | money }}", "12.50", "$12.50"),
        ("{{ x | money }}", 0, "$0.00"),
        ("{{ x | money }}", -0.001, "$0.00"),
        ("{{ x | money }}", Decimal("-1234567.895"), "-$1,234,567.90"),
        ("{{ x | money }}", 0.125, "$0.13"),
        ("{{ x | money('USD') }}", 1, "$1.00"),
        ("{{ x | money('GBP') }}", 1, "£1.00"),
        ("{{ x | date }}", "2026-02-01", "Sunday, February 1"),
        ("{{ x | date }}", MONDAY, "Monday, January 5"),
        ("{{ x | time }}", MONDAY, "9:30 AM"),
        ("{{ x | time }}", "00:05", "12:05 AM"),
        ("{{ x | time }}", time(12, 0, tzinfo=UTC), "12:00 PM"),
        ("{{ x | phone }}", "+4930123456", "+49 301 234 56"),
        ("{{ x | phone }}", "+353 1 234 5678", "+353 123 456 78"),
        ("{{ x | phone }}", "+79161234567", "+7 916 123 4567"),
        ("{{ x | phone }}", "(555) 123-4567", "555 123 4567"),
        ("{{ x | phone }}", "911", "911"),
        ("{{ x | phone }}", "1234", "1234"),
        ("{{ x | plural('item') }}", 0, "0 items"),
        ("{{ x | plural('item') }}", 1.0, "1 item"),
        ("{{ x | plural('item') }}", 1.5, "1.5 items"),
        ("{{ x | plural('item') }}", "2", "2 items"),
        ("{{ x | each('a') | first | default('-') }}", [{"b": 1}], "-"),
        ("{{ x | each('a') | length }}", [], "0"),
        ("{{ x | round }}", -2.5, "-3"),
        ("{{ x | round }}", Decimal("2.5"), "3"),
        ("{{ x | round(2) }}", Decimal("2.5"), "2.50"),
        ("{{ x | round(2) }}", 2, "2"),
        ("{{ x | round(1) }}", 1.005, "1"),
        ("{{ x | round(2) }}", 1.005, "1.01"),
        ("{{ x | join }}", [1, 2.5, True, date(2026, 1, 5)], "1, 2.5, true, 2026-01-05"),
        ("{{ x | join('') }}", ["a", "b"], "ab"),
        ("{{ x | join }}", [], ""),
        ("{{ x | length }}", "äöü", "3"),
        ("{{ x | length }}", {"a": 1}, "1"),
        ("{{ x | title }}", "it's JOE's étoile", "It's Joe's Étoile"),
        ("{{ x | first }}", "abc", "a"),
        ("{{ x | last | default('none') }}", [], "none"),
        ("{{ x | replace('a', 'bb') }}", "banana", "bbbnbbnbb"),
        ("{{ x | replace('a', '') }}", "banana", "bnn"),
        ("{{ x | default(3) + 1 }}", None, "4"),
        ("{{ x.a | default('-') }}", {}, "-"),
        ("{{ x | default }}", None, ""),
        ("{{ x | default('-') }}", False, "false"),
        ("{{ x }}", 12345678901234567890, "12345678901234567890"),
        ("{{ x }}", 1e-7, "0.0000001"),
        ("{{ x }}", -1e-12, "0"),
        ("{{ x }}", 1e20, "100000000000000000000"),
        ("{{ x }}", Decimal("1E+3"), "1000"),
        ("{{ x }}", Decimal("12.50"), "12.50"),
        ("{{ x }}", time(9, 30, 5), "09:30:05"),
    ],
)
def test_what_a_filter_gives(source: str, value: Any, result: str) -> None:
    assert text(source, x=value) == result


@pytest.mark.parametrize(
    ("source", "value", "reason"),
    [
        ("{{ x | spell }}", [1], "a list can not be printed; use `join`"),
        ("{{ x | upper }}", {"a": 1}, "a map can not be printed"),
        ("{{ x | spell }}", "x" * 2001, "the text is longer than 4000 characters"),
        ("{{ x | upper }}", "ß" * 2001, "the text is longer than 4000 characters"),
        ("{{ x | money }}", "a lot", "`money` takes a number, not a text"),
        ("{{ x | money }}", True, "`money` takes a number, not a yes or no"),
        ("{{ x | money }}", 10**16, "`money` takes numbers of 15 digits at most"),
        ("{{ x | money }}", float("nan"), "`money` takes a number, not a number without end"),
        ("{{ 1 | money(x) }}", "EURO", "this is no currency; they are written as USD, EUR or GBP"),
        ("{{ 1 | money(x) }}", 5, "the currency of `money` is a text such as 'EUR'"),
        ("{{ x }}!", Decimal("sNaN"), "a number without end can not be printed"),
        ("{{ x < 1 }}", Decimal("NaN"), "`<` can not compare a number without end with a number"),
        ("{{ x + 1 }}", float("inf"), "`+` takes numbers, not a number without end"),
        ("{{ x | date }}", "5.1.2026", "`date` takes a date, not a text"),
        ("{{ x | date }}", time(9), "`date` takes a date, not a time"),
        ("{{ x | time }}", date(2026, 1, 5), "`time` takes a time, not a date"),
        ("{{ x | ordinal }}", 1.5, "`ordinal` takes a whole number"),
        ("{{ x | ordinal }}", "second", "`ordinal` takes a number, not a text"),
        ("{{ x | phone }}", 15551234567, "`phone` takes a telephone number such as +15551234567"),
        ("{{ x | phone }}", "Ann", "`phone` takes a telephone number such as +15551234567"),
        ("{{ x | plural('item') }}", [1], "`plural` takes a number, not a list"),
        ("{{ x | each('a') }}", {"a": 1}, "`each` takes a list, not a map"),
        ("{{ x | each('a') }}", [1], "`each` takes a list of maps; there is a number in it"),
        ("{{ x | each('a') }}", [{}] * 4001, "`each` takes 4000 entries at most"),
        ("{{ x | round('a') }}", 1, "`round` takes a number, not a text"),
        ("{{ x | round(11) }}", 1, "`round` gives 0 to 10 places"),
        ("{{ x | join }}", "abc", "`join` takes a list, not a text"),
        ("{{ x | join }}", [None], "null can not be printed"),
        ("{{ x | join }}", [[1]], "a list can not be printed"),
        ("{{ x | join }}", ["x" * 2000] * 3, "`join` gives 4000 characters at most"),
        ("{{ x | length }}", 5, "a number has no length; texts, lists and maps have"),
        ("{{ x | first }}", 5, "`first` takes a list or a text, not a number"),
        ("{{ x | replace('', 'x') }}", "abc", "the text that `replace` takes away is empty"),
        ("{{ x | replace('a', 'bbbbb') }}", "a" * 1000, "`replace` gives 4000 characters at most"),
        ("{{ x | trim }}", None, "`trim` can not take null; use `default` before it, or test with `is set`"),
    ],
)
def test_what_a_filter_refuses(source: str, value: Any, reason: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        text(source, x=value)
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("form", "result"),
    [
        (Format("en-US"), "$12.50"),
        (Format("en"), "$12.50"),
        (Format("en-GB"), "£12.50"),
        (Format("de"), "12,50 €"),
        (Format("de-CH"), "CHF 12.50"),
        (Format("ja"), "¥13"),
        (Format("de", "USD"), "12,50 $"),
        # Another language does not make other money of an amount.
        (Format("de", "", "en-US"), "12,50 $"),
        (Format("en-US", "EUR"), "€12.50"),
        # No language that anybody knows: English.
        (Format("xx"), "$12.50"),
        (Format("xx-DE"), "$12.50"),
    ],
)
def test_the_currency_of_an_amount(form: Format, result: str) -> None:
    assert text("{{ x | money }}", form, x=Decimal("12.5")).replace("￥", "¥") == result


def test_checking_a_flow_reads_no_data_of_languages() -> None:
    code = (
        "import sys; from flowengine.flow.loader import load; from flowengine.plugins import node_types;"
        "load('f', 'flow: x', node_types()); print('babel' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
