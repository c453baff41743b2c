"""A flow's graph: its edges, and one `transitions` machine that all calls of the flow share.

States are the nodes and the reserved targets, triggers the outcomes with the prefix ``o:``. A call owns a ``Cursor``
that is never registered with the machine: registering costs milliseconds and leaks when it is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transitions import EventData, Machine, MachineError

from flowengine.errors import Bug
from flowengine.flow.model import Case, Catch, Command, Flow, Node

PREFIX = "o:"
RESERVED_TARGETS = ("again", "back", "end")
NAMED_REST = 3
"""Up to how many outcomes that only `else` maps a label names."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One way from a node: ``kind`` is `goto`, `option`, `event` or `command`; ``label`` is for people.

    A command that leads nowhere has no target, and what it does as its ``outcome``.
    """

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
        cases = node.cases(outcome)
        for case in cases:
            words = [_outcome_words(node, outcome, outcomes)]
            if case.condition is not None:
                words.append(f"if {case.condition.source}")
            elif len(cases) > 1:
                words.append("else")
            label = " ".join(word for word in words if word)
            yield Edge(node.name, case.target.node, outcome, label, "goto", case)
    yield from _handler_edges(node.name, node.catch)
    if node.resume:
        yield Edge(node.name, node.resume.node, "resume", "resume", "event")


def _outcome_words(node: Node, outcome: str, outcomes: Sequence[str]) -> str:
    """Give what a label says of an outcome: nothing where the way does not depend on it."""
    label = node.type.labels(node.spec).get(outcome)
    if label:
        return label
    rest = [name for name in outcomes if name not in node.routes]
    if len(rest) == len(outcomes):
        return ""
    return "else" if outcome in rest and len(rest) > NAMED_REST else outcome


def _handler_edges(source: str, catches: Mapping[str, Catch]) -> Iterator[Edge]:
    """Give the ways that handlers take; one that only says or sets something is none."""
    for catch in catches.values():
        for time, handler in enumerate(catch.handlers, 1):
            if handler.target:
                label = f"{catch.event} {time}×" if len(catch.handlers) > 1 else catch.event
                yield Edge(source, handler.target.node, catch.event, label, "event")


def flow_edges(flow: Flow) -> Iterator[Edge]:
    """Give the edges that lead from everywhere: global commands and the flow's handlers; their source is empty."""
    for command in flow.always:
        target, outcome = (command.target.node, command.name) if command.target else ("", command.do)
        yield Edge("", target, outcome, _command_label(command), "command")
    yield from _handler_edges("", flow.catch)


def _command_label(command: Command) -> str:
    words = [f"key {' or '.join(command.keys)}"] if command.keys else []
    words += [f"“{command.hear.first}”"] if command.hear else []
    return ", ".join(words) or command.when


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
