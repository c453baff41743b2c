"""Sounds that are not the caller's words: noise, music, signals, coughs, dogs, other people; the same for a seed.

Every kind gives float64 audio of shape ``(seconds * 8000,)`` in the telephone's band, the active parts at a level in
dBFS (``loudness`` says what that means). ``babble`` and ``tv`` are made of speech clips, which are given: this module
knows no voice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from flowengine.testing.loudness import RATE, Audio, at_level, lengthen, louder, shaped, telephone

LEVEL = -22.0
"""What the active parts of a sound have before its level is set; dBFS."""

Rng = np.random.Generator
Maker = Callable[[float, Rng], Audio]

_ROWS, _COLUMNS = (697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0)  # Hz of key tones, ITU-T Q.23
_BABBLE = 6  # voices
_BPM = 104.0
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # C Am F G, in semitones above C


def _time(seconds: float) -> Audio:
    return np.arange(round(seconds * RATE)) / RATE


def _sine(hertz: float | Audio, time: Audio) -> Audio:
    """A sine whose frequency may change from sample to sample."""
    phase = np.cumsum(np.broadcast_to(np.asarray(hertz, np.float64), time.shape)) / RATE
    return np.asarray(np.sin(2 * np.pi * phase), np.float64)


def _white(seconds: float, rng: Rng) -> Audio:
    return np.asarray(rng.standard_normal(round(seconds * RATE)))


def _car(seconds: float, rng: Rng) -> Audio:
    """Brown noise of tyres and wind, and the engine's hum: what of it a telephone still carries."""
    rumble = shaped(
        _white(seconds, rng), lambda hertz: 1.0 / np.maximum(hertz, 60.0) ** 1.2 / (1 + (hertz / 1400) ** 2)
    )
    engine = _sum(_sine(n * 92.0, _time(seconds)) / n for n in range(2, 8))
    return rumble / float(rumble.std()) + 0.3 * engine


def _hum(seconds: float, rng: Rng) -> Audio:
    """Mains hum: the harmonics of 50 Hz that pass the band, and a little noise."""
    time = _time(seconds)
    return _sum(rng.uniform(0.3, 1.0) * _sine(n * 50.0, time) for n in range(6, 20)) + 0.1 * _white(seconds, rng)


def _line(seconds: float, rng: Rng) -> Audio:
    """Line noise: white with a crackle now and then."""
    noise = _white(seconds, rng)
    for at in rng.uniform(0, max(seconds - 0.01, 0.0), round(seconds * 2)):
        begin = int(at * RATE)
        noise[begin : begin + 24] += rng.standard_normal(len(noise[begin : begin + 24])) * 4
    return noise


def _comfort(seconds: float, rng: Rng) -> Audio:
    """Comfort noise, as in pauses of a coded line: white, falling by 6 dB per octave above 1 kHz."""
    return shaped(_white(seconds, rng), lambda hertz: 1.0 / (1.0 + hertz / 1000.0))


def _music(seconds: float, rng: Rng) -> Audio:
    """Chords under a melody with vibrato, bass and drums."""
    beat = 60.0 / _BPM
    total = np.zeros(round(seconds * RATE))
    root = 261.6 * 2 ** (int(rng.integers(-3, 4)) / 12)
    for number in range(int(seconds / beat) + 1):
        chord = _CHORDS[number // 4 % 4]
        if number % 4 == 0:
            _put(total, number * beat, 0.25 * _sum(_note(root * 2 ** (n / 12), beat * 4, 1.0) for n in chord))
        pitch = root * 2 ** ((12 + chord[int(rng.integers(3))]) / 12)
        _put(total, number * beat, 0.6 * _note(pitch, beat * float(rng.choice([0.5, 1.0, 1.9])), 3.0, vibrato=0.012))
        _put(total, number * beat, _drum(rng, snare=number % 2 == 1))
    return total


def _note(hertz: float, seconds: float, fall: float, vibrato: float = 0.0) -> Audio:
    time = _time(seconds)
    pitch = hertz * (1 + vibrato * np.sin(2 * np.pi * 5.5 * time))
    rise = np.minimum(1.0, time / 0.02)
    return (
        rise * np.exp(-fall * time / max(seconds, 0.01)) * _sum(_sine(n * pitch, time) / n**1.5 for n in (1, 2, 3, 4))
    )


def _drum(rng: Rng, *, snare: bool) -> Audio:
    time = _time(0.15)
    hit = rng.standard_normal(len(time)) * np.exp(-time * 40)
    return 0.5 * hit if snare else 1.2 * np.sin(2 * np.pi * 90 * time) * np.exp(-time * 25) + 0.2 * hit


def _siren(seconds: float, rng: Rng) -> Audio:
    """A siren that wails between 600 and 1400 Hz, with the overtones of a horn."""
    time = _time(seconds)
    sweep = 1000 + 400 * np.sin(2 * np.pi * time / rng.uniform(1.5, 4.0))
    return _sine(sweep, time) + 0.5 * _sine(2 * sweep, time) + 0.3 * _sine(3 * sweep, time)


def _dtmf(seconds: float, rng: Rng) -> Audio:
    """Key tones in the band: 100 ms each, 150 to 600 ms apart."""
    return _events(seconds, rng, lambda: _key(float(rng.choice(_ROWS)), float(rng.choice(_COLUMNS))), (0.15, 0.6))


def _key(low: float, high: float) -> Audio:
    time = _time(0.1)
    return _sine(low, time) + _sine(high, time)


def _tones(seconds: float, rng: Rng) -> Audio:
    """Ring, busy and hold tones: 425 Hz in the rhythms of ITU-T E.180, and a beep."""

    def tone() -> Audio:
        hertz, length = ((425.0, 1.0), (425.0, 0.48), (1400.0, 0.2))[int(rng.integers(3))]
        return _sine(hertz, _time(length))

    return _events(seconds, rng, tone, (0.4, 2.0))


def _clicks(seconds: float, rng: Rng) -> Audio:
    """Clicks of 2 to 5 ms."""
    return _events(seconds, rng, lambda: rng.standard_normal(int(rng.integers(16, 40))), (0.2, 1.0))


def _typing(seconds: float, rng: Rng) -> Audio:
    """A keyboard: bursts of strokes, each a click and a softer one when the key comes up."""

    def stroke() -> Audio:
        time = _time(0.09)
        down = rng.standard_normal(len(time)) * np.exp(-time * 350)
        up = np.roll(rng.standard_normal(len(time)) * np.exp(-time * 500), int(rng.integers(400, 560))) * 0.4
        return down + up

    return _events(seconds, rng, stroke, (0.02, 0.25))


def _cough(seconds: float, rng: Rng) -> Audio:
    """Coughs 1 to 3 s apart: bursts of noise through the formants of a throat, the first hard, one or two softer."""
    return _events(seconds, rng, lambda: cough(rng), (1.0, 3.0))


def cough(rng: Rng) -> Audio:
    """One cough of two or three bursts, about 0.6 s."""
    bursts = []
    for number in range(int(rng.integers(2, 4))):
        time = _time(rng.uniform(0.12, 0.2))
        shape = np.minimum(1.0, time / 0.008) * np.exp(-time * rng.uniform(14, 22))
        sound = shape * rng.standard_normal(len(time))
        bursts += [_formants(sound, (550, 1500, 2500), (200, 300, 400)) * 0.7**number, np.zeros(round(0.05 * RATE))]
    return np.concatenate(bursts)


def _dog(seconds: float, rng: Rng) -> Audio:
    """A dog: barks in groups of one to three."""

    def bark() -> Audio:
        time = _time(rng.uniform(0.12, 0.2))
        pitch = rng.uniform(380, 520) * (1 + 0.5 * np.sin(np.pi * time / time[-1]))
        shape = np.sin(np.pi * np.minimum(1.0, time / time[-1])) ** 0.5
        source = _sum(_sine(n * pitch, time) / n for n in range(1, 7)) + 0.5 * rng.standard_normal(len(time))
        return _formants(shape * source, (800, 1700), (250, 400))

    return _events(seconds, rng, lambda: np.concatenate([bark() for _ in range(int(rng.integers(1, 4)))]), (0.4, 2.0))


def _formants(sound: Audio, centres: Sequence[float], widths: Sequence[float]) -> Audio:
    def gain(hertz: Audio) -> Audio:
        return _sum(1.0 / (1.0 + ((hertz - c) / (w / 2)) ** 2) for c, w in zip(centres, widths, strict=True))

    return shaped(sound, gain)


MAKERS: Mapping[str, Maker] = {
    "white": _white, "car": _car, "hum": _hum, "line": _line, "comfort": _comfort, "music": _music, "siren": _siren,
    "dtmf": _dtmf, "tones": _tones, "clicks": _clicks, "typing": _typing, "cough": _cough, "dog": _dog,
}  # fmt: skip
"""The kinds that need no voice."""

SPOKEN = ("babble", "tv")
"""The kinds that are made of speech clips."""

KINDS = (*MAKERS, *SPOKEN)


def make(kind: str, seconds: float, seed: int, clips: Sequence[Audio] = (), level: float = LEVEL) -> Audio:
    """Make so many seconds (more than 0) of a kind at an active level in dBFS; the same for the same arguments.

    ``clips`` are what ``babble`` (six voices over each other) and ``tv`` (one or two voices, one after another) are
    made of. Raises ``ValueError`` for an unknown kind, and for those two without clips.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no sound {kind!r}; known are {', '.join(KINDS)}")
    if kind in SPOKEN and not any(len(clip) for clip in clips):
        raise ValueError(f"{kind} is made of speech, and there is none")
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    if kind == "babble":
        sound = babble(seconds, rng, clips)
    elif kind == "tv":
        sound = television(seconds, rng, clips)
    else:
        sound = MAKERS[kind](seconds, rng)
    return at_level(telephone(sound), level)


def babble(seconds: float, rng: Rng, clips: Sequence[Audio], voices: int = _BABBLE) -> Audio:
    """So many voices that speak without pauses over each other, equally loud."""
    return _sum(television(seconds, rng, clips) for _ in range(voices))


def television(seconds: float, rng: Rng, clips: Sequence[Audio]) -> Audio:
    """Voices that speak one after another without pauses, in any order, from anywhere in what they say."""
    order: list[Audio] = []
    wanted = round(seconds * RATE)
    while sum(map(len, order)) < wanted:
        order += [at_level(clips[int(n)], LEVEL) for n in rng.permutation(len(clips))]
    return lengthen(np.roll(np.concatenate(order), int(rng.integers(RATE * 3))), wanted)


def _events(seconds: float, rng: Rng, sound: Callable[[], Audio], apart: tuple[float, float]) -> Audio:
    """Short sounds with pauses between them; the last one ends before the time does."""
    total = np.zeros(round(seconds * RATE))
    at = 0.0
    while True:
        one = sound()
        if at + len(one) / RATE > seconds:
            break
        _put(total, at, louder(one / (np.abs(one).max() or 1.0), rng.uniform(-3.0, 0.0)))
        at += len(one) / RATE + rng.uniform(*apart)
    if not at:
        _put(total, 0.0, sound())
    return total


def _put(total: Audio, seconds: float, part: Audio) -> None:
    begin = round(seconds * RATE)
    room = total[begin : begin + len(part)]
    room += part[: len(room)]


def _sum(parts: Iterable[Audio]) -> Audio:
    first, *others = parts
    return sum(others, first)
