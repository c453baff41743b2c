"""Templates and conditions: what they give, and that the fence has no hole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import (
    FILTERS,
    TESTS,
    Condition,
    Equalities,
    EvaluationError,
    ExpressionError,
    Template,
)
from flowengine.flow.hours import DAY, Hours, OpenHours, TimeSpan

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
    "people": [{"name": "Ann"}, {"name": "Bob"}],
    "result": {"rows": [{"id": 7}], "key": "rows", "_id": 9},
    "today": date(2026, 1, 5),
    "now": datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
    "at": time(17, 45),
    "long": "x" * 3_000,
    "many": list(range(101)),
    "office": OpenHours(
        Hours(week=((TimeSpan(600, 720),),) + ((TimeSpan(0, DAY),),) * 6), datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    ),
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
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
        ("{% if n == 1 %}" + "x" * 4001 + "{% else %}y{% endif %}", "y"),
        ("{% if n == 1 %}one{% elif n == 3 %}three{% endif %}", "three"),
        ("{% if nothing %}x{% endif %}!", "!"),
        ("{% for x in items %}{{ x }}, {% endfor %}end", "1, 2, end"),
        ("{% for x in items %}{{ loop.index }}/{{ loop.length }}{{ '' if loop.last else ' ' }}{% endfor %}", "1/2 2/2"),
        ("{% for x in items if x > 1 %}{{ x }}{{ loop.first }}{% endfor %}", "2true"),
        ("{% for x in [] %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for p in people %}{{ p.name }}{{ n }} {% endfor %}", "Ann3 Bob3 "),
        ("{% for n in items %}{{ n }}{% endfor %}{{ n }}", "123"),
        ("{{ office.opens.hour }}:{{ office.opens.minute }}", "10:0"),
        ("{{ today }} {{ at }} {{ now }}", "2026-01-05 17:45 2026-01-05 09:30"),
        ("{{ 0.1 + 0.2 }} {{ 10 / 4 }} {{ price / 3 }}", "0.3 2.5 0.50"),
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
        ("{{ n * 2 - 1 }}", 5),
        ("{{ -7 // 2 }}", -4),
        ("{{ -7 % 3 }}", 2),
        ("{{ 0 - price // 1 }}", Decimal(-1)),
        ("{{ (0 - price) // 1 }}", Decimal(-2)),
        ("{{ (0 - price) % 1 }}", Decimal("0.5")),
        ("{{ price * 3 }}", Decimal("4.50")),
        ("{{ price + 0.1 }}", Decimal("1.60")),
        ("{{ 7 / 2 }}", 3.5),
        ("{{ -n }}", -3),
        ("{{ items[0] }}", 1),
        ("{{ items[-1] }}", 2),
        ("{{ items.0 }}", 1),
        ("{{ result['rows'][0].id }}", 7),
        ("{{ result[result.key][0]['id'] }}", 7),
        ("{{ result['_id'] }}", 9),
        ("{{ [n, name] }}", [3, "Ann"]),
        ("{{ name or 'you' }}", "Ann"),
        ("{{ nothing or 'you' }}", "you"),
        ("{{ today + 3 }}", date(2026, 1, 8)),
        ("{{ 3 + today }}", date(2026, 1, 8)),
        ("{{ today - 5 }}", date(2025, 12, 31)),
        ("{{ today - (today - 9) }}", 9),
        ("{{ now - (today - 9) }}", 9),
        ("{{ now + 1 }}", datetime(2026, 1, 6, 9, 30, tzinfo=UTC)),
        ("{{ today.weekday }}", "mon"),
        ("{{ now.weekday }}", "mon"),
        ("{{ now.hour * 60 + now.minute }}", 570),
        ("{{ [today.year, today.month, today.day, at.hour, at.minute] }}", [2026, 1, 5, 17, 45]),
        ("{{ office.opens }}", datetime(2026, 1, 5, 10, tzinfo=UTC)),
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
        ("nothing", False),
        ("not nothing", True),
        ("nothing and missing", False),
        ("nothing == none", True),
        ("nothing != 'x'", True),
        ("nothing in items", False),
        ("nothing in [none]", True),
        ("'x' in nothing", False),
        ("'nn' in name", True),
        ("'from' in call", True),
        ("missing is set", False),
        ("call.missing is set", False),
        ("nothing.deep.er is set", False),
        ("items[9] is set", False),
        ("price == 1.5", True),
        ("price in [1.5]", True),
        ("price > 1.4 and price <= 1.50", True),
        ("1 < n < 4", True),
        ("1 < n < 2", False),
        ("'a' < 'b'", True),
        ("today < today + 1", True),
        ("now >= now", True),
        ("at > now", None),
        ("office is open", False),
        ("office is not open and office.opens is set", True),
        ("today.weekday in ('sat', 'sun')", False),
    ],
)
def test_a_condition(text: str, holds: bool | None) -> None:
    condition = Condition(text, SPAN)
    condition.compile()
    if holds is None:
        with pytest.raises(EvaluationError):
            condition.holds(SCOPE)
    else:
        assert condition.holds(SCOPE) is holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ nothing }}!", "null can not be printed; use `default`, or test with `is set`"),
        ("{{ nothing + 1 }}", "`+` takes numbers, not null; test with `is set`, or use `default`"),
        ("{{ -nothing }}", "`-` takes numbers, not null; test with `is set`, or use `default`"),
        ("{{ nothing < 1 }}", "`<` can not compare null; test with `is set` first"),
        ("{{ name + name }}", "`+` takes numbers, not a text"),
        ("{{ yes + 1 }}", "`+` takes numbers, not a yes or no"),
        ("{{ name < 3 }}", "`<` can not compare a text with a number"),
        ("{{ yes < true }}", "`<` can not order a yes or no and another"),
        ("{{ today < now }}", "`<` can not compare a date with a date with its time"),
        ("{{ items >= items }}", "`>=` can not order a list and another"),
        ("{{ missing }}", "`missing` has no value here"),
        ("{{ missing == 1 }}", "`missing` has no value here"),
        ("{{ missing and 1 }}", "`missing` has no value here"),
        ("{{ [missing] }}", "`missing` has no value here"),
        ("{{ call.missing }}", "`missing` is not there"),
        ("{{ nothing.x }}", "null has no `x`"),
        ("{{ name.upper }}", "a text has no `upper`"),
        ("{{ items.append }}", "a list has no `append`"),
        ("{{ today.hour }}", "a date has no `hour`"),
        ("{{ now.isoformat }}", "a date with its time has no `isoformat`"),
        ("{{ office.hours }}", "opening hours has no `hours`"),
        ("{{ nothing | spell }}", "`spell` can not take null; use `default` before it, or test with `is set`"),
        ("{{ name | replace('A', nothing) }}", "`replace` can not take null; use `default` before it, or test with"),
        ("{{ items }}!", "a list can not be printed; use `join`"),
        ("{{ call }}!", "a map can not be printed"),
        ("{{ office }}", "opening hours are no value; ask them with `is open`, or for `.opens`"),
        ("{{ 1 if office else 2 }}", "opening hours are neither true nor false; write `is open` after their name"),
        ("{{ n is open }}", "`is open` asks opening hours, not a number"),
        ("{{ items[5] }}", "the list has no entry [5]"),
        ("{{ items['a'] }}", "a text is no index of a list"),
        ("{{ items[true] }}", "a yes or no is no index of a list"),
        ("{{ name[0] }}", "a text has no entries; only lists and maps have"),
        ("{{ nothing[0] }}", "null has no entries"),
        ("{{ n in n }}", "`in` looks into lists, maps and texts, not into a number"),
        ("{{ n in name }}", "a number can not be in a text; only a text can"),
        ("{{ n / (n - 3) }}", "nothing can be divided by zero"),
        ("{{ price % (n - 3) }}", "nothing can be divided by zero"),
        ("{{ n * 999999999999999 }}", "the number is too large; 15 digits are the limit"),
        ("{{ price * 999999999999999 }}", "the number is too large; 15 digits are the limit"),
        ("{{ name * n }}", "`*` takes numbers, not a text"),
        ("{{ n * items }}", "`*` takes numbers, not a list"),
        ("{{ code % n }}", "`%` takes numbers, not a text"),
        ("{{ today * 2 }}", "`*` can not be done with a date and a number; dates take whole days"),
        ("{{ today + 0.5 }}", "dates take whole days"),
        ("{{ today + 9999999 }}", "this date is too far away"),
        ("{{ today + 999999999999 }}", "this date is too far away"),
        ("{{ 1 - today }}", "`-` can not be done with a number and a date; dates take whole days"),
        ("{{ long }}{{ long }}", "the text is longer than 4000 characters"),
        ("{% for x in items %}{{ long }}{% endfor %}", "the text is longer than 4000 characters"),
        ("{% for x in many %}{{ x }}{% endfor %}", "`for` goes over 100 entries at most; there are 101"),
        ("{% for x in name %}{{ x }}{% endfor %}", "`for` goes over a list, not over a text"),
        ("{% for x in call %}{{ x }}{% endfor %}", "`for` goes over a list, not over a map"),
        ("{% for x in nothing %}{{ x }}{% endfor %}", "`for` goes over a list, not over null"),
    ],
)
def test_what_can_not_be_evaluated_is_an_error_at_run_time(text: str, reason: str) -> None:
    template = Template(text, SPAN)
    template.compile()
    with pytest.raises(EvaluationError) as caught:
        template.value(SCOPE)
    assert caught.value.span == SPAN
    assert caught.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "about", "help_"),
    [
        ("{{ 'x'.ljust(50000000) }}", "ljust", "templates only read values"),
        ("{{ name.upper() }}", "upper", "filters are written behind the value: `x | upper`"),
        ("{{ '%0100000000d' | format(1) }}", "format", "known here: spell"),
        ("{{ 'a' * 30000000 }}", "*", "texts join"),
        ("{{ ['a'] * 30000000 }}", "*", ""),
        ("{{ 'a' + 'b' }}", "+", "texts join"),
        ("{{ 'a' ~ 'b' }}", "~", ""),
        ("{{ 9 ** 9 ** 9 }}", "**", ""),
        ("{{ '%s' % n }}", "%", ""),
        ("{{ n / 0 }}", "/", ""),
        ("{{ n // 0 }}", "//", ""),
        ("{{ +n }}", "+", ""),
        ("{{ items[0:1] }}", ":", ""),
        ("{% set x = 1 %}", "set", ""),
        ("{% set x %}a{% endset %}", "set", ""),
        ("{% macro m() %}{% endmacro %}", "macro", ""),
        ("{% include 'x' %}", "include", ""),
        ("{% import 'x' as y %}", "import", ""),
        ("{% from 'x' import y %}", "from", ""),
        ("{% extends 'x' %}", "extends", ""),
        ("{% block b %}{% endblock %}", "block", ""),
        ("{% with %}{% endwith %}", "with", ""),
        ("{% autoescape true %}{% endautoescape %}", "autoescape", ""),
        ("{% call x() %}{% endcall %}", "call", ""),
        ("{% filter upper %}x{% endfilter %}", "filter", ""),
        ("{{ name.__class__ }}", "__class__", ""),
        ("{{ name._private }}", "_private", ""),
        ("{{ name | attr('__class__') }}", "attr", "known here"),
        ("{{ name | uper }}", "uper", 'did you mean "upper"?'),
        ("{{ ().__class__.__bases__ }}", "__bases__", ""),
        ("{{ {'a': 1} }}", "{", ""),
        ("{{ range(10) }}", "range", ""),
        ("{{ lipsum() }}", "lipsum", ""),
        ("{{ items | map('upper') }}", "map", ""),
        ("{{ n is divisibleby(3) }}", "divisibleby", ""),
        ("{{ office is opn }}", "opn", 'did you mean "open"?'),
        ("{{ n is set(3) }}", "set", ""),
        ("{{ n | plural }}", "plural", "as in `{{ 2 | plural('item') }}`"),
        ("{{ n | round(1, 2) }}", "round", "as in"),
        ("{{ n | upper(1) }}", "upper", "as in"),
        ("{{ n | money('EURO') }}", "EURO", "write its three letters: USD, EUR, GBP"),
        ("{{ n | money(5) }}", "5", "write its three letters"),
        ("{{ n | each(5) }}", "5", "write it in quotes"),
        ("{{ n | plural('a', 3) }}", "3", "write it in quotes"),
        ("{{ n | default(other='x') }}", "default", "write the value alone"),
        ("{{ 'x' if n }}", "if", "write `x if … else y`"),
        ("{% for x in items %}{% for y in items %}{% endfor %}{% endfor %}", "for", ""),
        ("{% for x in items %}{% if x %}{% for y in items %}{% endfor %}{% endif %}{% endfor %}", "for", ""),
        ("{% for x, y in items %}{% endfor %}", "for", "write `{% for x in list %}`"),
        ("{% for x in items recursive %}{% endfor %}", "recursive", ""),
        ("{% for x in items %}{{ loop.changed(x) }}{% endfor %}", "changed", ""),
        ("{% for x in items %}{{ loop.lenght }}{% endfor %}", "lenght", "known here: index"),
        ("{% for x in items %}{{ x }}", "for", "close it with `{% endfor %}`"),
        ("{% break %}", "break", ""),
        ("{{ n", "{{", "close it with `}}`"),
        ("{{ }}", "", ""),
        ("{{ n + }}", "", ""),
        ("{% if n %}", "if", "close it with `{% endif %}`"),
        ("{{ n = 3 }}", "=", "write `==`"),
        ("{{ n && 3 }}", "&", "write `and`"),
        ("{{ !n }}", "!", "write `not`, or `!=` to compare"),
        ("{{ 9999999999999999 }}", "9999999999999999", "15 digits are the limit"),
        ("{{ " + "9" * 5000 + " }}", "", "15 digits are the limit"),
        ("{{ 1e999 }}", "inf", "15 digits are the limit"),
        (r"{{ '\ud800' }}", "", "write the character itself"),
        ("{{ " + "(" * 3000 + "n" + ")" * 3000 + " }}", "", "60 brackets or operators"),
        ("{{ " + "[" * 80 + "n" + "]" * 80 + " }}", "", "60 brackets or operators"),
        ("{{ " + "not " * 2000 + "n }}", "", "60 brackets or operators"),
        ("{{ n" + " + n" * 2000 + " }}", "", "60 brackets or operators"),
        ("{{ n" + " | trim" * 1000 + " }}", "", "60 brackets or operators"),
        ("{% if n %}" * 80 + "{% endif %}" * 80, "", "60 brackets or operators"),
        ("{{ n }}" * 10_000, "", "make several prompts of it"),
        ("x" * 4001 + "{{ n }}", "", ""),
    ],
)
def test_the_fence_has_no_hole(text: str, about: str, help_: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Template(text, SPAN)
    assert caught.value.reason
    assert "Jinja" not in caught.value.reason
    assert about in {one.about for one in (caught.value, *caught.value.more)}
    assert any(one.help.startswith(help_) for one in (caught.value, *caught.value.more))


@pytest.mark.parametrize("text", ["n }} x {{ n", "n }}", "{{ n }}", "", "n n", "{% if n %}", "n; n", "n #}"])
def test_a_condition_is_one_expression(text: str) -> None:
    with pytest.raises(ExpressionError):
        Condition(text, SPAN)


GROWTH = [
    "{{ 'aaaa'" + " | replace('a', 'aaaaaaaa')" * 20 + " }}",
    "{{ long | replace('', 'xxxxxxxx') }}",
    "{{ many | join('" + "x" * 100 + "') }}",
    "{{ [long, long, long] | join }}",
    "{{ [[1], [2]] | join }}",
    "{{ [[1], [2]] | join | join }}",
    "{{ long | spell | spell }}",
    "{{ call | join }}",
    "{{ huge | upper }}",
    "{{ huge | replace('x', 'y') }}",
    "{{ huge }}",
    "{{ big }}!",
    "{{ big + 1 }}",
    "{{ big | money }}",
    "{{ tiny }}!",
    "{{ n | round(100000) }}",
    "{{ n | round(0 - 5) }}",
    "{% for x in hundred %}" + "{% if long | replace('x', 'y') == '' %}{% endif %}" * 60 + "{% endfor %}",
]


@pytest.mark.parametrize("text", GROWTH)
def test_nothing_grows_and_nothing_takes_long(text: str) -> None:
    template = Template(text, SPAN)
    scope = {**SCOPE, "huge": "x" * 1_000_000, "big": 10**6000, "tiny": Decimal("1E-99999"), "hundred": [0] * 100}
    with pytest.raises(EvaluationError) as caught:
        template.value(scope)
    assert "at hand" not in caught.value.reason


def test_a_long_result_is_an_error() -> None:
    template = Template("{{ name }}{{ name }}", SPAN)
    assert len(template.text({"name": "x" * 2000})) == 4000
    with pytest.raises(EvaluationError, match="4000"):
        template.text({"name": "x" * 2001})


def test_data_is_never_rendered() -> None:
    assert Template("{{ name }}!", SPAN).text({"name": "{{ n }}"}) == "{{ n }}!"


def test_all_mistakes_of_one_text_are_known() -> None:
    with pytest.raises(ExpressionError) as caught:
        Template("{{ n ** 2 }} {{ n | uper }} {{ n.__class__ }}", SPAN)
    assert [e.about for e in (caught.value, *caught.value.more)] == ["**", "uper", "__class__"]


def test_the_names_that_are_read() -> None:
    assert Template("{{ a }} {{ call.from | default(b) }} {{ c if d.e else 1 }}", SPAN).names == (
        *("a", "call.from", "b"),
        *(name for name in Template("{{ c if d.e else 1 }}", SPAN).names),
    )
    assert set(Condition("x > 1 and not y.z", SPAN).names) == {"x", "y.z"}
    assert Template(
        "{% for x in a.b if x.c %}{{ x }}{{ loop.index }}{{ d }}{% else %}{{ x }}{% endfor %}", SPAN
    ).names == (*("a.b", "d", "x"),)
    assert Condition("call['from'] == a[b]", SPAN).names == ("call.from", "a", "b")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("constant", ""),
        ("{{ x }}", "x"),
        ("Hi {{ x }} {{ y | default('-') }} {{ x }}", "x"),
        ("{{ x | default(y) }}", "y"),
        ("{{ x | spell }}{{ y | round(z) }}", "x y z"),
        ("{{ x + y * 2 }}", "x y"),
        ("{{ x == 3 }} {{ x in y }} {{ x is set }} {{ not x }}", ""),
        ("{{ x < 3 }}", "x"),
        ("{{ 1 < x < y }}", "x y"),
        ("{{ x if x is set else y }}", "y"),
        ("{{ x if x is not set else y }}", "x y"),
        ("{{ x or 'you' }}", ""),
        ("{{ x or y }}", "y"),
        ("{{ x and y }}", "x y"),
        ("{% if x is set %}{{ x }}{% endif %}", ""),
        ("{% if x %}{{ x }}{% else %}{{ y }}{% endif %}", "y"),
        ("{% if not x is set %}nobody{% else %}{{ x }}{% endif %}", ""),
        ("{% if x == none %}nobody{% elif y %}{{ x }}{{ y }}{% else %}{{ y }}{% endif %}", "y"),
        ("{% if x is set and y is set %}{{ x + y }}{% endif %}", ""),
        ("{% if x is set or y is set %}{{ x + y }}{% endif %}", "x y"),
        ("{% for x in y %}{{ x }}{{ x.a }}{{ loop.index }}{{ z }}{% endfor %}", "y z"),
        ("{% if x is set %}{% for x in [y] %}{{ x }}{% endfor %}{{ x }}{% endif %}", "y"),
        ("{{ x.a }}", "x x.a"),
        ("{{ x.a == 1 }}", "x"),
        ("{{ x.a is set }} {{ x.a | default('') }}", ""),
        ("{{ x[0] }} {{ y['a'] }} {{ items[i] }}", "x y y.a items i"),
        ("{{ call.from }} {{ now.hour }} {{ now }}", "call.from now.hour"),
        ("{{ result.a.b is set }} {{ result.c.d }}", "result result.c result.c.d"),
    ],
)
def test_which_null_would_be_an_error(text: str, names: str) -> None:
    template = Template(text, SPAN)
    assert template.needs == tuple(names.split())
    assert template.single is (text.startswith("{{") and text.count("{{") == 1)


@pytest.mark.parametrize(
    ("text", "needs", "true", "false"),
    [
        ("x", "", "x", ""),
        ("not x", "", "", "x"),
        ("x is set", "", "x", ""),
        ("x is not set", "", "", "x"),
        ("not x is set", "", "", "x"),
        ("x == 3", "", "x", ""),
        ("3 == x", "", "x", ""),
        ("x != 3", "", "", "x"),
        ("x == none", "", "", "x"),
        ("x != none", "", "x", ""),
        ("x == y", "", "", ""),
        ("x > 3", "x", "x", "x"),
        ("1 < x < 3", "x", "x", "x"),
        ("x in [1, 2]", "", "x", ""),
        ("x not in [1, 2]", "", "", "x"),
        ("x in [1, none]", "", "", ""),
        ("x in y", "", "y", ""),
        ("x is set and x > 3", "", "x", ""),
        ("x is not set or x > 3", "", "", "x"),
        ("x > 3 and y", "x", "x y", "x"),
        ("x is set and y is set", "", "x y", ""),
        ("x is set or y is set", "", "", ""),
        ("x is not set or y is not set", "", "", "x y"),
        ("x == 1 or x == 2", "", "x", ""),
        ("(x if y else 1) > 2", "x", "", ""),
        ("x | length > 2", "x", "x", "x"),
        ("x | default(0) > 2", "", "", ""),
        ("x.a == 1", "x", "x x.a", "x"),
        ("x.a is set", "", "x x.a", ""),
        ("office is open", "office", "office", "office"),
    ],
)
def test_what_a_condition_needs_and_proves(text: str, needs: str, true: str, false: str) -> None:
    condition = Condition(text, SPAN)
    assert condition.needs == tuple(needs.split())
    assert condition.proves(True) == set(true.split())
    assert condition.proves(False) == set(false.split())


def test_what_equalities_need_and_prove() -> None:
    pairs = Equalities({"x": 1, "y": None, "result.a": "b"}, SPAN)
    assert pairs.needs == ("result",)
    assert pairs.proves(True) == {"x", "result", "result.a"}
    assert pairs.proves(False) == set()
    assert Equalities({"x": None}, SPAN).proves(False) == {"x"}
    assert Equalities({"result.a": 1}, SPAN).proves(False) == {"result"}


def test_braces_in_a_condition() -> None:
    with pytest.raises(ExpressionError, match="without braces"):
        Condition("{{ n }} > 1", SPAN)


def test_equalities_hold_when_all_are_equal() -> None:
    assert Equalities({"n": 3, "call.from": "+1555"}, SPAN).holds(SCOPE)
    assert not Equalities({"n": 3, "name": "Bob"}, SPAN).holds(SCOPE)
    assert Equalities({"nothing": None}, SPAN).holds(SCOPE)
    with pytest.raises(EvaluationError, match="missing"):
        Equalities({"missing": 1}, SPAN).holds(SCOPE)
    assert Equalities({"today.weekday": "mon", "price": 1.5}, SPAN).holds(SCOPE)
    assert not Equalities({"n": 1}, SPAN).holds({"n": Decimal("sNaN")})


WORDS = [
    *("{{", "}}", "{%", "%}", "if", "else", "endif", "for", "in", "endfor", "x", "y", "loop", ".index", "and", "or"),
    *("not", "is", "set", "open", "none", "true", "(", ")", "[", "]", "'a'", "0", "2.5", "+", "-", "*", "/", "//"),
    *("%", "==", "<", ">=", ",", ".", "|", "default", "'%s'", "{#", "#}", "\n", "text", "**", "~", "_", "elif"),
    *FILTERS,
    *TESTS,
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=True)
    | st.text(max_size=20)
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.just(UTC) | st.none())
    | st.builds(OpenHours, st.just(Hours()), st.just(datetime(2026, 1, 5, tzinfo=UTC))),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "x", "index"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SCOPES = st.fixed_dictionaries({}, optional={"x": VALUES, "y": VALUES})
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@st.composite
def expressions(draw: st.DrawFn, most: int = 3) -> str:
    """Give an expression that parses, whatever its operands mean."""
    depth = draw(st.integers(0, most))
    if depth == 0:
        return draw(st.sampled_from(["x", "y", "x.a", "x[0]", "'a'", "2", "0.5", "none", "true", "[1, x]"]))
    inner = expressions(depth - 1)
    form = draw(
        st.sampled_from(
            [
                "{} + {}",
                "{} - {}",
                "{} * {}",
                "{} / {}",
                "{} // {}",
                "{} % {}",
                "{} < {}",
                "{} == {}",
                "{} in {}",
                "{} and {}",
                "{} or {}",
                "{} if {} else 1",
                "{}",
                "not {}",
                "-{}",
                "{} is set",
                "{} is open",
                "[{}, {}]",
                "{}[{}]",
                "|",
            ]
        )
    )
    if form == "|":
        known = FILTERS[draw(st.sampled_from(sorted(FILTERS)))]
        count = draw(st.integers(known.least, known.most))
        arguments = ", ".join(draw(inner) for _ in range(count))
        return f"({draw(inner)}) | {known.name}" + (f"({arguments})" if count else "")
    return form.format(*(f"({draw(inner)})" for _ in range(form.count("{}"))))


def refused(give: Callable[[], Any]) -> str:
    """Give the reason of an error at run time; empty without one. A text that comes out is not too long."""
    try:
        given = give()
    except EvaluationError as error:
        return error.reason
    assert not isinstance(given, str) or len(given) <= 4000
    return ""


def template_of(text: str) -> Template | None:
    try:
        return Template(text, SPAN)
    except ExpressionError as error:
        return None if "Jinja" not in error.reason else Template("{{ jinja }}", SPAN)


def judge(text: str, scope: dict[str, Any]) -> None:
    """Nothing but our own errors comes out, each with a reason of ours."""
    template = template_of(text)
    if template is not None:
        assert isinstance(template.needs, tuple)
        assert "jinja" not in template.names
        assert "at hand" not in refused(lambda: template.text(scope))
        assert "at hand" not in refused(lambda: template.value(scope))


@given(TEXTS, SCOPES)
@example("{{ x | plural('a') }}", {"x": float("nan")})
def test_any_text_is_a_template_or_an_error(text: str, scope: dict[str, Any]) -> None:
    judge(text, scope)


@given(expressions(), SCOPES)
def test_any_expression_gives_a_value_or_an_error(text: str, scope: dict[str, Any]) -> None:
    judge("{{ " + text + " }}", scope)
    judge("{% for x in x %}{{ " + text + " }}{% endfor %}", scope)
    judge("{% if " + text + " %}a{% endif %}", scope)


@given(TEXTS | expressions(), SCOPES)
def test_any_text_is_a_condition_or_an_error(text: str, scope: dict[str, Any]) -> None:
    try:
        condition = Condition(text, SPAN)
    except ExpressionError:
        return
    if refused(lambda: condition.holds(scope)) == "":
        # What it proves is so.
        proved = condition.proves(condition.holds(scope))
        assert [name for name in proved & {"x", "y"} if scope[name] is None] == []


@given(expressions(), VALUES.filter(lambda x: x is not None))
def test_where_null_makes_an_error_the_name_is_needed(text: str, x: Any) -> None:
    template = template_of("{{ " + text + " }}!")
    if template is None or "none" in text or refused(lambda: template.text({"x": x, "y": 2})):
        return
    if "null" in refused(lambda: template.text({"x": None, "y": 2})):
        assert "x" in template.needs
