"""A node without a type key: it speaks, assigns, and goes on."""

from __future__ import annotations

from typing import Any

from flowengine.flow.kinds import Reading, Schema
from flowengine.flow.source import Value
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver


class Step(AsksNothing):
    """Speaks and goes on; a list of cases as its `goto` is how one branches."""

    key = ""
    about = "Speaks, assigns, and goes on."
    example = "welcome:\n  say: Welcome to the bakery.\n  goto: bye\n"
    timed = True
    pauses = False
    keeps_keys = True

    def schema(self) -> Schema:
        """There is no key, so nothing is under it."""
        return {}

    def read(self, value: Value | None, reading: Reading) -> None:
        """There is nothing to read."""

    def outcomes(self, spec: Any) -> tuple[str, ...]:
        """Give the one outcome."""
        return ("done",)

    def enter(self, ctx: Context) -> None:
        """Speak."""
        ctx.speak()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Go on when the words were heard or cut."""
        if isinstance(event, PromptOver):
            ctx.done("done")


NODE = Step()
