"""What a dialect is: how one carrier writes documents, stream messages and signatures.

A dialect is stateless and does no I/O. It is found by the name of its module in ``flowengine.telephony.dialects``,
which exposes it as ``DIALECT``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from flowengine.telephony.messages import CallAnswered, Continued, Incoming, Outgoing, StatusReported


@dataclass(frozen=True, slots=True)
class Capabilities:
    """How a carrier behaves where carriers differ.

    - ``clear_ack``: it confirms a clear; audio sent before the confirmation may be lost with the old.
    - ``marks_on_clear``: what becomes of outstanding marks on a clear: all ``returned`` at once, ``lost`` for good, or
      returned only ``if_played``.
    - ``max_chunk``: bytes of audio that one message should not exceed.
    - ``buffer``: seconds of audio that it promises to hold; None when it promises nothing.
    - ``end_stream``: how we end a stream and keep the call: a ``stop`` message, or by ``close`` of the socket.
    - ``stop_event``: it announces its own end of the stream by a message.
    - ``parameters``: where the parameters of the XML arrive: in the ``start`` message or in the ``query`` of the
      WebSocket address.
    - ``upgrade_signed``: the WebSocket upgrade carries a signature.
    """

    clear_ack: bool
    marks_on_clear: Literal["returned", "lost", "if_played"]
    max_chunk: int
    buffer: float | None
    end_stream: Literal["stop", "close"]
    stop_event: bool
    parameters: Literal["start", "query"]
    upgrade_signed: bool


@dataclass(frozen=True, slots=True)
class StreamOffer:
    """Connect the call to our WebSocket, and ask ``continue_url`` when that is over, for whatever reason.

    ``url`` is ``wss://`` (``ws://`` for tests) without a query; ``parameters`` reach the stream in the carrier's way.
    An empty ``status_url`` asks for no callbacks.
    """

    url: str
    continue_url: str
    status_url: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller with ``targets`` (E.164 numbers or ``sip:`` addresses; several ring at the same time).

    ``action_url`` is asked when the dial is over; None makes it blind: nothing follows. ``ring`` and ``max`` (None: the
    carrier's own limit) are seconds; carriers count whole ones, so both are rounded up.
    """

    targets: tuple[str, ...]
    action_url: str | None
    ring: float
    caller_id: str | None
    max: float | None


@dataclass(frozen=True, slots=True)
class Apology:
    """Speak ``text`` by the carrier's own voice, then hang up: for when we can not even play audio."""

    text: str


@dataclass(frozen=True, slots=True)
class HangupNow:
    """End the call."""


Answer: TypeAlias = StreamOffer | Dial | Apology | HangupNow


class Verdict(Enum):
    """What a signature says. ``MISSING``: the request carries none of a kind that we accept."""

    VALID = "valid"
    MISSING = "missing"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as its signature saw it.

    ``url`` is the public address with its query, ``wss://`` for an upgrade; behind a proxy it is computed from the
    settings, never from the Host header. ``headers`` have lower-case names. ``fields`` are the pairs of a form body, in
    order, with repetitions and empty values. ``body`` is the raw body.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    fields: Sequence[tuple[str, str]]
    body: bytes = b""


class Dialect(Protocol):
    """One carrier's language."""

    @property
    def name(self) -> str:
        """The carrier's name in addresses and settings."""

    @property
    def capabilities(self) -> Capabilities:
        """How this carrier behaves where carriers differ."""

    def parse_answer(self, fields: Mapping[str, str]) -> CallAnswered:
        """Read the request for a call's first document. Raises ``ProtocolError`` when it names no call."""

    def parse_continue(self, fields: Mapping[str, str]) -> Continued:
        """Read the request that follows a stream or a dial. Raises ``ProtocolError`` when it names no call."""

    def parse_status(self, fields: Mapping[str, str]) -> StatusReported:
        """Read a status callback of a call or a stream. Raises ``ProtocolError`` when it names no call."""

    def document(self, what: Answer) -> str:
        """Return the XML that carries out ``what``, every value escaped."""

    def decode(self, text: str) -> Incoming:
        """Read one text frame of a stream.

        Unknown events and fields are tolerated, numbers may be written as strings. Raises ``ProtocolError`` for what is
        not JSON or lacks what its event can not do without, and nothing else, whatever the text.
        """

    def encode(self, message: Outgoing, stream_id: str) -> str | None:
        """Return the text frame for ``message``, or None when this carrier has no such message."""

    def verify(self, request: SignedRequest, secret: str) -> Verdict:
        """Check the carrier's signature in constant time; ``secret`` is the account's auth token."""
