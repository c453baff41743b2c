"""What every call leaves behind: its one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

from flowengine.call.ports import StoredCall
from flowengine.call.prices import Price, cost
from flowengine.call.tally import Tally
from flowengine.runtime.interpreter import Interpreter

ENDED_REASONS: Final = (
    "caller.hangup",
    "flow.hangup",
    "flow.transfer",
    "flow.error",
    "flow.timeout",
    "provider.failed",
    "carrier.failed",
    "api.hangup",
    "engine.drained",
    "engine.lost",
    "engine.failed",
)
FAULTS: Final = tuple(dict.fromkeys(reason.partition(".")[0] for reason in ENDED_REASONS))
# The JSON Schema of an annotation.
_TYPES: Final[dict[str, dict[str, Any]]] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "minimum": 0},
    "list[str]": {"type": "array", "items": {"type": "string"}},
    "list[dict[str, float]]": {
        "type": "array",
        "items": {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}},
    },
    "list[dict[str, Any]]": {"type": "array", "items": {"type": "object"}},
    "float | None": {"type": ["number", "null"], "minimum": 0},
    "dict[str, int]": {"type": "object", "additionalProperties": {"type": "integer"}},
}


def _told(about: str, name: str = "", **schema: Any) -> dict[str, Any]:
    """Say what a field of the record tells, its name where Python can not have it, and more of its JSON Schema."""
    return {"about": about, "name": name, "schema": schema}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """The record of a call that has ended. The schema of events is made of these fields, so nothing is said twice."""

    id: str = field(metadata=_told("The call's id, ours."))
    carrier: str = field(metadata=_told("The carrier that brought the call, such as twilio."))
    carrier_call_id: str = field(metadata=_told("The carrier's id of the call."))
    flow: str = field(metadata=_told("The flow that the call ran."))
    revision: str = field(metadata=_told("The SHA-256 of that flow as it was when the call began."))
    direction: str = field(metadata=_told("Who called whom; `inbound` is a call to us."))
    caller: str = field(metadata=_told("The caller's number, as the carrier gave it.", "from"))
    called: str = field(metadata=_told("The number that was called.", "to"))
    started: str = field(metadata=_told("When the call was answered, in UTC.", format="date-time"))
    seconds: float = field(metadata=_told("How long it lasted."))
    path: list[str] = field(metadata=_told("Every node that it has entered, in order; of a long call the last 1,000."))
    failures: int = field(
        metadata=_told("How often the caller failed: silence, a key that is no choice, a bad number.")
    )
    streams: int = field(metadata=_told("Its media streams: one, and one more after each transfer that came back."))
    ended_reason: str = field(metadata=_told("How it ended.", enum=list(ENDED_REASONS)))
    fault: str = field(metadata=_told("Whose doing that was: `ended_reason` up to its dot.", enum=list(FAULTS)))
    gaps: int = field(metadata=_told("How often our audio was late."))
    turns: list[dict[str, float]] = field(
        metadata=_told(
            "Each answer of a language model, of a long call the last 200: seconds from the question to its first "
            "`word`, to the first `clause` that is spoken, and to its first `audio`."
        )
    )
    usage: list[dict[str, Any]] = field(
        metadata=_told(
            "What was used, by provider and model: tokens, characters, seconds of audio; and how many requests "
            "`failed`. Words that are the same in every call are spoken once for all, and are in no record."
        )
    )
    cost: float | None = field(
        metadata=_told("What that costs by list prices, in dollars; null where one of them has no price.")
    )
    counts: dict[str, int] = field(
        metadata=_told(
            "What was odd, by kind: messages repeated, unknown or broken; pauses of prompts; lost transcribers."
        )
    )

    def plain(self) -> dict[str, Any]:
        """Give the record as JSON has it."""
        return {_name(one): getattr(self, one.name) for one in fields(self)}


def record_schema() -> dict[str, Any]:
    """Give the JSON Schema of a record."""
    properties = {
        _name(one): {**_TYPES[str(one.type)], **one.metadata["schema"], "description": one.metadata["about"]}
        for one in fields(CallRecord)
    }
    return {
        "type": "object",
        "description": "The record of the call.",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _name(one: Field[Any]) -> str:
    return str(one.metadata["name"] or one.name)


def facts_of(call: StoredCall) -> dict[str, Any]:
    """Give what is known of a call from its beginning, without its numbers."""
    return {
        "id": call.id,
        "carrier": call.carrier,
        "carrier_call_id": call.carrier_call_id,
        "flow": call.flow,
        "revision": call.revision,
        "direction": call.direction,
    }


def record_of(
    call: StoredCall, interpreter: Interpreter, reason: str, tally: Tally, prices: Mapping[str, Price], now: float
) -> dict[str, Any]:
    """Give the record of a call that has ended; ``now`` is the wall clock."""
    begun = interpreter.begun
    return CallRecord(
        **facts_of(call),
        caller=call.caller,
        called=call.called,
        started=datetime.fromtimestamp(call.started, UTC).isoformat(),
        seconds=round(max(0.0, now - call.started), 3),
        path=interpreter.state.path if begun else [],
        failures=interpreter.state.failures if begun else 0,
        streams=call.streams,
        ended_reason=reason,
        fault=reason.partition(".")[0],
        cost=cost(tally.usage, prices),
        **tally.plain(),
    ).plain()
