"""Tests of flows as calls with sound: what the phone does, which can not be one, and what is read from a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowengine.cli import _flows
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.replay import read
from flowengine.testing import script as phone
from flowengine.testing.audible import QUIET, RINGS, audible, only_waited, wrong
from flowengine.testing.cases import Case
from flowengine.testing.reading import load_tests

FLOW = """\
flow: shop
version: 1
vars: {pin: {type: digits, private: true}}
nodes:
  main:
    say: Press 1 for bread.
    menu: [{key: 1, goto: bread}, {key: 2, goto: ask}]
  bread: {say: Bread is here., goto: end}
  ask:
    say: Four digits.
    collect: {into: pin, length: 4, confirm: "I have {{ pin | spell }}, right?"}
    goto: {done: bread, else: end}
"""


@pytest.fixture
def make(tmp_path: Path) -> Any:
    (tmp_path / "shop.yaml").write_text(FLOW)
    shelf = _flows.Shelf()
    program = _flows.program(shelf, str(tmp_path / "shop.yaml"))

    def case(talk: str, more: str = "") -> Case:
        text = f"flow: shop\ntests:\n  - name: one\n    talk: [{talk}]\n{more}"
        loaded = load_tests("shop.test.yaml", text.encode(), shelf.beside(tmp_path / "shop.test.yaml"))
        assert loaded.suite is not None
        assert [d.message for d in loaded.diagnostics if d.severity == "error"] == []
        return loaded.suite.tests[0]

    return program, case


def test_the_caller_waits_until_it_is_quiet_or_acts_in_the_prompt(make: Any) -> None:
    _, case = make
    script = audible(case('{bot: Press}, {keys: "2"}, {keys: "12"}, {keys: "34", at: 1.5s}, {end: hangup}')).script
    assert script is not None
    assert [type(step).__name__ for step in script.steps] == [
        *("WaitAudio", "WaitSilence", "Keys", "Keys"),
        *("WaitAudio", "Silence", "Keys", "ExpectEnd"),
    ]
    assert script.steps[1] == phone.WaitSilence(QUIET)
    assert script.steps[5] == phone.Silence(1.5)


def test_who_does_nothing_more_hangs_up(make: Any) -> None:
    _, case = make
    for talk in ("{bot: Press}", "{bot: Press}, {hang_up: true, at: 50%}"):
        script = audible(case(talk)).script
        assert script is not None
        assert isinstance(script.steps[-1], phone.HangUp)
        assert sum(isinstance(step, phone.HangUp) for step in script.steps) == 1


def test_transfers_end_in_their_order(make: Any) -> None:
    _, case = make
    script = audible(case("{transfer: busy}, {transfer: ended}")).script
    assert script is not None
    assert script.transfers == (phone.Dialled("busy"), phone.Dialled("ended", 2.0))
    assert script.steps.count(phone.Silence(RINGS)) == 2


NOT = [
    ("{hear: bread}", "", "it needs speech"),
    ("{event: paid}", "", "it needs an event"),
    ("{machine: true}", "", "it needs an answering machine"),
    ("{silence: 5m}", "", "it takes more than two minutes"),
    ("{bot: x}", '    clock: "2026-12-25T10:00"\n', "it needs a clock of its own"),
    ("{bot: x}", "    seed: 7\n", "it needs a seed of its own"),
    ("{bot: x}", "    model: [{say: Hello.}]\n", "it needs a model of its own"),
]


@pytest.mark.parametrize(("talk", "more", "why"), NOT)
def test_what_needs_a_world_of_its_own_is_no_call(make: Any, talk: str, more: str, why: str) -> None:
    _, case = make
    found = audible(case(talk, more))
    assert (found.script, found.why) == (None, why)


def traced(program: Any) -> Any:
    interpreter = Interpreter(program, {})
    started = fact.CallStarted(0.0, {"id": "c", "from": "+1", "headers": {}}, "2026-01-05T10:00:00+00:00", 1, {})
    keys = [fact.DigitPressed(1.0, "2"), *(fact.DigitPressed(2.0 + n / 10, key) for n, key in enumerate("4711"))]
    events: list[fact.Event] = [started, *keys, fact.DigitPressed(4.0, "1")]
    return read([trace.header({}), *(trace.handle(interpreter, event)[1] for event in events)])


HEARD = [
    ("{bot: Press 1}, {bot: Four}, {bot: I have 4 7 1 1}, {bot: here}", "", ""),
    ("{bot: Press}, {bot: /i have/}, {not: Goodbye}", "", ""),
    ("{bot: Press}, {bot: I have 4 7 1 1 9}", "", 'expected the bot to say "I have 4 7 1 1 9" (shop.test.yaml:4)'),
    ("{bot: Four}, {bot: Press}", "", 'expected the bot to say "Press" (shop.test.yaml:4)'),
    ("{bot: Press}, {not: Four}, {bot: I have}", "", 'the bot was not to say "Four" (shop.test.yaml:4)'),
    ("{bot: Four}, {not: bread is}", "", 'the bot was not to say "bread is" (shop.test.yaml:4)'),
    ("{bot: Press}", "    path: [main]\n", ""),
    ("{bot: here}, {end: hangup}", "    path: [main, ask, bread]\n", ""),
    ("{bot: here}", "    path: [main, bread]\n", "expected the path main, bread, but it was main, ask, bread"),
]


@pytest.mark.parametrize(("talk", "more", "problem"), HEARD)
def test_what_was_said_is_read_from_the_trace(make: Any, talk: str, more: str, problem: str) -> None:
    program, case = make
    assert wrong(case(talk, more), program, {}, traced(program)) == problem


def test_a_phone_that_only_waited_has_not_failed(make: Any) -> None:
    _, case = make
    script = audible(case('{keys: "2"}, {bot: Four}')).script
    assert script is not None
    assert only_waited(script, "step 4: WaitAudio: the call had ended: hangup")
    assert not only_waited(script, "step 3: Keys: the call had ended: hangup")
    assert not only_waited(script, "step 4: WaitAudio: did not happen within 30 s")
