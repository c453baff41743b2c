"""The schema of events takes what a real call leaves behind, and nothing else."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from flowengine.call.announcement import events_schema
from flowengine.testing import virtual_time
from flowengine.testing.script import Dialled, ExpectEnd, Keys, Silence, Step, WaitAudio

FLOW = """
flow: test
version: 1
nodes:
  main:
    say: One for a person, two for the end.
    menu: [{key: 1, goto: person}, {key: 2, goto: end}]
  person: {transfer: "+15550100", goto: {else: main}}
"""
VALIDATOR = Draft202012Validator(events_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def event(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": "01J", "type": "call.ended", "at": record["started"], "call": record["id"], "data": record}


def simulated(world: Any, carrier: Literal["twilio", "vobiz"], *steps: Step, transfers: Any = ()) -> dict[str, Any]:
    world.flow(FLOW)

    async def go() -> Any:
        return await world.call(await world.start(), *steps, carrier=carrier, transfers=transfers)

    record = virtual_time.run(go(), limit=600.0).record
    assert isinstance(record, dict)
    return record


@pytest.mark.parametrize("carrier", ["twilio", "vobiz"])
def test_the_records_of_real_calls_fit(world: Any, carrier: Literal["twilio", "vobiz"]) -> None:
    keys = (WaitAudio(0.3), Keys("1"), Silence(4.0), Keys("2"), ExpectEnd(20.0))
    ended = simulated(world, carrier, *keys, transfers=(Dialled("busy"),))
    VALIDATOR.validate(event(ended))
    assert (ended["ended_reason"], ended["path"]) == ("flow.hangup", ["main", "person", "main"])


@pytest.mark.parametrize("carrier", ["twilio", "vobiz"])
def test_so_does_that_of_a_caller_who_leaves(world: Any, carrier: Literal["twilio", "vobiz"]) -> None:
    left = simulated(world, carrier, WaitAudio(0.3))
    VALIDATOR.validate(event(left))
    assert (left["ended_reason"], left["fault"]) == ("caller.hangup", "caller")


@pytest.mark.parametrize(
    "change",
    [
        {"from": None},
        {"seconds": -1},
        {"path": "main"},
        {"ended_reason": "flow.surprise"},
        {"counts": {"repeated": "1"}},
        {"unknown": 1},
    ],
)
def test_what_is_no_record_does_not_fit(world: Any, change: dict[str, Any]) -> None:
    record = simulated(world, "twilio", WaitAudio(0.3))
    assert not VALIDATOR.is_valid(event({**record, **change}))


def test_an_envelope_has_its_five_fields(world: Any) -> None:
    whole = event(simulated(world, "twilio", WaitAudio(0.3)))
    for name in whole:
        assert not VALIDATOR.is_valid({key: value for key, value in whole.items() if key != name})
    assert not VALIDATOR.is_valid({**whole, "type": "call.began"})
