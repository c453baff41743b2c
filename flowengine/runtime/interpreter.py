"""The interpreter: a pure function from (flow, state, fact) to effects.

Theory of operation. ``handle`` takes one fact, changes the state, and returns what is wished of the world. Nothing here
waits, ticks or fails for a reason outside: time is a fact, and ``deadline`` says when the next one is wanted. A node's
type decides what a key or a timer means; the interpreter owns what all types share: entering and leaving nodes, the
prompt that is on and what follows it (``state.then``), the type-ahead buffer, failures and handlers, and the ends.
Going from node to node never recurses: a way on is put into ``_next`` and taken by the loop in ``handle``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from flowengine.errors import Bug
from flowengine.flow.expressions import EvaluationError, Template
from flowengine.flow.graph import Cursor, Graph
from flowengine.flow.model import Assignment, Command, Flow, Handler, Node, Prompt
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime import keys as keypad
from flowengine.runtime.handlers import END_REASONS, ENDING, FAILURES, chain
from flowengine.runtime.node import KeyTaken, PromptOver, RunningNode, TimerDue, Transferred
from flowengine.runtime.prompts import Renderer, sentence
from flowengine.runtime.state import ENDED, TALKING, TRANSFERRING, State, Visit
from flowengine.runtime.turns import IDLE, Turn

MAX_BACK = 8
MAX_PATH = 1000


class Program:
    """A flow made ready to run: with its graph, and which variables are private. Shared by all its calls."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.graph = Graph(flow)
        self.private = frozenset(v.name for v in flow.vars.values() if v.private) | {
            f"args.{v.name}" for v in flow.args.values() if v.private
        }


class Interpreter:
    """One call's run through a flow. Node types see it as their ``Context``."""

    def __init__(self, program: Program, env: Mapping[str, str], state: State | None = None) -> None:
        self.program = program
        self.env = env
        self.flow = program.flow
        self._state = state
        self._turn = Turn(state.turn if state else IDLE)
        self._effects: list[wish.Effect] = []
        self._next: Callable[[], None] | None = None

    # --- the outside: facts in, effects out

    @property
    def state(self) -> State:
        """The call's state; ``Bug`` before the call has started."""
        if self._state is None:
            raise Bug("the call has not started")
        return self._state

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

    @property
    def begun(self) -> bool:
        """Whether the call has started."""
        return self._state is not None

    @property
    def ended(self) -> bool:
        """Whether the call is over: nothing that comes now has an effect."""
        return self._state is not None and self._state.phase == ENDED

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

    # --- facts

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
        self._leave()
        parts = self._renderer().words(sentence("apology", self.node.lang), constant=True)
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
        self.state.handling = None
        what = then[0] if then else "listen"
        if what == "listen":
            self.listen()
        elif what == "node":
            self._type.handle(PromptOver(cut), self)
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

    # --- keys

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

    def kept_key(self) -> str | None:
        """Take the oldest key that was typed ahead (and is not too old)."""
        return keypad.KeyBuffer(self.state.keys).take(self.state.at)

    def flush_keys(self, why: str) -> None:
        """Forget what was typed ahead."""
        if self.state.keys:
            self.state.keys.clear()
            self.note("flushed", why=why)

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

    def command(self, command: Command) -> None:
        """Take a global command."""
        self.state.cooldowns[command.name] = self.state.at + command.cooldown
        self.note("command", name=command.name)
        self._go(command.target.node, digression=True)

    def swallow(self, key: str, seconds: float) -> None:
        """Swallow this key if it comes within that time."""
        self.state.swallow = (key, self.state.at + seconds) if key else None

    # --- speaking and asking

    def speak(self, *, cuttable: bool = True) -> None:
        """Play the node's `say`; ``PromptOver`` follows."""
        parts = self._renderer().prompt(self.node.say)
        self._play(parts, ["node"], keypad.ALL if cuttable and self.node.barge_in.keys else "")

    def ask(self, question: Prompt | None, lead: Iterable[wish.Part] = ()) -> None:
        """Play a question and listen."""
        parts = [*lead, *self._renderer().prompt(question)]
        self._play(parts, ["listen"], self._type.cutting_keys(self) if self.node.barge_in.keys else "")

    def listen(self) -> None:
        """Wait for input: keys that were kept come first, else the no-input timer starts."""
        self._turn.take("listen")
        key = self.kept_key()
        if key is None:
            self.start_timer("noinput", self.node.timeouts.noinput)
            return
        self._type.handle(KeyTaken(key), self)
        self._more_kept()

    def typed_ahead(self) -> bool:
        """Feed the node what was typed ahead; True when that makes its question needless (case 8)."""
        if not self.node.barge_in.keys:
            return False
        self._more_kept()
        return bool(self._next or self.state.prompt or "interdigit" in self.state.timers)

    def _more_kept(self) -> None:
        """Feed kept keys one by one, until something else is going on."""
        while self._next is None and not self.state.prompt and (key := self.kept_key()) is not None:
            self.stop_timer("noinput")
            self._type.handle(KeyTaken(key), self)

    def _play(self, parts: list[wish.Part], then: list[Any], keys: str) -> None:
        state = self.state
        self._stop_prompt()
        state.then = then
        if not parts:
            # A prompt without audio counts as played at once (case 4).
            self._next = self._follow
            return
        prompt = f"e{state.epoch}.p{state.next_id}"
        state.next_id += 1
        state.prompt, state.prompt_keys = prompt, keys
        self.stop_timer("noinput")
        self._turn.take("play")
        deaf = state.swallow or ("", 0.0)
        policy = wish.Policy(keys, self.node.barge_in.after, deaf[0], deaf[1])
        self._effects.append(wish.PlayPrompt(prompt, self.node.name, tuple(parts), policy))

    def _stop_prompt(self) -> None:
        state = self.state
        if state.prompt:
            self._effects.append(wish.StopPrompt(state.prompt))
            state.prompt = ""
            self._turn.take("cut")
        state.then, state.cut = [], False

    def _renderer(self) -> Renderer:
        state = self.state
        node = self.node
        return Renderer(self.scope(), node.voice, node.lang, self.program.private, (state.seed, state.epoch))

    # --- nodes

    @property
    def node(self) -> Node:
        """The node that is running."""
        return self.flow.nodes[self.state.visit.node]

    @property
    def _type(self) -> RunningNode:
        return cast(RunningNode, self.node.type)

    @property
    def local(self) -> dict[str, Any]:
        """The node type's own data."""
        return self.state.local

    @property
    def at(self) -> float:
        """Seconds since the call began."""
        return self.state.at

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

    # --- failures and handlers

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
        handler, exact = self._lookup(event, visit.counts[event])
        if visit.failures >= node.tries and not (handler and exact and handler.target):
            if not self._type.gives_up(self):
                self._raise("toomany")
            return
        self._answer(event, handler)

    def _lookup(self, event: str, count: int) -> tuple[Handler | None, bool]:
        """Find the handler, the most specific name first; whether it is the one for exactly this count."""
        for catches in (self.node.catch, self.flow.catch):
            for name in chain(event):
                if name in catches:
                    handlers = catches[name].handlers
                    return handlers[min(count, len(handlers)) - 1], count <= len(handlers)
        return None, False

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
        handler, _ = self._lookup(event, visit.counts[event])
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
        node = self.node
        self.state.handling = None if event in FAILURES else event
        words = sentence(event if event in FAILURES else "apology", node.lang)
        parts = self._renderer().words(words, constant=True)
        if event in FAILURES:
            self.ask(self._type.question(self), parts)
            return
        self._play(parts, ["hang_up", END_REASONS.get(event, "flow.error")], "")

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

    # --- variables

    def scope(self) -> Mapping[str, Any]:
        """Give the names that templates and conditions read."""
        state = self.state
        visit = state.visit
        node = {
            "visits": state.visits.get(visit.node, 0),
            "failures": visit.failures,
            "turns": 0,
            "event": visit.event,
        }
        return {
            **state.vars,
            **state.tentative,
            "call": {**state.call, "failures": state.failures},
            "args": state.args,
            "env": self.env,
            "shared": state.shared,
            "node": node,
            "result": state.result,
        }

    def propose(self, name: str, value: Any) -> None:
        """Hold a tentative value."""
        self.state.tentative[name] = self._fit(name, value)

    def store(self, name: str) -> None:
        """Store the tentative value."""
        self.state.vars[name] = self.state.tentative.pop(name)
        self.note("assigned", name=name)

    def assign(self, set_: Iterable[Assignment], add: Iterable[Assignment]) -> None:
        """Run assignments in order; raises ``EvaluationError`` and ``UnfitValueError``."""
        for one in set_:
            self._write(one.name, _value(one.value, self.scope()))
        for one in add:
            self._write(one.name, self._added(one))

    def _added(self, one: Assignment) -> Any:
        value = _value(one.value, self.scope())
        current: Any = self.scope()
        for part in one.name.split("."):
            current = current.get(part)
        declared = self.flow.vars.get(one.name)
        if isinstance(current, list) or (current is None and declared is not None and declared.kind == "list"):
            return [*(current or []), value]
        total, more = fit("money", current or 0), fit("money", value)
        if more is None:
            raise UnfitValueError("null can not be added")
        return total + more

    def _write(self, name: str, value: Any) -> None:
        root, _, rest = name.partition(".")
        if root == "shared" and rest:
            self.state.shared[rest] = value
        elif root == "call" and rest:
            self.state.call[rest] = value
        else:
            self.state.vars[name] = self._fit(name, value)
        self.note("assigned", name=name)

    def _fit(self, name: str, value: Any) -> Any:
        variable = self.flow.vars[name]
        return fit(variable.kind, value, variable.choices)

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
        if state.prompt:
            self._stop_prompt()
        state.call["ended"] = reason
        state.timers.clear()
        state.keys.clear()
        for event in ("hangup", "ended") if hung_up else ("ended",):
            handler, _ = self._lookup(event, 1) if state.visit.node else (None, False)
            if handler:
                try:
                    self.assign(handler.set, handler.add)
                except (EvaluationError, UnfitValueError) as error:
                    self.note("error", event=event, reason=str(error))
        state.phase = ENDED
        self._next = None
        self._effects.append(wish.EndCall(reason))

    # --- timers and notes

    def start_timer(self, name: str, seconds: float) -> None:
        """Start or restart a timer."""
        self.state.timers[name] = self.state.at + seconds

    def stop_timer(self, name: str) -> None:
        """Stop a timer."""
        self.state.timers.pop(name, None)

    def note(self, what: str, **data: Any) -> None:
        """Explain something in the trace."""
        self._effects.append(wish.Note(what, data))


def _value(value: Any, scope: Mapping[str, Any]) -> Any:
    if isinstance(value, Template):
        return value.value(scope)
    if isinstance(value, Mapping):
        return {key: _value(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner, scope) for inner in value]
    return value
