"""Arguments of a run: typed, defaulted, and refused without telling the value."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.runtime.arguments import BadArgumentError, bind

FLOW = """
flow: test
version: 1
args:
  name: text
  count: {type: int, default: 3}
  account: {type: digits, required: true}
  vip: {type: bool, default: false}
  plan: {type: enum, values: [gold, silver]}
nodes:
  a: {say: "{{ args.name }}{{ args.count }}{{ args.account }}{{ args.vip }}{{ args.plan }}", goto: end}
"""
REST = {"name": None, "count": 3, "vip": False, "plan": None}
GIVEN: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"account": "007"}, {**REST, "account": "007"}),
    ({"account": "1", "count": "12", "vip": "true"}, {**REST, "account": "1", "count": 12, "vip": True}),
    ({"account": "1", "name": "Ann", "plan": "gold"}, {**REST, "account": "1", "name": "Ann", "plan": "gold"}),
    ({"account": "1", "vip": "false", "CallSid": "CA1"}, {**REST, "account": "1"}),
]
BAD = [
    ({}, "account"),
    ({"account": "x-secret"}, "account"),
    ({"account": "1", "count": "many-secret"}, "count"),
    ({"account": "1", "vip": "perhaps-secret"}, "vip"),
    ({"account": "1", "plan": "bronze-secret"}, "plan"),
]


def flow() -> Any:
    loaded = load("test.yaml", FLOW, plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return loaded.flow


@pytest.mark.parametrize(("given", "bound"), GIVEN)
def test_arguments_are_typed_and_defaulted(given: dict[str, str], bound: dict[str, Any]) -> None:
    assert bind(flow(), given) == bound


@pytest.mark.parametrize(("given", "named"), BAD)
def test_a_bad_argument_is_named_without_its_value(given: dict[str, str], named: str) -> None:
    with pytest.raises(BadArgumentError) as caught:
        bind(flow(), given)
    assert f'"{named}"' in str(caught.value)
    assert '"test"' in str(caught.value)
    assert "secret" not in str(caught.value)
