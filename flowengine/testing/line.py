"""What the carrier plays to the caller: a buffer that plays in real time from the moment that audio arrives."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flowengine.audio import mulaw
from flowengine.testing.report import RATE, Stretch

# Comfort noise and padding are no sound: about -44 dB below full scale.
_LOUD = 200
_QUIET_CODES = bytes(np.flatnonzero(np.abs(mulaw.decode(bytes(range(256))).astype(np.int32)) <= _LOUD).tolist())
_BLOCK = 160
# A pause between words does not end a sound; seconds.
_BREATH = 0.3
# Sums of float seconds that should be equal differ by less.
_SAME = 1e-6


@dataclass(slots=True)
class Sound:
    """Audible audio from ``start`` to ``end``, in seconds of the call."""

    start: float
    end: float


class Line:
    """The playout of one call, over all its streams.

    ``clock`` gives seconds of the call, ``emit(kind, **data)`` records events, ``on_mark(name)`` hears of marks that
    were played. A run of audio goes on as long as the next piece arrives before the last was played.
    """

    def __init__(self, clock: Callable[[], float], emit: Callable[..., None], on_mark: Callable[[str], None]) -> None:
        self._clock = clock
        self._emit = emit
        self._on_mark = on_mark
        self._marks: deque[tuple[float, str]] = deque()
        self._run: Stretch | None = None
        self._touched = False
        self._timer: asyncio.TimerHandle | None = None
        self.played: list[Stretch] = []
        self.sounds: list[Sound] = []

    def open(self) -> None:
        """A new stream begins: nothing is buffered and no audio came yet."""
        self._touched = False

    def audio(self, payload: bytes) -> None:
        """Take audio; it starts now, or when what is buffered has been played."""
        if not payload:
            return
        now = self._advance()
        self._touched = True
        if self._run is None:
            self._run = Stretch(now)
            self.played.append(self._run)
            self._emit("audio_started")
        start = self._end(self._run)
        self._run.audio += payload
        self._listen(payload, start)
        self._arm()

    def mark(self, name: str, *, needs_audio: bool) -> None:
        """Report ``name`` when what is buffered has been played, at once when nothing is.

        ``needs_audio``: ignore it for ever when no audio came since the stream began or the last clear.
        """
        self._advance()
        if self._run is not None:
            self._marks.append((self._end(self._run), name))
            self._arm()
        elif needs_audio and not self._touched:
            self._emit("mark_ignored", name=name)
        else:
            self._reach(name)

    def clear(self) -> tuple[int, list[str]]:
        """Stop at this sample. Return how many were not played and the marks that were outstanding."""
        now = self._advance()
        self._touched = False
        marks = [name for _, name in self._marks]
        self._marks.clear()
        unplayed = 0
        if self._run is not None:
            run, keep = self._run, self._position(self._run, now)
            unplayed = len(run.audio) - keep
            del run.audio[keep:]
            self._run = None
            self._emit("audio_stopped", samples=keep)
        for sound in self.sounds:
            sound.end = min(sound.end, now)
        self.sounds = [sound for sound in self.sounds if sound.start < sound.end]
        self._arm()
        return unplayed, marks

    def position(self) -> int:
        """Samples of the current run that have been played; 0 when it is quiet."""
        now = self._advance()
        return 0 if self._run is None else self._position(self._run, now)

    def heard(self, since: float, seconds: float) -> bool:
        """Whether a sound that was still to be heard at ``since`` has been audible for ``seconds``."""
        now = self._clock()
        return any(sound.end > since and min(now, sound.end) - sound.start >= seconds - _SAME for sound in self.sounds)

    def quiet(self) -> float | None:
        """For how long nothing has been audible, in seconds; None before the first sound of the call."""
        now = self._clock()
        ends = [sound.end for sound in self.sounds if sound.start <= now]
        return max(0.0, now - ends[-1]) if ends else None

    def _advance(self) -> float:
        """Let everything happen that is due; return the time."""
        now = self._clock()
        while self._marks and self._marks[0][0] <= now + _SAME:
            self._reach(self._marks.popleft()[1])
        if self._run is not None and self._end(self._run) <= now + _SAME:
            samples, self._run = len(self._run.audio), None
            self._emit("audio_stopped", samples=samples)
        return now

    def _due(self) -> None:
        self._timer = None
        self._advance()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._run is not None:
            due = self._marks[0][0] if self._marks else self._end(self._run)
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._clock()), self._due)

    def _reach(self, name: str) -> None:
        self._emit("mark_played", name=name)
        self._on_mark(name)

    def _listen(self, payload: bytes, start: float) -> None:
        for offset in range(0, len(payload), _BLOCK):
            block = payload[offset : offset + _BLOCK]
            if not block.translate(None, _QUIET_CODES):
                continue
            begin = start + offset / RATE
            end = begin + len(block) / RATE
            if self.sounds and begin - self.sounds[-1].end <= _BREATH:
                self.sounds[-1].end = end
            else:
                self.sounds.append(Sound(begin, end))

    @staticmethod
    def _end(run: Stretch) -> float:
        return run.at + len(run.audio) / RATE

    @staticmethod
    def _position(run: Stretch, now: float) -> int:
        return min(len(run.audio), round((now - run.at) * RATE))
