from __future__ import annotations

import asyncio
import threading

import pytest

from flowengine.testing.virtual_time import LATE, Deadlock, TimeIsUp, VirtualLoop, let_pass, run


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


def order(seed: int | None) -> str:
    """The order in which four tasks come that are ready at once, twice."""
    seen: list[str] = []

    async def one(name: str) -> None:
        seen.append(name)
        await let_pass(1.0)
        seen.append(name.upper())

    async def scene() -> None:
        await asyncio.gather(*(one(name) for name in "abcd"))

    run(scene(), seed=seed)
    return "".join(seen)


def test_without_a_seed_tasks_step_in_their_order() -> None:
    assert order(None)[:4] == "abcd"


def test_a_seed_decides_the_order_of_tasks_and_timers() -> None:
    orders = [order(seed) for seed in range(300)]
    assert orders == [order(seed) for seed in range(300)]
    assert len({one[:4] for one in orders}) == len({one[4:] for one in orders}) == 24


def test_callbacks_keep_their_order_whatever_the_seed() -> None:
    async def scene() -> list[int]:
        seen: list[int] = []
        for number in range(20):
            asyncio.get_running_loop().call_soon(seen.append, number)
        await asyncio.gather(*(let_pass(0) for _ in range(5)))
        return seen

    assert all(run(scene(), seed=seed) == list(range(20)) for seed in range(20))


def test_a_timer_of_a_seed_is_late_by_a_moment_and_never_early() -> None:
    async def scene() -> float:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await let_pass(1.0)
        return loop.time() - start

    late = [run(scene(), seed=seed) - 1.0 for seed in range(50)]
    assert all(0.0 <= one <= LATE for one in late)
    assert len(set(late)) > 40


def test_a_stall_is_time_in_which_nothing_ran() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        start, seen = loop.time(), list[float]()
        loop.call_later(1.0, lambda: seen.append(loop.time() - start))
        loop.stall(5.0)
        await let_pass(1.0)
        return [*seen, loop.time() - start]

    assert run(scene()) == [5.0, 6.0]
