"""The voice detector for all calls of a process: what comes in together is judged together.

The network costs three times less for a window in a batch than alone. A few calls do not wait for each other: what
arrived in one turn of the loop is one batch. From ``TOGETHER`` calls on windows wait up to ``WAIT`` for company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from flowengine.call.ports import VoiceDetector

TOGETHER = 8
WAIT = 0.01
MOST = 64  # windows of one stream that may wait: 2 s; then the oldest are dropped

Judged = Callable[[bytes, float, float, float], None]
"""Called with a window, when it came (the loop's time), its level, and how probably it is speech."""


class Ear:
    """One stream's place among the ears."""

    def __init__(self, ears: Ears, state: Any, judged: Judged) -> None:
        self.dropped = 0
        self.state = state
        self.judged = judged
        self.waiting: deque[tuple[bytes, float, float]] = deque()
        self._ears = ears

    def take(self, window: bytes, now: float, level: float) -> None:
        """Take the next window of the stream, and how loud it is (dBFS), which is handed back with it."""
        if len(self.waiting) >= MOST:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append((window, now, level))
        self._ears.wake()

    def close(self) -> None:
        """Nothing more is judged."""
        self.waiting.clear()
        self._ears.leave(self)


class Ears:
    """One per process."""

    def __init__(self, detector: VoiceDetector) -> None:
        self.window = detector.window
        self.batches = 0
        self.windows = 0
        self._detector = detector
        self._open: dict[Ear, None] = {}
        self._handle: asyncio.Handle | None = None

    def open(self, judged: Judged) -> Ear:
        """Begin to listen to a stream."""
        ear = Ear(self, self._detector.fresh(), judged)
        self._open[ear] = None
        return ear

    def leave(self, ear: Ear) -> None:
        """A stream is over."""
        self._open.pop(ear, None)

    def wake(self) -> None:
        """Something waits to be judged."""
        if self._handle is None:
            loop = asyncio.get_running_loop()
            few = len(self._open) < TOGETHER
            self._handle = loop.call_soon(self._judge) if few else loop.call_later(WAIT, self._judge)

    def _judge(self) -> None:
        """Judge all that waits: of each stream one window a batch, for a window's state is the next one's."""
        self._handle = None
        while batch := [ear for ear in self._open if ear.waiting]:
            taken = [ear.waiting.popleft() for ear in batch]
            found, states = self._detector.detect([window for window, _, _ in taken], [ear.state for ear in batch])
            self.batches += 1
            self.windows += len(batch)
            for ear, (window, came, level), probability, state in zip(batch, taken, found, states, strict=True):
                ear.state = state
                if ear in self._open:  # not if one before it ended its call
                    ear.judged(window, came, level, probability)
