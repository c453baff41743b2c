"""What the recognizer is measured with: phrases of menus, sentences that are none of them, noises; all from seeds."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.providers.espeak_worker import Espeak, tidy
from flowengine.providers.sphinx_worker import DIGITS, NO, YES

RATE = 8000
Samples = NDArray[np.int16]

# Fitted on the first half of the voices and of the sentences, judged by the second; a voice of espeak-ng is a language
# and a variant, one of flite (the Debian package) its name.
VOICES: dict[str, tuple[str, str]] = {
    "espeak us": ("en-us", "default"),
    "espeak us f3": ("en-us", "f3"),
    "espeak gb m3": ("en-gb", "m3"),
    "flite rms": ("rms", ""),
    "flite kal": ("kal", ""),
    "espeak gb": ("en-gb", "default"),
    "espeak us m7": ("en-us", "m7"),
    "espeak scot f2": ("en-gb-scotland", "f2"),
    "flite slt": ("slt", ""),
    "flite awb": ("awb", ""),
}
# The shipped flows and templates have keys only; these are the words in which their prompts name the options, and the
# phrases of the flow that the tests of spoken menus use. Each option: all that may be said for it.
MENUS: dict[str, tuple[tuple[str, ...], ...]] = {
    "front desk": (("account", "my account"), ("opening hours", "hours"), ("a person", "person")),
    "clinic": (
        ("person", "somebody now"),
        ("cancel", "cancel an appointment"),
        ("call back", "call me back"),
        ("help",),
    ),
    "address": (("person",), ("hours",), ("address",)),
    "survey": (("first",), ("returning",), ("yes",), ("no",), ("call back",), ("no thanks",)),
    "voice": (
        ("balance", "my account balance"),
        ("help", "account"),
        ("two", "the menu"),
        ("agent", "human"),
        ("say that again",),
    ),
    "words": (("message",), ("operator",), ("adviser",), ("done",), ("good",), ("bad",), ("broken",)),
    "yes/no": (YES, NO),
    "digits": (("zero", "oh"), *((digit,) for digit in DIGITS[2:])),
}
KINDS = {"yes/no": "yesno", "digits": "digits"}

_SENTENCES = """
i would like to know what the weather will be tomorrow; could you tell me how much this costs
my dog has been sick since last tuesday; we are driving through the tunnel now
please wait a moment while i find my glasses; the train was late this morning
what did you have for dinner last night; i do not understand what you are saying
can you put the kettle on; she said she would be there by six thirty
where did you leave the car keys; this is not what i ordered at all
turn the television down please; there is somebody at the door
i have been waiting for twenty minutes; let me write this down
how are you doing today; the children are playing in the garden
that was a very long film; we should go shopping on saturday
did you feed the cat; it is raining outside
i think the battery is almost empty; excuse me i was talking to my wife
hold on a second; the meeting was moved to the afternoon
do you have anything cheaper; i bought it in the store around the corner
he never listens to me; what a beautiful day
my neighbour is making a lot of noise; i lost my umbrella on the bus
tell him i will come later; we need more milk and bread
the doctor said it was nothing serious; have you seen the news
i am looking for a blue jacket; it does not work any more
why is it so dark in here; thank you very much for your patience
good morning; see you later
never mind; what
hello; hello is anybody there
excuse me; be quiet
come here; sit down
stop it; wait
where are you; dinner is ready
look at this; i am busy
not today; maybe
tomorrow; dinner
monday morning; football
who is speaking; what time is it
pass me the salt; happy birthday
take the second street on the left; the printer is out of paper
our flight leaves at noon; i forgot my password
this line is terrible; can you speak a little louder
you are breaking up; i need to change my shoes
put it on the table; he plays the guitar very well
is this seat taken; the window is open
i will be home in ten minutes; give me the remote
who won the game; the soup is cold
do not touch that; could we meet for coffee
my mother lives in the country; it was a great holiday
the shop closes early; are you kidding
i have never been there; we will see
the green one is nicer; last week we went to the beach
what is your favourite colour; everything is so expensive
the baby is sleeping; somebody stole my bicycle
a cup of tea would be nice; they moved to chicago
please close the door; that sounds interesting
"""
SENTENCES = tuple(part.strip() for line in _SENTENCES.strip().splitlines() for part in line.split(";"))
NOISES = ("white", "car", "cough", "music", "babble")


def seeded(*what: object) -> np.random.Generator:
    """Give the same numbers for the same things."""
    return np.random.default_rng(zlib.crc32(repr(what).encode()))


@cache
def _espeak() -> Espeak:
    return Espeak("packaged")


def voices() -> list[str]:
    """Give the voices that this machine has."""
    flite = shutil.which("flite")
    return [name for name in VOICES if flite or not name.startswith("flite")]


@cache
def spoken(voice: str, text: str) -> Samples:
    """Give a text by a voice, as it comes out of a µ-law line."""
    name, variant = VOICES[voice]
    if not voice.startswith("flite"):
        return mulaw.decode(_espeak().speak(text, name, variant, 1.0))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", name, "-t", text, "-o", path], check=True, timeout=60)
        with wave.open(str(path)) as file:
            pcm, rate = np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()
    if rate != RATE:
        resampler = Resampler(rate, RATE)
        pcm = np.concatenate((resampler.process(pcm), resampler.flush()))
    return mulaw.decode(mulaw.encode(tidy(pcm)))


def _car(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    shaped = np.fft.rfft(rng.standard_normal(size)) / np.maximum(np.fft.rfftfreq(size, 1 / RATE), 40.0)
    noise = np.fft.irfft(shaped, size)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)))


def line(speech: Samples, snr: float, noise: str, *key: object) -> bytes:
    """Put speech at -22 dBFS into noise, 350 ms before and 500 ms after it; give what a µ-law line carries."""
    rng = seeded(snr, noise, *key)
    loud = speech.astype(np.float64)
    active = loud[np.abs(loud) > np.abs(loud).max() * 0.05]
    level = 32768 * 10 ** (-22 / 20)
    whole = np.concatenate((np.zeros(2800), loud * level / np.sqrt(np.mean(active**2)), np.zeros(4000)))
    sound = _car(rng, whole.size) if noise == "car" else rng.standard_normal(whole.size)
    mixed = whole + sound * level * 10 ** (-snr / 20)
    return mulaw.encode(np.clip(np.rint(mixed), -32768, 32767).astype(np.int16))


def no_speech(kind: str, number: int) -> bytes:
    """Give 0.6 to 2.5 s of one of ``NOISES``, at about the level of speech."""
    rng = seeded(kind, number)
    size = int(rng.uniform(0.6, 2.5) * RATE)
    make = {"white": lambda: rng.standard_normal(size), "car": lambda: _car(rng, size)}
    make |= {
        "cough": lambda: _cough(rng, size),
        "music": lambda: _music(rng, size),
        "babble": lambda: _babble(rng, size),
    }
    sound = make[kind]()
    return line(np.asarray(sound / np.abs(sound).max() * 16000.0, np.int16), 40.0, "white", kind, number)


def _cough(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    sound = np.zeros(size)
    for _ in range(rng.integers(1, 4)):
        length = int(rng.integers(1200, 2500))
        burst = np.fft.rfft(rng.standard_normal(length))
        colour = np.exp(-(((np.fft.rfftfreq(length, 1 / RATE) - rng.uniform(500, 1500)) / 900.0) ** 2))
        begin = int(rng.integers(0, max(1, size - length)))
        shaped = np.fft.irfft(burst * colour, length) * np.exp(-np.arange(length) / rng.uniform(300, 900))
        sound[begin : begin + length] += shaped[: size - begin]
    return sound


def _music(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    sound, length = np.zeros(size), int(rng.uniform(1200, 3000))
    for begin in range(0, size, length):
        time = np.arange(min(length, size - begin)) / RATE
        note = 220.0 * 2 ** (rng.integers(0, 24) / 12)
        sound[begin : begin + length] = sum(np.sin(2 * np.pi * note * h * time) / h for h in range(1, 6))
        sound[begin : begin + length] *= np.exp(-3.0 * time)
    return sound


def _babble(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    sound, known = np.zeros(size), voices()
    for _ in range(6):
        speech = spoken(known[rng.integers(len(known))], SENTENCES[rng.integers(len(SENTENCES))]).astype(np.float64)
        part = np.resize(np.roll(speech, -int(rng.integers(speech.size))), size)
        sound += part / np.sqrt(np.mean(part**2) + 1.0)
    return sound
