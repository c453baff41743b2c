from __future__ import annotations

import base64
import hashlib
import hmac
import json
from xml.etree import ElementTree

import pytest

from flowengine.errors import ProtocolError
from flowengine.telephony.dialect import Answer, Apology, Dial, HangupNow, SignedRequest, StreamOffer, Verdict
from flowengine.telephony.dialects.twilio import DIALECT
from flowengine.telephony.messages import CallAnswered, Clear, Continued, Mark, Media, StatusReported, Stop

FIELDS = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+12349013030"),
    ("Digits", "1234"),
    ("From", "+12349013030"),
    ("To", "+18005551212"),
]


TOKEN = "12345"


def verdict(
    url: str,
    signature: str | None,
    *,
    fields: list[tuple[str, str]] | None = None,
    method: str = "POST",
    body: bytes = b"",
    secret: str = TOKEN,
) -> Verdict:
    headers = {} if signature is None else {"x-twilio-signature": signature}
    return DIALECT.verify(SignedRequest(method, url, headers, fields or [], body), secret)


def sign(text: str) -> str:
    return base64.b64encode(hmac.digest(b"12345", text.encode(), "sha1")).decode()


def test_the_vector_of_the_library() -> None:
    url, signature = "https://mycompany.com/myapp.php?foo=1&bar=2", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert verdict(url, signature, fields=FIELDS) is Verdict.VALID
    assert verdict(url, signature, fields=FIELDS[::-1]) is Verdict.VALID
    assert verdict(url, signature, fields=[*FIELDS, ("Extra", "")]) is Verdict.INVALID
    assert verdict(url, signature, fields=FIELDS, secret="1234") is Verdict.INVALID
    assert verdict(url, None, fields=FIELDS) is Verdict.MISSING


@pytest.mark.parametrize(
    ("signed", "seen"),
    [
        ("https://a.example/x", "https://a.example:443/x"),
        ("https://a.example:443/x", "https://a.example/x"),
        ("https://a.example/x", "https://a.example:8443/x"),
        ("https://a.example:8443/x", "https://a.example:8443/x"),
        ("http://a.example:80/x?y=1", "http://a.example/x?y=1"),
        ("https://me:word@a.example/x", "https://me:word@a.example:443/x"),
        ("https://[::1]:443/x", "https://[::1]/x"),
        ("https://[::1]/x", "https://[::1]:443/x"),
    ],
)
def test_ports(signed: str, seen: str) -> None:
    assert verdict(seen, sign(signed)) is Verdict.VALID


@pytest.mark.parametrize(
    "url",
    ["https://b.example/x", "https://a.example/y", "http://a.example/x", "https://a.example/x/", "https://[x", ""],
)
def test_another_address(url: str) -> None:
    assert verdict(url, sign("https://a.example/x")) is Verdict.INVALID


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://example.com/ws", Verdict.VALID),
        ("wss://example.com/ws/", Verdict.VALID),
        ("wss://example.com:443/ws", Verdict.VALID),
        ("https://example.com/ws", Verdict.INVALID),
        ("wss://example.com/wss", Verdict.INVALID),
    ],
)
def test_the_upgrade(url: str, expected: Verdict) -> None:
    assert verdict(url, "HXrgvHt0qTHu33oSxSjpOvWtO60=", method="GET") is expected


def test_the_upgrade_with_the_slash_of_the_security_page() -> None:
    assert verdict("wss://example.com/ws", sign("wss://example.com/ws/"), method="GET") is Verdict.VALID


def test_repeated_and_empty_values() -> None:
    fields = [("b", "2"), ("a", ""), ("b", "1"), ("b", "2")]
    assert verdict("https://a.example/x", sign("https://a.example/xab1b2"), fields=fields) is Verdict.VALID


def test_fields_of_a_get_are_in_the_address() -> None:
    url = "https://a.example/x?CallSid=CA1"
    assert verdict(url, sign(url), fields=[("CallSid", "CA1")], method="GET") is Verdict.VALID


def test_a_json_body_is_signed_by_its_hash() -> None:
    url = f"https://a.example/x?bodySHA256={hashlib.sha256(b'{}').hexdigest()}"
    assert verdict(url, sign(url), body=b"{}") is Verdict.VALID
    assert verdict(url, sign(url), body=b"{ }") is Verdict.INVALID


def test_without_a_secret_nothing_is_valid() -> None:
    empty = base64.b64encode(hmac.digest(b"", b"https://a.example/x", "sha1")).decode()
    assert verdict("https://a.example/x", empty, secret="") is Verdict.INVALID


@pytest.mark.parametrize("signature", ["", "é", "\udcff"])
def test_signatures_that_are_no_signatures(signature: str) -> None:
    assert verdict("https://a.example/x", signature) is Verdict.INVALID


def test_the_answer_request() -> None:
    fields = {
        "CallSid": "CA1",
        "From": "+15550001",
        "To": "15551234567",
        "CallStatus": "ringing",
        "Direction": "inbound",
    }
    expected = CallAnswered("CA1", "+15550001", "+15551234567", "inbound", "ringing", {"X-Account": "7"})
    assert DIALECT.parse_answer({**fields, "SipHeader_X-Account": "7"}) == expected
    assert DIALECT.parse_answer({**fields, "Direction": "outbound-api"}).direction == "outbound"
    assert DIALECT.parse_answer({**fields, "From": "anonymous"}).caller == "anonymous"


@pytest.mark.parametrize("fields", [{}, {"CallSid": ""}, {"CallSid": " "}, {"callsid": "CA1"}])
def test_requests_without_a_call(fields: dict[str, str]) -> None:
    for parse in (DIALECT.parse_answer, DIALECT.parse_continue, DIALECT.parse_status):
        with pytest.raises(ProtocolError, match="CallSid"):
            parse(fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"CallStatus": "in-progress"}, Continued("CA1", False, None)),
        ({}, Continued("CA1", False, None)),
        ({"CallStatus": "completed"}, Continued("CA1", True, None)),
        ({"CallStatus": "in-progress", "DialCallStatus": "completed"}, Continued("CA1", False, "ended")),
        ({"DialCallStatus": "answered"}, Continued("CA1", False, "ended")),
        ({"DialCallStatus": "busy"}, Continued("CA1", False, "busy")),
        ({"DialCallStatus": "no-answer"}, Continued("CA1", False, "noanswer")),
        ({"DialCallStatus": "failed"}, Continued("CA1", False, "failed")),
        ({"DialCallStatus": "eaten"}, Continued("CA1", False, "failed")),
        ({"DialCallStatus": "canceled"}, Continued("CA1", True, None)),
        ({"DialCallStatus": "failed", "DialSipResponseCode": "603"}, Continued("CA1", False, "declined")),
        ({"CallStatus": "completed", "DialCallStatus": "completed"}, Continued("CA1", True, "ended")),
    ],
)
def test_the_continue_request(fields: dict[str, str], expected: Continued) -> None:
    assert DIALECT.parse_continue({"CallSid": "CA1", **fields}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"CallStatus": "completed"}, StatusReported("CA1", True, "completed")),
        ({"CallStatus": "no-answer"}, StatusReported("CA1", True, "no-answer")),
        ({"CallStatus": "ringing"}, StatusReported("CA1", False, "ringing")),
        ({"StreamEvent": "stream-stopped", "StreamSid": "MZ1"}, StatusReported("CA1", False, "stream-stopped")),
        ({}, StatusReported("CA1", False, "")),
    ],
)
def test_status(fields: dict[str, str], expected: StatusReported) -> None:
    assert DIALECT.parse_status({"CallSid": "CA1", **fields}) == expected


def test_outgoing() -> None:
    def encoded(message: Media | Mark | Clear | Stop) -> object:
        text = DIALECT.encode(message, 'MZ"1')
        return None if text is None else json.loads(text)

    media = {"event": "media", "streamSid": 'MZ"1', "media": {"payload": base64.b64encode(b"\xff" * 160).decode()}}
    assert encoded(Media(b"\xff" * 160)) == media
    assert encoded(Mark('p"1 é')) == {"event": "mark", "streamSid": 'MZ"1', "mark": {"name": 'p"1 é'}}
    assert encoded(Clear()) == {"event": "clear", "streamSid": 'MZ"1'}
    assert encoded(Stop()) is None


def shape(what: Answer) -> list[tuple[str, dict[str, str], str]]:
    root = ElementTree.fromstring(DIALECT.document(what).encode())  # noqa: S314  # our own document
    assert root.tag == "Response"
    return [(element.tag, element.attrib, element.text or "") for element in root.iter()][1:]


NASTY = 'https://h/a?b=1&c="<\'é\x00\x1b>"'


def test_the_stream_document() -> None:
    clean = NASTY.replace("\x00\x1b", "")
    assert shape(StreamOffer("wss://h/ws", NASTY, "https://h/status", {"to<ken": 'a&"b'})) == [
        ("Connect", {"action": clean, "method": "POST"}, ""),
        ("Stream", {"url": "wss://h/ws", "statusCallback": "https://h/status", "statusCallbackMethod": "POST"}, ""),
        ("Parameter", {"name": "to<ken", "value": 'a&"b'}, ""),
        ("Redirect", {"method": "POST"}, clean),
    ]
    assert shape(StreamOffer("wss://h/ws", "https://h/c", "", {}))[1] == ("Stream", {"url": "wss://h/ws"}, "")


def test_a_dial_with_a_way_back() -> None:
    assert shape(Dial(("+15550001", "sip:a@b.example"), "https://h/c", 24.2, "+15550002", 7200)) == [
        (
            "Dial",
            {"action": "https://h/c", "method": "POST", "timeout": "25", "timeLimit": "7200", "callerId": "+15550002"},
            "",
        ),
        ("Number", {}, "+15550001"),
        ("Sip", {}, "sip:a@b.example"),
    ]


def test_case_28_nothing_follows_a_blind_dial() -> None:
    assert shape(Dial(("+15550001",), None, 25, None, None)) == [
        ("Dial", {"timeout": "25"}, ""),
        ("Number", {}, "+15550001"),
    ]


def test_the_ends() -> None:
    assert shape(Apology("Sorry, 1 < 2 & so on")) == [("Say", {}, "Sorry, 1 < 2 & so on"), ("Hangup", {}, "")]
    assert shape(HangupNow()) == [("Hangup", {}, "")]
