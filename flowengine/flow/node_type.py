"""What the language halves of node types have in common: what most of them say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flowengine.flow.kinds import Field, Reading
from flowengine.flow.model import Branch, Flow, Node


class LanguageHalf:
    """A node type that has no ways of its own and raises nothing; a type overrides what is different in it."""

    timed = False
    asks = False
    pauses = True
    events: tuple[str, ...] = ()
    known_outcomes: Mapping[str, str] = MappingProxyType({})
    crosses = False
    fields: tuple[Field, ...] = ()

    def branches(self, spec: Any) -> tuple[Branch, ...]:
        """Give no outcome a target of its own."""
        return ()

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """Find nothing beyond the schema."""

    def takes(self, spec: Any) -> tuple[str, ...] | None:
        """Let its words name any key."""
        return None

    def gives(self, spec: Any, outcome: str) -> tuple[str, ...]:
        """Give no variable a value."""
        return ()

    def returns(self, spec: Any) -> str:
        """Stay in the flow."""
        return ""

    def runs(self, spec: Any) -> str:
        """Run no other flow."""
        return ""

    def shows(self, spec: Any) -> str:
        """Show nothing beside its name."""
        return ""

    def labels(self, spec: Any) -> Mapping[str, str]:
        """Let outcomes be called by their names."""
        return MappingProxyType({})
