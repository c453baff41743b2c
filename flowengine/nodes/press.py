"""`press`: send digits to the far end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowengine.flow.expressions import Template
from flowengine.flow.kinds import SCALARS, Reading, Schema, Words, proposing, typed
from flowengine.flow.source import Value
from flowengine.runtime.effects import Effect, PressKeys
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver, Sent

OUTCOMES = {"done": "The tones were sent."}
_KEYS = re.compile(r"[0-9*#A-Dw]+")


@dataclass(frozen=True, slots=True)
class PressSpec:
    """The keys, `w` for half a second of silence."""

    keys: Template | None = None


class Press(AsksNothing):
    """Sends key tones, to walk through another company's menu."""

    key = "press"
    about = "Sends the tones of keys to the far end."
    example = 'dial:\n  press: "w1w{{ account }}#"\n  goto: bye\n'
    timed = True
    known_outcomes = OUTCOMES

    def schema(self) -> Schema:
        """Give the schema: keys."""
        return proposing(typed(SCALARS, "must be keys: 0 to 9, *, #, A to D, and w for half a second"))

    def read(self, value: Value | None, reading: Reading) -> PressSpec:
        """Read the keys; what is written out is held against the keys that there are."""
        keys = Words().read(value, reading) if value is not None else None
        if keys is not None and keys.constant and value is not None and not reading.report.has_error_in(value.span):
            unknown = _KEYS.sub("", keys.source)
            if unknown or not keys.source:
                reading.report.error(
                    "unknown-key",
                    f'"{unknown[:1]}" is no key of a telephone',
                    value.span,
                    about=unknown[:1],
                    help="use 0 to 9, *, #, A to D, and w for half a second of silence",
                )
        return PressSpec(keys)

    def outcomes(self, spec: PressSpec) -> tuple[str, ...]:
        """Give the one outcome."""
        return ("done",)

    def wishes(self, spec: PressSpec) -> tuple[type[Effect], ...]:
        """Send tones."""
        return (PressKeys,)

    def enter(self, ctx: Context) -> None:
        """Speak, and then send."""
        ctx.speak(cuttable=False)

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Send when the words were heard, go on when the tones are out."""
        spec: PressSpec = ctx.node.spec
        if isinstance(event, PromptOver) and spec.keys:
            ctx.press_keys("".join(key for key in spec.keys.text(ctx.scope()) if _KEYS.match(key)))
        elif isinstance(event, Sent):
            ctx.done("done")

    def shows(self, spec: PressSpec) -> str:
        """Show the keys."""
        return spec.keys.source if spec.keys else ""


NODE = Press()
