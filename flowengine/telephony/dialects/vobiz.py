"""Vobiz: its XML and its bidirectional streams, which descend from Plivo's.

Sources: https://www.vobiz.ai/docs/xml/stream/initiate, https://www.vobiz.ai/docs/xml/stream/stream-events,
https://www.vobiz.ai/docs/xml/stream/play-audio, https://www.vobiz.ai/docs/concepts/validating-callbacks,
https://docs.vobiz.ai/xml/dial, https://docs.vobiz.ai/xml/request.
"""

from __future__ import annotations

import math
from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

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

_SIP_HEADER = "X-VH-"

# V1 (HMAC-SHA1) is legacy and not accepted. "MA" is signed with the parent account's token; on a main account it was
# observed to equal the plain one. V3 puts a dot between address and nonce, V2 does not.
_SIGNATURES = (
    ("x-vobiz-signature-v3", "x-vobiz-signature-v3-nonce", "."),
    ("x-vobiz-signature-ma-v3", "x-vobiz-signature-v3-nonce", "."),
    ("x-vobiz-signature-v2", "x-vobiz-signature-v2-nonce", ""),
    ("x-vobiz-signature-ma-v2", "x-vobiz-signature-v2-nonce", ""),
)


class _Format(msgspec.Struct, frozen=True):
    # What our document asks for; Vobiz states it, a copy of it might not.
    encoding: str = "audio/x-mulaw"
    rate: wire.Number = msgspec.field(name="sampleRate", default=8000)


class _StartBody(msgspec.Struct, rename="camel", frozen=True):
    stream_id: str | int | None = None
    call_id: str | int | None = None
    account_id: str | int | None = None
    media_format: _Format = _Format()


class _Start(msgspec.Struct, tag_field="event", tag="start", rename="camel"):
    # Nested today, at the top in older code of the vendor: https://github.com/vobiz-ai/Vobiz-All-XML
    start: _StartBody = _StartBody()
    stream_id: str | int | None = None
    call_id: str | int | None = None
    account_id: str | int | None = None


class _MediaBody(msgspec.Struct):
    payload: bytes
    track: str = "inbound"
    timestamp: wire.Number = None


class _Media(msgspec.Struct, tag_field="event", tag="media"):
    media: _MediaBody


class _DigitBody(msgspec.Struct):
    digit: str | int


class _Dtmf(msgspec.Struct, tag_field="event", tag="dtmf", rename="camel"):
    # Vobiz names the event and documents no body; this is Plivo's.
    dtmf: _DigitBody
    sequence_number: wire.Number = None


class _Played(msgspec.Struct, tag_field="event", tag="playedStream"):
    name: str


class _Cleared(msgspec.Struct, tag_field="event", tag="clearedAudio"):
    pass


class _Stop(msgspec.Struct, tag_field="event", tag="stop"):
    # Vobiz documents that it never sends it, its samples handle it.
    pass


_decoder = msgspec.json.Decoder(_Start | _Media | _Dtmf | _Played | _Cleared | _Stop)
_KNOWN = frozenset({"start", "media", "dtmf", "playedStream", "clearedAudio", "stop"})


class Vobiz:
    """The dialect of Vobiz."""

    name = "vobiz"
    # 20 to 60 ms in a message are recommended; how much is held is stated nowhere.
    capabilities = Capabilities(
        clear_ack=True,
        marks_on_clear="lost",
        max_chunk=480,
        buffer=None,
        end_stream="stop",
        stop_event=False,
        parameters="query",
        upgrade_signed=False,
    )

    def parse_answer(self, fields: Mapping[str, str]) -> CallAnswered:
        """Read the answer request. An application without a hangup address posts the end of its calls here too."""
        return CallAnswered(
            carrier_call_id=webhook.required(fields, "CallUUID"),
            caller=webhook.e164(fields.get("From", "")),
            called=webhook.e164(fields.get("To", "")),
            direction="outbound" if fields.get("Direction", "").startswith("outbound") else "inbound",
            status=fields.get("CallStatus", ""),
            headers={name: value for name, value in fields.items() if name.startswith(_SIP_HEADER)},
        )

    def parse_continue(self, fields: Mapping[str, str]) -> Continued:
        """Read the request of ``<Redirect>`` or the ``action`` request of ``<Dial>``."""
        call = webhook.required(fields, "CallUUID")
        left, outcome = webhook.dial_outcome(fields.get("DialStatus", ""))
        return Continued(call, left or _call_is_over(fields), outcome)

    def parse_status(self, fields: Mapping[str, str]) -> StatusReported:
        """Read a callback of a stream (``StartStream``, ``DroppedStream`` …) or of a call (``Hangup``)."""
        call = webhook.required(fields, "CallUUID")
        return StatusReported(call, _call_is_over(fields), fields.get("Event") or fields.get("CallStatus", ""))

    def document(self, what: Answer) -> str:
        """Return Vobiz XML."""
        if isinstance(what, StreamOffer):
            verbs = _stream(what)
        elif isinstance(what, Dial):
            verbs = (_dial(what),)
        elif isinstance(what, Apology):
            verbs = (Element("Speak", {}, (what.text,)), Element("Hangup"))
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
            return Ignored(message)
        if isinstance(message, _Dtmf):
            return DigitReceived(wire.digit(message.dtmf.digit), wire.integer(message.sequence_number))
        if isinstance(message, _Played):
            return MarkReached(message.name)
        if isinstance(message, _Cleared):
            return AudioCleared()
        if isinstance(message, _Stop):
            return StreamStopped()
        return _started(message)

    def encode(self, message: Outgoing, stream_id: str) -> str | None:
        """Write a frame. The stream id is required in the current documentation, and always sent."""
        stream = wire.quoted(stream_id)
        if isinstance(message, Media):
            payload = b2a_base64(message.payload, newline=False).decode("ascii")
            return (
                f'{{"event":"playAudio","streamId":{stream},'
                f'"media":{{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"{payload}"}}}}'
            )
        if isinstance(message, Mark):
            return f'{{"event":"checkpoint","streamId":{stream},"name":{wire.quoted(message.name)}}}'
        if isinstance(message, Clear):
            return f'{{"event":"clearAudio","streamId":{stream}}}'
        return f'{{"event":"stop","streamId":{stream}}}'

    def verify(self, request: SignedRequest, secret: str) -> Verdict:
        """Check ``X-Vobiz-Signature-V3``, ``-V2`` or their ``-MA-`` forms.

        They sign scheme, host and path with a nonce: neither query nor body. A valid one proves only that Vobiz once
        called this path.
        """
        parts = signature.split(request.url)
        base = "" if parts is None else f"{parts.scheme}://{parts.netloc}{parts.path}"
        verdict = Verdict.MISSING
        for given, wanted in _signatures(request.headers, base, secret):
            if base and secret and signature.matches(wanted, given):
                return Verdict.VALID
            verdict = Verdict.INVALID
        return verdict


def _signatures(headers: Mapping[str, str], base: str, secret: str) -> Iterator[tuple[list[str], str]]:
    """Yield (the signatures given, the one expected) for every accepted kind that the request carries."""
    for name, nonce_name, separator in _SIGNATURES:
        given = headers.get(name)
        if given is not None:
            # Plivo's headers may hold several; these are of the same make.
            nonce = headers.get(name + "-nonce") or headers.get(nonce_name, "")
            yield (
                [one.strip() for one in given.split(",")],
                signature.base64_hmac("sha256", secret, base + separator + nonce),
            )


def _call_is_over(fields: Mapping[str, str]) -> bool:
    event = fields.get("Event", "")
    return event == "Hangup" or (not event.endswith("Stream") and webhook.is_final(fields.get("CallStatus", "")))


def _stream(offer: StreamOffer) -> tuple[Element, ...]:
    url = offer.url
    if offer.parameters:
        # extraHeaders do not reach the socket: https://www.vobiz.ai/docs/integrations/deepgram
        url += ("&" if "?" in url else "?") + urlencode(offer.parameters)
    attributes = {
        "bidirectional": "true",
        "audioTrack": "inbound",
        # Without it the document runs on at once, and the call ends.
        "keepCallAlive": "true",
        "contentType": "audio/x-mulaw;rate=8000",
        "streamTimeout": "86400",
        # A drop leads to the Redirect, where we decide; a retry would be a second stream behind our back.
        "maxRetries": "0",
        "statusCallbackUrl": offer.status_url or None,
        "statusCallbackMethod": "POST" if offer.status_url else None,
    }
    return (
        Element("Stream", attributes, (url,)),
        Element("Redirect", {"method": "POST"}, (offer.continue_url,)),
    )


def _dial(dial: Dial) -> Element:
    attributes = {
        "action": dial.action_url,
        "method": "POST" if dial.action_url is not None else None,
        # The document that the action returns carries the call on.
        "redirect": "true" if dial.action_url is not None else None,
        "timeout": str(math.ceil(dial.ring)),
        "timeLimit": None if dial.max is None else str(math.ceil(dial.max)),
        "callerId": dial.caller_id,
    }
    targets = tuple(Element("User" if to.startswith(("sip:", "sips:")) else "Number", {}, (to,)) for to in dial.targets)
    return Element("Dial", attributes, targets)


def _started(message: _Start) -> StreamStarted:
    body = message.start
    rate = wire.integer(body.media_format.rate)
    if rate is None:
        raise ProtocolError(f"'start' has no sample rate but {body.media_format.rate!r}")
    account = body.account_id if body.account_id is not None else message.account_id
    return StreamStarted(
        stream_id=wire.required(body.stream_id or message.stream_id, "streamId"),
        call_id=wire.required(body.call_id or message.call_id, "callId"),
        account_id="" if account is None else str(account),
        parameters={},
        encoding=body.media_format.encoding,
        rate=rate,
    )


DIALECT = Vobiz()
