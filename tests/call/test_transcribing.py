"""The words of a stream: what waits until they can be had, and what a loss leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowengine.call.ports import Expected, Heard
from flowengine.call.transcribing import CONNECT, KEPT, Transcribing
from flowengine.errors import ProviderError
from flowengine.testing.virtual_time import let_pass

EXPECTED, OTHER = Expected("en-US", "text"), Expected("en-US", "yesno")


@dataclass
class Words:
    """A transcriber that notes what it is told, opens after ``opens`` seconds, and says what is put into ``events``."""

    opens: float = 0.0
    name: str = "noting"
    ends_turns: bool = False
    told: list[object] = field(default_factory=list)
    events: asyncio.Queue[Heard | ProviderError | None] = field(default_factory=asyncio.Queue)

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Words]:
        await let_pass(self.opens)
        self.told.append(("open", call))
        try:
            yield self
        finally:
            self.told.append("closed")

    def send(self, audio: bytes) -> None:
        self.told.append(audio)

    def expect(self, expected: Expected) -> None:
        self.told.append(expected)

    def began(self) -> None:
        self.told.append("began")

    def finish(self) -> None:
        self.told.append("finish")

    def __aiter__(self) -> Words:
        return self

    async def __anext__(self) -> Heard:
        async with asyncio.timeout(60):
            event = await self.events.get()
        if isinstance(event, ProviderError):
            raise event
        if event is None:
            raise StopAsyncIteration
        return event


@dataclass
class Stream:
    """One stream's words, and what was told of them."""

    words: Words
    heard: list[Heard] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.it = Transcribing(self.words, "call-1", self.heard.append, self.lost.append)
        self.it.expect(EXPECTED)


def run(on_virtual_time: Callable[..., Any], story: Callable[[Stream], Any], words: Words) -> Stream:
    stream = Stream(words)

    async def whole() -> None:
        async with asyncio.timeout(30):
            await story(stream)

    on_virtual_time(whole())
    return stream


def test_what_is_said_before_it_is_open_waits(on_virtual_time: Callable[..., Any]) -> None:
    async def story(stream: Stream) -> None:
        task = asyncio.create_task(stream.it.run())
        stream.it.send(b"one")
        stream.it.began()
        stream.it.send(b"two")
        stream.it.expect(OTHER)
        stream.it.finish()
        await let_pass(1.0)
        stream.it.send(b"three")
        await stream.words.events.put(Heard("final", "hello"))
        await stream.words.events.put(None)
        await task

    stream = run(on_virtual_time, story, Words(opens=0.5))
    assert stream.words.told == [("open", "call-1"), OTHER, b"one", "began", b"two", "finish", b"three", "closed"]
    assert stream.heard == [Heard("final", "hello")]
    assert stream.lost == ["closed"]


def test_so_much_of_it_as_four_seconds(on_virtual_time: Callable[..., Any]) -> None:
    async def story(stream: Stream) -> None:
        task = asyncio.create_task(stream.it.run())
        for number in range(5):
            stream.it.send(bytes([number]) * (KEPT // 4))
        await let_pass(1.0)
        await stream.words.events.put(None)
        await task

    stream = run(on_virtual_time, story, Words(opens=0.5))
    audio = [one for one in stream.words.told if isinstance(one, bytes)]
    assert [one[0] for one in audio] == [1, 2, 3, 4]
    assert stream.it.dropped == KEPT // 4


@pytest.mark.parametrize(
    ("words", "event", "why"),
    [
        (Words(), ProviderError("noting", "unavailable", retryable=True), "unavailable"),
        (Words(opens=CONNECT + 1), None, "timeout"),
        (Words(), None, "closed"),
    ],
)
def test_a_loss_is_told_once(
    on_virtual_time: Callable[..., Any], words: Words, event: ProviderError | None, why: str
) -> None:
    async def story(stream: Stream) -> None:
        task = asyncio.create_task(stream.it.run())
        await stream.words.events.put(event)
        await task
        stream.it.send(b"more")
        stream.it.began()
        stream.it.finish()
        stream.it.expect(OTHER)

    stream = run(on_virtual_time, story, words)
    assert stream.lost == [why]
    assert stream.it.over
    assert b"more" not in stream.words.told


def test_the_end_of_the_stream_closes_it_and_is_no_loss(on_virtual_time: Callable[..., Any]) -> None:
    async def story(stream: Stream) -> None:
        task = asyncio.create_task(stream.it.run())
        await let_pass(0.1)
        task.cancel()
        await asyncio.wait({task})

    stream = run(on_virtual_time, story, Words())
    assert stream.words.told == [("open", "call-1"), EXPECTED, "closed"]
    assert stream.lost == []
