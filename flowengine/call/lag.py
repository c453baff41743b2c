"""How late the event loop runs: a 10 ms heartbeat with a histogram, the measure behind every claim about lag."""

from __future__ import annotations

import asyncio
from bisect import bisect_left

PERIOD = 0.01
# Upper bounds in seconds; the last bucket takes the rest.
BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class LoopLag:
    """Beats every 10 ms and counts by how much each beat came late."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.worst = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to beat on the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + PERIOD
        self._handle = loop.call_at(self._due, self._beat, loop)

    def stop(self) -> None:
        """Beat no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def reset(self) -> None:
        """Forget what was counted."""
        self.counts = [0] * (len(BOUNDS) + 1)
        self.worst = 0.0

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self._due
        self.counts[bisect_left(BOUNDS, late)] += 1
        self.worst = max(self.worst, late)
        # After a stall the beat starts over instead of catching up: one stall is one late beat.
        self._due = max(self._due + PERIOD, loop.time())
        self._handle = loop.call_at(self._due, self._beat, loop)

    def quantile(self, q: float) -> float:
        """Give the upper bound of the bucket in which the quantile lies, in seconds; the worst for the last one."""
        wanted, seen = q * sum(self.counts), 0
        for bound, count in zip(BOUNDS, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return self.worst
