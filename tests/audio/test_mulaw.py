from __future__ import annotations

import warnings

import numpy as np
import pytest

from flowengine.audio import mulaw

ALL_CODES = bytes(range(256))
ALL_SAMPLES = np.arange(-32768, 32768).astype(np.int16)


def expand(code: int) -> int:
    """One code by the text of G.711: segment s, step q -> the middle of its interval, 14 bit, scaled to 16."""
    inverted = code ^ 0xFF
    segment, step = inverted >> 4 & 7, inverted & 15
    # Table 2: where each segment begins; its 16 intervals are 2, 4, 8 ... wide. The first is cut in half by zero, so
    # the middles of segment 0 are the even numbers.
    first = [-1, 31, 95, 223, 479, 991, 2015, 4063][segment]
    middle = first + (step << segment + 1) + (1 << segment)
    return (-middle if inverted & 0x80 else middle) * 4


def compress(sample: int) -> int:
    """One sample by a search in the segments, as in the reference implementation of CCITT."""
    value = sample >> 2
    mask = 0xFF
    if value < 0:
        value, mask = -value, 0x7F
    value = min(value, 8159) + 33
    for segment, end in enumerate((0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF, 0x1FFF)):
        if value <= end:
            return (segment << 4 | value >> segment + 1 & 0xF) ^ mask
    return 0x7F ^ mask


def test_decodes_all_codes_as_g711_says() -> None:
    assert mulaw.decode(ALL_CODES).tolist() == [expand(code) for code in range(256)]


def test_encodes_all_samples_as_the_reference_does() -> None:
    assert mulaw.encode(ALL_SAMPLES) == bytes(compress(int(sample)) for sample in ALL_SAMPLES)


def test_equals_audioop() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop")
    assert mulaw.decode(ALL_CODES).astype("<i2").tobytes() == audioop.ulaw2lin(ALL_CODES, 2)
    assert mulaw.encode(ALL_SAMPLES) == audioop.lin2ulaw(ALL_SAMPLES.astype("<i2").tobytes(), 2)


def test_every_code_survives_the_round_trip_except_negative_zero() -> None:
    expected = bytearray(ALL_CODES)
    expected[0x7F] = mulaw.SILENCE
    assert mulaw.encode(mulaw.decode(ALL_CODES)) == expected


def test_takes_any_memory_layout() -> None:
    assert mulaw.encode(ALL_SAMPLES[::2]) == mulaw.encode(ALL_SAMPLES)[::2]
    assert mulaw.decode(b"").size == 0
    assert mulaw.encode(np.empty(0, np.int16)) == b""


def test_silence_is_sample_zero() -> None:
    assert mulaw.decode(bytes([mulaw.SILENCE])).tolist() == [0]


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0, 2.0, 40.0])
def test_gain(factor: float) -> None:
    wanted = np.clip(np.rint(mulaw.decode(ALL_CODES) * factor), -32768, 32767).astype(np.int16)
    assert mulaw.gain(ALL_CODES, factor) == mulaw.encode(wanted)
