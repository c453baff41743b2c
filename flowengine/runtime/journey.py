"""The way of a call: from node to node, through flows and the failures in them, to its end."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.graph import Cursor
from flowengine.flow.model import Command, Handler, ToolRun
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime import effects as wish
from flowengine.runtime import keys as keypad
from flowengine.runtime.handlers import END_REASONS, ENDING, FAILURES, Found, chain, find
from flowengine.runtime.prompts import sentence
from flowengine.runtime.stage import Stage
from flowengine.runtime.state import ENDED, TALKING, TRANSFERRING, Frame, Visit
from flowengine.runtime.variables import value_of

MAX_BACK = 8
MAX_PATH = 1000
MAX_DEPTH = 16


class Journey(Stage):
    """Goes from node to node. A way on is put into ``_next`` and taken by the loop in ``handle``: nothing recurses."""

    def _handler(self, event: str, counts: Mapping[str, int] | None = None) -> Found:
        """Find an event's handler: in the node, in its flow, in the node that runs this flow, and so on outwards."""
        places = []
        for depth in range(self.state.depth, -1, -1):
            flow, visit = self._programs[depth].flow, self.state.frames[depth].visit
            node = flow.nodes.get(visit.node)
            places += [node.catch if node else {}, flow.catch]
        found = find(places, event, counts or {})
        return found if found.handler is None else found.at(self.state.depth - found.place // 2)

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
        own = [step for step in self.state.path if "/" not in step or step.startswith(f"{self.flow.name}/")]
        before = own[-2].rpartition("/")[2] if len(own) > 1 else "again"
        self._go(before if before in self.flow.nodes else "again")

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
            visit = state.frame.back.pop() if state.frame.back else Visit(left.node or self.flow.start)
            self._arrive(visit, fresh=True)
        else:
            if digression and left.node:
                state.frame.back = [*state.frame.back[1 - MAX_BACK :], left]
            self._arrive(Visit(target), fresh=True)

    def _leave(self) -> None:
        state = self.state
        self._drop_errands()
        self._stop_prompt()
        self._turn.take("leave")
        state.timers = {name: due for name, due in state.timers.items() if name == "call"}
        state.begin_visit()
        state.handling = state.after_tool = state.silence = None

    @abstractmethod
    def _drop_errands(self) -> None:
        """Let go of what the node has asked of the world: nobody waits for it here any more."""

    def _arrive(self, visit: Visit, *, fresh: bool) -> None:
        state, frame = self.state, self.state.frame
        state.visit = visit
        state.epoch += 1
        name = visit.node if not state.depth else f"{self.flow.name}/{visit.node}"
        state.path = [*state.path[1 - MAX_PATH :], name]
        state.hops += 1
        entered = frame.without_input.get(visit.node, 0) + 1
        frame.without_input[visit.node] = entered
        frame.visits[visit.node] = frame.visits.get(visit.node, 0) + fresh
        self.note("entered", flow=self.flow.name, node=visit.node)
        self._effects.append(wish.SaveSnapshot(visit.node))
        node, limits = self.node, self.flow.defaults.limits
        if node.timeouts.node is not None:
            self.start_timer("node", node.timeouts.node)
        if state.hops > limits.hops or entered > limits.visits:
            self._loop()
        elif fresh and node.max_visits is not None and frame.visits[visit.node] > node.max_visits:
            self._raise("maxvisits")
        else:
            self._type.enter(self._context)

    def _loop(self) -> None:
        state = self.state
        state.loops += 1
        state.heard_input()
        self.note("loop", path=state.path[-10:])
        if state.loops > 1:
            self._default("error.loop")
        else:
            self._raise("error.loop")

    # --- flows that run flows

    def run_flow(self, name: str, values: Mapping[str, Any]) -> None:
        """Run another flow on top of this one; its arguments get the values, as they are now."""
        state, program = self.state, self.program.subflow(name)
        if len(state.frames) >= MAX_DEPTH:
            raise Bug(f"flows run flows more than {MAX_DEPTH} deep, which the checker would have seen")
        scope = self.scope()
        args: dict[str, Any] = {}
        for arg in program.flow.args.values():
            given = value_of(values[arg.name], scope) if arg.name in values else None
            args[arg.name] = arg.default if given is None else fit(arg.kind, given, arg.choices)
        variables = {v.name: v.default for v in program.flow.vars.values()}
        for timer in [name for name in state.timers if name != "call"]:
            self.stop_timer(timer)
        self._turn.take("leave")
        state.frames.append(Frame(name, program.flow.revision, args, variables))
        self._programs.append(program)
        state.depth += 1
        self._next = lambda: self._arrive(Visit(program.flow.start), fresh=True)

    def return_flow(self, outcome: str, value: Any) -> None:
        """Go back to the flow that runs this one, by an outcome of its node; where there is none, hang up."""
        result = value_of(value, self.scope())
        self.note("return", outcome=outcome)
        if not self.state.depth:
            self._hang_up("flow.hangup")
            return
        self._leave()
        self._unwind(self.state.depth - 1)
        self.state.result = result
        self.note("returned", flow=self.flow.name, node=self.state.visit.node)
        self._next = lambda: self.done(outcome)

    def _unwind(self, depth: int) -> None:
        """Leave flows until the one at this depth runs."""
        if depth < self.state.depth:
            self._leave()
            del self.state.frames[depth + 1 :], self._programs[depth + 1 :]
            self.state.depth = depth

    # --- global commands

    def command(self, command: Command) -> None:
        """Take a global command; one of a calling flow leaves this one."""
        depth = next(d for d in range(self.state.depth, -1, -1) if command in self._programs[d].flow.always)
        self.note("command", name=command.name, flow=self._programs[depth].flow.name)
        self.state.frames[depth].cooldowns[command.name] = self.state.at + command.cooldown
        if command.target is None:
            self._do(command.do)
            return
        self._unwind(depth)
        self._go(command.target.node, digression=True)

    def _do(self, what: str) -> None:
        """Say once more what was asked, perhaps louder or slower; that is no failure."""
        if what != "repeat":
            self.state.call[what] = int(self.state.call.get(what, 0)) + 1
        self.ask(self._type.question(self._context))

    def commands(self) -> Mapping[str, Command]:
        """Give the key sequences of the global commands that are awake here; those of this flow win."""
        return {key: command for command in reversed(self.awake()) for key in command.keys}

    def awake(self) -> list[Command]:
        """Give the global commands that are awake here: this flow's first, then those of the flows that run it."""
        found: list[Command] = []
        alive: list[bool | tuple[str, ...]] = []
        for depth in range(self.state.depth, -1, -1):
            flow, frame = self._programs[depth].flow, self.state.frames[depth]
            alive.append(flow.nodes[frame.visit.node].always)
            found += [
                command
                for command in flow.always
                if self.state.at >= frame.cooldowns.get(command.name, 0.0)
                and all(one is True or (one is not False and command.name in one) for one in alive)
            ]
        return found

    def swallow(self, key: str, seconds: float) -> None:
        """Swallow this key if it comes within that time."""
        self.state.swallow = (key, self.state.at + seconds) if key else None

    # --- failures and events

    def fail(self, event: str) -> None:
        """Count a failure of this visit and answer it."""
        state, node = self.state, self.node
        visit = state.visit
        visit.failures += 1
        visit.counts[event] = visit.counts.get(event, 0) + 1
        visit.event = event
        state.failures += 1
        self.note("failure", event=event, count=visit.counts[event])
        self.stop_waiting()
        self.stop_timer("interdigit")
        if event != "noinput":
            self.flush_keys(event)
        if state.failures > self.flow.defaults.limits.failures:
            self._raise("toomany")
            return
        found = self._handler(event, visit.counts)
        if visit.failures >= node.tries and not (found.handler and found.exact and found.handler.target):
            if not self._type.gives_up(self._context):
                self._raise("toomany")
            return
        self._answer(event, found)

    def raise_event(self, event: str) -> None:
        """Raise an event that is no failure of the caller's."""
        self._raise(event)

    def _raise(self, event: str) -> None:
        """Raise an event that is no failure of the caller's: find its handler, else the engine's default."""
        state = self.state
        if state.handling is not None and event.startswith("error"):
            # A handler that fails can not catch itself.
            self._default(event)
            return
        visit = state.visit
        visit.event = event
        for name in chain(event):
            # `error.http.404` is an `error.tool` and an `error`, too: a handler counts what it serves.
            visit.counts[name] = visit.counts.get(name, 0) + 1
        self.note("event", name=event)
        self.flush_keys(event)
        self._answer(event, self._handler(event, visit.counts))

    def _answer(self, event: str, found: Found) -> None:
        """Run a handler (or the engine's default): say, set, add, run a tool, then go or ask again."""
        state, handler = self.state, found.handler
        if handler is None:
            self._default(event)
            return
        self._stop_prompt()
        state.handling = event
        self._note_handler(handler)
        try:
            with self._looking_at(found.depth):
                parts = self._renderer().prompt(handler.say)
                self.assign(handler.set, handler.add)
        except (EvaluationError, UnfitValueError) as error:
            self.note("error", event=event, reason=str(error))
            self._default("error.template")
            return
        keys = keypad.ALL if self.node.barge_in.keys else ""
        then = self._after(event, handler, found.depth)
        if then[0] in ("goto", "hang_up"):
            self._drop_errands()
        if handler.tool:
            values = handler.tool.values
            with self._looking_at(found.depth):
                values = value_of(values, self.scope())
            state.after_tool = {"tool": handler.tool.name, "depth": found.depth, "then": then, "values": values}
            self._play(parts, ["tool"], "")
        elif then == ["ask"]:
            state.handling = None
            self.ask(self._type.question(self._context), parts)
        else:
            self._play(parts, then, "" if then[0] == "hang_up" else keys)

    def _note_handler(self, handler: Handler) -> None:
        span = handler.span
        self.note("handler", file=span.file, line=span.line, column=span.column)

    def _after(self, event: str, handler: Handler, depth: int) -> list[Any]:
        """Say what follows a handler's words and tool."""
        if handler.target:
            return ["goto", handler.target.node, depth]
        if event in ENDING:
            return ["hang_up", END_REASONS.get(event, "flow.error")]
        asks = self.node.type.asks
        if event in FAILURES or (asks and not event.startswith(("error", "event."))):
            return ["ask"]
        # Nothing more is asked: a node that listens listens on, a step is done.
        return ["listen"] if asks else ["node"]

    def _default(self, event: str) -> None:
        """Do what the engine does of itself: one sentence and ask again, or apologize and hang up."""
        self.state.handling = None if event in FAILURES else event
        words = self._type.own_words(event) or (event if event in FAILURES else "apology")
        parts = self._renderer().words(sentence(words, self.lang), constant=True)
        if event in FAILURES:
            self.ask(self._type.question(self._context), parts)
            return
        self._drop_errands()
        self._play(parts, ["hang_up", END_REASONS.get(event, "flow.error")], "")

    # --- ends

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
        if state.phase == TALKING and state.visit.node:
            self._drop_errands()
        if state.prompt:
            self._stop_prompt()
        state.call["ended"] = reason
        state.timers.clear()
        state.keys.clear()
        for event in ("hangup", "ended") if hung_up else ("ended",):
            found = self._handler(event) if state.visit.node else None
            if found and found.handler:
                self._last_handler(event, found.handler, found.depth)
        state.phase = ENDED
        self._next = None
        self._effects.append(wish.EndCall(reason))

    def _last_handler(self, event: str, handler: Handler, depth: int) -> None:
        self._note_handler(handler)
        try:
            with self._looking_at(depth):
                self.assign(handler.set, handler.add)
                if handler.tool:
                    # Nobody waits for its answer: the shell lets it come to an end.
                    self._start_tool(handler.tool, depth)
        except (EvaluationError, UnfitValueError) as error:
            self.note("error", event=event, reason=str(error))

    @abstractmethod
    def _start_tool(self, run: ToolRun, depth: int, values: Mapping[str, Any] | None = None) -> str:
        """Ask for a run of a tool that the flow at this depth declares; give its id."""
