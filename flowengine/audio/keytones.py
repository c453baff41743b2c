"""Is a window of audio a key's tone? Then it is nobody's words: keys come as messages of the carrier.

A key is the sum of one of four low and one of four high frequencies (ITU-T Q.23); here it is one when these two hold
nearly all of the window's power and neither is much stronger than the other (twist, ITU-T Q.24).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowengine.audio.mulaw import FLOATS

_LOW = (697.0, 770.0, 852.0, 941.0)
_HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
_SHARE = 0.8  # of the power; the rest is that of the line, and of a tone that begins inside of the window
_TWIST = 16.0  # 12 dB
_QUIET = 1e-5  # -50 dBFS


def _waves(samples: int) -> NDArray[np.float32]:
    time = np.arange(samples) / 8000
    angle = 2 * np.pi * np.outer(time, (*_LOW, *_HIGH))
    window = np.hanning(samples)[:, None]
    return np.concatenate((np.cos(angle) * window, np.sin(angle) * window), axis=1).astype(np.float32)


_WAVES: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}


def is_key(window: bytes) -> bool:
    """Say whether µ-law audio at 8000 Hz, some 20 to 40 ms of it, is a key's tone."""
    size = len(window)
    if size not in _WAVES:
        _WAVES[size] = (_waves(size), np.hanning(size).astype(np.float32))
    waves, shape = _WAVES[size]
    audio = FLOATS[np.frombuffer(window, np.uint8)]
    whole = float(np.square(audio * shape).sum())
    if whole < _QUIET * size:
        return False
    parts = audio @ waves
    powers = (np.square(parts[:8]) + np.square(parts[8:])) * (2.0 / float(np.square(shape).sum()))
    low, high = float(powers[:4].max()), float(powers[4:].max())
    return low + high >= _SHARE * whole and max(low, high) <= _TWIST * min(low, high)
