"""A call as text: what is typed becomes what the caller does, what happens becomes lines.

It is the engine of calls on the clock of tests (``Player``). Whoever types also answers for tools and the model. An
``undo`` runs everything but the last input again, which comes out the same because nothing here is left to chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowengine.errors import FlowengineError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.program import Program
from flowengine.testing.player import Player
from flowengine.testing.scripted import Answer, Scripted
from flowengine.testing.steps import OUTCOMES

HELP = """\
what the caller says is typed as it is; what begins with : is something else
  :keys 12#         presses keys (star and hash are * and #)
  :silence 7s       lets time pass; alone, until something happens
  :hangup           hangs up
  :transfer busy    how a transfer ends: ended, busy, noanswer, declined, failed
  :event NAME JSON  an application sends an event, with data if there is any
  :machine          an answering machine has picked up
  :undo             takes the last input back
  :vars  :where     what the variables hold; where the call is, and its timers
  :help  :quit"""
KEY_GAP = 0.3
_KEYS = re.compile(r"[0-9A-D*#]+\Z")
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(ms|s|m|)\Z")
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
_ACT = re.compile(r"\s*:(exit|tool|option) +([A-Za-z0-9_-]+)(?: +(\{[^:]*\}))?")

Asker = Callable[[str], str]


class TypingError(FlowengineError):
    """What was typed means nothing; the message says what would."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what happened, at a time of the call: ``who`` is `bot`, `flow`, `vars`, `tool`, `model` or `line`."""

    at: float
    who: str
    text: str


@dataclass
class Input:
    """What was typed, and what was answered meanwhile for tools and the model."""

    text: str
    answers: list[str] = field(default_factory=list)


class _World(Scripted):
    """Asks whoever types for the answers of tools and the model."""

    def __init__(self, ask: Callable[[str, str], str], failed: Callable[[str], None]) -> None:
        super().__init__()
        self._ask_typist = ask
        self._failed = failed

    def tool(self, effect: wish.RunTool, at: float) -> fact.ToolFinished | None:
        shown = json.dumps(effect.args, ensure_ascii=False, default=str)
        text = self._ask_typist("tool", f"{effect.tool} {shown}").strip()
        if text.startswith("!"):
            error = text[1:] or "error"
            return None if error == "timeout" else fact.ToolFinished(at, effect.run, error=error)
        try:
            return fact.ToolFinished(at, effect.run, json.loads(text) if text else None)
        except ValueError:
            return fact.ToolFinished(at, effect.run, text)

    def answer(self) -> Answer | None:
        text = self._ask_typist("model", "what does the model answer?").strip()
        acts: list[tuple[str, str, Mapping[str, Any]]] = []
        for act, name, values in _ACT.findall(text):
            try:
                acts.append((act, name, json.loads(values) if values else {}))
            except ValueError:
                self._failed(f"this is no JSON and was left out: {values}")
        said = _ACT.sub("", text).strip()
        return Answer(said, tuple(acts)) if said or acts else None


class Chat:
    """One call that is typed. ``lines`` gives what has happened since it was last asked."""

    def __init__(self, program: Program, env: Mapping[str, str], started: fact.CallStarted, ask: Asker) -> None:
        self._program = program
        self._env = env
        self._started = started
        self._ask = ask
        self.inputs: list[Input] = [Input("")]
        self._again: list[str] = []  # answers that are known already, while an undo runs
        self._begin()

    def _begin(self) -> None:
        self._new: list[Line] = []
        self._vars: dict[str, Any] = {}
        self._path = 0
        self._shown = 0
        self.player = Player(self._program, self._env, _World(self._asked, lambda text: self._tell("model", text)))
        self.player.watchers.append(self._watch)
        self.player.begin(self._started)

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return bool(self.player.ended)

    def lines(self) -> Iterator[Line]:
        """Give what has happened since the last time."""
        while self._new:
            yield self._new.pop(0)

    def settle(self) -> None:
        """Let everything happen that happens by itself, up to where the call waits for the caller."""
        while not self.player.open and self.player.step():
            pass

    @property
    def waiting(self) -> str:
        """Say what the call waits for, and how long."""
        if self.player.ringing is not None:
            return f"a transfer to {self.player.ringing.number} rings"
        at = self.player.interpreter.state.at
        timers = sorted((due - at, name) for name, due in self.player.interpreter.state.timers.items())
        return ", ".join(f"{name} in {left:.1f} s" for left, name in timers)

    def take(self, text: str) -> None:
        """Take one input; raises ``TypingError``, and then nothing has happened."""
        text = text.strip()
        if text == ":undo":
            self._undo()
            return
        act = self._meaning(text)
        self.inputs.append(Input(text))
        act()

    def _meaning(self, text: str) -> Callable[[], None]:
        word, _, rest = text.partition(" ")
        rest, player = rest.strip(), self.player
        if player.ended:
            raise TypingError("the call is over; `:undo` takes the last input back")
        if player.ringing is not None and word not in (":transfer", ":hangup"):
            raise TypingError("a transfer rings: `:transfer busy` says how it ends, or `:hangup`")
        if not word.startswith(":"):
            return lambda: player.hear(text)
        match word:
            case ":keys":
                return self._keys(rest)
            case ":silence":
                return self._silence(rest)
            case ":hangup":
                return player.hang_up
            case ":transfer":
                return self._transfer(rest)
            case ":event":
                return self._event(rest)
            case ":machine":
                return lambda: player.send(fact.MachineAnswered(player.at))
        raise TypingError(f"{word} is nothing that can be done here; `:help` lists what is")

    def _keys(self, text: str) -> Callable[[], None]:
        keys = {"star": "*", "hash": "#"}.get(text, text.replace(" ", ""))
        if not _KEYS.match(keys):
            raise TypingError("keys are 0-9 * # A-D, such as `:keys 12#`")

        def press() -> None:
            for number, key in enumerate(keys):
                if number:
                    self.player.advance(self.player.at + KEY_GAP, including=False)
                if not self.player.ended:
                    self.player.press(key)

        return press

    def _silence(self, text: str) -> Callable[[], None]:
        found = _TIME.match(text)
        if text and not found:
            raise TypingError("silence is a time such as `:silence 7s`")
        due = self.player.interpreter.deadline
        until = self.player.at + float(found[1]) * _UNITS[found[2]] if found else due
        return lambda: self.player.advance(until if until is not None else self.player.at)

    def _transfer(self, outcome: str) -> Callable[[], None]:
        if self.player.ringing is None:
            raise TypingError("no transfer rings")
        if outcome not in OUTCOMES:
            raise TypingError(f"a transfer ends as one of {', '.join(OUTCOMES)}")
        return lambda: self.player.answer(outcome)

    def _event(self, text: str) -> Callable[[], None]:
        name, _, data = text.partition(" ")
        if not name:
            raise TypingError('an event has a name: `:event paid {"amount": 5}`')
        try:
            value = json.loads(data) if data.strip() else None
        except ValueError as error:
            raise TypingError(f"the data of an event is JSON ({error})") from None
        return lambda: self.player.send(fact.EventReceived(self.player.at, name, value))

    def _undo(self) -> None:
        if len(self.inputs) < 2:
            raise TypingError("there is nothing to take back")
        kept = self.inputs[:-1]
        self.inputs = [Input("")]
        self._again = list(kept[0].answers)
        self._begin()
        self.settle()
        for one in kept[1:]:
            self._again = list(one.answers)
            self.take(one.text)
            self.settle()
        self._new.clear()

    def _asked(self, who: str, question: str) -> str:
        answer = self._again.pop(0) if self._again else self._ask_now(who, question)
        self.inputs[-1].answers.append(answer)
        return answer

    def _ask_now(self, who: str, question: str) -> str:
        self._tell(who, question)
        return self._ask(f"{who}> ")

    def _tell(self, who: str, text: str) -> None:
        self._new.append(Line(self.player.at, who, text))

    def _watch(self, event: fact.Event, effects: Sequence[wish.Effect]) -> None:
        player = self.player
        for name in player.path[self._path :]:
            self._tell("flow", f"→ {name}")
        self._path = len(player.path)
        for effect in effects:
            if isinstance(effect, wish.Note) and effect.what in ("failure", "return"):
                self._tell("flow", str(effect.data.get("event") or f"returns as {effect.data.get('outcome')}"))
            elif isinstance(effect, wish.Transfer):
                self._tell("line", f"dials {effect.number}")
        for spoken in player.spoken[self._shown :]:
            self._tell("bot", spoken.text)
        self._shown = len(player.spoken)
        if isinstance(event, fact.CallStarted):
            self._vars = {name: variable.default for name, variable in self._program.flow.vars.items()}
        for name, value in player.vars.items():
            if self._vars.get(name) != value:
                self._tell("vars", f"{name} = {json.dumps(value, ensure_ascii=False, default=str)}")
        self._vars = dict(player.vars)
        if player.ended:
            self._tell("flow", f"ended: {player.ended}")
