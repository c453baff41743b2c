"""Wishes: what a call wants of the world. Imperatives; the shell carries them out and answers with facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field


class Speech(Struct, frozen=True, tag=True):
    """Words for the voice. ``constant`` words may be cached on disk; ``shown`` is what the trace says instead."""

    text: str
    voice: str
    lang: str
    rate: float
    constant: bool
    shown: str | None = None


class Recording(Struct, frozen=True, tag=True):
    """A file beside the flow, with the words to speak when it can not be played."""

    file: str
    words: Speech | None


class Pause(Struct, frozen=True, tag=True):
    """Silence, in seconds."""

    seconds: float


Part = Speech | Recording | Pause


class Policy(Struct, frozen=True, tag=True):
    """What may stop this prompt: ``keys`` are the keys that do, after ``after`` seconds of it.

    ``deaf`` is a key that does not until ``deaf_until`` (on the call's clock): an end key that comes a moment too late.
    With ``speech`` the caller's words do too, ``words`` at least, of which those in ``ignore`` do not count.
    """

    keys: str
    after: float = 0.0
    deaf: str = ""
    deaf_until: float = 0.0
    speech: bool = False
    words: int = 0
    ignore: tuple[str, ...] = ()


class Listen(Struct, frozen=True, tag=True):
    """From now on the caller is expected to say this; it holds until the next one.

    ``kind`` is `text`, `choice`, `nothing` (keys alone) or a type of values; ``phrases`` is what may be said to choose,
    ``least`` and ``most`` are the lengths of digits (0: any). ``speech_end`` and ``max_speech`` in seconds.
    """

    lang: str
    kind: str
    phrases: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    speech_end: float = 0.7
    max_speech: float = 20.0


class PlayPrompt(Struct, frozen=True, tag=True):
    """Play these parts without a gap, behind nothing: at most one prompt is on at a time."""

    prompt: str
    node: str
    parts: tuple[Part, ...]
    policy: Policy


class StopPrompt(Struct, frozen=True, tag=True):
    """Stop a prompt that a timer or an end has overtaken."""

    prompt: str


class RunTool(Struct, frozen=True, tag=True):
    """Run a tool; ``ToolFinished`` follows. ``key`` is the same for every repetition of one run, and never again.

    ``request`` is what an HTTP tool sends (`method`, `url`, `headers`, `query`, `body`), empty for others; ``args`` are
    its arguments by name. ``keep`` lets it go on when the caller hangs up; ``timeout`` in seconds.
    """

    run: str
    tool: str
    kind: str
    target: str
    args: Mapping[str, Any]
    request: Mapping[str, Any]
    timeout: float
    key: str
    keep: bool = True


class CancelTool(Struct, frozen=True, tag=True):
    """Nobody waits for this run any more, and it is one that may be cut off."""

    run: str


class Ask(Struct, frozen=True, tag=True):
    """Ask a model and speak what it answers while it comes; ``ReplyStarted`` and the rest follow.

    ``persona`` stays over the call, ``system`` is the node's prompt, ``messages`` what was said, ``tools`` and
    ``exits`` what it may do (JSON Schema by name). ``filler`` is said when there is no word after ``patience`` seconds;
    ``first`` is how many seconds the first word may take. ``silent``: what it says is not spoken, only what it does.
    """

    reply: str
    node: str
    model: str
    temperature: float
    system: str
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...]
    exits: tuple[Mapping[str, Any], ...]
    policy: Policy
    voice: str = "default"
    lang: str = "en-US"
    rate: float = 1.0
    realtime: bool = False
    persona: str = ""
    filler: tuple[Part, ...] = ()
    patience: float = 0.0
    first: float = 4.0
    silent: bool = False


class CancelReply(Struct, frozen=True, tag=True):
    """Stop asking, and what is being spoken of the answer; ``ReplyInterrupted`` follows if anything of it was heard."""

    reply: str


class Record(Struct, frozen=True, tag=True):
    """Record the caller after a beep; ``RecordingFinished`` follows. ``max`` and ``silence`` in seconds."""

    recording: str
    max: float
    silence: float
    beep: bool


class StopRecording(Struct, frozen=True, tag=True):
    """End a recording now; ``RecordingFinished`` follows. Without ``keep`` nobody wants it, and nothing is kept."""

    recording: str
    keep: bool = True


class PressKeys(Struct, frozen=True, tag=True):
    """Send key tones to the far end, `w` for half a second of silence; ``KeysSent`` follows."""

    keys: str


class Transfer(Struct, frozen=True, tag=True):
    """Hand the caller over; the stream ends. ``ring`` and ``max`` in seconds; ``mode`` is `dial` or `blind`."""

    number: str
    mode: str
    ring: float
    caller_id: str | None
    max: float | None


class HangUp(Struct, frozen=True, tag=True):
    """End the call at the carrier, after what was played has been heard."""

    reason: str


class SaveSnapshot(Struct, frozen=True, tag=True):
    """Journal the state: at a node's entry and before each side effect."""

    node: str


class EndCall(Struct, frozen=True, tag=True):
    """The call is over; ``reason`` is from the closed list of ended reasons. The last effect of every call."""

    reason: str


class Note(Struct, frozen=True, tag=True):
    """For the trace only: why something happened or did not."""

    what: str
    data: Mapping[str, Any] = field(default_factory=dict)


Effect = (
    Listen
    | PlayPrompt
    | StopPrompt
    | RunTool
    | CancelTool
    | Ask
    | CancelReply
    | Record
    | StopRecording
    | PressKeys
    | Transfer
    | HangUp
    | SaveSnapshot
    | EndCall
    | Note
)
