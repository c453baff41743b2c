"""`transfer`: hand the caller over to another number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Template
from flowengine.flow.kinds import (
    Choice,
    Duration,
    Field,
    Fields,
    ListOf,
    OneKey,
    Reading,
    Reference,
    Schema,
    Shaped,
    Text,
    Words,
)
from flowengine.flow.model import Flow, Node, Prompt
from flowengine.flow.prompting import PromptKind
from flowengine.flow.source import Mapping, Value
from flowengine.flow.tooling import Arguments
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver, Transferred

OUTCOMES = {
    "ended": "The two have spoken, and the other one hung up.",
    "busy": "The number is busy.",
    "noanswer": "Nobody answered while it rang.",
    "declined": "The other one did not accept the call.",
    "failed": "The number could not be reached.",
}
_TO = Shaped("must be a number or a list of numbers", scalar=Words(), sequence=ListOf(Words(), 1))


@dataclass(frozen=True, slots=True)
class TransferSpec:
    """``to`` is tried in turn; ``ring`` and ``max`` in seconds."""

    to: tuple[Template, ...]
    mode: str = "dial"
    ring: float = 25.0
    caller_id: Template | None = None
    max: float | None = 7200.0
    headers: dict[str, Any] = field(default_factory=dict)
    brief: Prompt | None = None
    accept_key: str = ""
    hold: str = ""


class Transfer(AsksNothing):
    """Says its words, then the carrier dials. A blind transfer is the last that we hear of the call."""

    key = "transfer"
    about = "Hands the caller over to a number or SIP address."
    example = """\
agent:
  say: I will connect you.
  transfer: {to: "+15550123", ring: 20s}
  goto: {ended: bye, else: nobody}
"""
    events = ("error.transfer",)
    known_outcomes = OUTCOMES
    keeps_keys = False
    fields = (
        Field("to", _TO, "The number or SIP address; of a list each is tried in turn.", required=True),
        Field(
            "mode",
            Choice(("dial", "blind", "warm")),
            "dial: the outcome comes back; blind: it does not; warm: the other one hears `brief` first.",
            default="dial",
        ),
        Field("ring", Duration(), "How long it rings.", default="25s"),
        Field("caller_id", Words(), "The number that is shown to the one who is called."),
        Field("headers", Arguments(), "SIP headers for the other side."),
        Field("brief", Reference("prompt", PromptKind), "What the one who is called hears first, in a warm transfer."),
        Field("accept_key", OneKey(), "The key that accepts the call; another one, or none, declines it."),
        Field("hold", Text(), "A WAV file beside the flow that the caller hears while it rings."),
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
        if not isinstance(value, Mapping):
            number = Words().read(value, reading)
            return TransferSpec((number,) if number else ())
        read = Fields(self.fields).read(value, reading)
        to = read.pop("to", ())
        return TransferSpec((to,) if isinstance(to, Template) else tuple(to), **read)

    def outcomes(self, spec: TransferSpec) -> tuple[str, ...]:
        """Give how a dial can end; a blind transfer leads nowhere."""
        return () if spec.mode == "blind" else tuple(OUTCOMES)

    def shows(self, spec: TransferSpec) -> str:
        """Show the numbers, in the order in which they are tried, and the mode where it is not the usual one."""
        mode = "" if spec.mode == "dial" else f" ({spec.mode})"
        return ", ".join(number.source for number in spec.to) + mode

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """The carriers' dials have neither briefs nor headers yet."""
        spec: TransferSpec = node.spec
        words = [(spec.mode == "warm", "`mode: warm`"), (bool(spec.brief), "`brief`"), (bool(spec.hold), "`hold`")]
        words += [(bool(spec.headers), "`headers`"), (bool(spec.accept_key), "`accept_key`")]
        missing = next((word for present, word in words if present), None)
        return (missing, node.type_span or node.name_span) if missing else None

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
        if not number:
            # Nothing to dial is a mistake of the flow or of its data, not an outcome of a call.
            ctx.note("error", event="error.transfer", reason="the number is empty")
            ctx.raise_event("error.transfer")
            return
        caller_id = spec.caller_id.text(scope).strip() if spec.caller_id else None
        ctx.local["tried"] = index + 1
        ctx.transfer(number, spec.mode, spec.ring, caller_id, spec.max)


NODE = Transfer()
