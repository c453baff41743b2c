"""The ears of a process: what comes together is judged together, and no stream hears another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from flowengine.call.ears import MOST, TOGETHER, WAIT, Ears


class Counting:
    """A detector that gives how often a stream was judged, and notes its batches."""

    window = 4

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []

    async def start(self) -> None:
        """Nothing to start."""

    def fresh(self) -> int:
        return 0

    def detect(self, windows: Sequence[bytes], states: Sequence[int]) -> tuple[list[float], list[int]]:
        self.batches.append(list(windows))
        return [state / 10 for state in states], [state + 1 for state in states]


def test_a_few_streams_do_not_wait(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> None:
        detector = Counting()
        ears = Ears(detector)
        told: list[tuple[bytes, float, float, float]] = []
        one = ears.open(lambda *judged: told.append(judged))
        two = ears.open(lambda *judged: told.append(judged))
        loop = asyncio.get_running_loop()
        now = loop.time()
        one.take(b"aaaa", now, -20.0)
        two.take(b"bbbb", now, -30.0)
        one.take(b"cccc", now, -40.0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert loop.time() == now
        # Of each stream one window a batch: its state is the next one's.
        assert detector.batches == [[b"aaaa", b"bbbb"], [b"cccc"]]
        assert told == [(b"aaaa", now, -20.0, 0.0), (b"bbbb", now, -30.0, 0.0), (b"cccc", now, -40.0, 0.1)]
        assert (ears.batches, ears.windows) == (2, 3)

    on_virtual_time(story())


def test_many_wait_for_each_other(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> None:
        detector = Counting()
        ears = Ears(detector)
        done = asyncio.Event()
        streams = [ears.open(lambda *judged: done.set()) for _ in range(TOGETHER)]
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, stream in enumerate(streams):
            loop.call_later(number * WAIT / 20, stream.take, b"%04d" % number, began, 0.0)
        async with asyncio.timeout(1.0):
            await done.wait()
        assert loop.time() - began == pytest.approx(WAIT)
        assert [len(batch) for batch in detector.batches] == [TOGETHER]

    on_virtual_time(story())


def test_what_can_not_be_judged_in_time_is_dropped_from_the_front(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> None:
        told: list[bytes] = []
        ear = Ears(Counting()).open(lambda window, came, level, probability: told.append(window))
        for number in range(MOST + 3):
            ear.take(b"%04d" % number, 0.0, 0.0)
        await asyncio.sleep(0)
        assert ear.dropped == 3
        assert told == [b"%04d" % number for number in range(3, MOST + 3)]

    on_virtual_time(story())


def test_a_stream_that_is_closed_hears_nothing_any_more(on_virtual_time: Callable[..., Any]) -> None:
    async def story() -> None:
        ears = Ears(Counting())
        told: list[str] = []

        def ends_another(window: bytes, came: float, level: float, probability: float) -> None:
            told.append("first")
            second.close()

        first = ears.open(ends_another)
        second = ears.open(lambda *judged: told.append("second"))
        for ear in (first, second):
            ear.take(b"aaaa", 0.0, 0.0)
        await asyncio.sleep(0)
        assert told == ["first"]
        first.close()
        first.take(b"bbbb", 0.0, 0.0)
        await asyncio.sleep(0)
        assert told == ["first"]

    on_virtual_time(story())
