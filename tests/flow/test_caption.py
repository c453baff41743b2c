from __future__ import annotations

import pytest

from flowengine.flow.caption import duration, plain, shortened


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hello.", "Hello."),
        ("You have {{ balance | money }}.", "You have {balance}."),
        ("{{account|last4|spell}}", "{account}"),
        ("{{- call.id -}}", "{call.id}"),
        ("{{ (loan / years) | money }} a year", "{(loan / years)} a year"),
        ("{{ (turns | length) + 1 }}", "{(turns | length) + 1}"),
        ("{% if ready %}Now.{% endif %} {# why #}Bye.\n  Bye.", "Now. Bye. Bye."),
        ("{{", "{{"),
    ],
)
def test_a_template_for_people(source: str, text: str) -> None:
    assert plain(source) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.5, "500ms"), (1, "1s"), (1.5, "1.5s"), (90, "90s"), (300, "5m"), (7200, "2h")]
)
def test_a_time_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_first_words() -> None:
    assert (shortened("one two  three", 2), shortened("one two", 2), shortened("", 2)) == ("one two…", "one two", "")
