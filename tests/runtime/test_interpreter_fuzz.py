"""Any facts in any order: the interpreter never raises, never plays two prompts, and always comes to one end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

MENUS = """
defaults: {timeouts: {final: 1s}}
vars: {many: {type: int, default: 0}, left: text}
always:
  - {key: star, name: help, goto: help, cooldown: 10s}
  - {key: "00", name: over, goto: over}
catch:
  hangup: {set: {left: "{{ call.ended }}"}}
  ended: {add: {many: 1}}
  nomatch: [{say: "What?"}, {goto: far}]
nodes:
  greet: {say: Hello., goto: main}
  main:
    say: One, twelve, three.
    reprompt: [Again., And again.]
    menu:
      - {key: 1, goto: loud}
      - {key: 12, goto: quiet}
      - {key: 3, name: once, goto: again}
      - {key: 4, goto: limited, if: many == 0, add: {many: 1}}
      - {key: 5, goto: silent}
  loud: {say: You can not stop this., barge_in: false, goto: deaf}
  deaf:
    say: Any key?
    barge_in: false
    menu: [{key: 1, goto: main}, {key: "#", name: no, goto: quiet}]
  quiet:
    say: Later you may.
    barge_in: {after: 2s}
    menu: [{key: 1, goto: main}, {key: 2, goto: bye}]
  limited:
    say: Not often.
    max_visits: 2
    goto: main
    catch: {maxvisits: {say: Too often., goto: main}}
  silent: {goto: [{if: many > 2, goto: bye}, {else: main}], add: {many: 1}}
  help: {say: This is help., goto: back}
  over: {say: "{{ left }}", goto: again, catch: {error.loop: {goto: far}}}
  far: {say: Far away., menu: [{key: 9, goto: main}], timeouts: {node: 20s}, catch: {timeout.node: {say: "Still?"}}}
  bye: {say: Goodbye., hangup: {interruptible: true}}
"""
COLLECTS = """
vars: {account: digits, nothing: int, pin: {type: digits, private: true}, more: text, many: {type: int, default: 0}}
always:
  - {key: "*", name: help, goto: help}
  - {key: C, name: broken, goto: broken}
  - {key: D, name: step, goto: step}
catch:
  invalid: {say: "Not {{ account }}."}
  error: {say: That went wrong.}
  toomany: {say: Too many., goto: last}
nodes:
  ask:
    say: Four to six.
    collect:
      into: account
      length: 4..6
      clear_key: A
      check: account != "9999"
      confirm: "{{ account | spell }}?"
    goto: code
  code:
    say: Two digits.
    barge_in: false
    tries: 2
    collect: {into: pin, length: 2, optional: true, end_key: none}
    goto: {done: broken, skipped: step}
  broken:
    say: "{{ nothing }}"
    collect: {into: more, check: many + nothing > 0}
    goto: step
  step: {say: Now., set: {many: "{{ many + nothing }}"}, goto: last}
  help: {say: Help., goto: back, catch: {error: {goto: back}}}
  last:
    say: The last one.
    collect: {into: more, length: 1}
    catch:
      noinput: [{say: Hm.}, {say: Hm hm., goto: again}]
      toomany: {say: So be it.}
    goto: end
"""
TRANSFERS = """
vars: {who: text, note: text}
always: [{key: "0", name: person, goto: person}]
catch:
  timeout.call: {say: Time is up.}
  error: {set: {note: there}}
defaults: {timeouts: {call: 300s}}
nodes:
  main:
    say: One, two or three.
    menu: [{key: 1, goto: person}, {key: 2, goto: blind}, {key: 3, goto: none}]
    catch: {toomany: {goto: person}}
  person:
    say: Wait.
    transfer: {to: ["+15550001", "+15550002"], ring: 10s}
    goto: {ended: bye, declined: again, else: main}
  blind: {say: Wait., transfer: {to: "+15550003", mode: blind}}
  none: {say: Wait., transfer: {to: "{{ who }}"}, goto: {else: main}}
  bye: {say: Goodbye., hangup: }
"""
FLOWS = {"menus": MENUS, "collects": COLLECTS, "transfers": TRANSFERS}
OUTCOMES = ("ended", "busy", "noanswer", "declined", "failed")
STEPS = 400  # so many facts bring every call to its end when nobody says a word


def program(text: str) -> Program:
    loaded = load("fuzz.yaml", "flow: fuzz\nversion: 1\n" + text, plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return Program(loaded.flow)


PROGRAMS = {name: program(text) for name, text in FLOWS.items()}


class Shell:
    """Tells the interpreter facts, and a copy of it that was restored from JSON on the way the same ones."""

    def __init__(self, flow: str) -> None:
        self.program = PROGRAMS[flow]
        self.it = Interpreter(self.program, {})
        self.copy: Interpreter | None = None
        self.at = 0.0
        self.prompt: wish.PlayPrompt | None = None
        self.old = "e0.p0"
        self.end: wish.EndCall | None = None
        self.tell(fact.CallStarted(0.0, {"id": "c", "from": "+1", "to": "+2"}, "2026-01-05T10:00:00+00:00", 7, {}))

    def tell(self, event: fact.Event) -> None:
        effects = self.it.handle(event)
        if self.copy is not None:
            assert self.copy.handle(event) == effects
            assert self.copy.deadline == self.it.deadline
        assert self.end is None or effects == [], "after the end of the call nothing has an effect"
        for effect in effects:
            if isinstance(effect, wish.PlayPrompt):
                assert self.prompt is None, "at most one prompt is on"
                self.prompt = effect
            elif isinstance(effect, wish.StopPrompt):
                assert self.prompt is not None
                assert self.prompt.prompt == effect.prompt
                self.over()
            elif isinstance(effect, wish.EndCall):
                assert self.end is None, "a call ends once"
                assert effect is effects[-1]
                assert self.prompt is None
                self.end = effect

    def over(self) -> None:
        if self.prompt is not None:
            self.old, self.prompt = self.prompt.prompt, None

    def restore(self) -> None:
        self.copy = Interpreter.restore(self.program, {}, json.loads(json.dumps(self.it.snapshot())), self.it.state.at)
        assert self.copy.deadline == self.it.deadline

    def press(self, key: str) -> None:
        """A key as the session tells of it: what the policy lets it cut is interrupted first."""
        prompt = self.prompt
        if prompt is not None and key in prompt.policy.keys:
            policy = prompt.policy
            if not (key == policy.deaf and self.at <= policy.deaf_until):
                self.over()
                self.tell(fact.PromptInterrupted(self.at, prompt.prompt, max(policy.after, 0.5)))
        self.tell(fact.DigitPressed(self.at, key))

    def do(self, what: str, value: Any) -> None:
        now = self.prompt.prompt if self.prompt is not None else "e99.p99"
        due = self.it.deadline
        if what == "key":
            self.press(value)
        elif what == "raw key":
            self.tell(fact.DigitPressed(self.at, value))
        elif what in ("finish", "fail"):
            self.over()
            self.tell(about(what, self.at, now, value))
        elif what == "stale":
            self.tell(about(value, self.at, self.old, 1.0))
        elif what == "pass":
            self.at += value
            self.tell(fact.TimePassed(self.at))
        elif what == "due" and due is not None:
            self.at = max(self.at, due + value)
            self.tell(fact.TimePassed(self.at))
        elif what == "transferred":
            self.tell(fact.TransferFinished(self.at, value))
        elif what == "resume":
            self.over()
            self.tell(fact.StreamResumed(self.at))
        elif what == "hang up":
            self.tell(fact.CallerHungUp(self.at, dropped=value))
        elif what == "stop":
            self.tell(fact.CallStopped(self.at, value))
        elif what == "restore":
            self.restore()

    def wait_for_the_end(self) -> None:
        """Nobody says a word: prompts play to their end, dials end, time passes."""
        for _ in range(STEPS):
            if self.end is not None:
                return
            if self.prompt is not None:
                prompt, due = self.prompt.prompt, self.it.deadline
                if due is not None and due <= self.at + 2.0:
                    self.do("due", 0.0)
                    continue
                self.over()
                self.at += 2.0
                self.tell(fact.PromptFinished(self.at, prompt, 2.0))
            elif self.it.deadline is not None:
                self.do("due", 0.0)
            else:
                assert self.it.state.phase == "transferring", "nothing will ever happen in this call"
                self.tell(fact.TransferFinished(self.at, "noanswer"))
        raise AssertionError(f"the call goes on and on: {self.it.state.path[-9:]}")


def about(what: str, at: float, prompt: str, heard: float) -> fact.Event:
    if what == "finish":
        return fact.PromptFinished(at, prompt, heard)
    if what == "interrupt":
        return fact.PromptInterrupted(at, prompt, heard)
    return fact.PromptFailed(at, prompt, heard, "timeout")


# Times are sums of powers of two, so that restored timers are due at the very same float.
SECONDS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 8.0])
KEYS = st.sampled_from("1122334512990**##ACD")
ACTS = st.one_of(
    st.tuples(st.just("key"), KEYS),
    st.tuples(st.just("key"), KEYS),
    st.tuples(st.just("raw key"), KEYS),
    st.tuples(st.sampled_from(["finish", "finish", "fail"]), SECONDS),
    st.tuples(st.just("stale"), st.sampled_from(["finish", "interrupt", "fail"])),
    st.tuples(st.just("pass"), SECONDS),
    st.tuples(st.just("due"), st.sampled_from([-0.25, 0.0, 0.0, 0.25, 4.0, 400.0])),
    st.tuples(st.just("transferred"), st.sampled_from(OUTCOMES)),
    st.tuples(st.just("resume"), st.none()),
    st.tuples(st.just("restore"), st.none()),
)
ENDS = st.one_of(
    st.tuples(st.just("hang up"), st.booleans()),
    st.tuples(st.just("stop"), st.sampled_from(["engine.drained", "carrier.failed", "engine.failed"])),
)
LISTS = st.tuples(st.lists(ACTS, max_size=30), st.lists(ENDS, max_size=2), st.lists(ACTS, max_size=4))


@pytest.mark.parametrize("flow", FLOWS)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(acts=LISTS)
def test_any_facts_in_any_order_come_to_one_end(flow: str, acts: Any) -> None:
    shell = Shell(flow)
    for what, value in (act for part in acts for act in part):
        shell.do(what, value)
    shell.wait_for_the_end()
    for what, value in acts[0][:5]:
        shell.do(what, value)
