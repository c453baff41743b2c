"""Levels and mixtures against what arithmetic says they are."""

from __future__ import annotations

import numpy as np
import pytest

from flowengine.testing import loudness
from flowengine.testing.loudness import RATE, Audio


def tone(seconds: float, hertz: float = 1000.0, peak: float = 1.0) -> Audio:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def test_a_sine_of_full_scale_is_at_minus_3_and_a_square_wave_at_0() -> None:
    assert loudness.level(tone(1.0)) == pytest.approx(-3.01, abs=0.01)
    assert loudness.level(np.sign(tone(1.0, 440.0) + 1e-9)) == pytest.approx(0.0, abs=0.01)
    assert loudness.level(np.zeros(100)) == loudness.level(np.zeros(0)) == loudness.FLOOR


def test_the_active_level_does_not_count_long_pauses() -> None:
    burst = tone(0.5, peak=0.1)
    with_pauses = np.concatenate([burst, np.zeros(2 * RATE), burst, np.zeros(RATE)])
    assert loudness.active_level(with_pauses) == pytest.approx(loudness.level(burst), abs=0.1)
    assert loudness.level(with_pauses) < loudness.level(burst) - 5


def test_a_pause_of_200_ms_is_part_of_the_activity() -> None:
    burst = tone(0.2, peak=0.1)
    short = np.concatenate([burst, np.zeros(RATE // 5), burst])
    assert loudness.active_level(short) == pytest.approx(loudness.level(short), abs=0.1)


def test_audio_is_brought_to_a_level() -> None:
    assert loudness.active_level(loudness.at_level(tone(0.3), -22.0)) == pytest.approx(-22.0, abs=0.05)
    assert not loudness.at_level(np.zeros(100), -22.0).any()
    assert loudness.active_level(np.zeros(0)) == loudness.FLOOR
    assert loudness.active_level(tone(0.005)) == pytest.approx(-3.0, abs=0.1)


def test_a_mixture_has_the_ratio_that_was_asked_for() -> None:
    speech = loudness.at_level(tone(1.0), -20.0)
    noise = loudness.mix(speech, tone(0.1, 300.0), 12.0) - speech
    assert loudness.level(noise) == pytest.approx(-32.0, abs=0.1)


def test_lengths() -> None:
    assert len(loudness.lengthen(tone(0.1), 2000)) == 2000
    assert loudness.add(np.ones(3), np.ones(5)).tolist() == [2, 2, 2, 1, 1]
    assert loudness.add().tolist() == []
    assert loudness.louder(np.ones(1), 20.0).tolist() == [10.0]


@pytest.mark.parametrize(("hertz", "passes"), [(100, False), (350, True), (1000, True), (3300, True), (3700, False)])
def test_the_telephone_carries_its_band(hertz: float, passes: bool) -> None:
    carried = loudness.level(loudness.telephone(tone(1.0, hertz)))
    assert (carried > -3.2) if passes else (carried < -60)


def test_bounds_are_the_first_and_the_last_audible_sample() -> None:
    audio = np.concatenate([np.zeros(400), tone(0.5, peak=0.2), np.zeros(300)])
    begin, end = loudness.bounds(audio) or (0, 0)
    assert abs(begin - 400) <= 2
    assert abs(end - 4400) <= 2
    assert loudness.bounds(np.zeros(100)) is None


def test_mulaw_there_and_back() -> None:
    audio = tone(0.1, peak=0.3)
    assert np.abs(loudness.from_mulaw(loudness.to_mulaw(audio)) - audio).max() < 0.02
    assert loudness.to_pcm(np.array([2.0, -2.0])).tolist() == [32767, -32768]
