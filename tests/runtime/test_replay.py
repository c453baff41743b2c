"""Traces are read back and run again; whoever breaks one is told where."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import pytest

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.runtime.replay import BadTraceError, Recorded, read, replay

FLOW = """\
flow: small
version: 1
args: {day: {type: date}}
vars:
  pin: {type: digits, private: true}
  size: {type: enum, values: [small, large]}
defaults: {timeouts: {noinput: 5s}}
nodes:
  main:
    say: Press 1.
    menu: [{key: 1, goto: ask}]
    catch: {toomany: {say: Goodbye., goto: end}}
  ask:
    say: Four digits.
    collect: {into: pin, length: 4, confirm: "{{ pin | spell }}?"}
    goto: {done: said, else: end}
  said: {goto: [{if: "pin == '4711'", goto: boss}, {else: other}]}
  boss: {say: "Hello, boss.", goto: end}
  other: {say: Hello., goto: end}
"""
CALL = {"id": "c", "from": "+1", "to": "+2", "direction": "inbound", "headers": {}}


def program(text: str = FLOW) -> Program:
    flow = load("small.yaml", text, plugins.node_types()).flow
    assert flow is not None
    return Program(flow)


def started(**args: Any) -> fact.CallStarted:
    return fact.CallStarted(0.0, CALL, "2026-01-05T10:00:00+00:00", 7, args)


def traced(interpreter: Interpreter, *events: fact.Event) -> list[str]:
    lines = [trace.header({"id": "c", "revision": interpreter.flow.revision})]
    return lines + [trace.handle(interpreter, event)[1] for event in events]


def keys(digits: str, at: float) -> list[fact.Event]:
    return [fact.DigitPressed(at + number / 10, digit) for number, digit in enumerate(digits)]


def differences(recorded: Recorded, text: str = FLOW, env: Mapping[str, str] | None = None) -> list[int]:
    return [again.moment.line for again in replay(program(text), env or {}, recorded) if not again.same]


def test_a_trace_runs_again_with_the_same_effects() -> None:
    it = Interpreter(program(), {})
    first = [started(), fact.PromptFinished(1.0, "e0.p1", 1.0), fact.TimePassed(6.0000001), *keys("1", 6.5)]
    lines = traced(it, *first, *keys("9999", 8.0), *keys("1", 9.0))
    recorded = read(lines)
    assert [moment.line for moment in recorded.moments] == list(range(2, len(lines) + 1))
    assert [moment.hidden for moment in recorded.moments] == [False] * 4 + [True] * 4 + [False]
    assert differences(recorded) == []
    assert "9999" not in "".join(lines)


def test_what_was_covered_can_make_a_difference_and_is_marked() -> None:
    lines = traced(Interpreter(program(), {}), started(), *keys("1", 1.0), *keys("4711", 2.0), *keys("1", 3.0))
    recorded = read(lines)
    assert "boss" in lines[-1]
    assert differences(recorded) == [len(lines)]
    assert any(moment.hidden for moment in recorded.moments)


def test_another_revision_is_told_by_its_first_difference() -> None:
    lines = traced(Interpreter(program(), {}), started(), *keys("1", 1.0))
    changed = FLOW.replace("Four digits.", "Your four digits, please.")
    again = [one for one in replay(program(changed), {}, read(lines)) if not one.same]
    assert [one.moment.line for one in again] == [3]
    was, now = again[0].difference or ({}, {})
    assert was is not None
    assert now is not None
    assert (was["parts"][0]["text"], now["parts"][0]["text"]) == ("Four digits.", "Your four digits, please.")


def test_where_the_file_stands_makes_no_difference() -> None:
    it = Interpreter(program(), {})
    lines = traced(it, started(), *keys("5", 1.0), *keys("5", 2.0), *keys("5", 3.0))
    assert '"file":"small.yaml"' in "".join(lines)
    moved = [line.replace("small.yaml", "/elsewhere/deep/other.yaml") for line in lines]
    assert differences(read(moved)) == []


def test_values_of_every_type_come_back() -> None:
    day = datetime.date(2026, 2, 3)
    recorded = read(traced(Interpreter(program(), {}), started(day=day)))
    event = recorded.moments[0].event
    assert isinstance(event, fact.CallStarted)
    assert event.args == {"day": day}


def test_a_new_stream_goes_on_from_the_state_that_the_store_had() -> None:
    """A server died after the second key: what it had done since the last snapshot is lost for the new stream, too."""
    it = Interpreter(program(), {})
    lines = traced(it, started(), *keys("1", 1.0))
    saved = it.snapshot()
    lines.append(trace.handle(it, fact.DigitPressed(2.0, "5"))[1])
    other = Interpreter.restore(program(), {}, json.loads(json.dumps(saved)), 4.0)
    lines.append(trace.resumed(4.0, saved))
    more = [fact.StreamResumed(4.0), *keys("1234", 5.0), *keys("1", 6.0)]
    lines += [trace.handle(other, event)[1] for event in more]
    assert "Hello." in lines[-1]
    assert differences(read(lines)) == []


BROKEN = [
    ([], "line 1: the trace is empty"),
    (["{}"], "line 1: this is no trace; version 2 can be read"),
    (['{"v": 1, "call": {}}'], "line 1: this is version 1; version 2 can be read"),
    (["nonsense"], "line 1: this is no JSON"),
    (["[1]"], "line 1: a line of a trace is an object"),
    (['{"v": 2, "call": {}}', "{", "{}"], "line 2: this is no JSON"),
    (['{"v": 2, "call": {}}', '{"event": {"type": "Nothing"}, "effects": []}'], "line 2: this is no fact"),
    (['{"v": 2, "call": {}}', '{"event": {"type": "DigitPressed"}, "effects": []}'], "line 2: this is no fact"),
    (['{"v": 2, "call": {}}', '{"event": {"type": "StreamResumed", "at": 1.0}}'], "line 2: this is no fact"),
]


@pytest.mark.parametrize(("lines", "message"), BROKEN)
def test_a_broken_trace_is_told_with_its_line(lines: list[str], message: str) -> None:
    with pytest.raises(BadTraceError) as error:
        read(lines)
    assert str(error.value).startswith(message)


def test_a_last_line_that_was_cut_off_is_left_out() -> None:
    lines = traced(Interpreter(program(), {}), started(), *keys("1", 1.0))
    recorded = read([*lines[:-1], lines[-1][:40]])
    assert len(recorded.moments) == 1


def test_a_trace_without_its_beginning_can_not_run() -> None:
    with pytest.raises(BadTraceError, match="does not begin"):
        differences(read([trace.header({}), trace.line(fact.StreamResumed(1.0), [])]))
