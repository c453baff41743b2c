"""A call's own clock: seconds since the call began, on the event loop's time, over all streams of the call."""

from __future__ import annotations

import asyncio


class CallClock:
    """``at`` never goes backwards and is never media time. ``began`` is how old the call is when this is made."""

    def __init__(self, loop: asyncio.AbstractEventLoop, began: float = 0.0) -> None:
        self._loop = loop
        self._origin = loop.time() - began

    def now(self) -> float:
        """Give the loop's time, which the playout and the wheel use."""
        return self._loop.time()

    def at(self, now: float | None = None) -> float:
        """Give the call's time for a loop time (the present one by default)."""
        return (self._loop.time() if now is None else now) - self._origin

    def when(self, at: float) -> float:
        """Give the loop's time for a call's time."""
        return at + self._origin
