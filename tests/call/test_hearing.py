"""Hearing one stream: repetitions by number only, nonsense counted and bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowengine import plugins
from flowengine.call.hearing import MAX_ERRORS, Hearing
from flowengine.telephony.messages import DigitReceived, MarkReached, MediaReceived, StreamStopped

CARRIERS = ("twilio", "vobiz")


def hearing(carrier: str) -> Hearing:
    return Hearing(plugins.dialects()[carrier])


def digit(key: str, number: object = None) -> str:
    numbered = {} if number is None else {"sequenceNumber": number}
    return json.dumps({"event": "dtmf", "streamSid": "s", "streamId": "s", "dtmf": {"digit": key}, **numbered})


def media(timestamp: object) -> str:
    body = {"track": "inbound", "payload": "/////w==", **({} if timestamp is None else {"timestamp": timestamp})}
    return json.dumps({"event": "media", "streamSid": "s", "streamId": "s", "media": body})


DIGITS: list[tuple[list[tuple[str, object]], str, int]] = [
    # (key, carrier's number) in one instant, what counts, repetitions
    ([("1", 4), ("1", 5)], "11", 0),
    ([("1", 4), ("1", 4)], "1", 1),
    ([("1", "4"), ("1", 4)], "1", 1),
    ([("1", 4), ("2", 5), ("1", 4)], "12", 1),
    # Without numbers nothing is a repetition, however quick: after a stall all keys come at once.
    ([("1", None), ("1", None), ("1", None)], "111", 0),
    ([("1", "x"), ("1", "x")], "11", 0),
    ([("a", 1), ("#", 2), ("*", 3)], "A#*", 0),
]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(("pressed", "counted", "repeated"), DIGITS)
def test_only_the_carriers_number_makes_a_key_a_repetition(
    carrier: str, pressed: Any, counted: str, repeated: int
) -> None:
    one = hearing(carrier)
    heard = [one.take(digit(key, number)) for key, number in pressed]
    assert "".join(message.digit for message in heard if isinstance(message, DigitReceived)) == counted
    assert one.counts["repeated_digit"] == repeated


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_carriers_clock_is_the_last_media_that_told_it(carrier: str) -> None:
    one = hearing(carrier)
    assert one.carrier_time is None
    times: list[float | None] = []
    for stamp in (20, "40", None, "soon", "60"):
        assert isinstance(one.take(media(stamp)), MediaReceived)
        times.append(one.carrier_time)
    assert times == [0.02, 0.04, 0.04, 0.04, 0.06]
    assert one.media == 5


@pytest.mark.parametrize("carrier", CARRIERS)
def test_nonsense_is_counted_until_it_is_too_much(carrier: str) -> None:
    one = hearing(carrier)
    for number in range(MAX_ERRORS + 1):
        assert not one.broken, number
        assert one.take("nonsense") is None
    assert one.broken
    assert one.counts["protocol_error"] == MAX_ERRORS + 1


OTHERS = [
    ("twilio", {"event": "mark", "mark": {"name": "m1"}}, MarkReached("m1"), {}),
    ("vobiz", {"event": "playedStream", "name": "m1"}, MarkReached("m1"), {}),
    ("twilio", {"event": "stop"}, StreamStopped(), {}),
    ("vobiz", {"event": "new", "x": 1}, None, {"ignored.new": 1}),
    ("twilio", {"event": "connected", "protocol": "Call"}, None, {"ignored.connected": 1}),
    ("twilio", {"event": "start", "start": {"streamSid": "s", "callSid": "c"}}, None, {"second_start": 1}),
    ("vobiz", {"event": "start", "start": {"streamId": "s", "callId": "c"}}, None, {"second_start": 1}),
    ("vobiz", {"event": "dtmf", "dtmf": {"digit": "x"}}, None, {"protocol_error": 1}),
    ("twilio", {"event": "media", "media": {"payload": "*"}}, None, {"protocol_error": 1}),
]


@pytest.mark.parametrize(("carrier", "message", "heard", "counts"), OTHERS)
def test_other_messages(carrier: str, message: dict[str, Any], heard: Any, counts: dict[str, int]) -> None:
    one = hearing(carrier)
    assert one.take(json.dumps(message)) == heard
    assert dict(one.counts) == counts
