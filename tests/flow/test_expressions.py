"""Templates and conditions: what they give, and that the fence has no hole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Condition, Equalities, EvaluationError, ExpressionError, Template

SPAN = Span("f", 1, 1, 1, 2)
SCOPE: dict[str, Any] = {
    "n": 3,
    "price": Decimal("1.50"),
    "name": "Ann",
    "code": "0042",
    "nothing": None,
    "yes": True,
    "whole": 2.0,
    "call": {"from": "+1555", "headers": {"x": "y"}},
    "items": [1, 2],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain { text }", "plain { text }"),
        ("Hi {{ name }}.", "Hi Ann."),
        ("{{ call.from }} {{ call.headers.x }}", "+1555 y"),
        ("{{ code | spell }}", "0 0 4 2"),
        ("{{ code | last4 | spell }}!", "0 0 4 2!"),
        ("{{ 'a1 b2' | digits }}", "12"),
        ("{{ nothing | default('none') }}", "none"),
        ("{{ whole }} {{ yes }}", "2 true"),
        ("{% if n > 2 and name == 'Ann' %}many{% else %}few{% endif %}", "many"),
        ("{{ 'x' if nothing is set else 'y' }}", "y"),
        ("{# a note #}end", "end"),
        ("line\n", "line\n"),
    ],
)
def test_a_template_gives_its_text(text: str, expected: str) -> None:
    assert Template(text, SPAN).text(SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ n + 1 }}", 4),
        (" {{ n }} ", 3),
        ("{{ price + 1 }}", Decimal("2.50")),
        ("{{ nothing }}", None),
        ("{{ items }}", [1, 2]),
        ("{{ n }}{{ n }}", "33"),
        ("n is {{ n }}", "n is 3"),
        ("{{ code }}", "0042"),
    ],
)
def test_a_single_expression_keeps_its_type(text: str, expected: Any) -> None:
    assert Template(text, SPAN).value(SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("n == 3", True),
        ("n in items", False),
        ("nothing is set", False),
        ("nothing is not set", True),
        ("not yes", False),
        ("n >= 3 and (name == 'Bob' or code == '0042')", True),
        ("nothing == 1", False),
        ("true", True),
    ],
)
def test_a_condition(text: str, holds: bool) -> None:
    condition = Condition(text, SPAN)
    condition.compile()
    assert condition.holds(SCOPE) is holds


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}!",
        "{{ nothing + 1 }}",
        "{{ nothing < 1 }}",
        "{{ name + name }}",
        "{{ yes + 1 }}",
        "{{ name < 3 }}",
        "{{ missing }}",
        "{{ call.missing }}",
        "{{ name.upper }}",
        "{{ nothing | spell }}",
        "{{ items.append }}",
    ],
)
def test_what_can_not_be_evaluated_is_an_error_at_run_time(text: str) -> None:
    template = Template(text, SPAN)
    with pytest.raises(EvaluationError) as caught:
        template.value(SCOPE)
    assert caught.value.span == SPAN


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x'.ljust(50000000) }}",
        "{{ '%0100000000d' | format(1) }}",
        "{{ 'a' * 30000000 }}",
        "{{ 'a' ~ 'b' }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%s' % n }}",
        "{{ n / 0 }}",
        "{{ n // 1 }}",
        "{% for x in items %}{{ x }}{% endfor %}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% raw %}{{ n }}{% endraw %}{% call x() %}{% endcall %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ name.__class__ }}",
        "{{ name._private }}",
        "{{ name | attr('__class__') }}",
        "{{ ().__class__.__bases__ }}",
        "{{ items[0] }}",
        "{{ {'a': 1} }}",
        "{{ range(10) }}",
        "{{ lipsum() }}",
        "{{ name | upper }}",
        "{{ items | map('upper') }}",
        "{{ n is divisibleby(3) }}",
        "{{ n",
        "{{ }}",
        "{{ n + }}",
        "{% if n %}",
        "{{ " + "(" * 3000 + "n" + ")" * 3000 + " }}",
    ],
)
def test_the_fence_has_no_hole(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Template(text, SPAN)
    assert caught.value.reason
    assert "Jinja" not in caught.value.reason


def test_a_long_result_is_an_error() -> None:
    template = Template("{{ name }}{{ name }}", SPAN)
    assert len(template.text({"name": "x" * 2000})) == 4000
    with pytest.raises(EvaluationError, match="4000"):
        template.text({"name": "x" * 2001})


def test_data_is_never_rendered() -> None:
    assert Template("{{ name }}!", SPAN).text({"name": "{{ n }}"}) == "{{ n }}!"


def test_all_mistakes_of_one_text_are_known() -> None:
    with pytest.raises(ExpressionError) as caught:
        Template("{{ n * 2 }} {{ n | upper }} {{ n.__class__ }}", SPAN)
    assert {e.about for e in (caught.value, *caught.value.more)} == {"*", "upper", "__class__"}


def test_the_names_that_are_read() -> None:
    assert Template("{{ a }} {{ call.from | default(b) }} {{ c if d.e else 1 }}", SPAN).names == (
        *("a", "call.from", "b"),
        *(name for name in Template("{{ c if d.e else 1 }}", SPAN).names),
    )
    assert set(Condition("x > 1 and not y.z", SPAN).names) == {"x", "y.z"}


def test_braces_in_a_condition() -> None:
    with pytest.raises(ExpressionError, match="without braces"):
        Condition("{{ n }} > 1", SPAN)


def test_equalities_hold_when_all_are_equal() -> None:
    assert Equalities({"n": 3, "call.from": "+1555"}, SPAN).holds(SCOPE)
    assert not Equalities({"n": 3, "name": "Bob"}, SPAN).holds(SCOPE)
    assert Equalities({"nothing": None}, SPAN).holds(SCOPE)
    with pytest.raises(EvaluationError, match="missing"):
        Equalities({"missing": 1}, SPAN).holds(SCOPE)
