from __future__ import annotations

import pytest

from flowengine.errors import ProtocolError
from flowengine.telephony.webhook import dial_outcome, e164, is_final, required


def test_required() -> None:
    assert required({"CallSid": " CA1 "}, "CallSid") == "CA1"
    with pytest.raises(ProtocolError, match="the request has no CallSid"):
        required({}, "CallSid")


@pytest.mark.parametrize(
    "status", ["completed", "Completed", "busy", "failed", "no-answer", "timeout", "canceled", "cancel"]
)
def test_final(status: str) -> None:
    assert is_final(status)


@pytest.mark.parametrize("status", ["", "ringing", "in-progress", "queued", "initiated"])
def test_not_final(status: str) -> None:
    assert not is_final(status)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("", (False, None)),
        ("completed", (False, "ended")),
        ("BUSY", (False, "busy")),
        ("timeout", (False, "noanswer")),
        ("declined", (False, "declined")),
        ("?", (False, "failed")),
        ("cancelled", (True, None)),
    ],
)
def test_dial_outcome(status: str, expected: tuple[bool, str | None]) -> None:
    assert dial_outcome(status) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(" 15551234567", "+15551234567"), ("+1555", "+1555"), ("٣" * 9, "٣" * 9)]
)
def test_e164(number: str, expected: str) -> None:
    assert e164(number) == expected
