"""What a simulated caller does, as a YAML file or as values.

    carrier: twilio            # or vobiz
    caller: "+15550001111"
    called: "+15551234567"
    transfer: [busy, {answers: 3s}]      # how successive dials end: busy, noanswer, failed, declined, {answers: TIME}
    line:                      # what the microphone hears all the time; without it the line is silent
      noise: {kind: babble, level: -42}  # dBFS of its active parts; or `snr: 20`, dB below speech at -22
      echo: {level: -20, delay: 120ms}   # what is played comes back, so many dB louder (negative) and so much later
    steps:
      - wait_audio: 0.3        # until something audible has been playing for so long
      - wait_silence: 0.5      # until nothing audible has been playing for so long, after the bot spoke at all
      - {keys: "12#", gap: 0.3}
      - say: hello.wav         # mono, 8000 Hz, PCM 16 bit or µ-law; relative to the script
      - say: {text: "I'd like, <0.8s> uhm, bread", voice: en-us+f3, level: -22}    # a pause is written in the text
      - say: {sound: cough, seconds: 0.6, level: -22}    # any kind of noise
      - silence: 2s            # do nothing for so long
      - garbage: "not json"    # send this as a text frame
      - stop_reading: true     # the carrier reads nothing more from the stream
      - {drop: reset, then: continue}    # reset, abort (no close frame) or a close code; then: continue or nothing
      - expect_end: 20s        # the other side ends the call within this time
      - hang_up: true

Times are seconds or have a unit (``300ms``, ``2s``, ``1m``). ``wait_audio`` and ``wait_silence`` take ``within``
(30 s). After the last step the caller hangs up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn, TypeAlias

import yaml

from flowengine.testing import sounds
from flowengine.testing.microphone import Echo
from flowengine.testing.voices import LEVEL, VOICE, Noise, Sound, Speech, Voiced

WITHIN = 30.0
GAP = 0.3
CALLER = "+15550001111"
CALLED = "+15551234567"


class ScriptError(ValueError):
    """The script can not be read; the message begins with ``file:line``."""


@dataclass(frozen=True, slots=True)
class WaitAudio:
    """Wait until something audible has been playing for ``seconds``, at most ``within``."""

    seconds: float
    within: float = WITHIN
    line: int = 0


@dataclass(frozen=True, slots=True)
class WaitSilence:
    """Wait until nothing audible has been playing for ``seconds``, at most ``within``."""

    seconds: float
    within: float = WITHIN
    line: int = 0


@dataclass(frozen=True, slots=True)
class Keys:
    """Press keys, ``gap`` seconds apart."""

    digits: str
    gap: float = GAP
    line: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Speak: a text, a sound, a clip, a WAV file, or µ-law at 8000 Hz."""

    voice: Voiced
    line: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """Do nothing for so many seconds."""

    seconds: float
    line: int = 0


@dataclass(frozen=True, slots=True)
class Garbage:
    """Send a text frame as it is."""

    text: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class StopReading:
    """Read nothing more from this stream."""

    line: int = 0


@dataclass(frozen=True, slots=True)
class Drop:
    """Break the stream: by TCP reset, without a close frame, or with a close code; the carrier goes on or does not."""

    how: Literal["reset", "abort"] | int
    then: Literal["continue", "nothing"] = "continue"
    line: int = 0


@dataclass(frozen=True, slots=True)
class ExpectEnd:
    """The other side ends the call within so many seconds."""

    seconds: float
    line: int = 0


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the receiver down."""

    line: int = 0


Step: TypeAlias = WaitAudio | WaitSilence | Keys | Say | Silence | Garbage | StopReading | Drop | ExpectEnd | HangUp


@dataclass(frozen=True, slots=True)
class Dialled:
    """How a dial ends: ``ended`` after ``talk`` seconds of conversation, or another outcome."""

    outcome: Literal["ended", "busy", "noanswer", "failed", "declined"]
    talk: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """See the module."""

    steps: tuple[Step, ...]
    carrier: Literal["twilio", "vobiz"] = "twilio"
    caller: str = CALLER
    called: str = CALLED
    transfers: tuple[Dialled, ...] = field(default=())
    noise: Noise | None = None
    echo: Echo | None = None


_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
_ECHO = Echo()
_COUGH = Sound("cough").seconds
_UNITS = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0}
_OPTIONS = {
    "wait_audio": {"within"},
    "wait_silence": {"within"},
    "keys": {"gap"},
    "say": set[str](),
    "silence": set[str](),
    "garbage": set[str](),
    "stop_reading": set[str](),
    "drop": {"then"},
    "expect_end": set[str](),
    "hang_up": set[str](),
}


def load_script(path: Path) -> Script:
    """Read a script. Raises ``ScriptError``, and ``OSError`` when the file can not be read."""
    return _Reader(path).script()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def script(self) -> Script:
        try:
            root = yaml.compose(self._path.read_text(encoding="utf-8"), yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ScriptError(f"{self._path}:{line}: {error.problem}") from error
        if root is None:
            raise ScriptError(f"{self._path}:1: the script is empty")
        entries = self._mapping(root, {"carrier", "caller", "called", "transfer", "line", "steps"})
        carrier = self._text(entries["carrier"]) if "carrier" in entries else "twilio"
        if carrier != "twilio" and carrier != "vobiz":
            self._fail(entries["carrier"], f"carrier is twilio or vobiz, not {carrier!r}")
        if "steps" not in entries:
            self._fail(root, "steps are missing")
        noise, echo = self._line(entries["line"]) if "line" in entries else (None, None)
        return Script(
            steps=tuple(self._step(node) for node in self._sequence(entries["steps"])),
            carrier="twilio" if carrier == "twilio" else "vobiz",
            caller=self._text(entries["caller"]) if "caller" in entries else CALLER,
            called=self._text(entries["called"]) if "called" in entries else CALLED,
            transfers=tuple(map(self._dialled, self._sequence(entries["transfer"]))) if "transfer" in entries else (),
            noise=noise,
            echo=echo,
        )

    def _step(self, node: yaml.Node) -> Step:
        names = {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
        verbs = sorted(names & _OPTIONS.keys())
        if len(verbs) != 1:
            self._fail(node, f"a step has exactly one of {', '.join(_OPTIONS)}")
        verb = verbs[0]
        entries = self._mapping(node, {verb, *_OPTIONS[verb]})
        value, line = entries[verb], node.start_mark.line + 1
        match verb:
            case "wait_audio" | "wait_silence":
                within = self._time(entries["within"]) if "within" in entries else WITHIN
                kind = WaitAudio if verb == "wait_audio" else WaitSilence
                return kind(self._time(value), within, line)
            case "keys":
                return self._keys(entries, line)
            case "say":
                return Say(self._voiced(value), line)
            case "silence":
                return Silence(self._time(value), line)
            case "garbage":
                return Garbage(self._text(value), line)
            case "drop":
                return self._drop(entries, line)
            case "expect_end":
                return ExpectEnd(self._time(value), line)
        if self._text(value) != "true":
            self._fail(value, f"{verb} takes true")
        return HangUp(line) if verb == "hang_up" else StopReading(line)

    def _keys(self, entries: dict[str, yaml.Node], line: int) -> Keys:
        digits = self._text(entries["keys"])
        if not re.fullmatch("[0-9*#A-D]+", digits):
            self._fail(entries["keys"], f"keys are 0-9 * # A-D, not {digits!r}")
        return Keys(digits, self._time(entries["gap"]) if "gap" in entries else GAP, line)

    def _voiced(self, node: yaml.Node) -> Voiced:
        if not isinstance(node, yaml.MappingNode):
            return self._path.parent / self._text(node)
        if any(key.value == "sound" for key, _ in node.value):
            entries = self._mapping(node, {"sound", "seconds", "level", "seed"})
            return Sound(
                self._kind(entries["sound"]),
                self._time(entries["seconds"]) if "seconds" in entries else _COUGH,
                self._level(entries, LEVEL),
                round(self._number(entries["seed"])) if "seed" in entries else 1,
            )
        entries = self._mapping(node, {"text", "voice", "level"})
        if "text" not in entries:
            self._fail(node, "a text or a sound is missing")
        voice = self._text(entries["voice"]) if "voice" in entries else VOICE
        return Speech(self._text(entries["text"]), voice, self._level(entries, LEVEL))

    def _line(self, node: yaml.Node) -> tuple[Noise | None, Echo | None]:
        entries = self._mapping(node, {"noise", "echo"})
        noise = self._noise(entries["noise"]) if "noise" in entries else None
        if "echo" not in entries:
            return noise, None
        values = self._mapping(entries["echo"], {"level", "delay"})
        delay = self._time(values["delay"]) if "delay" in values else _ECHO.delay
        return noise, Echo(self._level(values, _ECHO.level), delay)

    def _noise(self, node: yaml.Node) -> Noise:
        values = self._mapping(node, {"kind", "level", "snr", "seed"})
        if "kind" not in values or ("level" in values) == ("snr" in values):
            self._fail(node, "noise has a kind, and either a level (dBFS) or a snr (dB below speech)")
        level = LEVEL - self._number(values["snr"]) if "snr" in values else self._level(values, LEVEL)
        return Noise(self._kind(values["kind"]), level, round(self._number(values["seed"])) if "seed" in values else 1)

    def _kind(self, node: yaml.Node) -> str:
        name = self._text(node)
        if name not in sounds.KINDS:
            self._fail(node, f"there is no sound {name!r}; known are {', '.join(sounds.KINDS)}")
        return name

    def _level(self, entries: dict[str, yaml.Node], default: float) -> float:
        if "level" not in entries:
            return default
        level = self._number(entries["level"])
        if level > 0:
            self._fail(entries["level"], f"a level is 0 or less, in dB, not {level:g}")
        return level

    def _number(self, node: yaml.Node) -> float:
        try:
            return float(self._text(node))
        except ValueError:
            return self._fail(node, f"not a number: {self._text(node)!r}")

    def _drop(self, entries: dict[str, yaml.Node], line: int) -> Drop:
        then = self._text(entries["then"]) if "then" in entries else "continue"
        if then not in ("continue", "nothing"):
            self._fail(entries["then"], f"then is continue or nothing, not {then!r}")
        how = self._text(entries["drop"])
        if how not in ("reset", "abort") and not re.fullmatch("[1-4][0-9]{3}", how):
            self._fail(entries["drop"], f"drop is reset, abort or a close code, not {how!r}")
        return Drop(
            "reset" if how == "reset" else "abort" if how in ("abort", "1006") else int(how),
            "nothing" if then == "nothing" else "continue",
            line,
        )

    def _dialled(self, node: yaml.Node) -> Dialled:
        if isinstance(node, yaml.MappingNode) and node.value:
            return Dialled("ended", self._time(self._mapping(node, {"answers"})["answers"]))
        if isinstance(node, yaml.ScalarNode):
            match str(node.value):
                case "busy" | "noanswer" | "failed" | "declined" as outcome:
                    return Dialled(outcome)
        return self._fail(node, "a dial ends with busy, noanswer, failed, declined or {answers: TIME}")

    def _mapping(self, node: yaml.Node, allowed: set[str]) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"expected a mapping with {', '.join(sorted(allowed))}")
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = self._text(key)
            if name not in allowed:
                self._fail(key, f"unknown {name!r}; known are {', '.join(sorted(allowed))}")
            if name in entries:
                self._fail(key, f"{name!r} is there twice")
            entries[name] = value
        return entries

    def _sequence(self, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            self._fail(node, "expected a list")
        return list(node.value)

    def _time(self, node: yaml.Node) -> float:
        found = _TIME.fullmatch(self._text(node))
        if found is None:
            self._fail(node, f"not a time: {self._text(node)!r}")
        return float(found[1]) * _UNITS[found[2]]

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._fail(node, "expected a single value")
        return str(node.value)

    def _fail(self, node: yaml.Node, problem: str) -> NoReturn:
        raise ScriptError(f"{self._path}:{node.start_mark.line + 1}: {problem}")
