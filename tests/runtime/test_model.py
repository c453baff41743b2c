"""The rules of keys as a model of some lines, and the interpreter held against it by calls that press anything anytime.

The model knows one menu with a choice that begins another, one collect, one collect whose words nobody may cut, and
steps between them. What it decides by its own lines: which key cuts, what is kept, which timer runs, what a failure
says, when tries are used up, and which end key is swallowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

FLOW = """
flow: model
version: 1
defaults: {timeouts: {node: 10h, call: 20h}, limits: {hops: 1000, visits: 1000, failures: 100}}
vars: {number: digits}
catch:
  noinput: {say: Silence.}
  nomatch: {say: Wrong.}
  invalid: {say: Bad.}
  toomany: {say: Enough., goto: fixed}
nodes:
  main:
    say: Main.
    menu: [{key: 1, goto: one}, {key: 12, goto: two}, {key: 9, goto: ask}]
  one: {say: One., goto: quiet, barge_in: false}
  two: {say: Two., goto: ask}
  ask: {say: Ask., collect: {into: number, length: 2..3}, goto: thanks}
  quiet: {say: Quiet., barge_in: false, collect: {into: number, length: 2..3}, goto: thanks}
  thanks: {say: Thanks., goto: main}
  fixed: {say: Fixed., barge_in: false, goto: main}
"""
# Words that last longer than keys are kept, and others.
LENGTHS = {"Fixed.": 12.0}
LENGTH = 2.0
STEPS = {"one": "quiet", "two": "ask", "thanks": "main", "fixed": "main"}
CHOICES = {"1": "one", "12": "two", "9": "ask"}
UNCUT = ("one", "quiet", "fixed")
LEADS = {"noinput": "Silence.", "nomatch": "Wrong.", "invalid": "Bad."}
KEYS = "0123456789*#A"


@dataclass
class Model:
    """What a caller with keys alone hears. ``after`` is what follows the words that play; `listen` is a question's."""

    now: float = 0.0
    node: str = ""
    entry: str = ""
    failures: int = 0
    number: str | None = None
    path: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    kept: list[tuple[str, float]] = field(default_factory=list)
    plays_until: float | None = None
    after: str = ""
    noinput: float | None = None
    interdigit: float | None = None
    swallow_until: float = -1.0

    def enter(self, node: str) -> None:
        self.node, self.entry, self.failures = node, "", 0
        self.noinput = self.interdigit = None
        self.path.append(node)
        if node in STEPS:
            self.say(f"{node.capitalize()}.", STEPS[node])
        elif node in UNCUT or not self.take_kept():
            self.say(f"{node.capitalize()}.", "listen")

    def say(self, words: str, after: str) -> None:
        self.said.append(words)
        self.plays_until, self.after, self.noinput = self.now + LENGTHS.get(words, LENGTH), after, None

    def take_kept(self) -> bool:
        """Take the keys that were typed ahead, until something goes on; say whether it does."""
        visit = len(self.path)
        while self.kept and self.plays_until is None and len(self.path) == visit:
            key, at = self.kept.pop(0)
            if self.now - at <= 10:
                self.noinput = None
                self.take(key)
        return len(self.path) > visit or self.plays_until is not None or self.interdigit is not None

    def press(self, key: str) -> None:
        if key == "#" and self.now <= self.swallow_until:
            return
        self.swallow_until, self.noinput = -1.0, None
        if self.plays_until is None:
            self.take(key)
        elif self.node in UNCUT:
            self.keep(key)
        elif self.after != "listen":
            self.keep(key)
            self.over()
        elif self.node == "main" or key in "0123456789#":
            self.plays_until = None
            self.take(key)

    def keep(self, key: str) -> None:
        self.kept = [(kept, at) for kept, at in self.kept if self.now - at <= 10]
        self.kept = [] if len(self.kept) >= 30 else [*self.kept, (key, self.now)]

    def over(self) -> None:
        """The words are over: heard, or cut."""
        self.plays_until = None
        if self.after != "listen":
            self.enter(self.after)
        elif not self.kept or not self.take_kept():
            self.noinput = self.now + 6

    def take(self, key: str) -> None:
        self.interdigit = None
        entry = self.entry + key
        if self.node == "main":
            if key == "#" and self.entry:
                self.choose(self.entry)
            elif entry == "1":
                self.entry, self.interdigit = entry, self.now + 3
            else:
                self.choose(entry)
        elif key == "#":
            self.complete()
        elif key not in "0123456789":
            self.interdigit, self.noinput = (self.now + 3, None) if self.entry else (None, self.now + 6)
        else:
            self.entry = entry
            if len(entry) == 3:
                self.swallow_until = self.now + 1
                self.complete()
            else:
                self.interdigit = self.now + 3

    def choose(self, entry: str) -> None:
        self.entry = ""
        if entry in CHOICES:
            self.enter(CHOICES[entry])
        else:
            self.fail("nomatch")

    def complete(self) -> None:
        entry, self.entry = self.entry, ""
        if len(entry) < 2:
            self.fail("invalid")
        else:
            self.number = entry
            self.enter("thanks")

    def fail(self, why: str) -> None:
        self.failures += 1
        self.noinput = self.interdigit = None
        self.kept = []
        if self.failures >= 3:
            self.say("Enough.", "fixed")
        else:
            self.say(f"{LEADS[why]} {self.node.capitalize()}.", "listen")

    def run(self, until: float) -> None:
        """Let time run: silence and pauses are noticed, words end."""
        while True:
            silence, pause, words = self.noinput, self.interdigit, self.plays_until
            due = min((at for at in (silence, pause, words) if at is not None), default=None)
            if due is None or due > until:
                break
            self.now = due
            if due == pause:
                self.interdigit = None
                self.choose(self.entry) if self.node == "main" else self.complete()
            elif due == silence:
                self.noinput = None
                self.fail("noinput")
            else:
                self.over()
        self.now = until


class Real:
    """The interpreter with the least shell that there can be."""

    def __init__(self) -> None:
        flow = load("model.yaml", FLOW, plugins.node_types()).flow
        assert flow is not None
        self.it = Interpreter(Program(flow), {})
        self.now = 0.0
        self.said: list[str] = []
        self.plays: wish.PlayPrompt | None = None
        self.began = 0.0
        call = {"id": "c", "from": "+1", "to": "+2", "headers": {}}
        self.tell(fact.CallStarted(0.0, call, "2026-01-05T10:00:00+00:00", 7, {}))

    def tell(self, event: fact.Event) -> None:
        for effect in self.it.handle(event):
            if isinstance(effect, wish.PlayPrompt):
                self.plays, self.began = effect, self.now
                self.said.append(" ".join(part.text for part in effect.parts if isinstance(part, wish.Speech)))
            elif isinstance(effect, wish.StopPrompt):
                self.plays = None

    def press(self, key: str) -> None:
        plays = self.plays
        deaf = plays is not None and key == plays.policy.deaf and self.now <= plays.policy.deaf_until
        if plays is not None and key in plays.policy.keys and not deaf:
            self.plays = None
            self.tell(fact.PromptInterrupted(self.now, plays.prompt, self.now - self.began))
        self.tell(fact.DigitPressed(self.now, key))

    def run(self, until: float) -> None:
        while True:
            timer = self.it.deadline
            words = self.began + self.length if self.plays else None
            due = min((at for at in (timer, words) if at is not None), default=None)
            if due is None or due > until:
                break
            self.now = due
            if due == timer:
                self.tell(fact.TimePassed(due))
            elif self.plays:
                plays, self.plays = self.plays, None
                self.tell(fact.PromptFinished(due, plays.prompt, self.length))
        self.now = until

    @property
    def length(self) -> float:
        return LENGTHS.get(self.said[-1], LENGTH)


class Calls(RuleBasedStateMachine):
    """One call of the two, side by side."""

    @initialize()
    def begin(self) -> None:
        self.model, self.real = Model(), Real()
        self.model.enter("main")

    def both(self, act: Callable[[Model | Real], None]) -> None:
        act(self.model)
        act(self.real)

    @rule(keys=st.text(KEYS, min_size=1, max_size=4), gap=st.sampled_from((0.11, 0.3, 1.07, 2.9)))
    def type(self, keys: str, gap: float) -> None:
        for key in keys:
            self.both(lambda one: one.run(one.now + gap))
            self.both(lambda one, key=key: one.press(key))  # type: ignore[misc]

    @rule(
        keys=st.sampled_from(
            ("1", "12", "1#", "9", "42", "421", "421#", "9421#", "142#", "#", "77", "7" * 3 + "9", "9" + "7" * 30)
        )
    )
    def say_with_keys(self, keys: str) -> None:
        self.type(keys=keys, gap=0.3)

    @rule(seconds=st.sampled_from((0.5, 2.03, 3.17, 6.21, 11.3, 30.7)))
    def wait(self, seconds: float) -> None:
        self.both(lambda one: one.run(one.now + seconds))

    @invariant()
    def they_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        model, real = self.model, self.real
        assert real.it.state.path == model.path
        assert real.said == model.said
        assert real.it.state.vars["number"] == model.number
        assert (real.plays is not None) == (model.plays_until is not None)
        deadlines = [at for at in (model.noinput, model.interdigit) if at is not None]
        assert real.it.deadline is not None
        assert real.it.deadline == pytest.approx(min(deadlines)) if deadlines else real.it.deadline > real.now + 1000


Calls.TestCase.settings = settings(
    derandomize=True,
    database=None,
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
test_the_interpreter_is_what_the_model_says = Calls.TestCase
