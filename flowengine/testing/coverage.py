"""What the tests of a flow have reached: its nodes, options, exits and handlers.

Nothing in the interpreter counts for this: what was reached is read off the effects that every call has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowengine.flow.diagnostics import Span
from flowengine.flow.model import Catch, Flow, Node
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.testing.player import Player

KINDS = ("node", "option", "exit", "handler")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a test can reach. ``node`` is empty for what stands in the flow itself."""

    kind: str
    name: str
    node: str
    span: Span

    def __str__(self) -> str:
        where = f' of "{self.node}"' if self.node and self.kind != "node" else ""
        return f'{self.kind} "{self.name}"{where}'


class Coverage:
    """The items of one flow, and which of them any test has reached."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._handlers: dict[tuple[str, int, int], Item] = {}
        self.items = list(self._items())
        self.reached: set[Item] = set()
        self._commands = [item for item in self.items if item.kind == "option" and not item.node]
        self._ways = {(i.node, i.name): i for i in self.items if i.kind in ("option", "exit")}

    def _items(self) -> Iterator[Item]:
        flow = self.flow
        for command in flow.always:
            yield Item("option", command.name, "", command.span)
        yield from self._catch("", flow.catch.values())
        for node in flow.nodes.values():
            yield Item("node", node.name, node.name, node.name_span)
            yield from _ways_of(node)
            yield from self._catch(node.name, node.catch.values())

    def _catch(self, node: str, catches: Iterable[Catch]) -> Iterator[Item]:
        for catch in catches:
            for number, handler in enumerate(catch.handlers, 1):
                name = catch.event if len(catch.handlers) == 1 else f"{catch.event} {number}"
                item = Item("handler", name, node, handler.span)
                self._handlers[handler.span.file, handler.span.line, handler.span.column] = item
                yield item

    @property
    def missing(self) -> list[Item]:
        """What no test has reached, in the order of the file."""
        return sorted((item for item in self.items if item not in self.reached), key=lambda item: item.span)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Give by kind how many were reached, of how many."""
        found = {}
        for kind in KINDS:
            listed = [item for item in self.items if item.kind == kind]
            if listed:
                found[kind] = (sum(item in self.reached for item in listed), len(listed))
        return found

    def watch(self, player: Player) -> None:
        """Note what this call reaches."""
        player.watchers.append(_Footprints(self).take)

    def reach_node(self, name: str) -> None:
        """Note that a node was entered."""
        self.reached.add(Item("node", name, name, self.flow.nodes[name].name_span))

    def reach_way(self, node: str, outcome: str) -> None:
        """Note that a node was left by an outcome."""
        item = self._ways.get((node, outcome)) or self._ways.get((node, "else"))
        if item:
            self.reached.add(item)

    def reach_command(self, name: str) -> None:
        """Note that a global command was taken."""
        # Two commands that lead to the same node have one name.
        self.reached.update(item for item in self._commands if item.name == name)

    def reach_handler(self, file: str, line: int, column: int) -> None:
        """Note that the handler at this place has run."""
        item = self._handlers.get((file, line, column))
        if item:
            self.reached.add(item)


class Together:
    """Several flows that one call can come to, each counted for itself."""

    def __init__(self, coverages: Sequence[Coverage]) -> None:
        self._coverages = coverages

    def watch(self, player: Player) -> None:
        """Note what this call reaches."""
        for coverage in self._coverages:
            coverage.watch(player)


def _ways_of(node: Node) -> Iterator[Item]:
    """Give the options (of a menu) and the exits (that the node's `goto` maps by name), each with its place."""
    named = {branch.name: branch.span for branch in node.type.branches(node.spec)}
    options = {option.name: option.span for option in getattr(node.spec, "options", ())}
    for name, span in {**named, **options}.items():
        yield Item("option", name, node.name, span)
    mapped = {name: cases[0].target.span for name, cases in node.routes.items() if name not in options}
    if mapped.keys() - {"else"}:
        for name, span in mapped.items():
            yield Item("exit", name, node.name, span)


class _Footprints:
    """Follows one call: what it notes of its way says all."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        # The node that the call is in, as the path has it; those of other flows are not counted.
        self.node = ""

    def take(self, event: fact.Event, effects: Sequence[wish.Effect]) -> None:
        """Read off the effects of one fact what was reached."""
        for effect in effects:
            if isinstance(effect, wish.Note):
                self._noted(effect.what, effect.data)

    def _noted(self, what: str, data: Mapping[str, Any]) -> None:
        coverage = self.coverage
        if what == "entered":
            self.node = data["node"] if data["flow"] == coverage.flow.name else ""
            if self.node:
                coverage.reach_node(self.node)
        elif what == "returned" and data["flow"] == coverage.flow.name:
            self.node = data["node"]
        elif what == "outcome" and self.node:
            coverage.reach_way(self.node, data["name"])
        elif what == "command" and data["flow"] == coverage.flow.name:
            coverage.reach_command(data["name"])
        elif what == "handler":
            coverage.reach_handler(data["file"], data["line"], data["column"])
