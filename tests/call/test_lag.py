"""The lag of the loop: one stall is one late beat, and the quantiles say what a call could notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from flowengine.call.lag import LoopLag
from flowengine.testing.virtual_time import VirtualLoop, let_pass


class StallingLoop(VirtualLoop):
    """Time passes and nothing runs."""

    lost = 0.0

    def time(self) -> float:
        return super().time() + self.lost


def run(work: Callable[[StallingLoop], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=lambda: StallingLoop(600.0)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, StallingLoop)
        return runner.run(work(loop))


def test_a_loop_in_time_has_no_lag() -> None:
    async def work(_loop: StallingLoop) -> LoopLag:
        lag = LoopLag()
        assert (lag.quantile(0.99), lag.worst) == (0.001, 0.0)
        lag.start()
        await let_pass(1.005)
        lag.stop()
        await let_pass(1.0)
        return lag

    lag = run(work)
    assert sum(lag.counts) == lag.counts[0] == 100
    assert lag.worst == pytest.approx(0.0, abs=1e-6)


# stalls in seconds, the upper bound that the worst has
STALLS = [([], 0.001), ([0.035], 0.05), ([0.035] * 40, 0.05), ([0.08, 0.16], 0.2), ([3.0, 0.1], 3.0)]


@pytest.mark.parametrize(("stalls", "bound"), STALLS)
def test_a_stall_is_one_late_beat(stalls: list[float], bound: float) -> None:
    async def work(loop: StallingLoop) -> LoopLag:
        lag = LoopLag()
        lag.start()
        for turn in range(100):
            loop.lost += stalls[turn] if turn < len(stalls) else 0.0
            await let_pass(0.0505)
        lag.stop()
        return lag

    lag = run(work)
    assert sum(lag.counts[1:]) == len(stalls)
    longest = max(stalls, default=0.0)
    assert longest - 0.0101 <= lag.worst <= longest + 1e-9
    assert lag.quantile(0.5) == 0.001
    assert lag.quantile(1.0) == pytest.approx(bound, abs=0.0101)
    assert lag.quantile(0.9) == (bound if len(stalls) > 50 else 0.001)
    lag.reset()
    assert (sum(lag.counts), lag.worst) == (0, 0.0)
