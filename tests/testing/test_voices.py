"""Clips and their labels, spoken by a voice of tones: a word is as long as it has letters, so its place is known."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from flowengine.testing import loudness
from flowengine.testing.loudness import RATE
from flowengine.testing.voices import Noise, Sound, Speech, Voices, phrases, recorded, shared

T = TypeVar("T")


class Tones:
    """A voice: 100 ms of tone per word, between silences of 50 ms."""

    def __init__(self) -> None:
        self.spoken: list[tuple[str, str]] = []

    async def __call__(self, text: str, voice: str) -> bytes:
        self.spoken.append((text, voice))
        if voice == "nobody":
            raise ValueError("there is no voice nobody")
        length = 0 if text == "0" else round(0.1 * len(text.split()) * RATE)
        tone = np.sin(2 * np.pi * 800 * np.arange(length) / RATE)
        return loudness.to_mulaw(np.pad(0.3 * tone, 400))


def made(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def test_a_clip_has_the_phrases_at_their_times_to_the_sample() -> None:
    clip = made(Voices(Tones()).clip(Speech("I would like, <0.8s> uhm, bread.", level=-25.0)))
    (first, _, third, uhm, bread) = clip.words
    assert [word.text for word in clip.words] == ["I", "would", "like", "uhm", "bread"]
    assert first.begin == pytest.approx(0.01, abs=0.002)
    assert third.end == pytest.approx(0.31, abs=0.002)
    assert uhm.begin - third.end == pytest.approx(0.8, abs=0.002)
    assert bread.begin - uhm.end == pytest.approx(0.15, abs=0.002)
    assert clip.pauses(0.6) == ((third.end, uhm.begin),)
    assert clip.onset == pytest.approx(first.begin, abs=0.005)
    assert clip.end == pytest.approx(bread.end, abs=0.005)
    audio = loudness.from_mulaw(clip.audio)
    assert loudness.active_level(audio) == pytest.approx(-25.0, abs=0.2)
    assert clip.seconds == pytest.approx(bread.end + 0.01, abs=0.002)


def test_what_was_said_once_is_kept() -> None:
    tones = Tones()
    voices = Voices(tones)

    async def twice() -> None:
        assert await voices.clip(Speech("Yes.")) is await voices.clip(Speech("Yes."))
        await voices.clip(Speech("Yes.", level=-30.0))

    made(twice())
    assert tones.spoken == [("Yes.", "en-us")]


def test_words_share_a_phrase_by_their_letters() -> None:
    words = shared("to be, maybe", 1.0, 2.2)
    assert [(word.text, round(word.begin, 3), round(word.end, 3)) for word in words] == [
        ("to", 1.0, 1.3),
        ("be", 1.3, 1.6),
        ("maybe", 1.6, 2.2),
    ]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Yes", [("Yes", 0.0)]),
        ("Yes, I do. Really?", [("Yes,", 0.15), ("I do.", 0.35), ("Really?", 0.0)]),
        ("one <250ms> two<1s>three", [("one", 0.25), ("two", 1.0), ("three", 0.0)]),
        ("It costs 3.50 euros at 12:30.", [("It costs 3.50 euros at 12:30.", 0.0)]),
        ("<0.5s> uhm...", [("uhm...", 0.0)]),
        ("...", []),
    ],
)
def test_phrases(text: str, cut: list[tuple[str, float]]) -> None:
    assert phrases(text) == cut


@pytest.mark.parametrize(
    ("speech", "why"),
    [
        (Speech("0"), "nothing is to be heard of '0'"),
        (Speech("..."), "there is nothing to say in"),
        (Speech("Yes", "nobody"), "there is no voice nobody"),
    ],
)
def test_what_can_not_be_said(speech: Speech, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        made(Voices(Tones()).clip(speech))


def test_without_a_voice_there_are_only_files_and_sounds(tmp_path: Path) -> None:
    voices = Voices()
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.sin(np.arange(800)) * 9000).astype("<i2").tobytes())
    assert len(made(voices.clip(tmp_path / "a.wav")).audio) == 800
    cough = made(voices.clip(Sound("cough")))
    assert (cough.kind, cough.words, cough.seconds) == ("sound", (), 0.6)
    assert made(voices.clip(cough)) is cough
    with pytest.raises(ValueError, match="there is no voice to say 'Yes'"):
        made(voices.clip(Speech("Yes")))
    with pytest.raises(ValueError, match="there is no voice to say"):
        made(voices.noise(Noise("babble", -42.0)))
    with pytest.raises(OSError, match="nowhere"):
        made(voices.clip(tmp_path / "nowhere.wav"))


def test_silence_has_no_onset() -> None:
    clip = recorded(b"\xff" * 800)
    assert (clip.onset, clip.end) == (0.0, 0.0)


def test_the_noise_of_a_line_is_made_once_and_other_people_speak_in_it() -> None:
    tones = Tones()
    voices = Voices(tones, ["a", "b"])

    async def twice() -> None:
        noise = await voices.noise(Noise("babble", -42.0))
        assert await voices.noise(Noise("babble", -42.0)) is noise
        assert loudness.active_level(noise / 32768) == pytest.approx(-42.0, abs=0.2)

    made(twice())
    assert {voice for _, voice in tones.spoken} == {"a", "b"}
