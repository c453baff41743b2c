"""The pacing wheel on the virtual clock: every 20 ms, whatever joins, leaves, stalls or fails."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from flowengine.call.wheel import Wheel
from flowengine.testing.virtual_time import VirtualLoop, let_pass


class StallingLoop(VirtualLoop):
    """The process computes, or the machine sleeps: time passes and nothing runs."""

    lost = 0.0

    def time(self) -> float:
        return super().time() + self.lost


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=lambda: StallingLoop(600.0)) as runner:
        return runner.run(work())


def stall(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StallingLoop)
    loop.lost += seconds


@pytest.mark.parametrize("members", [1, 3, 4, 50])
def test_each_member_is_called_every_20_ms(members: int) -> None:
    async def work() -> list[list[float]]:
        wheel, times = Wheel(), [list[float]() for _ in range(members)]
        for one in times:
            wheel.join(one.append)
        assert len(wheel) == members
        await let_pass(10.0)
        return times

    for one in run(work):
        steps = [round(b - a, 6) for a, b in itertools.pairwise(one)]
        assert len(one) == pytest.approx(500, abs=1)
        assert set(steps) == {0.02}


def test_members_are_spread_over_the_slots() -> None:
    async def work() -> list[float]:
        wheel, firsts = Wheel(), list[float]()
        seen = [list[float]() for _ in range(8)]
        for one in seen:
            wheel.join(one.append)
        await let_pass(0.02)
        firsts = sorted(one[0] for one in seen)
        return [round(at - firsts[0], 6) for at in firsts]

    assert run(work) == [0, 0, 0.005, 0.005, 0.01, 0.01, 0.015, 0.015]


@pytest.mark.parametrize("seconds", [0.019, 0.1, 3.0])
def test_after_a_stall_a_member_is_called_once(seconds: float) -> None:
    async def work() -> tuple[int, list[float]]:
        wheel, times = Wheel(), list[float]()
        wheel.join(times.append)
        await let_pass(1.0)
        before = len(times)
        stall(seconds)
        await let_pass(0.0)
        await let_pass(0.0)
        at_once = len(times) - before
        await let_pass(1.0)
        return at_once, [b - a for a, b in zip(times[before + 2 :], times[before + 3 :], strict=False)]

    at_once, steps = run(work)
    assert at_once <= 1
    assert steps == [pytest.approx(0.02)] * len(steps)
    assert len(steps) > 40


def test_an_empty_wheel_stands_still_and_starts_again() -> None:
    async def work() -> tuple[list[float], list[float]]:
        wheel, one, two = Wheel(), list[float](), list[float]()
        number = wheel.join(one.append)
        await let_pass(0.1)
        wheel.leave(number)
        wheel.leave(number)
        assert len(wheel) == 0
        await let_pass(10.0)
        wheel.join(two.append)
        await let_pass(0.1)
        return one, two

    one, two = run(work)
    assert (len(one), len(two)) == (5, 5)


def test_a_member_that_leaves_is_called_no_more_not_even_in_this_turn() -> None:
    async def work() -> list[str]:
        wheel, called = Wheel(), list[str]()
        numbers: dict[str, int] = {}

        def first(_now: float) -> None:
            called.append("first")
            wheel.leave(numbers["second"])

        numbers["first"] = wheel.join(first)
        for _ in range(3):
            wheel.join(lambda _now: None)
        numbers["second"] = wheel.join(lambda _now: called.append("second"))
        await let_pass(0.02)
        return called

    assert run(work) == ["first"]


def test_the_wheel_keeps_its_pace_when_one_takes_the_place_of_another_in_a_turn() -> None:
    async def work() -> list[float]:
        wheel, times = Wheel(), list[float]()
        number = 0

        def only(_now: float) -> None:
            wheel.leave(number)
            wheel.join(times.append)

        number = wheel.join(only)
        await let_pass(2.0)
        return times

    times = run(work)
    assert {round(b - a, 6) for a, b in itertools.pairwise(times)} == {0.02}


def test_a_member_that_fails_does_not_silence_the_others() -> None:
    async def work() -> tuple[int, int]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        wheel, times = Wheel(), list[float]()

        def broken(_now: float) -> None:
            raise ValueError("a bug of ours")

        for _ in range(4):
            wheel.join(broken)
        for _ in range(4):
            wheel.join(times.append)
        await let_pass(1.0)
        return len(times), len(told)

    calls, told = run(work)
    assert calls == pytest.approx(4 * 50, abs=4)
    assert told == 4
