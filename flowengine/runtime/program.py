"""A flow made ready to run, shared by all its calls."""

from __future__ import annotations

from flowengine.flow.graph import Graph
from flowengine.flow.model import Flow


class Program:
    """A flow with its graph, and the names of its private variables."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.graph = Graph(flow)
        self.private = frozenset(v.name for v in flow.vars.values() if v.private) | {
            f"args.{v.name}" for v in flow.args.values() if v.private
        }
