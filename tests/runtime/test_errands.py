"""What a node asks of the world: late facts of tries that were given up."""

from __future__ import annotations

from flowengine.flow.loader import load
from flowengine.plugins import node_types
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

FLOW = """
flow: test
version: 1
tools:
  it: {python: "shop:it", timeout: 2s, retry: {times: 1, backoff: 1s}, idempotent: true}
nodes:
  main: {tool: it, goto: wait}
  wait: {say: "It is {{ result }}.", menu: [{key: 1, goto: end}]}
"""


def begun() -> tuple[Interpreter, str]:
    """Give an interpreter whose first try is given up, and waits for its second; and the run's id."""
    loaded = load("test.yaml", FLOW, node_types())
    assert loaded.flow is not None
    it = Interpreter(Program(loaded.flow), {})
    call = {"id": "c", "from": "+1", "to": "+2", "headers": {}}
    effects = it.handle(fact.CallStarted(0.0, call, "2026-01-05T10:00:00+00:00", 7, {}))
    run = next(effect.run for effect in effects if isinstance(effect, wish.RunTool))
    assert any(isinstance(effect, wish.CancelTool) for effect in it.handle(fact.TimePassed(2.0)))
    return it, run


def test_an_answer_that_comes_after_all_is_taken_and_not_asked_for_again() -> None:
    it, run = begun()
    assert any(isinstance(effect, wish.PlayPrompt) for effect in it.handle(fact.ToolFinished(2.5, run, "here")))
    assert "retry" not in " ".join(it.state.timers)
    assert not any(isinstance(effect, wish.RunTool) for effect in it.handle(fact.TimePassed(4.0)))


def test_a_failure_of_a_try_that_was_given_up_counts_once() -> None:
    it, run = begun()
    it.handle(fact.ToolFinished(2.5, run, error="timeout"))
    assert [type(effect) for effect in it.handle(fact.TimePassed(3.0))] == [wish.RunTool]
