"""Facts: what the world tells a call. Past participles; ``at`` is seconds since the call began, never media time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class CallStarted(Struct, frozen=True, tag=True):
    """The call's first stream is open. ``started`` is the wall clock (ISO 8601, UTC), ``seed`` draws `one_of`."""

    at: float
    call: Mapping[str, Any]
    started: str
    seed: int
    args: Mapping[str, Any]


class StreamResumed(Struct, frozen=True, tag=True):
    """A new stream of a call that has a snapshot: after a dropped socket, or after a transfer."""

    at: float


class PromptFinished(Struct, frozen=True, tag=True):
    """All of the prompt was played. ``seconds`` is its length; ``mark_lost`` says that this is an estimate."""

    at: float
    prompt: str
    seconds: float
    mark_lost: bool = False


class PromptInterrupted(Struct, frozen=True, tag=True):
    """The shell stopped the prompt as its policy allows. ``heard`` in seconds; the key that did it comes next."""

    at: float
    prompt: str
    heard: float
    estimated: bool = False


class PromptFailed(Struct, frozen=True, tag=True):
    """The voice failed before the prompt was complete. ``heard`` in seconds."""

    at: float
    prompt: str
    heard: float
    kind: str


class DigitPressed(Struct, frozen=True, tag=True):
    """The caller pressed a key: one of 0-9 * # A-D."""

    at: float
    digit: str


class SpeechStarted(Struct, frozen=True, tag=True):
    """The caller began to speak, or something sounds as if."""

    at: float


class UtteranceEnded(Struct, frozen=True, tag=True):
    """The final transcript of what the caller said; empty where there were no words.

    ``began`` and ``ended`` are when the voice did (``ended`` None: with ``at``); ``confidence`` is the transcriber's.
    """

    at: float
    text: str
    began: float
    ended: float | None = None
    confidence: float = 1.0


class TranscriberFailed(Struct, frozen=True, tag=True):
    """Nobody turns the caller's voice into words any more, on this stream."""

    at: float
    kind: str


class ToolFinished(Struct, frozen=True, tag=True):
    """A tool has answered, or has failed: ``error`` is empty, `timeout`, `http.404` or `error`."""

    at: float
    run: str
    result: Any = None
    error: str = ""


class ReplyStarted(Struct, frozen=True, tag=True):
    """A model's answer has begun: its first word, tool or exit is there."""

    at: float
    reply: str


class ReplyAudible(Struct, frozen=True, tag=True):
    """The first words of a model's answer are on their way to the caller: who speaks from now on speaks over them."""

    at: float
    reply: str


class ReplyActed(Struct, frozen=True, tag=True):
    """A model wants a tool run, or to leave: ``act`` is `tool`, `exit` or `option`, ``id`` the model's name of it."""

    at: float
    reply: str
    act: str
    name: str
    id: str
    values: Mapping[str, Any]


class ReplyFinished(Struct, frozen=True, tag=True):
    """A model's answer is complete and its words were heard. ``seconds`` is how long they lasted."""

    at: float
    reply: str
    text: str
    seconds: float


class ReplyInterrupted(Struct, frozen=True, tag=True):
    """The caller cut a model's answer: ``text`` is what was heard of it. What cut it comes next."""

    at: float
    reply: str
    text: str
    heard: float


class ReplyFailed(Struct, frozen=True, tag=True):
    """The model failed, or its ``voice`` did; ``text`` is what was heard of its answer before."""

    at: float
    reply: str
    kind: str
    text: str = ""
    voice: bool = False


class RecordingFinished(Struct, frozen=True, tag=True):
    """The caller's voice is in a file: its address, or an empty text where there was only silence."""

    at: float
    recording: str
    address: str
    seconds: float


class KeysSent(Struct, frozen=True, tag=True):
    """The tones that were to be sent to the far end are sent."""

    at: float
    keys: str


class EventReceived(Struct, frozen=True, tag=True):
    """An application sent an event to the call."""

    at: float
    name: str
    data: Any = None


class MachineAnswered(Struct, frozen=True, tag=True):
    """An answering machine picked up, and its beep (or two seconds of silence) has passed."""

    at: float


class TransferFinished(Struct, frozen=True, tag=True):
    """The carrier told how the dialled party answered: `ended`, `busy`, `noanswer`, `declined` or `failed`."""

    at: float
    outcome: str


class TimePassed(Struct, frozen=True, tag=True):
    """It is later than the interpreter's deadline."""

    at: float


class CallerHungUp(Struct, frozen=True, tag=True):
    """The caller is gone. ``reason`` is an ended reason; `flow.transfer` when a transfer had connected."""

    at: float
    reason: str = "caller.hangup"
    dropped: bool = False


class CallStopped(Struct, frozen=True, tag=True):
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
    | SpeechStarted
    | UtteranceEnded
    | TranscriberFailed
    | ToolFinished
    | ReplyStarted
    | ReplyAudible
    | ReplyActed
    | ReplyFinished
    | ReplyInterrupted
    | ReplyFailed
    | RecordingFinished
    | KeysSent
    | EventReceived
    | MachineAnswered
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
    MachineAnswered: 1,
    PromptInterrupted: 2,
    ReplyInterrupted: 2,
    DigitPressed: 2,
    UtteranceEnded: 3,
    SpeechStarted: 4,
    EventReceived: 5,
    TranscriberFailed: 6,
    ReplyStarted: 6,
    ReplyAudible: 6,
    ReplyActed: 6,
    ReplyFailed: 6,
    ToolFinished: 6,
    RecordingFinished: 6,
    KeysSent: 6,
    TimePassed: 7,
    PromptFinished: 8,
    PromptFailed: 8,
    ReplyFinished: 8,
}


def rank(event: Event) -> tuple[float, int]:
    """Give the sort key of an event: a stable sort by it is the order in which events are handled."""
    return event.at, _RANKS[type(event)]
