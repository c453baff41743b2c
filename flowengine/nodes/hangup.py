"""`hangup`: end the call after its words were heard."""

from __future__ import annotations

from dataclasses import dataclass

from flowengine.flow.kinds import Field, Fields, Flag, Reading, Schema, Text, by_shape, say
from flowengine.flow.source import Mapping, Value
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver


@dataclass(frozen=True, slots=True)
class HangupSpec:
    """``reason`` is for the record; ``interruptible`` lets a key return to the node that led here."""

    reason: str = ""
    interruptible: bool = False


class Hangup(AsksNothing):
    """Says goodbye and ends the call; the goodbye is heard before the line is cut."""

    key = "hangup"
    about = "Ends the call after its words were heard."
    example = "bye:\n  say: Thank you for calling. Goodbye.\n  hangup: {reason: solved}\n"
    keeps_keys = True
    fields = (
        Field("reason", Text(), "For the record."),
        Field("interruptible", Flag(), "A key during the words returns to the node that led here.", default=False),
    )

    def schema(self) -> Schema:
        """Give the schema: nothing, or the mapping."""
        sentence = "must be empty, or a mapping such as `{reason: …}`"
        return by_shape(scalar=say({"type": "null"}, sentence), mapping=Fields(self.fields).schema(), sentence=sentence)

    def read(self, value: Value | None, reading: Reading) -> HangupSpec:
        """Read the reason."""
        return HangupSpec(**Fields(self.fields).read(value, reading)) if isinstance(value, Mapping) else HangupSpec()

    def outcomes(self, spec: HangupSpec) -> tuple[str, ...]:
        """It leads nowhere."""
        return ()

    def shows(self, spec: HangupSpec) -> str:
        """Show the reason."""
        return f"reason: {spec.reason}" if spec.reason else ""

    def enter(self, ctx: Context) -> None:
        """Say goodbye."""
        spec: HangupSpec = ctx.node.spec
        ctx.speak(cuttable=spec.interruptible)

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """End the call when the words were heard; go back when they were cut."""
        if isinstance(event, PromptOver):
            if event.cut:
                ctx.go_back()
            else:
                spec: HangupSpec = ctx.node.spec
                if spec.reason:
                    ctx.note("reason", text=spec.reason)
                ctx.hang_up()


NODE = Hangup()
