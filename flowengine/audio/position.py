"""Where the carrier's player is: a model of the other end of the line, learnt from the marks that come back.

The carrier plays what it gets without a gap from the moment the first of it arrives. Such a piece is a *run*; a run
ends when the queue runs dry, or at a clear. So the position in a run at any moment is known from one number, the moment
at which the run began to play, and every returned mark tells it: a mark at sample m of the run that was played at T
says that the run began at T - m / rate.

All moments are on one *line clock*: the carrier's clock (the timestamps of its media messages), moved by a constant so
that it reads about as our own clock does on receipt. The constant comes from the first timestamp seen; before and
without any, the line clock is our own clock on receipt, and jitter is not taken out.

A timestamp has a grain of 20 ms: something that happened at timestamp t happened in [t, t + 20 ms). A run's begin is
therefore an interval, which each further mark narrows. A mark that contradicts it shows that the carrier's queue ran
dry unnoticed, or that its clocks drift: then the newer mark alone counts.

The time from our sending to the line clock's begin of playing (the way there and the way back) is learnt over the call,
as a median over runs; it places a run before the run's own first mark.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median

GRAIN = 0.02
"""Seconds between two media messages, and so between two timestamps."""

_GUESS = 0.12  # seconds there and back, until the call's first mark tells better
_RUNS = 8  # how many runs back a position may be asked for
_CUT_SHORT = 0.03  # a run that began that close to the former's end says nothing about the delay


@dataclass(slots=True)
class _Run:
    begin: int  # stream sample
    written: float  # our clock: when its first audio was sent
    teaches: bool  # the carrier's queue was surely empty, so begin of playing minus sending is the delay
    low: float = 0.0  # line clock: when it began to play, valid once known
    high: float = 0.0
    known: bool = False


class CarrierLine:
    """One stream's outgoing audio, counted in samples since the stream began; clears do not set the count back."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self.sent = 0
        self.confirmed = 0
        self.marked = False
        self._runs: deque[_Run] = deque(maxlen=_RUNS)
        self._delays: deque[float] = deque(maxlen=15)
        self._shift: float | None = None
        self._earliest = 0.0

    def media_seen(self, now: float, carrier_time: float) -> None:
        """Learn from a message with timestamp ``carrier_time`` (seconds) that came at ``now``. Cheap: for each one."""
        way = now - carrier_time
        if self._shift is None:
            self._shift = self._earliest = way
        elif way < self._earliest:
            self._earliest = way

    def moment(self, now: float, carrier_time: float | None) -> float:
        """The line clock for what came at ``now``, after the timestamp ``carrier_time`` if that is known."""
        if carrier_time is not None:
            self.media_seen(now, carrier_time)
            return carrier_time + (self._shift or 0.0) + GRAIN / 2
        # The fastest message so far is the one without jitter: what came now happened at most that long ago.
        return now if self._shift is None else now + self._shift - self._earliest

    def ahead(self, now: float) -> int:
        """Samples sent that are not yet due by our own clock; the way to the carrier delays both and cancels out."""
        if not self._runs:
            return 0
        run = self._runs[-1]
        return max(0, self.sent - run.begin - round((now - run.written) * self._rate))

    def write(self, now: float, samples: int) -> bool:
        """Count audio as sent; True when it comes after the carrier ran dry (not when a stream or clear preceded)."""
        dry = False
        if self.ahead(now) == 0:
            dry = bool(self._runs)
            teaches = True
            if dry:
                former = self._runs[-1]
                end = self._starts(_GUESS)[-1] + (self.sent - former.begin) / self._rate
                teaches = now + (median(self._delays) if self._delays else _GUESS) > end + _CUT_SHORT
            self._runs.append(_Run(self.sent, now, teaches))
        self.sent += samples
        return dry

    def cut(self) -> None:
        """A clear: what was sent and not played never will be; the next audio begins a new run."""
        self._runs.clear()
        self.confirmed = self.sent

    def mark(self, offset: int, now: float, carrier_time: float | None) -> None:
        """Learn that the stream was played up to sample ``offset``."""
        self.marked = True
        self.confirmed = max(self.confirmed, offset)
        run = next((run for run in reversed(self._runs) if run.begin < offset), None)
        if run is None:
            return
        low = self.moment(now, carrier_time) - GRAIN / 2 - (offset - run.begin) / self._rate
        high = low + GRAIN
        if run.known and low < run.high and high > run.low:
            run.low, run.high = max(low, run.low), min(high, run.high)
        else:
            run.low, run.high = low, high
        if run.teaches:
            if run.known:
                self._delays.pop()  # marks come in order: the last one learnt is this run's
            self._delays.append((run.low + run.high) / 2 - run.written)
        run.known = True

    def at(self, moment: float) -> int:
        """The stream sample that is played at a moment of the line clock: as said by the model, at most ``sent``."""
        end = self.sent
        starts = self._starts(_GUESS)
        for run in reversed(self._runs):
            start = starts.pop()
            if moment >= start:
                return min(end, run.begin + round((moment - start) * self._rate))
            end = run.begin
        return end if self._runs else self.confirmed

    def due(self, offset: int) -> float:
        """When a mark at sample ``offset`` is back, on our clock; the delay counts as none as long as it is unknown."""
        due: float | None = None
        for run, start in zip(self._runs, self._starts(0.0), strict=True):
            if due is None or run.begin < offset:
                due = start + (offset - run.begin) / self._rate
        return due or 0.0

    def _starts(self, unknown: float) -> list[float]:
        """Line clock: when each run began to play: by its marks, else after its way there and after the run before."""
        delay = median(self._delays) if self._delays else unknown
        starts: list[float] = []
        for index, run in enumerate(self._runs):
            if run.known:
                start = (run.low + run.high) / 2
            else:
                start = run.written + delay
                if index:
                    former = self._runs[index - 1]
                    start = max(start, starts[-1] + (run.begin - former.begin) / self._rate)
            starts.append(start)
        return starts
