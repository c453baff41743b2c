"""What a drawing of a flow shows, before any form: places, links between them, and what leads away from everywhere.

States and transitions come from the machine that calls run on; the edges of the model only give them their words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from flowengine.flow import caption
from flowengine.flow.graph import PREFIX, RESERVED_TARGETS, Edge, Graph, flow_edges, node_edges
from flowengine.flow.model import Flow, Node

WORDS = 9
"""How many words of its prompt a place shows."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition of the machine (``kind`` `goto` or `option`), or a way that a handler takes (`event`)."""

    source: str
    target: str
    outcome: str
    label: str
    kind: str


@dataclass(frozen=True, slots=True)
class Place:
    """One node. ``kind`` is its type's key (``step`` for the empty one), ``text`` the first of its prompt's ``words``.

    ``role`` is ``asks`` (it waits for the caller's answer), ``last`` (it leads nowhere) or ``plain``; ``detail`` is
    what the type shows of itself: the flow, the tools, the number, the variable, the time.
    """

    name: str
    kind: str
    text: str
    role: str
    detail: str = ""
    words: str = ""
    about: str = ""
    tags: tuple[str, ...] = ()
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """All transitions from one place to one target that are drawn as one line; ``handler`` draws it dashed."""

    source: str
    target: str
    labels: tuple[str, ...]
    handler: bool


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Keys, phrases and events that have the same effect in all nodes.

    They lead to ``target``, or, where that is empty, ``do`` one of `repeat`, `louder`, `slower` and lead nowhere.
    """

    target: str
    do: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A flow as people see it; ``everywhere`` is in the order in which the flow names the effects."""

    name: str
    revision: str
    about: str
    start: str
    places: tuple[Place, ...]
    transitions: tuple[Transition, ...]
    links: tuple[Link, ...]
    everywhere: tuple[Everywhere, ...]


def picture(flow: Flow) -> Picture:
    """Give what a drawing of the flow shows."""
    transitions = tuple(_transitions(flow))
    merged: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for way in transitions:
        labels = merged[way.source, way.target, way.kind == "event"]
        if way.label and way.label not in labels:
            labels.append(way.label)
    everywhere: dict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in flow_edges(flow):
        labels = everywhere[edge.target, "" if edge.target else edge.outcome]
        if edge.label not in labels:
            labels.append(edge.label)
    return Picture(
        flow.name,
        flow.revision,
        flow.about,
        flow.start,
        tuple(_place(node, flow) for node in flow.nodes.values()),
        transitions,
        tuple(Link(source, target, tuple(labels), handler) for (source, target, handler), labels in merged.items()),
        tuple(Everywhere(*effect, tuple(labels)) for effect, labels in everywhere.items()),
    )


def _transitions(flow: Flow) -> Iterator[Transition]:
    ways: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for trigger, event in Graph(flow).machine.events.items():
        for source, found in event.transitions.items():
            ways[source] += [(trigger, transition.dest) for transition in found if transition.dest]
    for node in flow.nodes.values():
        edges = list(node_edges(node))
        words: dict[tuple[str, str], list[Edge]] = defaultdict(list)
        for edge in edges:
            if edge.kind != "event":
                words[PREFIX + edge.outcome, edge.target].append(edge)
        for trigger, target in ways[node.name]:
            # Equal ones stand in the machine in the order in which the edges were put into it.
            edge = words[trigger, target].pop(0)
            yield Transition(node.name, target, edge.outcome, edge.label, edge.kind)
        for edge in edges:
            if edge.kind == "event":
                yield Transition(node.name, edge.target, edge.outcome, edge.label, edge.kind)


def _place(node: Node, flow: Flow) -> Place:
    role = "plain"
    if node.type.asks:
        role = "asks"
    elif not node.type.outcomes(node.spec) and not node.type.branches(node.spec):
        role = "last"
    words = caption.words(node.say, flow, node.lang)
    return Place(
        node.name,
        node.type.key or "step",
        caption.shortened(words, WORDS),
        role,
        caption.plain(node.type.shows(node.spec)),
        words,
        node.about,
        node.tags,
        node.name_span.file,
        node.name_span.line,
    )


def is_reserved(target: str) -> bool:
    """Say whether a target is `again`, `back` or `end` instead of a node."""
    return target in RESERVED_TARGETS
