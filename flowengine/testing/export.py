"""A call becomes a test: what the caller and the world did in a trace, as steps, and what the bot said to it.

Real time becomes the time of tests: what was done into a prompt is done at half of it. What the trace covers is not
known: keys are zeros, words stay covered. Phone numbers and the environment are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml

from flowengine.runtime import events as fact
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import COVER
from flowengine.runtime.replay import Again, Recorded, replay
from flowengine.testing.player import PATIENT

SHORT = 60
MESSAGE = "a message"
_HALF = "50%"
_OVER = (
    fact.PromptFinished,
    fact.PromptInterrupted,
    fact.PromptFailed,
    fact.ReplyFinished,
    fact.ReplyInterrupted,
    fact.ReplyFailed,
)


def exported(program: Program, env: Mapping[str, str], recorded: Recorded, name: str) -> str:
    """Give a file of tests with one test, made from a trace that is run again; raises ``BadTraceError``."""
    writer = _Writer()
    again: Again | None = None
    for again in replay(program, env, recorded):
        writer.take(again)
    started = recorded.moments[0].event
    test: dict[str, Any] = {"name": name}
    if isinstance(started, fact.CallStarted):
        # To the minute, as tests write it: `2026-01-05T10:00+00:00`.
        clock = datetime.fromisoformat(started.started).isoformat(timespec="minutes")
        test |= {"clock": clock, "seed": started.seed}
        if direction := started.call.get("direction"):
            test["call"] = {"direction": direction}
        # What is covered is not known, and what the flow has anyway need not be given.
        usual = {key: argument.default for key, argument in program.flow.args.items()}
        given = {k: v for k, v in started.args.items() if COVER not in str(v) and v != usual.get(k)}
        if given:
            test["args"] = {key: _plain(value) for key, value in given.items()}
    if writer.tools:
        test["tools"] = writer.tools
    writer.finish()
    if model := [answer for answer in writer.model if answer]:
        test["model"] = model
    test["talk"] = writer.talk
    if again is not None:
        test["path"] = list(again.interpreter.state.path)
    document = {"flow": program.flow.name, "tests": [test]}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return str(text)


class _Writer:
    """Writes down steps while a call is run again."""

    def __init__(self) -> None:
        self.talk: list[dict[str, Any]] = []
        self.tools: dict[str, list[Any]] = {}
        self.model: list[list[dict[str, Any]]] = []
        self._said: list[str] = []  # what began to be said since the last step
        self._on = ""  # the prompt or the answer that is on
        self._cut = False  # the last fact cut it; what did it comes next
        self._runs: dict[str, tuple[str, float]] = {}
        self._timers: frozenset[str] = frozenset()
        self._quiet = 0.0  # since when nothing but time has happened
        self._reply = ""  # the latest answer of a model
        self._answer: dict[str, Any] | None = None  # the step of an answer into which the caller has acted
        self._recording = 0  # where a step stands in which the caller speaks a message

    def take(self, again: Again) -> None:
        """Take one fact with its effects."""
        event = again.moment.event
        self._fact(event, again)
        self._cut = isinstance(event, fact.PromptInterrupted | fact.ReplyInterrupted)
        for effect in again.effects:
            self._effect(effect, event.at)
        self._timers = frozenset(again.interpreter.state.timers)
        if not isinstance(event, fact.TimePassed):
            self._quiet = event.at

    def finish(self) -> None:
        """Write down what was said last, of a call whose end is not in the trace."""
        if "end" not in (self.talk or [{}])[-1]:
            self._flush()
        self.talk = [step for step in self.talk if step.get("bot") != ""]

    def _fact(self, event: fact.Event, again: Again) -> None:
        match event:
            case fact.DigitPressed():
                self._pressed(event.digit)
            case fact.UtteranceEnded() if event.text:
                self._act({"hear": event.text})
            case fact.TimePassed():
                self._passed(event.at, again)
            case fact.TransferFinished():
                self._step({"transfer": event.outcome})
            case fact.EventReceived():
                known = {"name": event.name, "data": event.data} if event.data is not None else event.name
                self._act({"event": known})
            case fact.MachineAnswered():
                self._step({"machine": True})
            case fact.CallerHungUp() if event.reason == "caller.hangup":
                self._act({"hang_up": True})
            case fact.ToolFinished():
                self._tool(event.run, {"fails": event.error} if event.error else event.result)
            case fact.ReplyActed():
                known = {event.act: event.name}
                if event.values:
                    known |= {"fill" if event.act == "exit" else "with": dict(event.values)}
                self.model[-1:] = [[*self.model[-1], known]]
            case fact.ReplyFinished() | fact.ReplyInterrupted() if event.text:
                self._answered(event.text)
            case fact.RecordingFinished() if event.address:
                self.talk.insert(self._recording, {"hear": MESSAGE})
        if isinstance(event, _OVER):
            self._on = ""

    def _answered(self, text: str) -> None:
        self.model[-1].insert(0, {"say": text})
        if self._answer is not None:
            self._answer["bot"] = _shown(text)
        else:
            self._said.append(text)

    def _effect(self, effect: Mapping[str, Any], at: float) -> None:
        kind = effect["type"]
        if kind == "PlayPrompt":
            self._on = effect["prompt"]
            self._said.append(" ".join(_words(part) for part in effect["parts"]))
        elif kind in ("StopPrompt", "CancelReply"):
            self._on = ""
        elif kind == "Ask":
            self._on = self._reply = effect["reply"]
            self._answer = None
            self.model.append([])
        elif kind == "Record":
            self._flush()
            self._recording = len(self.talk)
        elif kind == "RunTool":
            self._runs[effect["run"]] = (effect["tool"], at + effect["timeout"])
        elif kind == "EndCall":
            self._step({"end": "hangup"})
        elif kind == "Transfer" and effect["mode"] == "blind":
            self._step({"end": "transfer"})

    def _pressed(self, digit: str) -> None:
        last = self.talk[-1] if self.talk and not self._spoken() else {}
        if "keys" in last:
            last["keys"] += digit
        else:
            self._act({"keys": digit})

    def _act(self, step: dict[str, Any]) -> None:
        if self._on and self._answer is None and self._on == self._reply:
            # What it says is known at its end only.
            self._flush()
            self._answer = {"bot": ""}
            self.talk.append(self._answer)
        self._step({**step, "at": _HALF} if self._on or self._cut else step)

    def _step(self, step: dict[str, Any]) -> None:
        if self.talk and "end" in self.talk[-1]:
            return
        self._flush()
        self.talk.append(step)

    def _flush(self) -> None:
        self.talk += [{"bot": words} for words in self._spoken()]
        self._said.clear()

    def _spoken(self) -> list[str]:
        return [shown for text in self._said if (shown := _shown(text))]

    def _passed(self, at: float, again: Again) -> None:
        """Silence is a step where the call waited for the caller; every other time passes by itself."""
        for run, (_, until) in list(self._runs.items()):
            if at >= until:
                self._tool(run, {"fails": "timeout"})
        if again.effects and not self._on and self._timers and PATIENT.issuperset(self._timers):
            tenths = math.ceil(round((at - self._quiet) * 10, 6))
            self._step({"silence": f"{tenths / 10:g}s"})
            self._quiet = at

    def _tool(self, run: str, answer: Any) -> None:
        name, _ = self._runs.pop(run, ("", 0.0))
        if name:
            self.tools.setdefault(name, []).append(answer)


def _words(part: Mapping[str, Any]) -> str:
    spoken = part.get("words") or part
    return str(spoken.get("text", ""))


def _shown(text: str) -> str:
    """Give the beginning of what was said, up to what is private, as a test looks for it."""
    text = " ".join(text.partition(COVER)[0].split())
    if len(text) > SHORT:
        text = text[:SHORT].rpartition(" ")[0]
    # Between slashes it would be a regular expression.
    return text.strip("/ ")


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | dict) else str(value)
