"""A carrier as the server sees it: forms, signatures and stream messages, written from the vendors' pages.

Nothing here is shared with ``flowengine.telephony``: an error there must not hide behind the same error here.
Sources: https://www.twilio.com/docs/voice/media-streams/websocket-messages, https://www.twilio.com/docs/usage/security,
https://www.vobiz.ai/docs/xml/stream/stream-events, https://www.vobiz.ai/docs/concepts/validating-callbacks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

Form: TypeAlias = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PlayAudio:
    """The server wants this µ-law played."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class SetMark:
    """The server wants to be told when everything before has been played."""

    name: str


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """The server wants the rest not to be played."""


@dataclass(frozen=True, slots=True)
class EndStream:
    """The server ends the stream by a message."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """The server sent what the carrier does not take."""

    why: str


Order: TypeAlias = PlayAudio | SetMark | ClearAudio | EndStream | Wrong


class Carrier(Protocol):
    """One call at one carrier. Messages of a stream are numbered from ``opening`` on; times are seconds of the call."""

    call_id: str
    stream_id: str
    verbs: frozenset[str]
    """The XML elements that the phone carries out."""
    marks_survive_clear: bool
    """Twilio returns outstanding marks on a clear, Vobiz voids them."""
    flush: float
    """Seconds that a clear takes; audio that arrives meanwhile is lost. 0 where a clear needs no confirmation."""
    dial_actions_always_continue: bool
    """Whether the document of a dial's action always carries on the call; else only with ``redirect="true"``."""

    def call_form(self, event: str, status: str) -> Form:
        """The fields of a webhook for this call."""

    def dial_form(self, outcome: str) -> Form:
        """The fields that a dial's action has in addition; ``outcome`` as scripts write it, or ``cancelled``."""

    def stream_form(self, event: str) -> Form:
        """The fields of a stream's status callback: ``started``, ``stopped`` or ``dropped``."""

    def sign(self, url: str, form: Sequence[tuple[str, str]], token: str | None) -> dict[str, str]:
        """The headers of a webhook."""

    def sign_upgrade(self, url: str, token: str | None) -> dict[str, str]:
        """The headers of a WebSocket upgrade."""

    def opening(self, at: float, parameters: dict[str, str]) -> list[str]:
        """The first messages of a new stream, which gets a new id."""

    def media(self, payload: bytes, at: float) -> str:
        """Audio of the caller, whose first sample was spoken at ``at``."""

    def key(self, digit: str, at: float) -> str:
        """A key press."""

    def mark(self, name: str) -> str:
        """A mark that was reached, or returned by a clear."""

    def cleared(self) -> str | None:
        """The confirmation of a clear, if there is one."""

    def farewell(self) -> str | None:
        """What is sent before the socket is closed, if anything."""

    def read(self, text: str) -> Order:
        """Understand a message of the server, strictly."""


class TwilioCarrier:
    """Twilio: numbers are strings, marks come back, signatures are HMAC-SHA1 over address and fields."""

    verbs = frozenset({"Connect", "Dial", "Redirect", "Hangup", "Reject", "Say", "Pause"})
    marks_survive_clear = True
    flush = 0.0
    dial_actions_always_continue = True

    def __init__(self, caller: str, called: str, rng: random.Random) -> None:
        self._caller = caller
        self._called = called
        self._rng = rng
        self._account = "AC" + _hex(rng)
        self.call_id = "CA" + _hex(rng)
        self.stream_id = ""
        self._sequence = 0
        self._chunk = 0
        self._began = 0.0

    def call_form(self, event: str, status: str) -> Form:
        return [
            ("CallSid", self.call_id),
            ("AccountSid", self._account),
            ("ApiVersion", "2010-04-01"),
            ("CallStatus", status),
            ("Caller", self._caller),
            ("Called", self._called),
            ("Direction", "inbound"),
            ("From", self._caller),
            ("To", self._called),
            ("FromCity", ""),
        ]

    def dial_form(self, outcome: str) -> Form:
        words = {"ended": "completed", "noanswer": "no-answer", "declined": "failed", "cancelled": "canceled"}
        form = [("DialCallStatus", words.get(outcome, outcome)), ("DialCallSid", "CA" + _hex(self._rng))]
        return [*form, ("DialSipResponseCode", "603")] if outcome == "declined" else form

    def stream_form(self, event: str) -> Form:
        word = {"started": "stream-started", "stopped": "stream-stopped", "dropped": "stream-error"}[event]
        return [
            ("AccountSid", self._account),
            ("CallSid", self.call_id),
            ("StreamSid", self.stream_id),
            ("StreamEvent", word),
            ("StreamError", "31921" if event == "dropped" else ""),
        ]

    def sign(self, url: str, form: Sequence[tuple[str, str]], token: str | None) -> dict[str, str]:
        headers = {"User-Agent": "TwilioProxy/1.1"}
        if token is not None:
            text = url + "".join(name + value for name, value in sorted(set(form)))
            digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
            headers["X-Twilio-Signature"] = base64.b64encode(digest).decode()
        return headers

    def sign_upgrade(self, url: str, token: str | None) -> dict[str, str]:
        return self.sign(url, (), token)

    def opening(self, at: float, parameters: dict[str, str]) -> list[str]:
        self.stream_id = "MZ" + _hex(self._rng)
        self._sequence, self._chunk, self._began = 0, 0, at
        body = {
            "accountSid": self._account,
            "streamSid": self.stream_id,
            "callSid": self.call_id,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        connected = json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        return [connected, self._numbered("start", {"start": body})]

    def media(self, payload: bytes, at: float) -> str:
        self._chunk += 1
        stamp = str(round((at - self._began) * 1000))
        body = {"track": "inbound", "chunk": str(self._chunk), "timestamp": stamp, "payload": _base64(payload)}
        return self._numbered("media", {"media": body})

    def key(self, digit: str, at: float) -> str:
        return self._numbered("dtmf", {"dtmf": {"track": "inbound_track", "digit": digit}})

    def mark(self, name: str) -> str:
        return self._numbered("mark", {"mark": {"name": name}})

    def cleared(self) -> str | None:
        return None

    def farewell(self) -> str | None:
        return self._numbered("stop", {"stop": {"accountSid": self._account, "callSid": self.call_id}})

    def read(self, text: str) -> Order:
        message = _object(text)
        if message is None:
            return Wrong("31924: not a JSON object")
        if message.get("streamSid") != self.stream_id:
            return Wrong(f"31924: streamSid is {message.get('streamSid')!r}")
        event = message.get("event")
        if event == "clear":
            return ClearAudio()
        if event == "media":
            payload = _payload(message.get("media"))
            return Wrong("31924: media without a payload") if payload is None else PlayAudio(payload)
        if event == "mark":
            name = (_dict(message.get("mark"))).get("name")
            return SetMark(name) if isinstance(name, str) else Wrong("31924: mark without a name")
        return Wrong(f"31924: unknown event {event!r}")

    def _numbered(self, event: str, body: dict[str, Any]) -> str:
        self._sequence += 1
        return json.dumps({"event": event, "sequenceNumber": str(self._sequence), **body, "streamSid": self.stream_id})


class VobizCarrier:
    """Vobiz: counters are numbers, voided marks never come back, a clear is confirmed, there is a stop message."""

    verbs = frozenset({"Stream", "Dial", "Redirect", "Hangup", "Speak", "Wait"})
    marks_survive_clear = False
    # Not documented; long enough to punish audio that is sent without waiting for the confirmation.
    flush = 0.02
    dial_actions_always_continue = False

    # The carrier's clock is nobody else's: an epoch of its own, so that nothing can be compared with it by accident.
    _EPOCH_MS = 1_778_597_597_091

    def __init__(self, caller: str, called: str, rng: random.Random) -> None:
        self._caller = caller
        self._called = called
        self._rng = rng
        self.call_id = _uuid(rng)
        self.stream_id = ""
        self._sequence = 0
        self._chunk = 0

    def call_form(self, event: str, status: str) -> Form:
        # Numbers come without their plus.
        return [
            ("CallUUID", self.call_id),
            ("From", self._caller.removeprefix("+")),
            ("To", self._called.removeprefix("+")),
            ("Direction", "inbound"),
            ("CallStatus", status),
            ("Event", event),
            ("ForwardedFrom", ""),
            ("ParentAuthID", "MA_SIMULATED"),
        ]

    def dial_form(self, outcome: str) -> Form:
        words = {"ended": "completed", "noanswer": "no-answer", "declined": "failed", "cancelled": "cancel"}
        cause = {"ended": "NORMAL_CLEARING", "busy": "USER_BUSY", "declined": "CALL_REJECTED"}
        return [
            ("DialStatus", words.get(outcome, outcome)),
            ("DialHangupCause", cause.get(outcome, "")),
            ("DialALegUUID", self.call_id),
            ("DialBLegUUID", _uuid(self._rng)),
        ]

    def stream_form(self, event: str) -> Form:
        word = {"started": "StartStream", "stopped": "StopStream", "dropped": "DroppedStream"}[event]
        return [
            ("Event", word),
            ("CallUUID", self.call_id),
            ("StreamID", self.stream_id),
            ("From", self._caller.removeprefix("+")),
            ("To", self._called.removeprefix("+")),
            ("Error", "connection disconnected with the remote service" if event == "dropped" else ""),
        ]

    def sign(self, url: str, form: Sequence[tuple[str, str]], token: str | None) -> dict[str, str]:
        headers = {"User-Agent": "Vobiz"}
        if token is not None:
            parts = urlsplit(url)
            base = f"{parts.scheme}://{parts.netloc}{parts.path}"
            for version, separator in (("V2", ""), ("V3", ".")):
                nonce = "".join(self._rng.choices("0123456789", k=20))
                digest = hmac.new(token.encode(), (base + separator + nonce).encode(), hashlib.sha256).digest()
                headers[f"X-Vobiz-Signature-{version}"] = base64.b64encode(digest).decode()
                headers[f"X-Vobiz-Signature-{version}-Nonce"] = nonce
        return headers

    def sign_upgrade(self, url: str, token: str | None) -> dict[str, str]:
        return {"User-Agent": "Vobiz"}  # no signature is documented for the upgrade

    def opening(self, at: float, parameters: dict[str, str]) -> list[str]:
        self.stream_id = _uuid(self._rng)
        self._sequence, self._chunk = 0, 0
        body = {
            "callId": self.call_id,
            "streamId": self.stream_id,
            "accountId": "500025",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        }
        return [json.dumps({"sequenceNumber": 0, "event": "start", "start": body, "extra_headers": "{}"})]

    def media(self, payload: bytes, at: float) -> str:
        self._chunk += 1
        stamp = str(self._EPOCH_MS + round(at * 1000))
        body = {"track": "inbound", "timestamp": stamp, "chunk": self._chunk, "payload": _base64(payload)}
        return self._numbered("media", {"media": body, "extra_headers": "{}"})

    def key(self, digit: str, at: float) -> str:
        stamp = str(self._EPOCH_MS + round(at * 1000))
        return self._numbered("dtmf", {"dtmf": {"track": "inbound", "digit": digit, "timestamp": stamp}})

    def mark(self, name: str) -> str:
        return json.dumps({"event": "playedStream", "name": name})

    def cleared(self) -> str | None:
        return json.dumps({"sequenceNumber": 0, "event": "clearedAudio", "streamId": self.stream_id})

    def farewell(self) -> str | None:
        return None  # Vobiz just closes

    def read(self, text: str) -> Order:
        message = _object(text)
        if message is None:
            return Wrong("incorrectPayload: not a JSON object")
        if message.get("streamId") != self.stream_id:
            return Wrong(f"incorrectPayload: streamId is {message.get('streamId')!r}")
        event = message.get("event")
        if event == "playAudio":
            media = _dict(message.get("media"))
            payload = _payload(media)
            if payload is None or (media.get("contentType"), media.get("sampleRate")) != ("audio/x-mulaw", 8000):
                return Wrong("incorrectPayload: playAudio is not µ-law at 8000")
            return PlayAudio(payload)
        if event == "checkpoint":
            name = message.get("name")
            return SetMark(name) if isinstance(name, str) else Wrong("incorrectPayload: checkpoint without a name")
        if event == "clearAudio":
            return ClearAudio()
        return EndStream() if event == "stop" else Wrong(f"incorrectPayload: unknown event {event!r}")

    def _numbered(self, event: str, body: dict[str, Any]) -> str:
        self._sequence += 1
        return json.dumps({"sequenceNumber": self._sequence, "streamId": self.stream_id, "event": event, **body})


CARRIERS: dict[str, Callable[[str, str, random.Random], Carrier]] = {"twilio": TwilioCarrier, "vobiz": VobizCarrier}


def _hex(rng: random.Random) -> str:
    return f"{rng.getrandbits(128):032x}"


def _uuid(rng: random.Random) -> str:
    text = _hex(rng)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _payload(media: object) -> bytes | None:
    payload = _dict(media).get("payload")
    try:
        return base64.b64decode(payload, validate=True) if isinstance(payload, str) else None
    except (binascii.Error, ValueError):
        return None
