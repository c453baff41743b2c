from __future__ import annotations

import numpy as np
import pytest

from flowengine.audio import level, mulaw, tones


@pytest.mark.parametrize("peak", [0.0, -10.0, -30.0, -60.0])
def test_a_sine_is_three_decibels_below_its_peak(peak: float) -> None:
    assert level.dbfs(tones.sine(400.0, 0.5, peak_dbfs=peak)) == pytest.approx(peak - 3.01, abs=0.05)


def test_full_scale_square_wave_is_zero() -> None:
    assert level.dbfs(np.full(800, -32768, np.int16)) == 0.0


@pytest.mark.parametrize("pcm", [np.zeros(160, np.int16), np.empty(0, np.int16)])
def test_silence_and_nothing_have_the_floor(pcm: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    assert level.dbfs(pcm) == level.FLOOR
    assert level.mulaw_dbfs(mulaw.encode(pcm)) == level.FLOOR


def test_mulaw_equals_its_decoded_samples() -> None:
    data = bytes(range(256))
    assert level.mulaw_dbfs(data) == pytest.approx(level.dbfs(mulaw.decode(data)))
