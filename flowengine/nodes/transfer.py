"""`transfer`: hand the caller over to another number."""

from __future__ import annotations

from dataclasses import dataclass

from flowengine.flow.expressions import Template
from flowengine.flow.kinds import Choice, Duration, Field, Fields, ListOf, Reading, Schema, Shaped, Words
from flowengine.flow.source import Mapping, Value
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver, Transferred

OUTCOMES = ("ended", "busy", "noanswer", "declined", "failed")
_TO = Shaped("must be a number or a list of numbers", scalar=Words(), sequence=ListOf(Words(), 1))


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """``to`` is tried in turn; ``ring`` and ``max`` in seconds."""

    to: tuple[Template, ...]
    mode: str = "dial"
    ring: float = 25.0
    caller_id: Template | None = None
    max: float | None = 7200.0


class Transfer(AsksNothing):
    """Says its words, then the carrier dials. A blind transfer is the last that we hear of the call."""

    key = "transfer"
    about = "Hands the caller over to a number or SIP address."
    timed = False
    pauses = True
    keeps_keys = False
    fields = (
        Field("to", _TO, "The number or SIP address; of a list each is tried in turn.", required=True),
        Field("mode", Choice(("dial", "blind")), "dial: the outcome comes back; blind: it does not.", default="dial"),
        Field("ring", Duration(), "How long it rings.", default="25s"),
        Field("caller_id", Words(), "The number that is shown to the one who is called."),
        Field("max", Duration(), "The longest conversation.", default="2h"),
    )

    def schema(self) -> Schema:
        """Give the schema: a number, a list of numbers, or the mapping."""
        sentence = "must be a number, or a mapping such as `{to: …, ring: 25s}`"
        return Shaped(sentence, scalar=Words(), mapping=Fields(self.fields)).schema()

    def read(self, value: Value | None, reading: Reading) -> TransferSpec:
        """Read the targets and how they are called."""
        if value is None:
            return TransferSpec(())
        read = Fields(self.fields).read(value, reading) if isinstance(value, Mapping) else {}
        to = read.get("to") if isinstance(value, Mapping) else Words().read(value, reading)
        targets = (to,) if isinstance(to, Template) else tuple(to or ())
        return TransferSpec(
            targets, read.get("mode", "dial"), read.get("ring", 25.0), read.get("caller_id"), read.get("max", 7200.0)
        )

    def outcomes(self, spec: TransferSpec) -> tuple[str, ...]:
        """Give how a dial can end; a blind transfer leads nowhere."""
        return () if spec.mode == "blind" else OUTCOMES

    def enter(self, ctx: Context) -> None:
        """Announce it; keys do not cut that, for nothing could take them."""
        ctx.speak(cuttable=False)

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Dial when the words were heard; try the next number, or leave, when an outcome comes."""
        if isinstance(event, PromptOver):
            self._dial(0, ctx)
        elif isinstance(event, Transferred):
            tried: int = ctx.local.get("tried", 1)
            if event.outcome not in ("ended", "declined") and tried < len(ctx.node.spec.to):
                self._dial(tried, ctx)
            else:
                ctx.done(event.outcome)

    def _dial(self, index: int, ctx: Context) -> None:
        spec: TransferSpec = ctx.node.spec
        scope = ctx.scope()
        number = spec.to[index].text(scope).strip()
        caller_id = spec.caller_id.text(scope).strip() if spec.caller_id else None
        ctx.local["tried"] = index + 1
        ctx.transfer(number, spec.mode, spec.ring, caller_id, spec.max)


NODE = Transfer()
