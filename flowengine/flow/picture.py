"""What a drawing of a flow shows, before any form: places, links between them, and what leads away from everywhere.

States and transitions come from the machine that calls run on; the edges of the model only give them their words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from flowengine.flow.graph import PREFIX, RESERVED_TARGETS, Edge, Graph, flow_edges, node_edges
from flowengine.flow.model import Flow, Node, Segment

WORDS = 9
"""How many words of its prompt a place shows."""

_VALUE = re.compile(r"\{\{\s*([\w.]+)[^}]*\}\}")
_MARKUP = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)


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
    """One node. ``kind`` is its type's key (``step`` for the empty one), ``text`` the first words of its prompt.

    ``role`` is ``asks`` (it waits for the caller's answer), ``last`` (it leads nowhere) or ``plain``.
    """

    name: str
    kind: str
    text: str
    role: str


@dataclass(frozen=True, slots=True)
class Link:
    """All transitions from one place to one target that are drawn as one line; ``handler`` draws it dashed."""

    source: str
    target: str
    labels: tuple[str, ...]
    handler: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A flow as people see it. ``everywhere`` gives, for each target, the keys and events that lead there."""

    name: str
    revision: str
    about: str
    start: str
    places: tuple[Place, ...]
    transitions: tuple[Transition, ...]
    links: tuple[Link, ...]
    everywhere: tuple[tuple[str, tuple[str, ...]], ...]


def picture(flow: Flow) -> Picture:
    """Give what a drawing of the flow shows."""
    transitions = tuple(_transitions(flow))
    merged: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for way in transitions:
        labels = merged[way.source, way.target, way.kind == "event"]
        if way.label and way.label not in labels:
            labels.append(way.label)
    everywhere: dict[str, list[str]] = defaultdict(list)
    for edge in flow_edges(flow):
        if edge.label not in everywhere[edge.target]:
            everywhere[edge.target].append(edge.label)
    return Picture(
        flow.name,
        flow.revision,
        flow.about,
        flow.start,
        tuple(_place(node) for node in flow.nodes.values()),
        transitions,
        tuple(Link(source, target, tuple(labels), handler) for (source, target, handler), labels in merged.items()),
        tuple((target, tuple(labels)) for target, labels in everywhere.items()),
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


def _place(node: Node) -> Place:
    role = "plain"
    if node.type.asks:
        role = "asks"
    elif not node.type.outcomes(node.spec) and not node.type.branches(node.spec):
        role = "last"
    words = " ".join(_words(node.say.segments) if node.say else ()).split()
    text = " ".join(words[:WORDS]) + ("…" if len(words) > WORDS else "")
    return Place(node.name, node.type.key or "step", text, role)


def _words(segments: tuple[Segment, ...]) -> Iterator[str]:
    for segment in segments:
        if segment.text is not None:
            yield _VALUE.sub(r"{\1}", _MARKUP.sub("", segment.text.source))
        elif segment.audio is not None:
            yield segment.audio
        elif segment.one_of:
            yield from _words(segment.one_of[:1])


def is_reserved(target: str) -> bool:
    """Say whether a target is `again`, `back` or `end` instead of a node."""
    return target in RESERVED_TARGETS
