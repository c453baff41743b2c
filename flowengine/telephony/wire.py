"""Reading the JSON frames of a media stream as tolerantly as carriers write them."""

from __future__ import annotations

import math
from typing import TypeAlias, TypeVar

import msgspec

from flowengine.errors import ProtocolError

# Twilio writes every counter as a string, Vobiz some as numbers.
Number: TypeAlias = int | float | str | None

T = TypeVar("T")

_DIGITS = frozenset("0123456789*#ABCD")


class _AnyEvent(msgspec.Struct):
    event: str


_any_event = msgspec.json.Decoder(_AnyEvent)


def read(decoder: msgspec.json.Decoder[T], known: frozenset[str], text: str) -> T | str:
    """Decode a frame, or return the name of its event when that is not one of ``known``. Raises ``ProtocolError``."""
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        problem = error
    try:
        event = _any_event.decode(text).event
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not a message of a media stream: {error}") from error
    if event in known:
        raise ProtocolError(f"malformed {event!r}: {problem}") from problem
    return event


def integer(value: Number) -> int | None:
    """Return a counter; None when it is absent or can not be read, because no message is worth losing for it."""
    try:
        return None if value is None else int(value)
    except (ValueError, OverflowError):
        return None


def seconds(milliseconds: Number) -> float | None:
    """Return a time stamp in seconds; None when it is absent or can not be read."""
    try:
        value = None if milliseconds is None else float(milliseconds) / 1000
    except (ValueError, OverflowError):
        return None
    return value if value is not None and math.isfinite(value) else None


def digit(value: str | int | None) -> str:
    """Return a key, one of ``0-9 * # A-D``; raises ``ProtocolError``."""
    key = str(value).upper()
    if key not in _DIGITS:
        raise ProtocolError(f"not a key: {value!r}")
    return key


def required(value: str | int | None, name: str) -> str:
    """Return an id as text; raises ``ProtocolError`` when it is absent."""
    if value is None or value == "":
        raise ProtocolError(f"'start' has no {name}")
    return str(value)


def quoted(text: str) -> str:
    """Return ``text`` as a JSON string."""
    return msgspec.json.encode(text).decode()
