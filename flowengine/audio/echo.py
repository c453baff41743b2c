"""Our own voice on the way back: how much of what the caller's line sends is what we play to it.

A telephone returns what it plays, 12 to 30 dB quieter and 40 to 200 ms later, and that is speech to every detector. We
know what we play, so the part of a sound that follows from it can be reckoned out: the normalized cross-correlation of
the caller's last 96 ms with what was played before tells the share ρ² of its power that is our echo, at the delay where
it is largest. What remains, level + 10·log10(1 - ρ²), is somebody else. An echo that comes through walls and codecs
fits less well; for that the coupling (echo level minus played level) is learnt from the moments that do fit, and what
is no louder than the echo to be expected is none of the caller's.

Runs only for windows that are speech while something plays: three transforms of 4096 points.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from flowengine.audio.level import FLOOR
from flowengine.audio.mulaw import FLOATS

RATE = 8000
HEARD = 768  # samples of the caller that are held against what was played: 96 ms
BEFORE = 2800  # the delays that are tried, in samples: up to 350 ms
_SIZE = 4096
_KEPT = 3 * RATE  # samples of what was sent that are remembered
_FITS = 0.4  # from this share on a moment teaches the coupling
_MARGIN = 5.0  # dB above the echo to be expected
_QUIET = 1e-9


class Echo:
    """The echo of one stream. Positions are samples of what was sent since the stream began."""

    def __init__(self) -> None:
        self._sent = bytearray()
        self._end = 0  # the stream's sample behind the last of ``_sent``
        self._couplings: deque[float] = deque(maxlen=15)

    def sent(self, audio: bytes) -> None:
        """Audio was handed to the carrier."""
        self._sent += audio
        self._end += len(audio)
        if len(self._sent) > 2 * _KEPT:
            del self._sent[:-_KEPT]

    def remaining(self, heard: bytes, played: int) -> float:
        """Give the level (dBFS) of what in ``heard``, the caller's last ``HEARD`` samples, is not our echo.

        ``played`` is the sample that was playing at the end of it, as far as is known.
        """
        caller = FLOATS[np.frombuffer(heard[-HEARD:], np.uint8)]
        power = float(np.dot(caller, caller)) / len(caller) if len(caller) else 0.0
        if power <= _QUIET:
            return FLOOR
        level = 10 * math.log10(power)
        ours = self._played(played)
        if ours is None or len(caller) < HEARD:
            return level
        share, loud = _share(caller, ours)
        if loud <= _QUIET:
            return level
        if share >= _FITS:
            self._couplings.append(level + 10 * math.log10(share) - 10 * math.log10(loud))
        expected = self.coupling + 10 * math.log10(loud)
        if level < expected + _MARGIN:
            return FLOOR
        return level + 10 * math.log10(max(1 - share, 1e-4))

    @property
    def coupling(self) -> float:
        """How loud the echo is beside what is played, in dB; ``FLOOR`` as long as none was noticed."""
        return float(np.median(self._couplings)) if len(self._couplings) >= 3 else FLOOR

    def _played(self, played: int) -> NDArray[np.float32] | None:
        """Give what was played in the 96 ms and the delays before them; None where hardly anything was."""
        first = self._end - len(self._sent)
        end = min(played, self._end) - first
        begin = max(0, end - HEARD - BEFORE)
        if end - begin < HEARD:
            return None
        return FLOATS[np.frombuffer(bytes(self._sent[begin:end]), np.uint8)]


def _share(caller: NDArray[np.float32], ours: NDArray[np.float32]) -> tuple[float, float]:
    """Give the largest share of the caller's power that follows from ours, and our power (mean square) there."""
    spectrum = np.fft.rfft(ours, _SIZE) * np.conj(np.fft.rfft(caller, _SIZE))
    fits = np.fft.irfft(spectrum, _SIZE)[: len(ours) - len(caller) + 1]
    sums = np.concatenate(([0.0], np.cumsum(np.square(ours, dtype=np.float64))))
    powers = sums[len(caller) :] - sums[: -len(caller)]
    whole = float(np.dot(caller, caller))
    # An echo keeps its sign or turns it; where hardly anything was played nothing can follow from it.
    shares = np.where(powers > _QUIET * len(caller), np.square(fits) / (whole * np.maximum(powers, _QUIET)), 0.0)
    best = int(np.argmax(shares))
    return min(1.0, float(shares[best])), float(powers[best]) / len(caller)
