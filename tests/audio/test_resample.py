from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from numpy.typing import NDArray

from flowengine.audio.resample import Resampler
from flowengine.errors import Bug

CONVERSIONS = [(22050, 8000), (16000, 8000), (24000, 8000), (8000, 22050), (8000, 16000), (8000, 24000)]


def convert(source: int, target: int, pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    resampler = Resampler(source, target)
    return np.concatenate((resampler.process(pcm), resampler.flush()))


def sine(frequency: float, rate: int, seconds: float = 0.6) -> NDArray[np.int16]:
    wave = np.sin(2 * np.pi * frequency / rate * np.arange(round(rate * seconds)))
    return np.asarray(np.rint(0.9 * 32767 * wave), np.int16)


def spectrum(pcm: NDArray[np.int16], rate: int) -> NDArray[np.float64]:
    """dB against the input sine's peak; bin n is n * 2 Hz; the stream's two ends are left out."""
    middle = pcm[rate // 20 : rate // 20 + rate // 2] / (0.9 * 32767)
    window = np.blackman(middle.size)
    magnitude = np.abs(np.fft.rfft(middle * window)) * 2 / window.sum()
    return np.asarray(20 * np.log10(magnitude + 1e-12), np.float64)


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
def test_sweep(source: int, target: int) -> None:
    ripple, worst = 0.0, -200.0
    for frequency in itertools.chain(range(20, min(source, 48000) // 2 - 20, 94)):
        found = spectrum(convert(source, target, sine(frequency, source)), target)
        centre = round(frequency / 2)
        own = slice(max(0, centre - 8), centre + 9)
        if frequency <= 3300:
            ripple = max(ripple, abs(float(found[own].max())))
        if frequency < target / 2:
            found[own] = -200.0  # all that is left are aliases, images and rounding
        worst = max(worst, float(found.max()))
    assert ripple <= 1.0
    assert worst <= -80.0


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
@pytest.mark.parametrize("seed", range(3))
def test_any_chunking_is_bit_equal_to_one_go(source: int, target: int, seed: int) -> None:
    rng = random.Random(seed)
    pcm = np.random.default_rng(seed).integers(-32768, 32768, 9001).astype(np.int16)
    resampler = Resampler(source, target)
    parts = []
    at = 0
    while at < pcm.size:
        size = rng.choice([0, 1, 2, 3, 160, 441, 1000])
        parts.append(resampler.process(pcm[at : at + size]))
        at += size
    parts.append(resampler.flush())
    assert np.array_equal(np.concatenate(parts), convert(source, target, pcm))


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
@pytest.mark.parametrize("size", [0, 1, 2, 159, 160, 441, 5000])
def test_length(source: int, target: int, size: int) -> None:
    assert convert(source, target, np.ones(size, np.int16)).size == -(-size * target // source)


@pytest.mark.parametrize(("source", "target"), CONVERSIONS)
def test_output_is_aligned_with_the_input_and_keeps_its_level(source: int, target: int) -> None:
    steady = np.full(source, 10000, np.int16)
    middle = convert(source, target, steady)[target // 10 : -target // 10]
    assert np.abs(middle - 10000).max() <= 2
    pulse = np.zeros(source, np.int16)
    pulse[source // 2] = 30000
    assert abs(int(np.argmax(convert(source, target, pulse))) - target // 2) <= 1


def test_clips_instead_of_wrapping() -> None:
    square = np.where(np.arange(16000) // 40 % 2, 32767, -32768).astype(np.int16)
    out = convert(16000, 8000, square)
    assert out.max() == 32767
    assert out.min() == -32768


def test_a_new_stream_after_flush() -> None:
    resampler = Resampler(24000, 8000)
    pcm = sine(500, 24000)
    first = np.concatenate((resampler.process(pcm), resampler.flush()))
    second = np.concatenate((resampler.process(pcm), resampler.flush()))
    assert np.array_equal(first, second)


def test_equal_rates_pass_the_band() -> None:
    pcm = sine(1000, 8000)
    assert np.abs(convert(8000, 8000, pcm)[400:-400].astype(int) - pcm[400:-400]).max() <= 40


def test_refuses_impossible_rates() -> None:
    with pytest.raises(Bug):
        Resampler(0, 8000)
