"""Twilio: TwiML and Media Streams.

Sources: https://www.twilio.com/docs/voice/twiml/stream, https://www.twilio.com/docs/voice/twiml/connect,
https://www.twilio.com/docs/voice/media-streams/websocket-messages, https://www.twilio.com/docs/usage/security and
``request_validator.py`` of twilio-python.
"""

from __future__ import annotations

import hashlib
import math
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from flowengine.errors import ProtocolError
from flowengine.telephony import signature, webhook, wire
from flowengine.telephony.dialect import (
    Answer,
    Apology,
    Capabilities,
    Dial,
    SignedRequest,
    StreamOffer,
    Verdict,
)
from flowengine.telephony.messages import (
    AudioCleared,
    CallAnswered,
    Clear,
    Continued,
    DigitReceived,
    Ignored,
    Incoming,
    Mark,
    MarkReached,
    Media,
    MediaReceived,
    Outgoing,
    StatusReported,
    StreamStarted,
    StreamStopped,
)
from flowengine.telephony.xml import Element, document

_SIP_HEADER = "SipHeader_"


class _Format(msgspec.Struct, frozen=True):
    encoding: str = "audio/x-mulaw"
    rate: wire.Number = msgspec.field(name="sampleRate", default=8000)


class _StartBody(msgspec.Struct, rename="camel", frozen=True):
    stream_sid: str | None = None
    call_sid: str | None = None
    account_sid: str | None = None
    custom_parameters: dict[str, Any] = {}
    media_format: _Format = _Format()


class _Start(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    start: _StartBody
    stream_sid: str | None = None


class _MediaBody(msgspec.Struct):
    payload: bytes
    track: str = "inbound"
    timestamp: wire.Number = None


class _Media(msgspec.Struct, tag_field="event", tag="media"):
    media: _MediaBody


class _DigitBody(msgspec.Struct):
    digit: str | int


class _Dtmf(msgspec.Struct, tag_field="event", tag="dtmf", rename="camel"):
    dtmf: _DigitBody
    sequence_number: wire.Number = None


class _MarkBody(msgspec.Struct):
    name: str | None = None


class _Mark(msgspec.Struct, tag_field="event", tag="mark"):
    mark: _MarkBody | None = None


class _Stop(msgspec.Struct, tag_field="event", tag="stop"):
    pass


_decoder = msgspec.json.Decoder(_Start | _Media | _Dtmf | _Mark | _Stop)
_KNOWN = frozenset({"start", "media", "dtmf", "mark", "stop"})


class Twilio:
    """The dialect of Twilio, and of carriers that copy it."""

    name = "twilio"
    # 600 s: https://twilio.com/docs/api/errors/31931. Messages may have any size; one second of audio keeps a clear
    # quick and our own writes short.
    capabilities = Capabilities(
        clear_ack=False,
        marks_on_clear="returned",
        max_chunk=8000,
        buffer=600.0,
        end_stream="close",
        stop_event=True,
        parameters="start",
        upgrade_signed=True,
    )

    def parse_answer(self, fields: Mapping[str, str]) -> CallAnswered:
        """Read the voice webhook (https://www.twilio.com/docs/api/twiml/twilio_request)."""
        return CallAnswered(
            carrier_call_id=webhook.required(fields, "CallSid"),
            caller=webhook.e164(fields.get("From", "")),
            called=webhook.e164(fields.get("To", "")),
            direction="outbound" if fields.get("Direction", "").startswith("outbound") else "inbound",
            status=fields.get("CallStatus", ""),
            headers={
                name.removeprefix(_SIP_HEADER): value for name, value in fields.items() if name.startswith(_SIP_HEADER)
            },
        )

    def parse_continue(self, fields: Mapping[str, str]) -> Continued:
        """Read the ``action`` request of ``<Connect>`` or ``<Dial>``, or the request of ``<Redirect>``."""
        call = webhook.required(fields, "CallSid")
        left, outcome = webhook.dial_outcome(fields.get("DialCallStatus", ""))
        # SIP's own word for "I do not want to": https://www.rfc-editor.org/rfc/rfc3261#section-21.6.2
        if fields.get("DialSipResponseCode") == "603":
            outcome = "declined"
        over = left or webhook.is_final(fields.get("CallStatus", ""))
        return Continued(call, over, outcome)

    def parse_status(self, fields: Mapping[str, str]) -> StatusReported:
        """Read the status callback of a call, or of a stream, whose end is not the call's."""
        call = webhook.required(fields, "CallSid")
        if event := fields.get("StreamEvent"):
            return StatusReported(call, False, event)
        status = fields.get("CallStatus", "")
        return StatusReported(call, webhook.is_final(status), status)

    def document(self, what: Answer) -> str:
        """Return TwiML."""
        if isinstance(what, StreamOffer):
            verbs = _stream(what)
        elif isinstance(what, Dial):
            verbs = (_dial(what),)
        elif isinstance(what, Apology):
            verbs = (Element("Say", {}, (what.text,)), Element("Hangup"))
        else:
            verbs = (Element("Hangup"),)
        return document(Element("Response", {}, verbs))

    def decode(self, text: str) -> Incoming:
        """Read a frame of a media stream; raises ``ProtocolError`` only."""
        message = wire.read(_decoder, _KNOWN, text)
        if isinstance(message, _Media):
            body = message.media
            if not body.track.startswith("inbound"):
                return Ignored("media")
            return MediaReceived(body.payload, wire.seconds(body.timestamp))
        if isinstance(message, str):
            # No carrier of this dialect documents "cleared"; its copies may, and then it means what it says.
            return AudioCleared() if message == "cleared" else Ignored(message)
        if isinstance(message, _Dtmf):
            return DigitReceived(wire.digit(message.dtmf.digit), wire.integer(message.sequence_number))
        if isinstance(message, _Mark):
            # Seen without the object: https://github.com/twilio/twilio-agent-connect-python/pull/82
            name = message.mark.name if message.mark else None
            return Ignored("mark") if name is None else MarkReached(name)
        if isinstance(message, _Stop):
            return StreamStopped()
        return _started(message)

    def encode(self, message: Outgoing, stream_id: str) -> str | None:
        """Write a frame. There is no stop message: closing the socket ends the stream."""
        stream = wire.quoted(stream_id)
        if isinstance(message, Media):
            payload = b2a_base64(message.payload, newline=False).decode("ascii")
            return f'{{"event":"media","streamSid":{stream},"media":{{"payload":"{payload}"}}}}'
        if isinstance(message, Mark):
            return f'{{"event":"mark","streamSid":{stream},"mark":{{"name":{wire.quoted(message.name)}}}}}'
        if isinstance(message, Clear):
            return f'{{"event":"clear","streamSid":{stream}}}'
        return None

    def verify(self, request: SignedRequest, secret: str) -> Verdict:
        """Check ``X-Twilio-Signature``: base64(HMAC-SHA1(token, address + sorted form fields)).

        A JSON body is signed through ``bodySHA256`` in the address. The address is tried with and without its port,
        because Twilio's own backend is not consistent, and for an upgrade with and without a trailing slash.
        """
        given = request.headers.get("x-twilio-signature")
        if given is None:
            return Verdict.MISSING
        if not secret or not _body_matches(request):
            return Verdict.INVALID
        suffix = "" if request.method.upper() == "GET" else _signed_fields(request)
        candidates = (signature.base64_hmac("sha1", secret, url + suffix) for url in _variants(request.url))
        return Verdict.VALID if signature.matches(given, candidates) else Verdict.INVALID


def _stream(offer: StreamOffer) -> tuple[Element, ...]:
    parameters = tuple(Element("Parameter", {"name": name, "value": text}) for name, text in offer.parameters.items())
    callback = {"statusCallback": offer.status_url, "statusCallbackMethod": "POST"} if offer.status_url else {}
    stream = Element("Stream", {"url": offer.url, **callback}, parameters)
    return (
        Element("Connect", {"action": offer.continue_url, "method": "POST"}, (stream,)),
        # The action answers for <Connect>; this one is for the day when it does not run.
        Element("Redirect", {"method": "POST"}, (offer.continue_url,)),
    )


def _dial(dial: Dial) -> Element:
    attributes = {
        "action": dial.action_url,
        "method": "POST" if dial.action_url is not None else None,
        "timeout": str(math.ceil(dial.ring)),
        "timeLimit": None if dial.max is None else str(math.ceil(dial.max)),
        "callerId": dial.caller_id,
    }
    targets = tuple(Element("Sip" if to.startswith(("sip:", "sips:")) else "Number", {}, (to,)) for to in dial.targets)
    return Element("Dial", attributes, targets)


def _started(message: _Start) -> StreamStarted:
    body = message.start
    rate = wire.integer(body.media_format.rate)
    if rate is None:
        raise ProtocolError(f"'start' has no sample rate but {body.media_format.rate!r}")
    return StreamStarted(
        stream_id=wire.required(body.stream_sid or message.stream_sid, "streamSid"),
        call_id=wire.required(body.call_sid, "callSid"),
        account_id=body.account_sid or "",
        parameters={name: str(value) for name, value in body.custom_parameters.items()},
        encoding=body.media_format.encoding,
        rate=rate,
    )


def _signed_fields(request: SignedRequest) -> str:
    # Names sorted, then the distinct values of each sorted: exactly the sorted set of pairs.
    return "".join(name + value for name, value in sorted(set(request.fields)))


def _body_matches(request: SignedRequest) -> bool:
    parts = signature.split(request.url)
    if parts is None or request.fields:
        return parts is not None
    claimed = parse_qs(parts.query).get("bodySHA256")
    if claimed is None:
        return True
    return signature.matches(claimed[0].lower(), [hashlib.sha256(request.body).hexdigest()])


def _variants(url: str) -> list[str]:
    """Return the spellings of an address that Twilio may have signed."""
    parts = signature.split(url)
    if parts is None:
        return []
    login, at, host = parts.netloc.rpartition("@")
    bare = host if host.endswith("]") or parts.port is None else host.rpartition(":")[0]
    port = parts.port or (443 if parts.scheme in ("https", "wss") else 80)
    hosts = dict.fromkeys([host, bare, f"{bare}:{port}"])
    paths = [parts.path]
    if parts.scheme in ("ws", "wss"):
        paths.append(parts.path.rstrip("/") if parts.path.endswith("/") else parts.path + "/")
    return [parts._replace(netloc=login + at + name, path=path).geturl() for name in hosts for path in paths]


DIALECT = Twilio()
