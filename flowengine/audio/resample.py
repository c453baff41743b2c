"""Changes the sampling rate between a voice vendor's 16, 22.05 or 24 kHz and the line's 8 kHz, as a stream.

A polyphase filter: one low-pass (windowed sinc, Kaiser) is designed at the common multiple of both rates and cut into
one short filter per position that an output sample can have between two input samples. Kaiser's formulas for length
and shape: Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.5.3.

The taps are rounded to integers and computed in float64: products and sums of 16 bit samples and 24 bit taps stay
below 2**53, hence are exact in any order. So a stream in any chunking gives bit for bit what one go gives.

The output is aligned with the input (the filter's delay is taken out): the first output sample belongs to the first
input sample, and the last 4 to 5 ms come with ``flush``.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from flowengine.errors import Bug

# The telephone band ends at 3.4 kHz; all that would fold around the line's 4 kHz must be gone there.
_PASS = 3300.0
_STOP = 4000.0
_ATTENUATION = 90.0
_BITS = 22
_BLOCK = 256  # output samples computed at a time: their windows fit into the processor's cache (2 instead of 14 ms/s)


@lru_cache(maxsize=16)
def _taps(up: int, down: int, rate: int) -> NDArray[np.float64]:
    """The filters for ``rate`` * up / down, shape ``(up, 2 * half + 1)``: one row per phase, whole numbers."""
    narrow = min(rate, rate * up // down)
    edge, stop = _PASS * narrow / 8000.0, _STOP * narrow / 8000.0
    per_sample = 2.285 * 2.0 * math.pi * (stop - edge) / rate
    half = math.ceil((_ATTENUATION - 8.0) / per_sample / 2.0)
    beta = 0.1102 * (_ATTENUATION - 8.7)
    phase = np.arange(up)[:, None]
    offset = phase / up + (half - np.arange(2 * half + 1))[None, :]  # output time minus input time, in input samples
    inside = np.clip(1.0 - np.square(offset / half), 0.0, None)
    window = np.where(np.abs(offset) <= half, np.i0(beta * np.sqrt(inside)) / np.i0(beta), 0.0)
    cutoff = (edge + stop) / rate
    taps = np.sinc(cutoff * offset) * cutoff * window
    taps /= taps.sum() / up  # a gain of exactly one at 0 Hz
    return np.rint(taps * 2.0**_BITS)


class Resampler:
    """One stream from ``source`` Hz to ``target`` Hz; pass band 0 to 3.3 kHz, aliases and images below -80 dB."""

    def __init__(self, source: int, target: int) -> None:
        if source <= 0 or target <= 0:
            raise Bug(f"resampling from {source} to {target} Hz")
        common = math.gcd(source, target)
        self._up, self._down = target // common, source // common
        self._taps = _taps(self._up, self._down, source)
        self._half = self._taps.shape[1] // 2
        self._restart()

    def _restart(self) -> None:
        # The window of output 0 reaches half its length back before the stream's begin: silence.
        self._input = np.zeros(self._half, np.float64)
        self._phase = 0  # position of the next output after the first full window's middle, in 1/up input samples
        self._taken = 0
        self._given = 0

    def process(self, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """Samples in, shape ``(n,)``, any n -> the samples that are complete by now; clipped at full scale."""
        self._taken += pcm.size
        return self._run(np.asarray(pcm, np.float64))

    def flush(self) -> NDArray[np.int16]:
        """The last samples; in all, n input samples give ceil(n * target / source). Then a new stream may begin."""
        due = -(-self._taken * self._up // self._down) - self._given
        tail = self._run(np.zeros(self._half + self._down, np.float64))[:due]
        self._restart()
        return tail

    def _run(self, samples: NDArray[np.float64]) -> NDArray[np.int16]:
        self._input = np.concatenate((self._input, samples))
        width = self._taps.shape[1]
        windows = self._input.size - width + 1  # the n-th is the one around the input sample n after the kept ones
        if windows <= 0:
            return np.empty(0, np.int16)
        count = max(0, -(-(windows * self._up - self._phase) // self._down))
        view = np.lib.stride_tricks.sliding_window_view(self._input, width)
        out = np.empty(count, np.int16)
        for begin in range(0, count, _BLOCK):
            at = self._phase + np.arange(begin, min(begin + _BLOCK, count)) * self._down
            sums = np.einsum("ij,ij->i", view[at // self._up], self._taps[at % self._up])
            out[begin : begin + at.size] = np.clip(np.rint(sums / 2.0**_BITS), -32768, 32767)
        after = self._phase + count * self._down
        drop = min(after // self._up, self._input.size)
        self._phase = after - drop * self._up
        self._input = self._input[drop:]
        self._given += count
        return out
