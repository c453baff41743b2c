from __future__ import annotations

import asyncio
import threading

import pytest

from flowengine.testing.virtual_time import Deadlock, TimeIsUp, let_pass, run


def test_time_jumps_to_the_next_timer() -> None:
    async def scene() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        seen: list[tuple[float, str]] = []

        async def sleeper(name: str, delay: float) -> None:
            await let_pass(delay)
            seen.append((loop.time() - start, name))

        await asyncio.gather(sleeper("hour", 3600), sleeper("frame", 0.02), sleeper("minute", 60))
        return seen

    assert run(scene()) == [(pytest.approx(0.02), "frame"), (60, "minute"), (3600, "hour")]


def test_a_time_limit_is_kept_to_the_instant() -> None:
    async def scene() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        return loop.time() - start

    assert run(scene()) == 5


def test_deadlock_says_who_waits() -> None:
    async def stuck() -> None:
        await asyncio.Event().wait()

    async def scene() -> None:
        await asyncio.create_task(stuck(), name="the stuck one")

    with pytest.raises(Deadlock, match=r"the stuck one waits at .*test_virtual_time\.py:\d+"):
        run(scene())


def test_what_goes_on_for_ever_is_ended() -> None:
    async def scene() -> None:
        def tick() -> None:
            asyncio.get_running_loop().call_later(1, tick)

        tick()
        await asyncio.Event().wait()

    with pytest.raises(TimeIsUp, match="after 60 virtual seconds"):
        run(scene(), limit=60)


def test_a_thread_takes_no_virtual_time() -> None:
    async def scene() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        start = loop.time()
        ticking = asyncio.create_task(let_pass(3600))
        gate = threading.Event()
        loop.call_soon(gate.set)
        done = await asyncio.to_thread(lambda: str(gate.wait()))
        ticking.cancel()
        return done, loop.time() - start

    assert run(scene()) == ("True", 0)


def test_errors_come_through() -> None:
    async def scene() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(scene())
