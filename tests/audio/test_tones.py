from __future__ import annotations

import numpy as np
import pytest

from flowengine.audio import tones
from flowengine.errors import Bug


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("1", 697, 1209),
        ("5", 770, 1336),
        ("9", 852, 1477),
        ("0", 941, 1336),
        ("*", 941, 1209),
        ("#", 941, 1477),
        ("D", 941, 1633),
    ],
)
def test_key_tone_has_the_two_frequencies_of_q23(key: str, low: int, high: int) -> None:
    tone = tones.dtmf(key, 1.0)
    assert tone.dtype == np.int16
    assert tone.size == 8000
    spectrum = np.abs(np.fft.rfft(tone))
    assert sorted(np.argsort(spectrum)[-2:].tolist()) == [low, high]


def test_all_sixteen_keys() -> None:
    assert sorted(tones.DTMF) == sorted("0123456789*#ABCD")
    assert len(set(tones.DTMF.values())) == 16


def test_sine() -> None:
    tone = tones.sine(1000.0, 0.25, peak_dbfs=0.0, rate=16000)
    assert tone.size == 4000
    assert tone[0] == 0
    assert tone.max() == 32767
    assert int(np.argmax(np.abs(np.fft.rfft(tone)))) == 250


def test_refuses_what_is_no_key_or_would_clip() -> None:
    with pytest.raises(Bug):
        tones.dtmf("x", 0.1)
    with pytest.raises(Bug):
        tones.dtmf("1", 0.1, peak_dbfs=0.0)
