"""Test tones and key tones as 16 bit samples at 8000 Hz. Source of the key tones: ITU-T Q.23 (11/1988)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flowengine.errors import Bug

RATE = 8000

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYPAD = ("123A", "456B", "789C", "*0#D")

DTMF = {key: (low, high) for row, low in zip(_KEYPAD, _LOW, strict=True) for key, high in zip(row, _HIGH, strict=True)}
"""Key -> the two frequencies in Hz that are its tone."""


def sine(frequency: float, seconds: float, *, peak_dbfs: float = -10.0, rate: int = RATE) -> NDArray[np.int16]:
    """A sine that begins at phase 0; ``peak_dbfs`` is its peak, at most 0."""
    return _samples(_wave(frequency, seconds, rate) * _peak(peak_dbfs))


def dtmf(key: str, seconds: float, *, peak_dbfs: float = -10.0) -> NDArray[np.int16]:
    """The tone of a key (``0-9 * # A-D``); ``peak_dbfs`` is the peak of each of its two sines, at most -6.1."""
    if key not in DTMF:
        raise Bug(f"no key {key!r} on a telephone")
    low, high = DTMF[key]
    if peak_dbfs > -6.1:
        raise Bug(f"two sines of {peak_dbfs} dBFS clip")
    return _samples((_wave(low, seconds, RATE) + _wave(high, seconds, RATE)) * _peak(peak_dbfs))


def _wave(frequency: float, seconds: float, rate: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(2.0 * np.pi * frequency / rate * np.arange(round(seconds * rate))), np.float64)


def _peak(dbfs: float) -> float:
    return float(32767.0 * 10.0 ** (dbfs / 20.0))


def _samples(wave: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.rint(wave).astype(np.int16)
