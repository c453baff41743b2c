"""Facts: what the world tells a call. Past participles; ``at`` is seconds since the call began, never media time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The call's first stream is open. ``started`` is the wall clock (ISO 8601, UTC), ``seed`` draws `one_of`."""

    at: float
    call: Mapping[str, Any]
    started: str
    seed: int
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StreamResumed:
    """A new stream of a call that has a snapshot: after a dropped socket, or after a transfer."""

    at: float


@dataclass(frozen=True, slots=True)
class PromptFinished:
    """All of the prompt was played. ``seconds`` is its length; ``mark_lost`` says that this is an estimate."""

    at: float
    prompt: str
    seconds: float
    mark_lost: bool = False


@dataclass(frozen=True, slots=True)
class PromptInterrupted:
    """The shell stopped the prompt as its policy allows. ``heard`` in seconds; the key that did it comes next."""

    at: float
    prompt: str
    heard: float
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class PromptFailed:
    """The voice failed before the prompt was complete. ``heard`` in seconds."""

    at: float
    prompt: str
    heard: float
    kind: str


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a key: one of 0-9 * # A-D."""

    at: float
    digit: str


@dataclass(frozen=True, slots=True)
class TransferFinished:
    """The carrier told how the dialled party answered: `ended`, `busy`, `noanswer`, `declined` or `failed`."""

    at: float
    outcome: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """It is later than the interpreter's deadline."""

    at: float


@dataclass(frozen=True, slots=True)
class CallerHungUp:
    """The caller is gone. ``reason`` is an ended reason; `flow.transfer` when a transfer had connected."""

    at: float
    reason: str = "caller.hangup"
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class CallStopped:
    """The call can not go on for a reason of the carrier's or of ours: `carrier.failed`, `engine.drained`, …"""

    at: float
    reason: str


Event = (
    CallStarted
    | StreamResumed
    | PromptFinished
    | PromptInterrupted
    | PromptFailed
    | DigitPressed
    | TransferFinished
    | TimePassed
    | CallerHungUp
    | CallStopped
)

# Of the same instant, in this order (call semantics, "Order of events"). An interruption has its cause's rank.
_RANKS: Mapping[type[Any], int] = {
    CallerHungUp: 0,
    CallStopped: 0,
    CallStarted: 1,
    StreamResumed: 1,
    TransferFinished: 1,
    PromptInterrupted: 2,
    DigitPressed: 2,
    TimePassed: 7,
    PromptFinished: 8,
    PromptFailed: 8,
}


def rank(event: Event) -> tuple[float, int]:
    """Give the sort key of an event: a stable sort by it is the order in which events are handled."""
    return event.at, _RANKS[type(event)]
