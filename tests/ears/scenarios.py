"""The calls of the benchmark: who says what, where, into which prompt; the same for a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowengine.testing import sounds
from flowengine.testing.microphone import Echo
from flowengine.testing.script import HangUp, Say, Script, Silence, Step, WaitAudio, WaitSilence
from flowengine.testing.voices import LEVEL, Noise, Sound, Speech, Voiced

Kind: TypeAlias = Literal["reference", "noise", "interruption", "aside", "turns"]
KINDS: tuple[Kind, ...] = ("noise", "interruption", "aside", "turns")

NOISES = tuple(kind for kind in sounds.KINDS if kind not in ("line", "comfort"))
LEVELS = (-25.0, -32.0, -42.0)  # dBFS: 3, 10 and 20 dB below the caller
ECHOES = (-15.0, -20.0, -30.0)  # dB against what is played
VOICES = ("en-us", "en-us+f3", "en-gb+m3", "en-us+f5", "en-us+m7")
PAUSES = (0.0, 0.3, 0.6, 1.0, 1.5)  # seconds

_OVER = 4.0  # longer than a pause of the engine, shorter than its patience with a silent caller
_REQUESTS = (
    "I want sales, please.",
    "Sales.",
    "Can I speak to a person?",
    "What are your opening hours?",
    "Repairs, please, it is urgent.",
)
_SURROUNDINGS: tuple[tuple[str, str, float], ...] = (
    ("white 20 dB", "white", 20.0),
    ("white 10 dB", "white", 10.0),
    ("white 5 dB", "white", 5.0),
    ("car 20 dB", "car", 20.0),
    ("car 10 dB", "car", 10.0),
    ("car 5 dB", "car", 5.0),
    ("music 15 dB", "music", 15.0),
    ("babble 20 dB", "babble", 20.0),
    ("tv 20 dB", "tv", 20.0),
)
_BACKCHANNELS = ("uh huh", "okay", "yeah", "right", "hmm")
_ELSEWHERE = ("Not now, I am on the phone.", "Put it on the table, please.", "Just a minute, darling.")
_ANSWERS = (
    "I would like to, <P> uhm, order bread.",
    "I need, <P> an appointment.",
    "Can you change, <P> my address, please?",
    "Yes, I want, <P> to order bread.",
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One call. ``cell`` is the row of the table that it belongs to, ``flow`` what answers it."""

    kind: Kind
    cell: str
    flow: Literal["ears", "turns"]
    script: Script
    seed: int


REFERENCE = Scenario("reference", "", "ears", Script((WaitAudio(0.1), WaitSilence(_OVER, within=180.0), HangUp())), 0)
"""A silent caller who hears the whole prompt."""


def scenarios(seed: int, calls: int, kinds: tuple[str, ...] = KINDS) -> list[Scenario]:
    """Give the calls of these kinds: ``calls`` of each noise, and so many of each utterance in each surroundings."""
    makers = {"noise": _noise, "interruption": _interruptions, "aside": _asides, "turns": _turns}
    found: list[Scenario] = []
    for kind in kinds:
        chance = random.Random(f"{seed} {kind}")
        for _ in range(calls):
            found += makers[kind](chance)
    return found


def _noise(chance: random.Random) -> Iterator[Scenario]:
    """Nobody speaks; it is loud."""
    steps = REFERENCE.script.steps
    for kind in NOISES:
        for level in LEVELS:
            noise = Noise(kind, level, chance.randrange(1000))
            yield Scenario("noise", f"{kind} {level:.0f}", "ears", Script(steps, noise=noise), chance.randrange(10**6))
    for level in ECHOES:
        echo = Echo(level, chance.uniform(0.06, 0.3))
        yield Scenario("noise", f"echo {level:.0f}", "ears", Script(steps, echo=echo), chance.randrange(10**6))


def _interruptions(chance: random.Random) -> Iterator[Scenario]:
    """The caller speaks into the prompt, in quiet and in loud places, softly, and with an echo."""
    for number, text in enumerate(_REQUESTS):
        voice = VOICES[(number + chance.randrange(len(VOICES))) % len(VOICES)]
        speech = Speech(text, voice)
        yield _into("interruption", "clean", speech, chance)
        yield _into("interruption", "soft (-32 dBFS)", Speech(text, voice, -32.0), chance)
        yield _into("interruption", "echo -20", speech, chance, echo=Echo(-20.0, 0.12))
        for cell, kind, snr in _SURROUNDINGS:
            noise = Noise(kind, LEVEL - snr, chance.randrange(8))
            yield _into("interruption", cell, speech, chance, noise=noise)


def _asides(chance: random.Random) -> Iterator[Scenario]:
    """What is said or done into the prompt and not meant for it."""
    for text in _BACKCHANNELS:
        voice = chance.choice(VOICES)
        yield _into("aside", "backchannel", Speech(text, voice, -25.0, "backchannel"), chance)
        yield _into("aside", "vocal tic", Sound("cough", 0.7, -20.0, chance.randrange(1000)), chance)
    for text in _ELSEWHERE:
        yield _into("aside", "non-directed", Speech(text, chance.choice(VOICES), -34.0, "backchannel"), chance)


def _turns(chance: random.Random) -> Iterator[Scenario]:
    """Answers to short questions, by callers who hesitate in them for so long."""
    for pause in PAUSES:
        steps: list[Step] = [WaitAudio(0.1)]
        voice = chance.choice(VOICES)
        for text in chance.sample(_ANSWERS, len(_ANSWERS)):
            written = text.replace("<P>", f"<{pause}s>") if pause else text.replace(", <P>", "")
            steps += [WaitSilence(chance.uniform(0.6, 0.9)), Say(Speech(written, voice)), WaitAudio(0.2, within=16.0)]
        script = Script((*steps, Silence(1.0), HangUp()))
        yield Scenario("turns", f"hold {pause:g} s", "turns", script, chance.randrange(10**6))


def _into(
    kind: Kind, cell: str, said: Voiced, chance: random.Random, noise: Noise | None = None, echo: Echo | None = None
) -> Scenario:
    """Say something once into the long prompt, 1.5 to 12 s after its begin."""
    steps = (WaitAudio(0.1), Silence(chance.uniform(1.5, 12.0)), Say(said), Silence(4.0), HangUp())
    return Scenario(kind, cell, "ears", Script(steps, noise=noise, echo=echo), chance.randrange(10**6))
