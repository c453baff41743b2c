"""A flow made ready to run, shared by all its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import sha256
from types import MappingProxyType

from flowengine.errors import Bug
from flowengine.flow.graph import Graph
from flowengine.flow.model import Flow, Node


class Program:
    """A flow with its graph, the names of its private variables, and the flows that it can run."""

    def __init__(self, flow: Flow, beside: Mapping[str, Program] = MappingProxyType({})) -> None:
        """Make ready; ``beside`` are the programs of the same folder by name, which may come after this one."""
        self.flow = flow
        self.graph = Graph(flow)
        self.private = frozenset(v.name for v in flow.vars.values() if v.private) | {
            f"args.{v.name}" for v in flow.args.values() if v.private
        }
        self._beside = beside

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """Name the nodes in which the caller may say or type something that becomes a private variable."""
        return frozenset(name for name, node in self.flow.nodes.items() if self.private & set(_stored(node)))

    @cached_property
    def all(self) -> tuple[Program, ...]:
        """Give this program and every one that its calls can come to, by name."""
        found = {self.flow.name: self}
        waiting = [self]
        while waiting:
            program = waiting.pop()
            for name in runs(program.flow):
                if name not in found:
                    found[name] = program.subflow(name)
                    waiting.append(found[name])
        return tuple(program for _, program in sorted(found.items()))

    @cached_property
    def revision(self) -> str:
        """Give the SHA-256 of a flow; of one that runs others, of all of them together."""
        if len(self.all) == 1:
            return self.flow.revision
        return sha256("\n".join(program.flow.revision for program in self.all).encode()).hexdigest()

    def subflow(self, name: str) -> Program:
        """Give a flow that this one runs; the checker has seen that it is there."""
        try:
            return self._beside[name]
        except KeyError:
            raise Bug(f"the flow {self.flow.name} runs {name}, which is not beside it") from None


def runs(flow: Flow) -> tuple[str, ...]:
    """Name the flows that a flow runs itself."""
    names = (node.type.runs(node.spec) for node in flow.nodes.values())
    return tuple(dict.fromkeys(name for name in names if name))


def _stored(node: Node) -> Iterator[str]:
    yield getattr(node.spec, "into", "")
    for outcome in node.type.outcomes(node.spec):
        yield from node.type.gives(node.spec, outcome)
