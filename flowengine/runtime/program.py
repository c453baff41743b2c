"""A flow made ready to run, shared by all its calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowengine.errors import Bug
from flowengine.flow.graph import Graph
from flowengine.flow.model import Flow


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

    def subflow(self, name: str) -> Program:
        """Give a flow that this one runs; the checker has seen that it is there."""
        try:
            return self._beside[name]
        except KeyError:
            raise Bug(f"the flow {self.flow.name} runs {name}, which is not beside it") from None
