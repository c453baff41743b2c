"""The way of a call: from node to node, through failures and their handlers, to its end."""

from __future__ import annotations

from collections.abc import Mapping

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.graph import Cursor
from flowengine.flow.model import Command, Handler
from flowengine.flow.values import UnfitValueError
from flowengine.runtime import effects as wish
from flowengine.runtime import keys as keypad
from flowengine.runtime.handlers import END_REASONS, ENDING, FAILURES, find
from flowengine.runtime.prompts import sentence
from flowengine.runtime.stage import Stage
from flowengine.runtime.state import ENDED, TRANSFERRING, Visit

MAX_BACK = 8
MAX_PATH = 1000


class Journey(Stage):
    """Goes from node to node. A way on is put into ``_next`` and taken by the loop in ``handle``: nothing recurses."""

    def _handler(self, event: str, count: int) -> tuple[Handler | None, bool]:
        return find((self.node.catch, self.flow.catch), event, count)

    def done(self, outcome: str) -> None:
        """Leave the node by an outcome: assign, choose the case, assign for it, go."""
        node = self.node
        self.assign(node.set, node.add)
        cursor = Cursor(node.name)
        case = self.program.graph.step(cursor, outcome, self.scope())
        self.assign(case.set, case.add)
        self.note("outcome", name=outcome)
        self._go(cursor.node)

    def _go(self, target: str, *, digression: bool = False) -> None:
        self._next = lambda: self._enter(target, digression)

    def go_back(self) -> None:
        """Return to the node that led here."""
        self._go(self.state.path[-2] if len(self.state.path) > 1 else "again")

    def _enter(self, target: str, digression: bool) -> None:
        state = self.state
        left = state.visit
        self._leave()
        if target == "end":
            self._hang_up("flow.hangup")
            return
        if target == "again":
            self._arrive(left, fresh=False)
        elif target == "back":
            visit = state.back.pop() if state.back else Visit(left.node or self.flow.start)
            self._arrive(visit, fresh=True)
        else:
            if digression and left.node:
                state.back = [*state.back[1 - MAX_BACK :], left]
            self._arrive(Visit(target), fresh=True)

    def _leave(self) -> None:
        state = self.state
        self._stop_prompt()
        self._turn.take("leave")
        state.timers = {name: due for name, due in state.timers.items() if name == "call"}
        state.local, state.tentative, state.handling = {}, {}, None

    def _arrive(self, visit: Visit, *, fresh: bool) -> None:
        state = self.state
        state.visit = visit
        state.epoch += 1
        state.path = [*state.path[1 - MAX_PATH :], visit.node]
        state.hops += 1
        entered = state.without_input.get(visit.node, 0) + 1
        state.without_input[visit.node] = entered
        state.visits[visit.node] = state.visits.get(visit.node, 0) + fresh
        self._effects.append(wish.SaveSnapshot(visit.node))
        node, limits = self.node, self.flow.defaults.limits
        if node.timeouts.node is not None:
            self.start_timer("node", node.timeouts.node)
        if state.hops > limits.hops or entered > limits.visits:
            self._loop()
        elif fresh and node.max_visits is not None and state.visits[visit.node] > node.max_visits:
            self._raise("maxvisits")
        else:
            self._type.enter(self)

    def _loop(self) -> None:
        state = self.state
        state.loops += 1
        state.hops = 0
        state.without_input.clear()
        self.note("loop", path=state.path[-10:])
        if state.loops > 1:
            self._default("error.loop")
        else:
            self._raise("error.loop")

    def command(self, command: Command) -> None:
        """Take a global command."""
        if command.target is None:
            raise Bug(f"the command {command.name} leads nowhere")
        self.state.cooldowns[command.name] = self.state.at + command.cooldown
        self.note("command", name=command.name)
        self._go(command.target.node, digression=True)

    def commands(self) -> Mapping[str, Command]:
        """Give the key sequences of the global commands that are awake here."""
        state = self.state
        alive = self.node.always
        return {
            key: command
            for command in self.flow.always
            if (alive is True or (alive is not False and command.name in alive))
            and state.at >= state.cooldowns.get(command.name, 0.0)
            for key in command.keys
        }

    def swallow(self, key: str, seconds: float) -> None:
        """Swallow this key if it comes within that time."""
        self.state.swallow = (key, self.state.at + seconds) if key else None

    def fail(self, event: str) -> None:
        """Count a failure of this visit and answer it."""
        state, node = self.state, self.node
        visit = state.visit
        visit.failures += 1
        visit.counts[event] = visit.counts.get(event, 0) + 1
        visit.event = event
        state.failures += 1
        self.note("failure", event=event, count=visit.counts[event])
        self.stop_timer("noinput")
        self.stop_timer("interdigit")
        if event != "noinput":
            self.flush_keys(event)
        if state.failures > self.flow.defaults.limits.failures:
            self._raise("toomany")
            return
        handler, exact = self._handler(event, visit.counts[event])
        if visit.failures >= node.tries and not (handler and exact and handler.target):
            if not self._type.gives_up(self):
                self._raise("toomany")
            return
        self._answer(event, handler)

    def _raise(self, event: str) -> None:
        """Raise an event that is no failure of the caller's: find its handler, else the engine's default."""
        state = self.state
        if state.handling is not None and event.startswith("error"):
            # A handler that fails can not catch itself.
            self._default(event)
            return
        visit = state.visit
        visit.event = event
        visit.counts[event] = visit.counts.get(event, 0) + 1
        self.note("event", name=event)
        self.flush_keys(event)
        handler, _ = self._handler(event, visit.counts[event])
        self._answer(event, handler)

    def _answer(self, event: str, handler: Handler | None) -> None:
        """Run a handler (or the engine's default): say, set, add, then go or ask again."""
        state = self.state
        if handler is None:
            self._default(event)
            return
        self._stop_prompt()
        state.handling = event
        try:
            parts = self._renderer().prompt(handler.say)
            self.assign(handler.set, handler.add)
        except (EvaluationError, UnfitValueError) as error:
            self.note("error", event=event, reason=str(error))
            self._default("error.template")
            return
        keys = keypad.ALL if self.node.barge_in.keys else ""
        if handler.target:
            self._play(parts, ["goto", handler.target.node], keys)
        elif event in ENDING:
            self._play(parts, ["hang_up", END_REASONS.get(event, "flow.error")], "")
        elif event in FAILURES or (self.node.type.asks and not event.startswith("error")):
            state.handling = None
            self.ask(self._type.question(self), parts)
        else:
            # Nothing more is asked: a node that listens listens on, a step is done.
            self._play(parts, ["listen"] if self.node.type.asks else ["node"], keys)

    def _default(self, event: str) -> None:
        """Do what the engine does of itself: one sentence and ask again, or apologize and hang up."""
        self.state.handling = None if event in FAILURES else event
        words = sentence(event if event in FAILURES else "apology", self.lang)
        parts = self._renderer().words(words, constant=True)
        if event in FAILURES:
            self.ask(self._type.question(self), parts)
            return
        self._play(parts, ["hang_up", END_REASONS.get(event, "flow.error")], "")

    def transfer(self, number: str, mode: str, ring: float, caller_id: str | None, most: float | None) -> None:
        """Hand the caller over."""
        state = self.state
        self.flush_keys("transfer")
        self._turn.take("leave")
        if mode != "blind":
            # `timeouts.call` stands still while the caller is connected: no timer runs in this phase.
            state.phase = TRANSFERRING
        self._effects.append(wish.SaveSnapshot(self.node.name))
        self._effects.append(wish.Transfer(number, mode, ring, caller_id, most))
        if mode == "blind":
            self._end("flow.transfer", hung_up=False)

    def hang_up(self) -> None:
        """End the call as the flow wants."""
        self._hang_up("flow.hangup")

    def _hang_up(self, reason: str) -> None:
        self._effects.append(wish.HangUp(reason))
        self._end(reason, hung_up=False)

    def _end(self, reason: str, *, hung_up: bool) -> None:
        """Run the handlers of the end, without a word, and be over."""
        state = self.state
        if state.prompt:
            self._stop_prompt()
        state.call["ended"] = reason
        state.timers.clear()
        state.keys.clear()
        for event in ("hangup", "ended") if hung_up else ("ended",):
            handler, _ = self._handler(event, 1) if state.visit.node else (None, False)
            if handler:
                try:
                    self.assign(handler.set, handler.add)
                except (EvaluationError, UnfitValueError) as error:
                    self.note("error", event=event, reason=str(error))
        state.phase = ENDED
        self._next = None
        self._effects.append(wish.EndCall(reason))
