from __future__ import annotations

import msgspec
import pytest

from flowengine.errors import ProtocolError
from flowengine.telephony.wire import digit, integer, quoted, read, required, seconds


class Ping(msgspec.Struct, tag_field="event", tag="ping"):
    n: int


def test_read() -> None:
    decoder = msgspec.json.Decoder(Ping)
    known = frozenset({"ping"})
    assert read(decoder, known, '{"event":"ping","n":1,"more":2}') == Ping(1)
    assert read(decoder, known, '{"event":"pong"}') == "pong"
    with pytest.raises(ProtocolError, match=r"malformed 'ping': .*`n`"):
        read(decoder, known, '{"event":"ping"}')
    with pytest.raises(ProtocolError, match="not a message of a media stream"):
        read(decoder, known, "[]")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, 5), ("5", 5), (5.0, 5), (None, None), ("x", None), (float("inf"), None), ("9" * 5000, None)],
)
def test_integer(value: int | float | str | None, expected: int | None) -> None:
    assert integer(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(20, 0.02), ("1500", 1.5), (None, None), ("", None), ("inf", None), (10**400, None)]
)
def test_seconds(value: int | float | str | None, expected: float | None) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize("key", [*"0123456789*#ABCD"])
def test_keys(key: str) -> None:
    assert digit(key) == digit(key.lower()) == key


@pytest.mark.parametrize("key", ["", "12", "E", " ", "-1", "²", None])
def test_what_is_no_key(key: str | None) -> None:
    with pytest.raises(ProtocolError):
        digit(key)


def test_required() -> None:
    assert required(7, "streamId") == "7"
    with pytest.raises(ProtocolError, match="'start' has no streamId"):
        required("", "streamId")


def test_quoted() -> None:
    assert quoted('a"é\n') == '"a\\"é\\n"'
