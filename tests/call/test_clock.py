"""The clock of a call over its streams."""

from __future__ import annotations

import asyncio

import pytest

from flowengine.call.clock import CallClock
from flowengine.testing import virtual_time
from flowengine.testing.virtual_time import let_pass


@pytest.mark.parametrize("began", [0.0, 12.5, 3600.0])
def test_a_clock_goes_on_where_the_call_was(began: float) -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        clock = CallClock(loop, began)
        assert clock.at() == began
        await let_pass(2.5)
        assert clock.at() == pytest.approx(began + 2.5)
        assert clock.now() == loop.time()
        assert clock.at(loop.time() + 1.0) == pytest.approx(began + 3.5)
        # Both ways: what a timer is set to is when it fires.
        assert clock.when(clock.at()) == pytest.approx(loop.time())

    virtual_time.run(work())
