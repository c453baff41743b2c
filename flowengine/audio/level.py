"""How loud a piece of audio is, in dBFS: 0 is a square wave of full scale, a sine of full scale is -3."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw

FLOOR = -96.0
"""The level of silence and of nothing at all: that of a 16 bit sample's smallest step, instead of minus infinity."""

_FULL_SCALE = 32768.0
_SAMPLES = mulaw.decode(bytes(range(256))) / _FULL_SCALE


def dbfs(pcm: NDArray[np.int16]) -> float:
    """Root mean square level of samples, shape ``(n,)``; ``FLOOR`` when they are silent or none."""
    if not pcm.size:
        return FLOOR
    return _decibel(float(np.mean(np.square(pcm / _FULL_SCALE))))


def mulaw_dbfs(data: bytes) -> float:
    """The same of µ-law bytes, without decoding them."""
    if not data:
        return FLOOR
    samples = _SAMPLES[np.frombuffer(data, np.uint8)]
    return _decibel(float(samples.dot(samples)) / len(data))


def _decibel(power: float) -> float:
    return max(FLOOR, 10.0 * math.log10(power)) if power > 0.0 else FLOOR
