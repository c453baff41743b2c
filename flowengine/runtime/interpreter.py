"""The interpreter: a pure function from (flow, state, fact) to effects.

Theory of operation. ``handle`` takes one fact, changes the state, and returns what is wished of the world. Nothing here
waits, ticks or fails for a reason outside: time is a fact, and ``deadline`` says when the next one is wanted. A node's
type decides what a key or a timer means; the interpreter owns what all types share: entering and leaving nodes, the
prompt that is on and what follows it (``state.then``), the type-ahead buffer, failures and handlers, and the ends.
Going from node to node never recurses: a way on is put into ``_next`` and taken by the loop in ``handle``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.values import UnfitValueError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime import keys as keypad
from flowengine.runtime.journey import Journey
from flowengine.runtime.node import KeyTaken, PromptOver, TimerDue, Transferred
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import sentence
from flowengine.runtime.state import ENDED, TALKING, TRANSFERRING, State


class Interpreter(Journey):
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
    def sensitive(self) -> bool:
        """Whether keys pressed now belong to a private variable, so that the trace masks them."""
        state = self._state
        return bool(state and state.visit.node and self.node.spec is not None and self._into() in self.program.private)

    def _into(self) -> str:
        return getattr(self.node.spec, "into", "")

    def _begin(self, event: fact.CallStarted) -> None:
        if self._state is not None:
            raise Bug("a call starts once")
        variables = {v.name: v.default for v in self.flow.vars.values()}
        call = {**event.call, "started": event.started, "ended": None, "lang": self.flow.defaults.lang}
        self._state = State(
            call, dict(event.args), variables, event.started, event.seed, self.flow.name, self.flow.revision
        )

    def _take(self, event: fact.Event) -> None:
        state = self.state
        if isinstance(event, fact.CallStarted):
            self.start_timer("call", self.flow.defaults.timeouts.call)
            self._go(self.flow.start)
        elif isinstance(event, fact.DigitPressed):
            self._digit(event.digit)
        elif isinstance(event, fact.PromptFinished | fact.PromptInterrupted | fact.PromptFailed):
            if event.prompt != state.prompt:
                self.note("stale", prompt=event.prompt)
            else:
                self._prompt_over(event)
        elif isinstance(event, fact.TimePassed):
            self._time_passed()
        elif isinstance(event, fact.TransferFinished):
            self._transferred(event.outcome)
        elif isinstance(event, fact.StreamResumed):
            self._resumed()
        elif isinstance(event, fact.CallerHungUp):
            if event.dropped:
                self.note("carrier_dropped")
            self._end(event.reason, hung_up=True)
        elif event.reason == "engine.drained" and state.phase == TALKING:
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
        seconds = event.seconds if isinstance(event, fact.PromptFinished) else event.heard
        state.played += seconds
        if state.played >= 1.0:
            state.hops, state.played = 0, 0.0
        state.prompt = ""
        if isinstance(event, fact.PromptInterrupted):
            # The key that did it comes next, and is taken before what would have followed the prompt.
            self._turn.take("cut")
            state.cut = True
            return
        self._turn.take("heard")
        # The words before a hang-up are the last resort already: without a voice the call just ends.
        if isinstance(event, fact.PromptFailed) and event.heard <= 0 and state.then[:1] != ["hang_up"]:
            self._raise("error.tts")
            return
        self._follow()

    def _follow(self, *, cut: bool = False) -> None:
        """Do what follows the prompt that is over."""
        then, self.state.then = self.state.then, []
        what = then[0] if then else "listen"
        if what != "node" or not (self.state.handling or "").startswith("error"):
            self.state.handling = None
        if what == "listen":
            self.listen()
        elif what == "node":
            # After an error's handler still under it: to go on with what failed and fail again would go round for ever.
            self._type.handle(PromptOver(cut), self)
            self.state.handling = None
        elif what == "goto":
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
        if name == "node":
            self._raise("timeout.node")
        elif name == "call":
            self._raise("timeout.call")
        else:
            self._type.handle(TimerDue(name), self)

    def _transferred(self, outcome: str) -> None:
        state = self.state
        if state.phase != TRANSFERRING:
            self.note("stale", outcome=outcome)
            return
        state.phase = TALKING
        state.epoch += 1
        self._type.handle(Transferred(outcome), self)

    def _resumed(self) -> None:
        """A new stream: after a transfer its outcome follows; after a dropped socket the node begins once more."""
        state = self.state
        state.prompt, state.then, state.cut = "", [], False
        if state.phase == TALKING:
            self._turn.take("leave")
            resume = self.node.resume
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
        state.hops, state.played, state.swallow = 0, 0.0, None
        state.without_input.clear()
        self.stop_timer("noinput")
        then = list(state.then)
        own_question = not then or then[0] == "listen"
        if state.prompt and not cut and key in state.prompt_keys and not self.node.barge_in.after:
            # The key was pressed before the shell had this prompt: it cuts it all the same.
            self._stop_prompt()
            state.then, cut = then, True
        if cut and not own_question:
            self._keep(key)
            self._follow(cut=True)
        elif cut or not state.prompt:
            state.then = []
            self._deliver(key)
        elif own_question and state.prompt_keys and key not in state.prompt_keys:
            self.note("ignored", why="this node does not take it")
        else:
            self._keep(key)

    def _deliver(self, key: str) -> None:
        """Give the node a key; what was kept before it comes first."""
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
