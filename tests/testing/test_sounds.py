"""Sounds are the same for a seed, as loud as was asked for, and sound as they are called as far as numbers can say."""

from __future__ import annotations

import numpy as np
import pytest

from flowengine.testing import loudness, sounds
from flowengine.testing.loudness import RATE, Audio

CLIPS = [
    np.sin(2 * np.pi * hertz * np.arange(RATE * 2) / RATE) * np.repeat([1.0, 0.0, 0.5, 1.0], RATE // 2)
    for hertz in (400.0, 700.0, 1100.0)
]


def make(kind: str, seed: int = 1, seconds: float = 6.0) -> Audio:
    return sounds.make(kind, seconds, seed, CLIPS)


def share(audio: Audio, low: float, high: float) -> float:
    """The share of the power between two frequencies."""
    power = np.abs(np.fft.rfft(audio)) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / RATE)
    return float(power[(hertz >= low) & (hertz < high)].sum() / power.sum())


@pytest.mark.parametrize("kind", sounds.KINDS)
def test_every_kind_has_its_length_and_level_and_is_the_same_for_a_seed(kind: str) -> None:
    sound = make(kind)
    assert len(sound) == 6 * RATE
    assert loudness.active_level(sound) == pytest.approx(sounds.LEVEL, abs=0.1)
    assert np.array_equal(sound, make(kind))
    assert not np.array_equal(sound, make(kind, seed=2))
    assert share(sound, 200, 3500) > 0.999


def test_a_kind_that_is_not_there_and_speech_without_clips() -> None:
    with pytest.raises(ValueError, match="no sound 'rain'; known are white, car"):
        sounds.make("rain", 1.0, 1)
    with pytest.raises(ValueError, match="babble is made of speech"):
        sounds.make("babble", 1.0, 1)


def test_a_level_can_be_asked_for() -> None:
    assert loudness.active_level(sounds.make("car", 3.0, 1, level=-42.0)) == pytest.approx(-42.0, abs=0.1)


def test_a_car_is_low_and_white_noise_is_not() -> None:
    assert share(make("car"), 200, 900) > 0.7
    assert share(make("white"), 200, 900) < 0.3


def test_a_siren_wails_between_600_and_1400_hz() -> None:
    assert share(make("siren"), 590, 1410) > 0.6


def test_key_tones_are_pairs_of_the_eight_frequencies() -> None:
    assert share(make("dtmf"), 670, 970) + share(make("dtmf"), 1180, 1510) > 0.95


@pytest.mark.parametrize("kind", ["dtmf", "tones", "clicks", "cough", "dog"])
def test_sounds_that_come_and_go_have_pauses(kind: str) -> None:
    sound = make(kind)
    assert loudness.level(sound) < loudness.active_level(sound) - 1
    # A sound is there even where the time is short for it.
    assert np.abs(sounds.make(kind, 0.1, 1)).max() > 0


def test_a_television_has_fewer_voices_than_babble() -> None:
    """What speaks alone pauses; six together do not."""

    def quiet(kind: str) -> float:
        frames = make(kind)[: 6 * RATE].reshape(-1, 160)
        return float((np.sqrt((frames**2).mean(axis=1)) < 0.01).mean())

    assert quiet("tv") > quiet("babble") + 0.1


def test_a_cough_is_short_and_begins_hard() -> None:
    one = sounds.cough(np.random.default_rng(3))
    assert 0.25 < len(one) / RATE < 0.9
    assert np.abs(one).argmax() < 0.05 * RATE
