"""The interpreter: a pure function from (flow, state, fact) to effects.

Theory of operation. ``handle`` takes one fact, changes the state, and returns what is wished of the world. Nothing here
waits, ticks or fails for a reason outside: time is a fact, and ``deadline`` says when the next one is wanted. A node's
type decides what a key or a timer means; the interpreter owns what all types share: entering and leaving nodes, the
prompt that is on and what follows it (``state.then``), the type-ahead buffer, failures and handlers, and the ends.
Going from node to node never recurses: a way on is put into ``_next`` and taken by the loop in ``handle``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.model import Node
from flowengine.flow.values import UnfitValueError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime import keys as keypad
from flowengine.runtime.attention import Attention
from flowengine.runtime.node import EventCame, KeyTaken, PromptOver, RunningNode, TimerDue, Transferred
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import sentence
from flowengine.runtime.state import ENDED, TALKING, TRANSFERRING, Frame, State

_SECRET = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PIN)$", re.IGNORECASE)


class Interpreter(Attention):
    """One call's run through a flow. Node types see it as their ``Context``."""

    def handle(self, event: fact.Event) -> list[wish.Effect]:
        """Take one fact and give the effects, in order. After the call's end nothing has an effect."""
        self._effects = []
        if isinstance(event, fact.CallStarted):
            self._begin(event)
        elif self.state.phase == ENDED:
            return []
        self.state.at = max(self.state.at, event.at)
        self._attempt(lambda: self._take(event))
        while self._next is not None:
            action, self._next = self._next, None
            if self.state.phase == ENDED:
                break
            self._attempt(action)
        self.state.turn = self._turn.turn
        return self._effects

    def imagine(self, event: fact.Event) -> list[wish.Effect]:
        """Give the effects that a fact would have, and change nothing: a copy of the call takes it."""
        return [] if self.ended or not self.begun else self._copy().handle(event)

    def rehearse(self) -> wish.Ask | None:
        """Give what the first conversation of the flow would ask a model if it came now, and change nothing.

        None where there is no conversation, or where it can not be said yet.
        """
        name = next((n for n, node in self.flow.nodes.items() if wish.Ask in _running(node).wishes(node.spec)), None)
        if name is None or self.ended or not self.begun:
            return None
        copy = self._copy()
        copy._next = lambda: copy._go(name)
        effects = copy.handle(fact.TimePassed(self.state.at))
        for _ in range(2):
            if asked := next((effect for effect in effects if isinstance(effect, wish.Ask)), None):
                return asked
            if copy.ended or copy.state.visit.node != name:
                return None
            if copy.state.prompt:
                copy.handle(fact.PromptFinished(self.state.at, copy.state.prompt, 1.0))
            effects = copy.handle(fact.UtteranceEnded(self.state.at, "-", self.state.at))
        return None

    def _copy(self) -> Interpreter:
        return Interpreter(self._programs[0], self.env, State.from_json(self.snapshot(), self.state.at))

    @property
    def deadline(self) -> float | None:
        """When the interpreter next wants to be told that time has passed."""
        if self._state is None or self._state.phase != TALKING:
            return None
        return min(self._state.timers.values(), default=None)

    def snapshot(self) -> dict[str, Any]:
        """Give the state as JSON: valid and complete after every event."""
        return self.state.to_json()

    @classmethod
    def restore(cls, program: Program, env: Mapping[str, str], snapshot: dict[str, Any], at: float) -> Interpreter:
        """Take up a call where a snapshot left it."""
        return cls(program, env, State.from_json(snapshot, at))

    @property
    def has_private(self) -> bool:
        """Whether a flow of this call has private variables."""
        return any(program.private for program in self._programs)

    @property
    def keys_kept(self) -> int:
        """How many keys were typed ahead."""
        return len(self._state.keys) if self._state else 0

    def covers(self, event: fact.Event) -> bool:
        """Whether a fact may tell of a private variable; asked before it is handled.

        While a value is confirmed the keys 1 and 2 are answers, not parts of it.
        """
        state = self._state
        if state is None or not state.visit.node or not isinstance(event, fact.DigitPressed | fact.UtteranceEnded):
            return False
        if state.visit.node not in self.program.sensitive:
            return False
        confirms = state.local.get("confirming") and isinstance(event, fact.DigitPressed) and event.digit in "12"
        return not confirms

    def private_values(self) -> frozenset[str]:
        """Give the texts of what private variables and arguments hold now, but for single characters.

        Of the environment, what is a secret by its name (``API_KEY``) belongs to them.
        """
        found = {value for name, value in self.env.items() if _SECRET.search(name) and len(value) > 1}
        if self._state is not None and self.has_private:
            for program, frame in zip(self._programs, self._state.frames, strict=False):
                found |= set(_texts(program, frame))
        return frozenset(found)

    def _begin(self, event: fact.CallStarted) -> None:
        if self._state is not None:
            raise Bug("a call starts once")
        variables = {v.name: v.default for v in self.flow.vars.values()}
        call = {**event.call, "started": event.started, "ended": None, "lang": self.flow.defaults.lang}
        frame = Frame(self.flow.name, self.flow.revision, dict(event.args), variables)
        self._state = State(call, event.started, event.seed, [frame])

    def _take(self, event: fact.Event) -> None:
        state = self.state
        if isinstance(event, fact.CallStarted):
            self.start_timer("call", self.flow.defaults.timeouts.call)
            self._go(self.flow.start)
        elif isinstance(event, fact.PromptFinished | fact.PromptInterrupted | fact.PromptFailed):
            if event.prompt != state.prompt:
                self.note("stale", prompt=event.prompt)
            else:
                self._prompt_over(event)
        elif not self._reply_event(event):
            _TAKEN[type(event)](self, event)

    def _hung_up(self, event: fact.CallerHungUp) -> None:
        if event.dropped:
            self.note("carrier_dropped")
        self._end(event.reason, hung_up=True)

    def _stopped(self, event: fact.CallStopped) -> None:
        if event.reason == "engine.drained" and self.state.phase == TALKING:
            self._dismiss(event.reason)
        else:
            self._end(event.reason, hung_up=False)

    def _dismiss(self, reason: str) -> None:
        """We must stop while the caller is there: an apology instead of dead air, then the end (case 30)."""
        if self.state.then[:1] == ["hang_up"]:
            return  # the last words are being said already
        self._leave()
        parts = self._renderer().words(sentence("apology", self.lang), constant=True)
        self._play(parts, ["hang_up", reason], "")

    def _prompt_over(self, event: fact.PromptFinished | fact.PromptInterrupted | fact.PromptFailed) -> None:
        state = self.state
        self._played(event.seconds if isinstance(event, fact.PromptFinished) else event.heard)
        state.prompt = ""
        if isinstance(event, fact.PromptInterrupted):
            # The key that did it comes next, and is taken before what would have followed the prompt.
            self._turn.take("cut")
            state.cut = True
            return
        self._turn.take("heard")
        if not state.prompt_speech:
            state.uncut = state.at
        # The words before a hang-up are the last resort already: without a voice the call just ends.
        if isinstance(event, fact.PromptFailed) and event.heard <= 0 and state.then[:1] != ["hang_up"]:
            self._raise("error.tts")
            return
        self._follow()

    def _follow(self, *, cut: bool = False) -> None:
        """Do what follows the prompt that is over."""
        then, self.state.then = self.state.then, []
        what, handling = then[0] if then else "listen", self.state.handling
        if what != "node" or not (self.state.handling or "").startswith("error"):
            self.state.handling = None
        if what == "listen":
            if not self._type.goes_on(self):
                self.listen()
        elif what == "ask":
            self.ask(self._type.question(self))
        elif what == "tool":
            self.state.handling = handling
            self._handler_runs_tool()
        elif what == "nothing":
            return
        elif what == "node":
            # After an error's handler still under it: to go on with what failed and fail again would go round for ever.
            self._type.handle(PromptOver(cut), self)
            self.state.handling = None
        elif what == "goto":
            self._unwind(then[2])
            self._go(then[1], digression=True)
        elif what == "hang_up":
            self._hang_up(then[1])
        else:
            raise Bug(f"nothing is known to follow a prompt as {what}")

    def _time_passed(self) -> None:
        state = self.state
        due = sorted((at, name) for name, at in state.timers.items() if at <= state.at)
        if not due:
            return
        name = due[0][1]
        del state.timers[name]
        if len(due) > 1:
            self._next = self._time_passed
        if name in ("node", "call"):
            self._raise(f"timeout.{name}")
        elif name == "model":
            self._model_timer()
        elif not self._errand_timer(name):
            if name in ("noinput", "patience"):
                self.stop_waiting()
                name = "noinput"
            self._type.handle(TimerDue(name), self)

    def _transferred(self, outcome: str) -> None:
        state = self.state
        if state.phase != TRANSFERRING:
            self.note("stale", outcome=outcome)
            return
        state.phase = TALKING
        state.epoch += 1
        state.listening = 0
        self._type.handle(Transferred(outcome), self)

    def _resumed(self) -> None:
        """A new stream: after a transfer its outcome follows; after a dropped socket the node begins once more."""
        state = self.state
        state.prompt, state.then, state.cut = "", [], False
        state.listening = 0
        if state.phase == TALKING:
            self._turn.take("leave")
            resume = self.node.resume
            if any(not self._tool_of(entry).safe for entry in self.errands.values()):
                # It may have been carried out: to run it again could do it twice.
                self._drop_errands()
                self._raise("error.tool")
                return
            self._go(resume.node if resume else "again")

    def _digit(self, key: str) -> None:
        state = self.state
        cut, state.cut = state.cut, False
        if state.phase != TALKING:
            self.note("ignored", why="transfer")
            return
        if state.swallow and key == state.swallow[0] and state.at <= state.swallow[1]:
            self.note("swallowed")
            return
        state.swallow = None
        state.heard_input()
        self.stop_waiting()
        then = list(state.then)
        own_question = not then or then[0] in ("listen", "reply", "nothing")
        if state.prompt and not cut and key in state.prompt_keys and not self.node.barge_in.after:
            # The key was pressed before the shell had this prompt: it cuts it all the same.
            self._stop_prompt()
            state.then, cut = then, True
        if cut and not own_question:
            state.key_at = state.at
            self._keep(key)
            self._follow(cut=True)
        elif cut or not state.prompt:
            state.then = []
            self._deliver(key)
        elif own_question and state.prompt_keys and key not in state.prompt_keys:
            self.note("ignored", why="this node does not take it")
        else:
            self._keep(key)

    def _application(self, name: str, data: Any) -> None:
        """An application's event: the node may wait for it, else a handler does something, or nothing."""
        state = self.state
        if state.phase != TALKING:
            self.note("ignored", why="transfer")
            return
        state.heard_input()
        if name in self._type.waits_for(self.node.spec):
            state.result = data
            self._type.handle(EventCame(name), self)
        elif self._handler(f"event.{name}").handler:
            state.result = data
            self._raise(f"event.{name}")
        else:
            self.note("ignored", why="nothing waits for this event")

    def _machine(self) -> None:
        """An answering machine: its handler speaks after the beep, without one the call ends without a word."""
        if self._handler("machine").handler is None:
            self._hang_up("flow.hangup")
        else:
            self._raise("machine")

    def _deliver(self, key: str) -> None:
        """Give the node a key; what was kept before it comes first."""
        if key in self._type.cutting_keys(self):
            self.state.key_at = self.state.at
        if self.state.keys:
            self._keep(key)
            self._more_kept()
        else:
            self._type.handle(KeyTaken(key), self)

    def _keep(self, key: str) -> None:
        state = self.state
        if self.flow.defaults.type_ahead == "never" or not self._type.keeps_keys:
            self.note("ignored", why="nothing takes it")
            return
        buffer = keypad.KeyBuffer(state.keys)
        if not buffer.keep(key, state.at):
            self.note("flushed", why="too many")

    def _attempt(self, action: Callable[[], None]) -> None:
        """Run a step; what a template or a type can not do becomes an event, never half an effect."""
        try:
            action()
        except EvaluationError as error:
            self.note("error", event="error.template", reason=str(error))
            self._raise("error.template")
        except UnfitValueError as error:
            self.note("error", event="error.type", reason=str(error))
            self._raise("error.type")


# What is done about each fact that needs nothing to be known before.
_TAKEN: Mapping[type[Any], Callable[[Interpreter, Any], None]] = {
    fact.DigitPressed: lambda it, event: it._digit(event.digit),
    fact.SpeechStarted: lambda it, event: it._speech_began(),
    fact.UtteranceEnded: lambda it, event: it._utterance(event),
    fact.TranscriberFailed: lambda it, event: it._deaf(event.kind),
    fact.ToolFinished: lambda it, event: it._tool_finished(event.run, event.result, event.error),
    fact.RecordingFinished: lambda it, event: it._recorded(event),
    fact.KeysSent: lambda it, event: it._sent(),
    fact.EventReceived: lambda it, event: it._application(event.name, event.data),
    fact.MachineAnswered: lambda it, event: it._machine(),
    fact.TimePassed: lambda it, event: it._time_passed(),
    fact.TransferFinished: lambda it, event: it._transferred(event.outcome),
    fact.StreamResumed: lambda it, event: it._resumed(),
    fact.CallerHungUp: lambda it, event: it._hung_up(event),
    fact.CallStopped: lambda it, event: it._stopped(event),
}


def _running(node: Node) -> RunningNode:
    return cast(RunningNode, node.type)


def _texts(program: Program, frame: Frame) -> Iterator[str]:
    for name in program.private:
        holder, _, argument = name.partition(".")
        value = frame.args.get(argument) if argument else frame.vars.get(holder)
        for held in (value, frame.tentative.get(name)):
            if held is not None and not isinstance(held, bool) and len(text := str(held)) > 1:
                yield text
