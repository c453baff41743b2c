from __future__ import annotations

import base64
import json
from xml.etree import ElementTree

import pytest

from flowengine.errors import ProtocolError
from flowengine.telephony.dialect import Answer, Apology, Dial, HangupNow, SignedRequest, StreamOffer, Verdict
from flowengine.telephony.dialects.vobiz import DIALECT
from flowengine.telephony.messages import CallAnswered, Clear, Continued, Mark, Media, StatusReported, Stop

TOKEN = "tok"
NONCE = "12345678901234567890"
V2 = "Hl2/R6812l3JTOHZCmGpn21xE3jS8eA9bCz1xPFCMpY="
V3 = "7NeWs0w0Sz7+CZlIcYwQ7liNVIkPDBEYnX0VhJbBDqg="
V3_NONCE = {"x-vobiz-signature-v3-nonce": NONCE}
V2_NONCE = {"x-vobiz-signature-v2-nonce": NONCE}


def verdict(headers: dict[str, str], *, url: str = "https://example.com/answer", secret: str = TOKEN) -> Verdict:
    return DIALECT.verify(SignedRequest("POST", url, headers, [("CallUUID", "abc")]), secret)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-vobiz-signature-v3": V3, **V3_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-v2": V2, **V2_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-ma-v3": V3, **V3_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-ma-v2": V2, **V2_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-ma-v3": V3, "x-vobiz-signature-ma-v3-nonce": NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-v3": f"AAAA, {V3}", **V3_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-v3": "AAAA", "x-vobiz-signature-v2": V2, **V3_NONCE, **V2_NONCE}, Verdict.VALID),
        ({"x-vobiz-signature-v3": V2, **V3_NONCE}, Verdict.INVALID),
        ({"x-vobiz-signature-v3": V3}, Verdict.INVALID),
        ({"x-vobiz-signature-v3": V3, "x-vobiz-signature-v3-nonce": "1"}, Verdict.INVALID),
        ({"x-vobiz-signature-v3": "", **V3_NONCE}, Verdict.INVALID),
        ({"x-vobiz-signature-v3": "é", **V3_NONCE}, Verdict.INVALID),
        ({"x-vobiz-signature": "AAAA"}, Verdict.MISSING),
        ({}, Verdict.MISSING),
    ],
)
def test_signatures(headers: dict[str, str], expected: Verdict) -> None:
    assert verdict(headers) is expected


def test_query_and_fragment_are_not_signed() -> None:
    assert verdict({"x-vobiz-signature-v3": V3, **V3_NONCE}, url="https://example.com/answer?a=1#b") is Verdict.VALID


@pytest.mark.parametrize(
    "url", ["http://example.com/answer", "https://example.com/", "https://example.com:443/answer", "https://[x"]
)
def test_another_address(url: str) -> None:
    assert verdict({"x-vobiz-signature-v3": V3, **V3_NONCE}, url=url) is Verdict.INVALID


def test_without_a_secret_nothing_is_valid() -> None:
    assert verdict({"x-vobiz-signature-v3": V3, **V3_NONCE}, secret="") is Verdict.INVALID


def test_the_answer_request() -> None:
    fields = {
        "CallUUID": "u1",
        "From": "919876543210",
        "To": " 918012345678",
        "Direction": "inbound",
        "CallStatus": "ringing",
        "Event": "StartApp",
        "X-VH-Account": "7",
    }
    expected = CallAnswered("u1", "+919876543210", "+918012345678", "inbound", "ringing", {"X-VH-Account": "7"})
    assert DIALECT.parse_answer(fields) == expected
    assert DIALECT.parse_answer({**fields, "Direction": "outbound"}).direction == "outbound"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("+919876543210", "+919876543210"),
        ("12345678", "+12345678"),
        ("1234567", "1234567"),
        ("08012345678", "08012345678"),
        ("anonymous", "anonymous"),
        ("sip:a@b.example", "sip:a@b.example"),
        ("", ""),
    ],
)
def test_numbers(given: str, expected: str) -> None:
    assert DIALECT.parse_answer({"CallUUID": "u1", "From": given}).caller == expected


def test_requests_without_a_call() -> None:
    for parse in (DIALECT.parse_answer, DIALECT.parse_continue, DIALECT.parse_status):
        with pytest.raises(ProtocolError, match="CallUUID"):
            parse({"CallSid": "CA1"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Event": "Redirect", "CallStatus": "in-progress"}, Continued("u1", False, None)),
        ({"Event": "Redirect", "CallStatus": "completed"}, Continued("u1", True, None)),
        ({"Event": "Hangup"}, Continued("u1", True, None)),
        ({"DialStatus": "completed"}, Continued("u1", False, "ended")),
        ({"DialStatus": "busy"}, Continued("u1", False, "busy")),
        ({"DialStatus": "timeout"}, Continued("u1", False, "noanswer")),
        ({"DialStatus": "no-answer"}, Continued("u1", False, "noanswer")),
        ({"DialStatus": "failed"}, Continued("u1", False, "failed")),
        ({"DialStatus": "whatever"}, Continued("u1", False, "failed")),
        ({"DialStatus": "cancel"}, Continued("u1", True, None)),
    ],
)
def test_the_continue_request(fields: dict[str, str], expected: Continued) -> None:
    assert DIALECT.parse_continue({"CallUUID": "u1", **fields}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Event": "Hangup", "CallStatus": "completed"}, StatusReported("u1", True, "Hangup")),
        ({"CallStatus": "timeout"}, StatusReported("u1", True, "timeout")),
        ({"Event": "StartApp", "CallStatus": "ringing"}, StatusReported("u1", False, "StartApp")),
        ({"Event": "DroppedStream", "StreamID": "s"}, StatusReported("u1", False, "DroppedStream")),
        ({"Event": "ClearedAudio"}, StatusReported("u1", False, "ClearedAudio")),
        ({"Event": "MachineDetection", "CallStatus": "in-progress"}, StatusReported("u1", False, "MachineDetection")),
    ],
)
def test_status(fields: dict[str, str], expected: StatusReported) -> None:
    assert DIALECT.parse_status({"CallUUID": "u1", **fields}) == expected


def test_outgoing() -> None:
    def encoded(message: Media | Mark | Clear | Stop) -> object:
        return json.loads(DIALECT.encode(message, "s1") or "")

    audio = {
        "contentType": "audio/x-mulaw",
        "sampleRate": 8000,
        "payload": base64.b64encode(bytes(range(256))).decode(),
    }
    assert encoded(Media(bytes(range(256)))) == {"event": "playAudio", "streamId": "s1", "media": audio}
    assert encoded(Mark('p"1')) == {"event": "checkpoint", "streamId": "s1", "name": 'p"1'}
    assert encoded(Clear()) == {"event": "clearAudio", "streamId": "s1"}
    assert encoded(Stop()) == {"event": "stop", "streamId": "s1"}


def shape(what: Answer) -> list[tuple[str, dict[str, str], str]]:
    root = ElementTree.fromstring(DIALECT.document(what).encode())  # noqa: S314  # our own document
    assert root.tag == "Response"
    return [(element.tag, element.attrib, element.text or "") for element in root.iter()][1:]


def test_the_stream_document() -> None:
    attributes = {
        "bidirectional": "true",
        "audioTrack": "inbound",
        "keepCallAlive": "true",
        "contentType": "audio/x-mulaw;rate=8000",
        "streamTimeout": "86400",
        "maxRetries": "0",
    }
    callback = {"statusCallbackUrl": "https://h/status?a=1&b=2", "statusCallbackMethod": "POST"}
    offer = StreamOffer("wss://h/ws/TOKEN", "https://h/c?a=1&b=2", callback["statusCallbackUrl"], {"flow": "a&b <c>"})
    assert shape(offer) == [
        ("Stream", {**attributes, **callback}, "wss://h/ws/TOKEN?flow=a%26b+%3Cc%3E"),
        ("Redirect", {"method": "POST"}, "https://h/c?a=1&b=2"),
    ]
    plain = StreamOffer("wss://h/ws?x=1", "https://h/c", "", {"y": "2"})
    assert shape(plain)[0] == ("Stream", attributes, "wss://h/ws?x=1&y=2")


def test_a_dial_with_a_way_back() -> None:
    assert shape(Dial(("+15550001", "sip:a@b.example"), "https://h/c", 25, "+15550002", 59.5)) == [
        (
            "Dial",
            {
                "action": "https://h/c",
                "method": "POST",
                "redirect": "true",
                "timeout": "25",
                "timeLimit": "60",
                "callerId": "+15550002",
            },
            "",
        ),
        ("Number", {}, "+15550001"),
        ("User", {}, "sip:a@b.example"),
    ]


def test_case_28_nothing_follows_a_blind_dial() -> None:
    assert shape(Dial(("+15550001",), None, 25, None, None)) == [
        ("Dial", {"timeout": "25"}, ""),
        ("Number", {}, "+15550001"),
    ]


def test_the_ends() -> None:
    assert shape(Apology("Sorry & bye")) == [("Speak", {}, "Sorry & bye"), ("Hangup", {}, "")]
    assert shape(HangupNow()) == [("Hangup", {}, "")]
