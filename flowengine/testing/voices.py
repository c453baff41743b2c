"""Voices of a simulated caller: texts, sounds and files -> clips with labels; and the noise of a line.

Who speaks is given as ``speak(text, voice)``: this module knows no synthesizer. A text is spoken phrase by phrase (cut
at punctuation, and at pauses that are written ``<0.8s>``), each phrase is cut to what is audible of it, and pauses are
put between. So the times of phrases are exact to the sample. Within a phrase a word gets its share of the time by its
letters, plus one for its ends: against the events of espeak-ng the median error is 50 ms, the worst 130 ms.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from flowengine.testing import loudness, sounds
from flowengine.testing.labels import RATE, Clip, Kind, Word
from flowengine.testing.loudness import Audio
from flowengine.testing.report import read_voice

VOICE = "en-us"
LEVEL = -22.0
"""The active level of speech where none is given, dBFS."""

Speak: TypeAlias = Callable[[str, str], Awaitable[bytes]]
"""Text and the name of a voice -> µ-law at 8000 Hz. Raises ``ValueError`` for what it can not speak."""

SPEAK_WITHIN = 30.0
NOISE = 30.0
"""Seconds of a line's noise, which then repeats."""

_PAUSE = re.compile(r"<\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*>")
_PHRASE = re.compile(r"(?<=[,;:.!?])\s+")
_BREATH = {",": 0.15, ";": 0.25, ":": 0.25, ".": 0.35, "!": 0.35, "?": 0.35}  # seconds after a phrase
_EDGE = 80  # samples left around what is audible
_ENDS = ".,;:!?"
# What other people say, where there is babble or a television.
_OTHERS = ("en-us+m1", "en-us+f2", "en-us+m3", "en-us+f4", "en-us+m7", "en-us+f5")
_TALK = (
    "Good evening, here is the news: the harbour will be closed on Thursday because of the high winds.",
    "Did you hear what she said to the neighbours, I could not believe it when they told me.",
    "In the second half the home team played much better, and in the end they deserved to win.",
    "We should leave before six o'clock, otherwise the motorway is going to be full again.",
    "The recipe needs four eggs, a little butter, and the juice of two lemons, nothing more than that.",
    "Then the train stopped in the middle of nowhere, and nobody knew for how long we would wait.",
)


@dataclass(frozen=True, slots=True)
class Speech:
    """A text to be spoken by a voice, its active parts at ``level`` dBFS; ``<0.8s>`` in it is a pause."""

    text: str
    voice: str = VOICE
    level: float = LEVEL
    kind: Kind = "speech"


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound that the caller makes (``sounds.KINDS``), such as a cough; ``level`` in dBFS."""

    name: str
    seconds: float = 0.6
    level: float = LEVEL
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise on the caller's side for the whole call: a kind of ``sounds``, its active parts at ``level`` dBFS."""

    name: str
    level: float
    seed: int = 1


Voiced: TypeAlias = Speech | Sound | Clip | Path | bytes
"""What can be said: a text, a sound, a clip, a WAV file, or µ-law."""


class Voices:
    """Makes clips, and keeps them: what was made once takes no time again, on whatever clock the loop has.

    Without ``speak`` there are only files and sounds. ``others`` are the voices of babble and television.
    """

    def __init__(self, speak: Speak | None = None, others: Sequence[str] = _OTHERS) -> None:
        self._speak = speak
        self._others = others
        self._clips: dict[Speech | Sound, Clip] = {}
        self._phrases: dict[tuple[str, str], Audio] = {}
        self._noises: dict[Noise, NDArray[np.int16]] = {}

    async def clip(self, voiced: Voiced) -> Clip:
        """Make a clip. Raises ``ValueError`` for what can not be made, ``OSError`` for a file that can not be read."""
        match voiced:
            case Clip():
                return voiced
            case bytes():
                return recorded(voiced)
            case Path():
                return recorded(read_voice(voiced))
        if voiced not in self._clips:
            made = await (self._spoken(voiced) if isinstance(voiced, Speech) else self._sounded(voiced))
            self._clips[voiced] = made
        return self._clips[voiced]

    async def noise(self, noise: Noise) -> NDArray[np.int16]:
        """Make 30 s of a line's noise, begun anywhere: a dog does not bark just when a call begins.

        Raises ``ValueError``.
        """
        if noise not in self._noises:
            made = sounds.make(noise.name, NOISE, noise.seed, await self._talk(noise.name), noise.level)
            begin = int(np.random.default_rng(noise.seed).integers(len(made)))
            self._noises[noise] = loudness.to_pcm(np.roll(made, begin))
        return self._noises[noise]

    async def _sounded(self, sound: Sound) -> Clip:
        made = sounds.make(sound.name, sound.seconds, sound.seed, await self._talk(sound.name), sound.level)
        return recorded(loudness.to_mulaw(made), kind="sound")

    async def _talk(self, name: str) -> list[Audio]:
        if name not in sounds.SPOKEN:
            return []
        return [
            loudness.from_mulaw((await self.clip(Speech(text, self._others[n % len(self._others)]))).audio)
            for n, text in enumerate(_TALK)
        ]

    async def _spoken(self, speech: Speech) -> Clip:
        """Speak a text phrase by phrase."""
        parts: list[Audio] = []
        words: list[Word] = []
        length = 0
        for text, pause in phrases(speech.text):
            phrase = await self._phrase(text, speech.voice)
            begin, end = loudness.bounds(phrase) or (0, len(phrase))
            words += shared(text, (length + begin) / RATE, (length + end) / RATE)
            # The pause is that between what is audible.
            silence = np.zeros(max(0, round(pause * RATE) - 2 * _EDGE))
            parts += [phrase, silence]
            length += len(phrase) + len(silence)
        if not parts:
            raise ValueError(f"there is nothing to say in {speech.text!r}")
        audio = loudness.at_level(loudness.telephone(np.concatenate(parts)), speech.level)
        return recorded(loudness.to_mulaw(audio), tuple(words), speech.kind)

    async def _phrase(self, text: str, voice: str) -> Audio:
        """Give what is audible of a phrase, with 10 ms around it."""
        if (text, voice) not in self._phrases:
            if self._speak is None:
                raise ValueError(f"there is no voice to say {text!r}")
            async with asyncio.timeout(SPEAK_WITHIN):
                audio = loudness.from_mulaw(await self._speak(text, voice))
            found = loudness.bounds(audio)
            if found is None:
                raise ValueError(f"nothing is to be heard of {text!r}")
            padded = np.pad(audio, _EDGE)
            self._phrases[text, voice] = padded[found[0] : found[1] + 2 * _EDGE]
        return self._phrases[text, voice]


def recorded(audio: bytes, words: tuple[Word, ...] = (), kind: Kind = "speech") -> Clip:
    """Make a clip of µ-law, its onset and end found; silence has both at 0."""
    begin, end = loudness.bounds(loudness.from_mulaw(audio)) or (0, 0)
    return Clip(audio, words, begin / RATE, end / RATE, kind)


def phrases(text: str) -> list[tuple[str, float]]:
    """Cut a text into what is spoken in one breath, each with the seconds of silence after it; the last has none.

    >>> phrases("I would like to, <0.8s> uhm, order bread.")
    [('I would like to,', 0.8), ('uhm,', 0.15), ('order bread.', 0.0)]
    """
    found: list[tuple[str, float]] = []
    pieces = _PAUSE.split(text)
    for number in range(0, len(pieces), 3):
        cut = [phrase.strip() for phrase in _PHRASE.split(pieces[number]) if any(map(str.isalnum, phrase))]
        found += [(phrase, _BREATH.get(phrase[-1], 0.0)) for phrase in cut]
        if number + 1 < len(pieces) and found:
            seconds = float(pieces[number + 1]) * (0.001 if pieces[number + 2] == "ms" else 1.0)
            found[-1] = (found[-1][0], seconds)
    return [*found[:-1], (found[-1][0], 0.0)] if found else []


def shared(text: str, begin: float, end: float) -> list[Word]:
    """Share a time among the words of a phrase: each gets it by its letters, plus one."""
    words = [stripped for word in text.split() if (stripped := word.strip(_ENDS))]
    total = sum(len(word) + 1 for word in words)
    found: list[Word] = []
    passed = 0
    for word in words:
        first, passed = passed, passed + len(word) + 1
        found.append(Word(word, begin + (end - begin) * first / total, begin + (end - begin) * passed / total))
    return found
