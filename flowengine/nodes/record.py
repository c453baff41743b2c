"""`record`: the caller's voice into a file."""

from __future__ import annotations

from dataclasses import dataclass

from flowengine.flow.caption import duration
from flowengine.flow.diagnostics import Span, did_you_mean
from flowengine.flow.kinds import VARIABLE, Duration, Field, Fields, Flag, OneKey, Reading, Schema
from flowengine.flow.model import Flow, Named, Node
from flowengine.flow.source import Value
from flowengine.flow.wording import Named as NamedKind
from flowengine.runtime.node import AsksNothing, Context, KeyTaken, NodeEvent, PromptOver, Recorded

OUTCOMES = {"done": "There is a recording.", "silent": "The caller said nothing."}


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """Where the recording's address goes, and what ends it; ``max`` and ``silence`` in seconds."""

    into: Named | None = None
    max: float = 120.0
    silence: float = 3.0
    end_key: str = "#"
    beep: bool = True


class Record(AsksNothing):
    """Beeps and records, until silence, a key, or the longest time."""

    key = "record"
    about = "Records what the caller says into a file."
    example = """\
message:
  say: Please leave a message after the tone. End it with the hash key.
  record: {into: message, max: 1m}
  goto: {done: bye, silent: bye}
"""
    timed = True
    known_outcomes = OUTCOMES
    fields = (
        Field(
            "into",
            NamedKind("must be the name of a variable", VARIABLE),
            "The variable that gets the recording's address.",
            required=True,
        ),
        Field("max", Duration(), "The longest recording.", default="2m"),
        Field("silence", Duration(), "Silence that ends it.", default="3s"),
        Field("end_key", OneKey(), "The key that ends it, or none.", default="hash"),
        Field("beep", Flag(), "Whether a tone says when it begins.", default=True),
    )

    def schema(self) -> Schema:
        """Give the schema of the mapping."""
        return Fields(self.fields, "must be a mapping such as `{into: message, max: 1m}`").schema()

    def read(self, value: Value | None, reading: Reading) -> RecordSpec:
        """Read what is recorded."""
        return RecordSpec(**Fields(self.fields).read(value, reading)) if value is not None else RecordSpec()

    def outcomes(self, spec: RecordSpec) -> tuple[str, ...]:
        """Give both ends."""
        return tuple(self.known_outcomes)

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """The variable is declared and takes a text."""
        into: Named | None = node.spec.into
        if into is None:
            return
        variable = flow.vars.get(into.name)
        if variable is None:
            help_ = did_you_mean(into.name, flow.vars) or f"declare it: `vars: {{{into.name}: text}}`"
            self._error("unknown-variable", f'unknown variable "{into.name}"', into.span, into.name, help_, reading)
        elif variable.kind != "text":
            message = f'the address of a recording does not fit "{into.name}", which holds {variable.kind}'
            self._error("wrong-type", message, into.span, variable.kind, "declare the variable as text", reading)

    @staticmethod
    def _error(code: str, message: str, span: Span, about: str, help_: str, reading: Reading) -> None:
        reading.report.error(code, message, span, about=about, help=help_)

    def enter(self, ctx: Context) -> None:
        """Say what to do; nobody records before that was heard."""
        ctx.speak(cuttable=False)

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Record when the words were heard; the end key ends it, silence and time are the shell's matter."""
        spec: RecordSpec = ctx.node.spec
        if isinstance(event, PromptOver):
            ctx.record(spec.max, spec.silence, beep=spec.beep)
        elif isinstance(event, KeyTaken) and event.key == spec.end_key:
            ctx.stop_recording()
        elif isinstance(event, Recorded) and event.address and spec.into:
            ctx.propose(spec.into.name, event.address)
            ctx.store(spec.into.name)
            ctx.done("done")
        elif isinstance(event, Recorded):
            ctx.done("silent")

    def takes(self, spec: RecordSpec) -> tuple[str, ...]:
        """Give the key that ends it."""
        return (spec.end_key,) if spec.end_key else ()

    def gives(self, spec: RecordSpec, outcome: str) -> tuple[str, ...]:
        """Give the variable a value when there is a recording."""
        return (spec.into.name,) if spec.into and outcome == "done" else ()

    def shows(self, spec: RecordSpec) -> str:
        """Show the variable and the longest time."""
        return f"into {spec.into.name}, up to {duration(spec.max)}" if spec.into else ""


NODE = Record()
