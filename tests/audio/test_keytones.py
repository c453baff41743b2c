"""Key tones are told from everything else that a telephone line carries."""

from __future__ import annotations

import numpy as np
import pytest

from flowengine.audio import mulaw, tones
from flowengine.audio.keytones import is_key

WINDOW = 256
KEYS = "0123456789*#ABCD"


def windows(audio: bytes) -> list[bytes]:
    return [audio[at : at + WINDOW] for at in range(0, len(audio) - WINDOW + 1, WINDOW)]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("peak", [-7.0, -25.0])
def test_a_key_is_one_in_every_window(key: str, peak: float) -> None:
    tone = mulaw.encode(tones.dtmf(key, 0.2, peak_dbfs=peak))
    assert all(is_key(window) for window in windows(tone))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_begins_inside_of_a_window(key: str) -> None:
    tone = mulaw.encode(tones.dtmf(key, 0.2))
    assert is_key(b"\xff" * 96 + tone[: WINDOW - 96])


@pytest.mark.parametrize("key", "159D")
def test_a_key_in_noise(key: str) -> None:
    rng = np.random.default_rng(1)
    tone = tones.dtmf(key, 0.5).astype(np.float64)
    noise = rng.normal(size=len(tone)) * np.sqrt(np.mean(tone**2)) * 10 ** (-15 / 20)
    audio = mulaw.encode((tone + noise).astype(np.int16))
    assert all(is_key(window) for window in windows(audio))


@pytest.mark.parametrize("frequency", [350.0, 440.0, 697.0, 1000.0, 1209.0, 1400.0])
def test_a_single_tone_is_no_key(frequency: float) -> None:
    assert not any(is_key(window) for window in windows(mulaw.encode(tones.sine(frequency, 0.5))))


def test_silence_and_noise_are_no_keys() -> None:
    rng = np.random.default_rng(2)
    noise = mulaw.encode((rng.normal(size=8000 * 20) * 3000).astype(np.int16))
    assert not any(is_key(window) for window in [b"\xff" * WINDOW, *windows(noise)])


def test_two_tones_of_very_different_strength_are_no_key() -> None:
    loud, soft = tones.sine(770.0, 0.2, peak_dbfs=-10.0), tones.sine(1336.0, 0.2, peak_dbfs=-26.0)
    assert not any(is_key(window) for window in windows(mulaw.encode(loud + soft)))
