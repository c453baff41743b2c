"""`return`: leave a subflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowengine.flow.kinds import NAME, Field, Fields, Pattern, Reading, Schema, Values, by_shape
from flowengine.flow.source import Mapping, Scalar, Value
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver

_OUTCOME = Pattern(NAME, "must be the name of an outcome such as verified")
_MAPPING = Fields(
    (
        Field("outcome", _OUTCOME, "The outcome that the calling flow's `goto` maps.", required=True),
        Field("value", Values(), "What the calling flow sees as `result`."),
    ),
    "must be the name of an outcome, or a mapping such as `{outcome: found, value: 1}`",
)


@dataclass(frozen=True, slots=True)
class ReturnSpec:
    """By which outcome the flow returns, and with what: a Template, a plain value, or maps and lists of such."""

    outcome: str
    value: Any = None


class Return(AsksNothing):
    """Back to the flow that ran this one; in a flow that was not run by another it hangs up."""

    key = "return"
    about = "Leaves a subflow; in a flow that no other flow runs, it hangs up."
    example = 'found:\n  return: {outcome: verified, value: "{{ account }}"}\n'
    keeps_keys = True
    crosses = True
    fields = _MAPPING.fields

    def schema(self) -> Schema:
        """Give the schema: an outcome's name, or a mapping."""
        return by_shape(scalar=_OUTCOME.schema(), mapping=_MAPPING.schema(), sentence=str(_MAPPING.sentence))

    def read(self, value: Value | None, reading: Reading) -> ReturnSpec:
        """Read the outcome and the value."""
        if isinstance(value, Mapping):
            read = _MAPPING.read(value, reading)
            return ReturnSpec(read.get("outcome", ""), read.get("value"))
        return ReturnSpec(value.text if isinstance(value, Scalar) else "")

    def outcomes(self, spec: ReturnSpec) -> tuple[str, ...]:
        """It leads nowhere in this flow."""
        return ()

    def enter(self, ctx: Context) -> None:
        """Speak, and then go back."""
        ctx.speak()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Go back when the words were heard or cut."""
        if isinstance(event, PromptOver):
            spec: ReturnSpec = ctx.node.spec
            ctx.return_flow(spec.outcome, spec.value)

    def returns(self, spec: ReturnSpec) -> str:
        """Name its outcome."""
        return spec.outcome

    def shows(self, spec: ReturnSpec) -> str:
        """Show the outcome."""
        return spec.outcome


NODE = Return()
