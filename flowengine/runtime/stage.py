"""What is on in a call: its state, the node that runs, the prompt that plays, the keys and timers that wait.

The lowest of the interpreter's three layers: ``Stage`` plays and listens, ``Journey`` goes from node to node and
answers failures, ``Interpreter`` takes facts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from zlib import crc32

from msgspec import json

from flowengine.errors import Bug
from flowengine.flow.model import Assignment, Flow, Node, Prompt
from flowengine.runtime import effects as wish
from flowengine.runtime import keys as keypad
from flowengine.runtime.node import Context, KeyTaken, RunningNode, Said
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import Manner, Renderer
from flowengine.runtime.state import ENDED, TRANSFERRING, State, Visit
from flowengine.runtime.turns import IDLE, Turn
from flowengine.runtime.variables import Variables


class Stage(ABC):
    """Plays, listens, and keeps what was typed ahead."""

    def __init__(self, program: Program, env: Mapping[str, str], state: State | None = None) -> None:
        self.env = env
        # One program for each run of a flow: the state knows them by name.
        self._programs = [program]
        for frame in state.frames[1:] if state else ():
            self._programs.append(self._programs[-1].subflow(frame.flow))
        self._state = state
        self._turn = Turn(state.turn if state else IDLE)
        self._effects: list[wish.Effect] = []
        self._next: Callable[[], None] | None = None

    @abstractmethod
    def _follow(self, *, cut: bool = False) -> None:
        """Do what follows the prompt that is over."""

    @property
    def _context(self) -> Context:
        # The whole interpreter is the node types' context; this layer is a part of it.
        return cast(Context, self)

    @property
    def program(self) -> Program:
        """The flow that runs."""
        return self._programs[self._state.depth if self._state else 0]

    @property
    def flow(self) -> Flow:
        """The flow that runs."""
        return self.program.flow

    @contextmanager
    def _looking_at(self, depth: int) -> Iterator[None]:
        """See the variables and nodes of another run of a flow for a moment."""
        state = self.state
        before, state.depth = state.depth, depth
        try:
            yield
        finally:
            state.depth = before

    @property
    def variables(self) -> Variables:
        """The call's variables."""
        return Variables(self.state, self.flow, self.env, self.note)

    @property
    def state(self) -> State:
        """The call's state; ``Bug`` before the call has started."""
        if self._state is None:
            raise Bug("the call has not started")
        return self._state

    @property
    def begun(self) -> bool:
        """Whether the call has started."""
        return self._state is not None

    @property
    def ended(self) -> bool:
        """Whether the call is over: nothing that comes now has an effect."""
        return self._state is not None and self._state.phase == ENDED

    @property
    def transferring(self) -> bool:
        """Whether the call waits for the outcome of a transfer, without a time limit of its own."""
        return self._state is not None and self._state.phase == TRANSFERRING

    @property
    def node(self) -> Node:
        """The node that is running."""
        return self.flow.nodes[self.state.visit.node]

    @property
    def lang(self) -> str:
        """The language in force: the node's own, else the call's, which `set` may change."""
        return self.node.lang or str(self.state.call["lang"])

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

    def note(self, what: str, **data: Any) -> None:
        """Explain something in the trace."""
        self._effects.append(wish.Note(what, data))

    def start_timer(self, name: str, seconds: float) -> None:
        """Start or restart a timer."""
        self.state.timers[name] = self.state.at + seconds

    def stop_timer(self, name: str) -> None:
        """Stop a timer."""
        self.state.timers.pop(name, None)

    def speak(self, *, cuttable: bool = True) -> None:
        """Play the node's `say`; ``PromptOver`` follows."""
        parts = self._renderer().prompt(self.node.say)
        barge_in = self.node.barge_in
        keys = keypad.ALL if cuttable and barge_in.keys else ""
        self._play(parts, ["node"], keys, speech=cuttable and barge_in.speech and self._type.keeps_keys)

    @property
    def visit(self) -> Visit:
        """The visit of the node that runs."""
        return self.state.visit

    def words(self, prompt: Prompt | None, more: Mapping[str, Any] | None = None) -> str:
        """Give a prompt's words as they would be spoken now; private values are covered. ``more`` are further names."""
        renderer = self._renderer()
        renderer.scope = {**renderer.scope, **(more or {})}
        parts = renderer.prompt(prompt)
        speech = [part.words if isinstance(part, wish.Recording) else part for part in parts]
        return " ".join(one.shown or one.text for one in speech if isinstance(one, wish.Speech))

    def say(self, prompt: Prompt | None) -> None:
        """Play words of the node's own while it goes on; nothing follows them."""
        keys = self._type.cutting_keys(self._context) if self.node.barge_in.keys else ""
        self._play(self._renderer().prompt(prompt), ["nothing"], keys)

    def _expect(self) -> str:
        """Tell the shell what the caller may say now, if that has changed; give its kind."""
        expects = self._type.expects(self._context)
        if expects is None:
            return ""
        timeouts = self.node.timeouts
        listen = wish.Listen(
            self.lang,
            expects.kind,
            expects.phrases,
            expects.least,
            expects.most,
            timeouts.speech_end,
            timeouts.max_speech,
        )
        checksum = crc32(json.encode(listen))
        if checksum != self.state.listening:
            self.state.listening = checksum
            self._effects.append(listen)
        return expects.kind

    def ask(self, question: Prompt | None, lead: Iterable[wish.Part] = ()) -> None:
        """Play a question and listen."""
        # Words that the node does not take do not cut its question either.
        hears = self._expect() != "nothing"
        parts = [*lead, *self._renderer().prompt(question)]
        keys = self._type.cutting_keys(self._context) if self.node.barge_in.keys else ""
        self._play(parts, ["listen"], keys, speech=hears and self.node.barge_in.speech)

    def listen(self) -> None:
        """Wait for input: what was kept comes first, else the no-input timer starts."""
        self._turn.take("listen")
        self._expect()
        key = self.kept_key()
        if key is not None:
            self._type.handle(KeyTaken(key), self._context)
            self._more_kept()
            return
        said, self.state.said = self.state.said, None
        if said and self.state.at - said[1] <= keypad.MAX_AGE:
            self._type.handle(Said(said[0]), self._context)
            return
        self.await_input()

    def await_input(self) -> None:
        """Start the no-input timer, and the one that noise without words can not hold off."""
        noinput = self.node.timeouts.noinput
        self.start_timer("noinput", noinput)
        self.start_timer("patience", 3 * noinput)

    def stop_waiting(self) -> None:
        """The caller did something: no silence is counted."""
        self.state.silence = None
        self.stop_timer("noinput")
        self.stop_timer("patience")

    def kept_key(self) -> str | None:
        """Take the oldest key that was typed ahead (and is not too old)."""
        return keypad.KeyBuffer(self.state.keys).take(self.state.at)

    def flush_keys(self, why: str) -> None:
        """Forget what was typed ahead."""
        if self.state.keys:
            self.state.keys.clear()
            self.note("flushed", why=why)

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
            self._type.handle(KeyTaken(key), self._context)

    def _policy(self, keys: str, *, speech: bool) -> wish.Policy:
        """Give what may cut the words of this node."""
        barge_in = self.node.barge_in
        deaf = self.state.swallow or ("", 0.0)
        return wish.Policy(keys, barge_in.after, deaf[0], deaf[1], speech, barge_in.words, barge_in.ignore)

    def _play(self, parts: list[wish.Part], then: list[Any], keys: str, *, speech: bool = False) -> None:
        state = self.state
        self._stop_prompt()
        state.then = then
        if not parts:
            # A prompt without audio counts as played at once (case 4).
            self._next = self._follow
            return
        prompt = self._id("p")
        state.prompt, state.prompt_keys, state.prompt_speech = prompt, keys, speech
        self.stop_waiting()
        self._turn.take("play")
        policy = self._policy(keys, speech=speech)
        self._effects.append(wish.PlayPrompt(prompt, self.node.name, tuple(parts), policy))

    def _id(self, kind: str) -> str:
        """Give an id that never comes again in the call: of a prompt, a reply, a run of a tool, a recording."""
        state = self.state
        made = f"e{state.epoch}.{kind}{state.next_id}"
        state.next_id += 1
        return made

    def _stop_prompt(self) -> None:
        state = self.state
        if state.prompt:
            prompt, state.prompt = state.prompt, ""
            reply = ".r" in prompt
            self._effects.append(wish.CancelReply(prompt) if reply else wish.StopPrompt(prompt))
            self._turn.take("cut")
            if reply:
                state.dropped = prompt
                self._type.dropped(self._context)
        state.then, state.cut = [], False

    def _renderer(self) -> Renderer:
        state = self.state
        node = self.node
        return Renderer(
            self.variables.scope(self.lang),
            Manner(node.voice, self.lang, self.flow.defaults.lang),
            self.flow.texts,
            self.program.private,
            (state.seed, state.epoch),
        )

    def scope(self) -> Mapping[str, Any]:
        """Give the names that templates and conditions read."""
        return self.variables.scope()

    def propose(self, name: str, value: Any) -> None:
        """Hold a tentative value."""
        self.variables.propose(name, value)

    def store(self, name: str) -> None:
        """Store the tentative value."""
        self.variables.store(name)

    def assign(self, set_: Iterable[Assignment], add: Iterable[Assignment]) -> None:
        """Run assignments in order."""
        self.variables.assign(set_, add)
