"""A flow's graph: its edges, and one `transitions` machine that all calls of the flow share.

States are the nodes and the reserved targets, triggers the outcomes with the prefix ``o:``. A call owns a ``Cursor``
that is never registered with the machine: registering costs milliseconds and leaks when it is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transitions import EventData, Machine, MachineError

from flowengine.errors import Bug
from flowengine.flow.model import Case, Command, Flow, Node

PREFIX = "o:"
RESERVED_TARGETS = ("again", "back", "end")


@dataclass(frozen=True, slots=True)
class Edge:
    """One way from a node: ``kind`` is `goto`, `option`, `event` or `command`; ``label`` is for people."""

    source: str
    target: str
    outcome: str
    label: str
    kind: str
    case: Case | None = None


def node_edges(node: Node) -> Iterator[Edge]:
    """Give the edges of one node: options first, then the cases of each outcome in file order."""
    for branch in node.type.branches(node.spec):
        yield Edge(node.name, branch.target.node, branch.name, branch.label, "option", Case(None, branch.target))
    outcomes = node.type.outcomes(node.spec)
    for outcome in outcomes:
        for case in node.cases(outcome):
            words = [outcome] if len(outcomes) > 1 else []
            if case.condition is not None:
                words.append(f"if {case.condition.source}")
            elif len(node.cases(outcome)) > 1:
                words.append("else")
            yield Edge(node.name, case.target.node, outcome, " ".join(words), "goto", case)
    for catch in node.catch.values():
        for handler in catch.handlers:
            if handler.target:
                yield Edge(node.name, handler.target.node, catch.event, catch.event, "event")
    if node.resume:
        yield Edge(node.name, node.resume.node, "resume", "resume", "event")


def flow_edges(flow: Flow) -> Iterator[Edge]:
    """Give the edges that lead from everywhere: global commands and the flow's handlers; their source is empty."""
    for command in flow.always:
        if command.target:
            yield Edge("", command.target.node, command.name, _command_label(command), "command")
    for catch in flow.catch.values():
        for handler in catch.handlers:
            if handler.target:
                yield Edge("", handler.target.node, catch.event, catch.event, "event")


def _command_label(command: Command) -> str:
    if command.keys:
        return f"key {' or '.join(command.keys)}"
    return f"“{command.hear.first}”" if command.hear else command.when


class Cursor:
    """One call's place in a graph. ``case`` is the way that was taken last."""

    __slots__ = ("case", "node")

    def __init__(self, node: str) -> None:
        self.node = node
        self.case: Case | None = None


class Graph:
    """The machine of one loaded flow."""

    def __init__(self, flow: Flow) -> None:
        states = [*flow.nodes, *RESERVED_TARGETS]
        self.machine = Machine(
            model=None,
            states=states,
            initial=None,
            auto_transitions=False,
            send_event=True,
            model_attribute="node",
        )
        for node in flow.nodes.values():
            for edge in node_edges(node):
                if edge.kind in ("goto", "option") and edge.case is not None:
                    self._add(edge, edge.case)

    def _add(self, edge: Edge, case: Case) -> None:
        conditions: list[str | Callable[..., bool | None]] = []
        if case.condition is not None:
            test = case.condition

            def holds(event: EventData) -> bool:
                return test.holds(event.kwargs["scope"])

            conditions.append(holds)
        self.machine.add_transition(
            PREFIX + edge.outcome,
            edge.source,
            edge.target,
            conditions=conditions,
            before=[lambda event: setattr(event.model, "case", case)],
        )

    def step(self, cursor: Cursor, outcome: str, scope: Mapping[str, Any]) -> Case:
        """Move the cursor along an outcome and give the case taken; raises ``EvaluationError`` of a condition.

        ``Bug`` when the outcome leads nowhere: the loader has checked that it does.
        """
        try:
            moved = self.machine.events[PREFIX + outcome].trigger(cursor, scope=scope)
        except (MachineError, KeyError) as error:
            raise Bug(f"the outcome {outcome} leads nowhere from {cursor.node}") from error
        if not moved or cursor.case is None:
            raise Bug(f"no case of the outcome {outcome} was taken in {cursor.node}")
        return cursor.case
