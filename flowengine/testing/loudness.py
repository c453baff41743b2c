"""How loud simulated sounds are, and how they are mixed: levels, signal-to-noise ratios, the telephone's band.

Audio is float64 of shape ``(n,)`` at 8000 Hz, full scale at ±1. A level is in dBFS: 0 is the root mean square of a
square wave of full scale, so a sine of full scale is at -3. The level of speech and of sounds with pauses is that of
their active parts, in the manner of ITU-T P.56 (12/2011), method B: speech at -22 dBFS is as loud as a usual call's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw

RATE = 8000
FLOOR = -96.0
"""The level of silence and of nothing at all."""

Audio = NDArray[np.float64]

_FULL_SCALE = 32768.0
_LOW, _HIGH = 300.0, 3400.0  # Hz: the telephone's band
_SLOPE = 60.0  # Hz over which the band's edges fall
_FRAME = 160
_MARGIN = 15.9  # dB below the active level where activity ends (P.56)
_HANGOVER = 10  # frames, 200 ms: a shorter pause is part of the activity (P.56)
_ROUNDS = 20


def from_mulaw(data: bytes) -> Audio:
    """µ-law bytes -> audio."""
    return mulaw.decode(data) / _FULL_SCALE


def to_mulaw(audio: Audio) -> bytes:
    """Audio -> µ-law bytes; what is louder than full scale is clipped."""
    return mulaw.encode(to_pcm(audio))


def to_pcm(audio: Audio) -> NDArray[np.int16]:
    """Audio -> samples, clipped at full scale."""
    return np.clip(np.rint(audio * _FULL_SCALE), -32768, 32767).astype(np.int16)


def level(audio: Audio) -> float:
    """Root mean square level of all of it, pauses included; dBFS."""
    return _decibel(float(np.mean(np.square(audio)))) if audio.size else FLOOR


def active_level(audio: Audio) -> float:
    """Level of the active parts, dBFS: of the frames of 20 ms that are louder than 15.9 dB below that very level.

    A pause of up to 200 ms counts as activity. Against P.56 itself the envelope is that of frames instead of a
    filter of 30 ms.
    """
    powers = _powers(audio)
    if not powers.size or not powers.max() > 0.0:
        return FLOOR
    found = float(powers.max())
    for _ in range(_ROUNDS):
        active = _held(powers >= found * 10 ** (-_MARGIN / 10))
        following = float(powers[active].mean())
        if math.isclose(following, found, rel_tol=1e-4):
            break
        found = following
    return _decibel(found)


def at_level(audio: Audio, wanted: float) -> Audio:
    """Make the active parts as loud as ``wanted`` dBFS; silence stays silence."""
    own = active_level(audio)
    return audio if own <= FLOOR else audio * _factor(wanted - own)


def louder(audio: Audio, decibel: float) -> Audio:
    """Make it so many dB louder, or quieter."""
    return audio * _factor(decibel)


def mix(speech: Audio, noise: Audio, snr: float) -> Audio:
    """Add noise so that the speech is ``snr`` dB above it, both at their active levels; the noise repeats or is cut."""
    return speech + at_level(lengthen(noise, len(speech)), active_level(speech) - snr)


def lengthen(audio: Audio, samples: int) -> Audio:
    """Repeat or cut audio, which is not empty, to so many samples."""
    return np.resize(audio, samples)


def add(*parts: Audio) -> Audio:
    """Sum of audio that begins together; as long as the longest."""
    total = np.zeros(max(map(len, parts), default=0))
    for part in parts:
        total[: len(part)] += part
    return total


def telephone(audio: Audio) -> Audio:
    """Keep what a telephone line carries: 300 to 3400 Hz, the edges 60 Hz wide; linear phase, no delay."""

    def gain(hertz: Audio) -> Audio:
        rising = np.clip((hertz - (_LOW - _SLOPE)) / _SLOPE, 0.0, 1.0)
        falling = np.clip((_HIGH + _SLOPE - hertz) / _SLOPE, 0.0, 1.0)
        return np.asarray(rising * falling)

    return shaped(audio, gain)


def shaped(audio: Audio, gain: Callable[[Audio], Audio]) -> Audio:
    """Multiply the spectrum by ``gain(hertz)``; circular, so that what repeats without a seam still does."""
    if not audio.size:
        return audio
    spectrum = np.fft.rfft(audio)
    return np.fft.irfft(spectrum * gain(np.fft.rfftfreq(len(audio), 1 / RATE).astype(np.float64)), len(audio))


def bounds(audio: Audio, below: float = 30.0) -> tuple[int, int] | None:
    """Give the first sample and the one after the last that are louder than ``below`` dB under the active level.

    None when nothing is audible. This is what labels mean by onset and end.
    """
    own = active_level(audio)
    if own <= FLOOR:
        return None
    loud = np.flatnonzero(np.abs(audio) > _factor(own - below))
    return (int(loud[0]), int(loud[-1]) + 1) if loud.size else None


def _powers(audio: Audio) -> Audio:
    frames = len(audio) // _FRAME
    if not frames:
        return np.square(audio).mean(keepdims=True) if audio.size else np.zeros(0)
    return np.asarray(np.square(audio[: frames * _FRAME]).reshape(frames, _FRAME).mean(axis=1))


def _held(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the pauses between active frames that are no longer than the hangover."""
    places = np.flatnonzero(active)
    held = active.copy()
    for before, after in itertools.pairwise(places):
        if 1 < after - before <= _HANGOVER + 1:
            held[before:after] = True
    return held


def _factor(decibel: float) -> float:
    return float(10 ** (decibel / 20))


def _decibel(power: float) -> float:
    return max(FLOOR, 10.0 * math.log10(power)) if power > 0.0 else FLOOR
