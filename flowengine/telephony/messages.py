"""What a carrier tells us and what we tell it, in words that do not depend on the carrier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The first message of a media stream that names its call.

    ``encoding`` and ``rate`` (Hz) are those of the audio that we receive, as the carrier writes them
    (``audio/x-mulaw``, ``audio/x-l16``). ``parameters`` are what the XML gave to the stream, where the carrier carries
    them in this message (``Capabilities.parameters`` is ``start``), else empty.
    """

    stream_id: str
    call_id: str
    account_id: str
    parameters: Mapping[str, str]
    encoding: str
    rate: int


@dataclass(frozen=True, slots=True)
class MediaReceived:
    """Audio of the caller in the stream's encoding.

    ``timestamp`` is seconds on the carrier's clock, whose zero is the carrier's choice (the stream's start, the epoch);
    None when the carrier gave none that can be read.
    """

    payload: bytes
    timestamp: float | None


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The caller pressed a key: one of ``0-9 * # A-D``.

    ``sequence`` is the carrier's message number: the only thing that identifies a repetition of the same key press.
    """

    digit: str
    sequence: int | None


@dataclass(frozen=True, slots=True)
class MarkReached:
    """The carrier returned a mark. Whether its audio was heard depends on ``Capabilities.marks_on_clear``."""

    name: str


@dataclass(frozen=True, slots=True)
class AudioCleared:
    """The carrier has thrown away the audio that it still held."""


@dataclass(frozen=True, slots=True)
class StreamStopped:
    """The carrier announced the end of the stream; the socket closes next."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that changes nothing: an unknown event, ``connected``, another track. To be counted, never fatal."""

    event: str


Incoming: TypeAlias = (
    StreamStarted | MediaReceived | DigitReceived | MarkReached | AudioCleared | StreamStopped | Ignored
)


@dataclass(frozen=True, slots=True)
class Media:
    """Audio to play: raw G.711 µ-law at 8000 Hz, mono, at most ``Capabilities.max_chunk`` bytes."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """Asks to be told when everything sent before it has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Asks to throw away what has not been played."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Asks to end the stream, after which the carrier goes on with its XML."""


Outgoing: TypeAlias = Media | Mark | Clear | Stop

Direction: TypeAlias = Literal["inbound", "outbound"]
DialOutcome: TypeAlias = Literal["ended", "busy", "noanswer", "failed", "declined"]


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The carrier asks what to do with a call.

    Numbers are E.164 where the carrier's form allows to tell, else as given (``anonymous``, ``sip:…``). ``headers`` are
    SIP headers of the call by their own names. ``status`` is the carrier's word. Some carriers post the end of a call
    to the answer address too: ask ``Dialect.parse_status`` first whether the call is over.
    """

    carrier_call_id: str
    caller: str
    called: str
    direction: Direction
    status: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Continued:
    """The stream, or the dial that followed it, is over, and the carrier asks how to go on.

    ``over``: the caller is gone, nothing that we answer will be carried out. ``outcome`` is how a dial ended, None when
    none was made or when the caller left during it.
    """

    carrier_call_id: str
    over: bool
    outcome: DialOutcome | None


@dataclass(frozen=True, slots=True)
class StatusReported:
    """A status callback. ``over``: the whole call has ended; ``event`` is the carrier's word for what happened."""

    carrier_call_id: str
    over: bool
    event: str
