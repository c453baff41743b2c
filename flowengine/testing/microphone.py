"""What a caller's microphone hears besides the caller: the noise around, and what the earpiece plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.testing.report import RATE, Stretch


@dataclass(frozen=True, slots=True)
class Echo:
    """What is played comes back ``delay`` seconds later, ``level`` dB louder (so it is negative)."""

    level: float = -20.0
    delay: float = 0.12


@dataclass(frozen=True, slots=True)
class Room:
    """Where the caller is: ``noise`` (samples, repeated for ever) and an echo; neither is a silent line."""

    noise: NDArray[np.int16] | None = None
    echo: Echo | None = None


class Microphone:
    """Mixes into the caller's voice what else is to be heard. ``played`` is what the earpiece plays, as it grows."""

    def __init__(self, room: Room, played: Sequence[Stretch]) -> None:
        self._noise = room.noise
        self._echo = room.echo
        self._gain = 10 ** (room.echo.level / 20) if room.echo is not None else 0.0
        self._played = played

    def hear(self, voice: bytes, at: float, position: int) -> bytes:
        """Give what the microphone gives for a piece of voice.

        It begins with sample ``position`` of a stream whose sample 0 is at ``at`` (seconds of the call), and it is
        over: what was played meanwhile will not change. In a silent room the voice stays as it is, bit by bit.
        """
        if self._noise is None and self._echo is None:
            return voice
        total = mulaw.decode(voice).astype(np.float64)
        if self._noise is not None:
            begin = round(at * RATE) + position
            total += self._noise.take(range(begin, begin + len(voice)), mode="wrap")
        if self._echo is not None:
            total += self._gain * self._heard(at - self._echo.delay, position, len(voice))
        return mulaw.encode(np.clip(np.rint(total), -32768, 32767).astype(np.int16))

    def _heard(self, at: float, position: int, samples: int) -> NDArray[np.float64]:
        """Give what was played, as samples: from ``position`` after ``at`` on."""
        heard = np.zeros(samples)
        for stretch in reversed(self._played):
            # One rounding for each pair of stretches, so that frames do not lose or repeat a sample.
            begin = position + round((at - stretch.at) * RATE)
            first, last = max(0, begin), min(len(stretch.audio), begin + samples)
            if first < last:
                heard[first - begin : last - begin] += mulaw.decode(bytes(stretch.audio[first:last]))
            if begin >= len(stretch.audio):
                break  # earlier ones were over even before
        return heard
