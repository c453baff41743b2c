"""Every conversation of the tests, traced, runs again in the same way, and is a test; most of these pass at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowengine.cli import _flows
from flowengine.flow.diagnostics import Severity
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.runtime.replay import Recorded, read, replay
from flowengine.testing import runner
from flowengine.testing.cases import Case
from flowengine.testing.export import exported
from flowengine.testing.player import EveryName, Player
from flowengine.testing.reading import load_tests

ROOT = Path(__file__).parents[2]
WHERE = ("flows", "tests/flow/flows", "tests/nodes/flows", "tests/semantics/*")
SHELF = _flows.Shelf()
PROGRAMS: dict[str, Program] = {}


def conversations() -> Iterator[Any]:
    found = (path for pattern in WHERE for path in ROOT.glob(f"{pattern}/*.test.yaml"))
    for path in sorted(found):
        beside = SHELF.beside(path)
        suite = load_tests(str(path), path.read_bytes(), beside).suite
        assert suite is not None
        flow = beside.named(suite.flow.text)
        assert flow is not None
        for case in suite.tests:
            yield pytest.param(flow.file, case, id=f"{path.name.split('.')[0]}: {case.name}")


class Facts:
    """Keeps the facts of the call of a test."""

    def __init__(self) -> None:
        self.seen: list[fact.Event] = []

    def watch(self, player: Player) -> None:
        player.watchers.append(lambda event, _: self.seen.append(event))


def traced(program: Program, facts: list[fact.Event], env: Any) -> Recorded:
    """Write the trace of a call as a server does, which goes on from its last state after a transfer."""
    interpreter = Interpreter(program, env)
    lines = [trace.header({"flow": program.flow.name, "revision": program.revision})]
    for event in facts:
        if isinstance(event, fact.StreamResumed):
            snapshot = interpreter.snapshot()
            lines.append(trace.resumed(event.at, snapshot))
            interpreter = Interpreter.restore(program, env, snapshot, event.at)
        lines.append(trace.handle(interpreter, event)[1])
    return read(lines)


def program_of(file: str) -> Program:
    if file not in PROGRAMS:
        PROGRAMS[file] = _flows.program(SHELF, file)
    return PROGRAMS[file]


def failure(program: Program, case: Case, facts: Facts | None = None) -> str:
    result = runner.run(program, case, facts)
    return result.failure.finding.message if result.failure else ""


@pytest.mark.parametrize(("file", "case"), list(conversations()))
def test_every_conversation_runs_again_and_is_a_test(file: str, case: Case) -> None:
    program, env = program_of(file), EveryName(case.env)
    facts = Facts()
    assert failure(program, case, facts) == ""
    recorded = traced(program, facts.seen, env)
    hidden = any(moment.hidden for moment in recorded.moments)
    assert hidden or [a.moment.line for a in replay(program, env, recorded) if not a.same] == []
    text = exported(program, env, recorded, "again")
    loaded = load_tests("again.test.yaml", text.encode(), SHELF.beside(Path(file).with_suffix(".test.yaml")))
    assert [d.message for d in loaded.diagnostics if d.severity is Severity.ERROR] == []
    assert loaded.suite is not None
    # The cases are about moments that a test made of a trace does not keep: it acts at half of a prompt.
    if not hidden and "semantics" not in file:
        assert failure(program, loaded.suite.tests[0]) == "", text


def test_what_is_covered_is_in_no_test() -> None:
    file = str(ROOT / "flows" / "front-desk.yaml")
    facts: list[fact.Event] = [
        fact.CallStarted(0.0, {"id": "c", "from": "+1555777"}, "2026-01-05T10:00:07+00:00", 1, {})
    ]
    facts += [fact.DigitPressed(1.0, "1"), *(fact.DigitPressed(2.0 + n / 10, key) for n, key in enumerate("987654"))]
    text = exported(program_of(file), {}, traced(program_of(file), facts, {}), "one")
    (test,) = yaml.safe_load(text)["tests"]
    assert "+1555777" not in text
    assert "98" not in text
    assert test["clock"] == "2026-01-05T10:00+00:00"
    assert [step["keys"] for step in test["talk"] if "keys" in step] == ["1", "000000"]
