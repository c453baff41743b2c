"""What carriers send, as recorded or written down, one message per line: both dialects read the same table's shape."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowengine.errors import ProtocolError
from flowengine.telephony.dialect import Dialect
from flowengine.telephony.dialects import twilio, vobiz

DIALECTS: dict[str, Dialect] = {"twilio": twilio.DIALECT, "vobiz": vobiz.DIALECT}
TRAFFIC = Path(__file__).parent / "traffic"
CASES = [
    pytest.param(name, json.loads(line), id=f"{name}: {json.loads(line)['about']}")
    for name in DIALECTS
    for line in (TRAFFIC / f"{name}.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_incoming(name: str, case: dict[str, Any]) -> None:
    text = case["text"] if "text" in case else json.dumps(case["wire"])
    if case["is"] == "malformed":
        with pytest.raises(ProtocolError):
            DIALECTS[name].decode(text)
        return
    message = DIALECTS[name].decode(text)
    assert {type(message).__name__: msgspec.to_builtins(message)} == case["is"]


EVENTS = st.sampled_from(["start", "media", "dtmf", "mark", "stop", "playedStream", "clearedAudio", "connected"])
WORDS = st.sampled_from(
    [
        "event",
        "start",
        "media",
        "dtmf",
        "mark",
        "payload",
        "digit",
        "name",
        "streamSid",
        "callSid",
        "streamId",
        "callId",
    ]
) | st.sampled_from(["timestamp", "sequenceNumber", "mediaFormat", "sampleRate", "customParameters", "track"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("1e999"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner, max_size=6),
    max_leaves=12,
)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@given(text=st.text(st.characters()) | JSON.map(json.dumps))
def test_arbitrary_text_raises_nothing_but_protocol_errors(dialect: Dialect, text: str) -> None:
    with suppress(ProtocolError):
        dialect.decode(text)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@given(event=EVENTS, body=st.dictionaries(WORDS, JSON, max_size=8))
def test_known_events_with_any_body(dialect: Dialect, event: str, body: dict[str, Any]) -> None:
    with suppress(ProtocolError):
        dialect.decode(json.dumps({**body, "event": event}))


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("text", ["\ud800", '"\ud800"', "[" * 100_000, '{"event":"media","media":' + "[" * 100_000])
def test_hostile_text(dialect: Dialect, text: str) -> None:
    with pytest.raises(ProtocolError):
        dialect.decode(text)
