"""The voice detector on noise and on a voice, alone and in company."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from flowengine.providers.silero import WINDOW, Silero, make
from flowengine.testing.labels import Clip


@pytest.fixture(scope="module")
def detector() -> Silero:
    found = make({})
    asyncio.run(found.start())
    assert isinstance(found, Silero)
    return found


def windows(audio: bytes) -> list[bytes]:
    return [audio[at : at + WINDOW] for at in range(0, len(audio) - WINDOW + 1, WINDOW)]


def alone(detector: Silero, audio: bytes) -> list[float]:
    state, found = detector.fresh(), []
    for window in windows(audio):
        (probability,), (state,) = detector.detect([window], [state])
        found.append(probability)
    return found


def noise(seed: int, seconds: float = 2.0, peak: int = 2000) -> bytes:
    return mulaw_of(np.random.default_rng(seed).normal(size=round(8000 * seconds)) * peak)


def mulaw_of(audio: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    from flowengine.audio import mulaw

    return mulaw.encode(np.clip(audio, -32768, 32767).astype(np.int16))


def test_a_voice_is_speech_and_noise_is_not(detector: Silero, spoken: dict[str, Clip]) -> None:
    clip = spoken["give me an operator please"]
    voiced = alone(detector, b"\xff" * 4000 + clip.audio)
    assert sum(p >= 0.5 for p in voiced) / len(windows(clip.audio)) > 0.7
    assert max(alone(detector, noise(1))) < 0.5
    assert max(alone(detector, b"\xff" * 16000)) < 0.5


def test_in_company_a_stream_gets_the_same_numbers_bit_by_bit(detector: Silero, spoken: dict[str, Clip]) -> None:
    streams = [spoken["give me an operator please"].audio, noise(1), noise(2), b"\xff" * 16000]
    cut = [windows(audio)[:20] for audio in streams]
    states = [detector.fresh() for _ in streams]
    together: list[list[float]] = [[] for _ in streams]
    for batch in zip(*cut, strict=True):
        found, states = detector.detect(batch, states)
        for row, probability in zip(together, found, strict=True):
            row.append(probability)
    for audio, row in zip(streams, together, strict=True):
        assert alone(detector, audio)[:20] == row


def test_a_state_belongs_to_its_stream(detector: Silero, spoken: dict[str, Clip]) -> None:
    """The control of the test above: with the states of others the numbers differ."""
    voice, other = windows(spoken["give me an operator please"].audio), windows(noise(1))
    (_, _), states = detector.detect([voice[5], other[5]], [detector.fresh(), detector.fresh()])
    (own, _), _ = detector.detect([voice[6], other[6]], states)
    (swapped, _), _ = detector.detect([voice[6], other[6]], states[::-1])
    assert own != swapped


def test_starting_twice_is_starting_once(detector: Silero) -> None:
    before = detector._session
    asyncio.run(detector.start())
    assert detector._session is before
