from __future__ import annotations

from pathlib import Path

import pytest

from flowengine.testing.microphone import Echo
from flowengine.testing.script import (
    Dialled,
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Say,
    Script,
    ScriptError,
    Silence,
    StopReading,
    WaitAudio,
    WaitSilence,
    load_script,
)
from flowengine.testing.voices import Noise, Sound, Speech

FULL = """\
carrier: vobiz
caller: +15550002222
called: "+15553334444"
transfer: [busy, {answers: 3s}, noanswer]
steps:
  - wait_audio: 0.3
  - {wait_silence: 500ms, within: 1m}
  - {keys: "12#", gap: 0.1}
  - say: hello.wav
  - silence: 2s
  - garbage: "{"
  - stop_reading: true
  - drop: 1001
  - {drop: reset, then: nothing}
  - expect_end: 20
  - hang_up: true
"""


def test_a_script(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text(FULL)
    assert load_script(path) == Script(
        steps=(
            WaitAudio(0.3, line=6),
            WaitSilence(0.5, within=60, line=7),
            Keys("12#", gap=0.1, line=8),
            Say(tmp_path / "hello.wav", line=9),
            Silence(2, line=10),
            Garbage("{", line=11),
            StopReading(line=12),
            Drop(1001, line=13),
            Drop("reset", "nothing", line=14),
            ExpectEnd(20, line=15),
            HangUp(line=16),
        ),
        carrier="vobiz",
        caller="+15550002222",
        called="+15553334444",
        transfers=(Dialled("busy"), Dialled("ended", 3), Dialled("noanswer")),
    )


VOICED = """\
line:
  noise: {kind: babble, snr: 20, seed: 7}
  echo: {level: -18, delay: 90ms}
steps:
  - say: {text: "I would like, <0.8s> uhm, bread", voice: en-us+f3, level: -25}
  - say: {text: "Yes."}
  - say: {sound: cough}
  - say: {sound: dog, seconds: 1500ms, level: -30, seed: 4}
"""


def test_a_script_with_voices_noise_and_echo(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text(VOICED)
    script = load_script(path)
    assert script.steps == (
        Say(Speech("I would like, <0.8s> uhm, bread", "en-us+f3", -25.0), line=5),
        Say(Speech("Yes.", "en-us", -22.0), line=6),
        Say(Sound("cough", 0.6, -22.0, 1), line=7),
        Say(Sound("dog", 1.5, -30.0, 4), line=8),
    )
    assert (script.noise, script.echo) == (Noise("babble", -42.0, 7), Echo(-18.0, 0.09))


def test_noise_may_have_a_level_and_an_echo_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "call.yaml"
    path.write_text("line: {noise: {kind: car, level: -35}, echo: {}}\nsteps: []")
    script = load_script(path)
    assert (script.noise, script.echo) == (Noise("car", -35.0), Echo(-20.0, 0.12))
    path.write_text("line: {}\nsteps: []")
    assert load_script(path) == Script(())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the script is empty"),
        ("steps:\n- a: [\n", ":3: expected"),
        ("[]", ":1: expected a mapping with called, caller, carrier, line, steps, transfer"),
        ("caller: x", ":1: steps are missing"),
        ("steps: []\nsteps: []", ":2: 'steps' is there twice"),
        ("carrier: acme\nsteps: []", ":1: carrier is twilio or vobiz, not 'acme'"),
        ("steps: 1", ":1: expected a list"),
        ("colour: red\nsteps: []", ":1: unknown 'colour'; known are called, caller, carrier, line, steps, transfer"),
        ("steps:\n- jump: 1", ":2: a step has exactly one of wait_audio,"),
        ("steps:\n- hang_up", ":2: a step has exactly one of wait_audio,"),
        ("steps:\n- {keys: '1', silence: 1}", ":2: a step has exactly one of wait_audio,"),
        ("steps:\n- {keys: '1', within: 1}", ":2: unknown 'within'; known are gap, keys"),
        ("steps:\n- keys: 1x", ":2: keys are 0-9 * # A-D, not '1x'"),
        ("steps:\n- silence: soon", ":2: not a time: 'soon'"),
        ("steps:\n- silence: [1]", ":2: expected a single value"),
        ("steps:\n- drop: softly", ":2: drop is reset, abort or a close code, not 'softly'"),
        ("steps:\n- {drop: reset, then: cry}", ":2: then is continue or nothing, not 'cry'"),
        ("steps:\n- hang_up: false", ":2: hang_up takes true"),
        ("steps:\n- say: {voice: f3}", ":2: a text or a sound is missing"),
        ("steps:\n- say: {text: a, speed: 2}", ":2: unknown 'speed'; known are level, text, voice"),
        ("steps:\n- say:\n    sound: rain", ":3: there is no sound 'rain'; known are white, car"),
        ("steps:\n- say: {sound: cough, level: loud}", ":2: not a number: 'loud'"),
        ("steps:\n- say: {text: a, level: 3}", ":2: a level is 0 or less, in dB, not 3"),
        ("steps: []\nline: noisy", ":2: expected a mapping with echo, noise"),
        ("steps: []\nline:\n  noise: {kind: car}", ":3: noise has a kind, and either a level"),
        ("steps: []\nline:\n  noise: {kind: car, snr: 3, level: -30}", ":3: noise has a kind, and either a level"),
        ("steps: []\nline:\n  noise: {level: -30}", ":3: noise has a kind, and either a level"),
        ("steps: []\nline:\n  noise: {kind: rain, snr: 3}", ":3: there is no sound 'rain'"),
        ("steps: []\nline:\n  echo: {level: -20, room: 3}", ":3: unknown 'room'; known are delay, level"),
        ("transfer: [maybe]\nsteps: []", ":1: a dial ends with busy, noanswer"),
        ("transfer: [{}]\nsteps: []", ":1: a dial ends with busy, noanswer"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "call.yaml"
    path.write_text(text)
    with pytest.raises(ScriptError) as caught:
        load_script(path)
    assert str(caught.value).startswith(f"{path}{message}")
