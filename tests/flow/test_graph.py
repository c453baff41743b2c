"""The machine of a flow: shared by all calls, deterministic, and silent about nothing."""

from __future__ import annotations

import gc
import weakref

import pytest

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.graph import Cursor, Graph, flow_edges, node_edges
from flowengine.flow.loader import load
from flowengine.flow.model import Flow
from flowengine.plugins import node_types

TEXT = """
flow: x
version: 1
vars: {count: int}
always:
  - {key: star, goto: bye}
catch:
  error: {goto: bye}
nodes:
  main:
    say: Press 1.
    menu:
      - {key: 1, name: node, goto: branch}
      - {key: 2, name: two}
    goto: {two: bye}
    catch:
      noinput: {goto: bye}
  branch:
    say: Hm.
    goto:
      - {if: count > 5, goto: main}
      - {if: count > 1, goto: bye}
      - {else: again}
  bye:
    say: Bye.
    goto: end
"""


class HeldCursor(Cursor):
    """A cursor that can be watched by a weak reference."""

    __slots__ = ("__weakref__",)


def flow() -> Flow:
    loaded = load("x", TEXT, node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return loaded.flow


@pytest.mark.parametrize(("count", "target"), [(9, "main"), (2, "bye"), (0, "again")])
def test_cases_are_tried_in_file_order(count: int, target: str) -> None:
    cursor = Cursor("branch")
    case = Graph(flow()).step(cursor, "done", {"count": count})
    assert cursor.node == case.target.node == target
    assert cursor.case is case


def test_an_option_with_a_goto_is_a_trigger_of_its_own_even_when_it_is_called_node() -> None:
    graph = Graph(flow())
    cursor = Cursor("main")
    graph.step(cursor, "node", {})
    assert cursor.node == "branch"
    cursor = Cursor("main")
    graph.step(cursor, "two", {})
    assert cursor.node == "bye"


def test_calls_share_the_machine_and_do_not_touch_each_other() -> None:
    graph = Graph(flow())
    one, two = Cursor("main"), Cursor("main")
    graph.step(one, "two", {})
    assert (one.node, two.node) == ("bye", "main")
    assert graph.machine.models == []


def test_a_cursor_is_never_held() -> None:
    graph = Graph(flow())
    cursor = HeldCursor("main")
    graph.step(cursor, "two", {})
    reference = weakref.ref(cursor)
    del cursor
    gc.collect()
    assert reference() is None


def test_the_error_of_a_condition_comes_out() -> None:
    cursor = Cursor("branch")
    with pytest.raises(EvaluationError):
        Graph(flow()).step(cursor, "done", {"count": None})
    assert cursor.node == "branch"


@pytest.mark.parametrize(("node", "outcome"), [("bye", "nothing"), ("bye", "two"), ("end", "done")])
def test_an_outcome_that_leads_nowhere_is_our_bug(node: str, outcome: str) -> None:
    with pytest.raises(Bug):
        Graph(flow()).step(Cursor(node), outcome, {})


def test_the_edges_are_what_can_be_drawn() -> None:
    loaded = flow()
    assert [(e.target, e.label, e.kind) for e in node_edges(loaded.nodes["main"])] == [
        ("branch", "key 1", "option"),
        ("bye", "key 2", "goto"),
        ("bye", "noinput", "event"),
    ]
    assert [(e.target, e.label) for e in node_edges(loaded.nodes["branch"])] == [
        ("main", "if count > 5"),
        ("bye", "if count > 1"),
        ("again", "else"),
    ]
    assert [(e.source, e.target, e.kind) for e in flow_edges(loaded)] == [("", "bye", "command"), ("", "bye", "event")]


WORDS = """
flow: words
version: 1
vars: {account: {type: digits}}
always:
  - {key: [star, 9], hear: [agent, human], name: agent, goto: desk}
  - {hear: [louder], do: louder}
  - {when: the caller is lost, name: lost, goto: ask}
catch:
  noinput: [{say: Hello.}, {say: Bye., goto: desk}]
  nomatch: {say: Pardon.}
nodes:
  ask:
    say: Your number.
    collect: {into: account, optional: true}
    catch: {invalid: [{goto: again}, {say: No.}, {goto: desk}]}
    goto: [{if: account, goto: chat}, {else: ask}]
  chat:
    chat:
      prompt: Help.
      exits: {done: {when: all is said}, human: {when: they ask for one, key: "*", if: account is set, goto: desk}}
    goto: desk
  desk:
    say: One moment.
    transfer: "+15550100"
    goto: {ended: end, else: wait}
  wait:
    wait: {for: 1m, events: [free], options: [{key: 1, name: leave}, {hear: [stay], goto: again}]}
    goto: {free: desk, timeout: desk, else: end}
"""


def test_labels_say_what_takes_each_way() -> None:
    loaded = load("words", WORDS, node_types())
    assert loaded.flow is not None, loaded.diagnostics
    found = {name: [(e.target, e.label) for e in node_edges(node)] for name, node in loaded.flow.nodes.items()}
    assert found == {
        # The outcome does not matter here, so it is not said.
        "ask": [
            *[("chat", "if account"), ("ask", "else")] * 2,
            ("again", "invalid 1×"),
            ("desk", "invalid 3×"),
        ],
        "chat": [("desk", "human (key *) if account is set"), ("desk", "done")],
        "desk": [("end", "ended"), *[("wait", "else")] * 4],
        "wait": [("again", "“stay”"), ("desk", "timeout"), ("desk", "free"), ("end", "key 1")],
    }
    assert [(e.target, e.outcome, e.label) for e in flow_edges(loaded.flow)] == [
        ("desk", "agent", "key * or 9, “agent”"),
        ("", "louder", "“louder”"),
        ("ask", "lost", "the caller is lost"),
        ("desk", "noinput", "noinput 2×"),
    ]
