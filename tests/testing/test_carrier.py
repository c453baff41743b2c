from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest

from flowengine.testing.carrier import (
    ClearAudio,
    EndStream,
    Order,
    PlayAudio,
    SetMark,
    TwilioCarrier,
    VobizCarrier,
    Wrong,
)


class Digits(random.Random):
    """Draws the nonce of the vector."""

    def choices(self, *_: object, **__: object) -> list[str]:  # type: ignore[override]  # the vector's nonce, always
        return list("12345678901234567890")


def test_twilio_signs_as_the_library_does() -> None:
    carrier = TwilioCarrier("+1", "+2", random.Random(1))
    form = [
        ("To", "+18005551212"),
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+12349013030"),
        ("Digits", "1234"),
        ("From", "+12349013030"),
    ]
    headers = carrier.sign("https://mycompany.com/myapp.php?foo=1&bar=2", form, "12345")
    assert headers["X-Twilio-Signature"] == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    upgrade = carrier.sign_upgrade("wss://example.com/ws", "12345")
    assert upgrade["X-Twilio-Signature"] == "HXrgvHt0qTHu33oSxSjpOvWtO60="
    assert "X-Twilio-Signature" not in carrier.sign("https://a.example/", form, None)


def test_vobiz_signs_path_and_nonce() -> None:
    headers = VobizCarrier("+1", "+2", Digits(1)).sign("https://example.com/answer?a=1", [("a", "b")], "tok")
    assert headers["X-Vobiz-Signature-V2"] == "Hl2/R6812l3JTOHZCmGpn21xE3jS8eA9bCz1xPFCMpY="
    assert headers["X-Vobiz-Signature-V3"] == "7NeWs0w0Sz7+CZlIcYwQ7liNVIkPDBEYnX0VhJbBDqg="
    assert headers["X-Vobiz-Signature-V3-Nonce"] == "12345678901234567890"


@pytest.mark.parametrize(
    ("message", "order"),
    [
        ({"event": "media", "streamSid": "S", "media": {"payload": "/w=="}}, PlayAudio(b"\xff")),
        ({"event": "mark", "streamSid": "S", "mark": {"name": "m"}}, SetMark("m")),
        ({"event": "clear", "streamSid": "S"}, ClearAudio()),
        ({"event": "clear"}, Wrong("31924: streamSid is None")),
        ({"event": "mark", "streamSid": "S"}, Wrong("31924: mark without a name")),
        ({"event": "media", "streamSid": "S", "media": {"payload": "/"}}, Wrong("31924: media without a payload")),
        ({"event": "stop", "streamSid": "S"}, Wrong("31924: unknown event 'stop'")),
        ([], Wrong("31924: not a JSON object")),
    ],
)
def test_what_twilio_takes(message: object, order: Order) -> None:
    carrier = TwilioCarrier("+1", "+2", random.Random(1))
    carrier.stream_id = "S"
    assert carrier.read(json.dumps(message)) == order


AUDIO = {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "/w=="}


@pytest.mark.parametrize(
    ("message", "order"),
    [
        ({"event": "playAudio", "streamId": "S", "media": AUDIO}, PlayAudio(b"\xff")),
        ({"event": "checkpoint", "streamId": "S", "name": "m"}, SetMark("m")),
        ({"event": "clearAudio", "streamId": "S"}, ClearAudio()),
        ({"event": "stop", "streamId": "S"}, EndStream()),
        (
            {"event": "playAudio", "streamId": "S", "media": {**AUDIO, "sampleRate": "8000"}},
            Wrong("incorrectPayload: playAudio is not µ-law at 8000"),
        ),
        ({"event": "stop"}, Wrong("incorrectPayload: streamId is None")),
        ({"event": "media", "streamId": "S"}, Wrong("incorrectPayload: unknown event 'media'")),
    ],
)
def test_what_vobiz_takes(message: object, order: Order) -> None:
    carrier = VobizCarrier("+1", "+2", random.Random(1))
    carrier.stream_id = "S"
    assert carrier.read(json.dumps(message)) == order


def test_a_seed_makes_the_same_call() -> None:
    for make in (TwilioCarrier, VobizCarrier):
        first, second, other = (make("+1", "+2", random.Random(seed)) for seed in (1, 1, 2))
        assert first.call_id == second.call_id != other.call_id
        assert first.opening(0, {}) == second.opening(0, {})


def test_every_stream_has_a_new_id_and_counts_anew() -> None:
    carrier = TwilioCarrier("+1", "+2", random.Random(1))
    streams = []
    for at in (0.0, 5.0, 9.0):
        carrier.opening(at, {})
        streams.append(carrier.stream_id)
        media = json.loads(carrier.media(b"\xff", at + 0.02))
        assert (media["sequenceNumber"], media["media"]["timestamp"]) == ("2", "20")
    assert all(a != b for a, b in pairwise(streams))
