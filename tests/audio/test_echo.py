"""Our own voice on the way back, reckoned out: noise shaped like speech stands for voices."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.audio.echo import HEARD, RATE, Echo
from flowengine.audio.level import FLOOR

Audio = NDArray[np.float64]


def voice(seed: int, seconds: float = 6.0, dbfs: float = -20.0) -> Audio:
    """Noise with the spectrum and the syllables of speech."""
    rng = np.random.default_rng(seed)
    size = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(size=size))
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    audio = np.fft.irfft(spectrum / (1 + (frequency / 500) ** 2) * (frequency > 200), size)
    syllables = np.clip(np.sin(2 * np.pi * 4 * np.arange(size) / RATE + seed) + 0.4, 0.05, None)
    audio *= syllables
    return np.asarray(audio / np.sqrt(np.mean(audio**2)) * 10 ** (dbfs / 20))


def code(audio: Audio) -> bytes:
    return mulaw.encode(np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16))


def remaining(ours: Audio, line: Audio, ahead: int = 1600) -> list[float]:
    """What is left in each window of the line, beside what was sent; ``ahead`` samples are sent before they play."""
    echo, sent, heard = Echo(), code(ours), code(line)
    found, position = [], 0
    for end in range(HEARD, len(line), 256):
        echo.sent(sent[position : end + ahead])
        position = min(len(sent), end + ahead)
        found.append(echo.remaining(heard[end - HEARD : end], end))
    return found


def delayed(audio: Audio, seconds: float, db: float) -> Audio:
    late = np.concatenate([np.zeros(round(seconds * RATE)), audio])[: len(audio)]
    return np.asarray(late * 10 ** (db / 20))


def share_above(levels: list[float], gate: float) -> float:
    return sum(level >= gate for level in levels) / len(levels)


@pytest.mark.parametrize("delay", [0.04, 0.12, 0.2])
@pytest.mark.parametrize("db", [-12.0, -20.0, -30.0])
def test_an_echo_alone_leaves_nothing(delay: float, db: float) -> None:
    ours = voice(1)
    left = remaining(ours, delayed(ours, delay, db))
    assert share_above(left[12:], -45.0) == 0.0


@pytest.mark.parametrize("db", [-12.0, -20.0])
def test_a_caller_over_an_echo_is_left(db: float) -> None:
    ours, caller = voice(1), voice(2)
    alone = remaining(np.zeros_like(ours), caller)
    left = remaining(ours, delayed(ours, 0.1, db) + caller)
    assert share_above(left, -35.0) >= 0.85 * share_above(alone, -35.0)


def test_an_echo_out_of_a_room_is_held_against_its_usual_strength() -> None:
    rng = np.random.default_rng(3)
    ours = voice(1)
    room = rng.normal(size=400) * np.exp(-np.arange(400) / 80) * 0.2
    room[0] = 1.0
    line = np.convolve(delayed(ours, 0.1, -14.0), room)[: len(ours)]
    left = remaining(ours, line)
    assert share_above(left[30:], -37.0) < 0.05


def test_the_coupling_is_learnt() -> None:
    ours, echo = voice(1), Echo()
    assert echo.coupling == FLOOR
    line = code(delayed(ours, 0.1, -15.0))
    echo.sent(code(ours))
    for end in range(HEARD + 1000, 20000, 256):
        echo.remaining(line[end - HEARD : end], end)
    assert echo.coupling == pytest.approx(-15.0, abs=0.5)


def test_where_nothing_was_played_all_of_it_is_the_caller() -> None:
    caller = code(voice(2))[:HEARD]
    assert Echo().remaining(caller, 0) == pytest.approx(10 * np.log10(np.mean((mulaw.decode(caller) / 32768.0) ** 2)))
    assert Echo().remaining(b"\xff" * HEARD, 0) == FLOOR


def test_it_forgets_what_was_sent_long_ago() -> None:
    echo, ours = Echo(), code(voice(1, 20.0))
    for at in range(0, len(ours), 480):
        echo.sent(ours[at : at + 480])
    heard = ours[-HEARD - 800 : -800]
    assert echo.remaining(heard, len(ours)) < -45.0
    assert echo.remaining(heard, HEARD) > -45.0  # nothing is known of the beginning any more
