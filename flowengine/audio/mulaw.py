"""G.711 µ-law, the format of every telephone line that we serve: one byte is one sample at 8000 Hz.

Own tables instead of ``audioop``, which Python 3.13 no longer has. Source: ITU-T G.711 (11/1988), table 2a and 2b; the
rounding of 16 bit to 14 bit samples (towards minus infinity) is that of the ITU reference code and of ``audioop``.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SILENCE = 0xFF
"""The code of sample 0, positive zero; a carrier hears a stream of it as silence."""

_BIAS = 33  # in 14 bit units: moves the start of each of the eight segments to a power of two
_CLIP = 8158  # the largest 14 bit magnitude that stays in the last segment once the bias is added


def _decode_table() -> NDArray[np.int16]:
    """All 256 codes -> their sample. Codes are transmitted inverted: sign, three segment bits, four step bits."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((code & 0x0F) * 2 + _BIAS) << ((code >> 4) & 7)) - _BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) * 4).astype(np.int16)


def _encode_table() -> NDArray[np.uint8]:
    """All samples -> their code, indexed by the sample's two's complement as an unsigned number."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32) >> 2
    biased = np.minimum(np.abs(sample), _CLIP) + _BIAS
    segment = np.frexp(biased)[1] - 6  # biased is 33..8191, its highest bit 5..12
    step = (biased >> (segment + 1)) & 0x0F
    sign = np.where(sample < 0, 0x80, 0)
    return np.asarray(~(sign | segment << 4 | step) & 0xFF, np.uint8)


_DECODE = _decode_table()
_ENCODE = _encode_table()

FLOATS: NDArray[np.float32] = (_DECODE / 32768).astype(np.float32)
"""All 256 codes -> their sample as a number from -1 to 1: for who reckons with many samples at once."""


def decode(data: bytes) -> NDArray[np.int16]:
    """µ-law bytes -> samples, shape ``(len(data),)``, -32124 to 32124."""
    return _DECODE[np.frombuffer(data, np.uint8)]


def encode(pcm: NDArray[np.int16]) -> bytes:
    """Samples, shape ``(n,)`` -> n µ-law bytes; what is louder than 32635 is clipped, as G.711 has it."""
    return _ENCODE[np.ascontiguousarray(pcm, np.int16).view(np.uint16)].tobytes()


@lru_cache(maxsize=256)
def _gain_table(factor: float) -> bytes:
    louder = np.clip(np.rint(_DECODE * factor), -32768, 32767)
    return encode(louder.astype(np.int16))


def gain(data: bytes, factor: float) -> bytes:
    """µ-law made ``factor`` times as loud (0.0 mutes), clipped at full scale; the length stays.

    One ``bytes.translate`` per call: the samples are never unpacked. The tables of the last 256 factors are kept.
    """
    return data.translate(_gain_table(factor))
