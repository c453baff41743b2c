"""A node without a type key: it speaks, assigns, and goes on."""

from __future__ import annotations

from typing import Any

from flowengine.flow.diagnostics import Report
from flowengine.flow.kinds import Field, Reading, Schema
from flowengine.flow.model import Branch, Flow, Node, Prompt
from flowengine.flow.source import Value
from flowengine.runtime.node import Context, NodeEvent, PromptOver


class Step:
    """Speaks and goes on; a list of cases as its `goto` is how one branches."""

    key = ""
    about = "Speaks, assigns, and goes on."
    timed = True
    asks = False
    pauses = False
    keeps_keys = True
    fields: tuple[Field, ...] = ()

    def schema(self) -> Schema:
        """There is no key, so nothing is under it."""
        return {}

    def read(self, value: Value | None, reading: Reading) -> None:
        """There is nothing to read."""

    def outcomes(self, spec: Any) -> tuple[str, ...]:
        """Give the one outcome."""
        return ("done",)

    def branches(self, spec: Any) -> tuple[Branch, ...]:
        """There are none."""
        return ()

    def check(self, node: Node, flow: Flow, report: Report) -> None:
        """There is nothing of its own to check."""

    def enter(self, ctx: Context) -> None:
        """Speak."""
        ctx.speak()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Go on when the words were heard or cut."""
        if isinstance(event, PromptOver):
            ctx.done("done")

    def question(self, ctx: Context) -> Prompt | None:
        """Nothing is asked."""
        return None

    def cutting_keys(self, ctx: Context) -> str:
        """No key is taken."""
        return ""

    def gives_up(self, ctx: Context) -> bool:
        """It can not fail."""
        return False


NODE = Step()
