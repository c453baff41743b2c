"""A call's state survives its JSON form, and its timers go on with what was left of them."""

from __future__ import annotations

import json
from decimal import Decimal

from flowengine.runtime.state import Frame, State, Visit


def full() -> State:
    frame = Frame("t", "r", {"plan": "gold"}, {"amount": Decimal("12.50")})
    state = State({"id": "c"}, "2026-01-05T10:00:00+00:00", 7, [frame])
    state.at = 10.0
    state.visit = Visit("main", 1, {"noinput": 1}, "noinput")
    frame.back = [Visit("greet")]
    state.said = ("help", 9.0)
    state.keys = [("1", 8.0), ("#", 9.5)]
    state.swallow = ("#", 11.0)
    state.timers = {"noinput": 16.0, "call": 3600.0}
    state.path = ["greet", "main"]
    return state


def test_a_state_goes_through_json_unchanged() -> None:
    state = full()
    text = json.dumps(state.to_json())
    assert State.from_json(json.loads(text), at=10.0) == state
    # And it is plain data: writing it changes nothing of the call that goes on.
    assert state == full()


def test_time_that_passed_between_two_streams_is_nobodys() -> None:
    later = State.from_json(full().to_json(), at=110.0)
    assert later.at == 110.0
    assert later.timers == {"noinput": 116.0, "call": 3700.0}
    assert later.keys == [("1", 108.0), ("#", 109.5)]
    assert later.said == ("help", 109.0)
