"""Voices, tools, models, recordings and events in any order: never two prompts, no tool twice, and always one end.

The flows are those of `tests/nodes/flows`; an interpreter that was restored from JSON on the way has the same effects.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine import plugins
from flowengine.flow.folder import Folder
from flowengine.flow.loader import load
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.runtime.state import TALKING
from flowengine.testing.player import EveryName
from tests.runtime import test_interpreter_fuzz as plain

FOLDER = Path(__file__).parents[1] / "nodes" / "flows"
FILES = {path.name: path.read_bytes() for path in FOLDER.glob("*.yaml") if ".test" not in path.name}
BESIDE: dict[str, Program] = {}
for name, data in FILES.items():
    flow = load(name, data, plugins.node_types(), Folder(lambda: FILES, FILES.get, plugins.node_types())).flow
    assert flow is not None
    BESIDE[flow.name] = Program(flow, BESIDE)
# What one conversation after another has of everything that may happen at once.
RESTLESS = """\
flow: restless
version: 1
vars: {n: text}
tools:
  slow: {python: "shop:slow", args: {}, timeout: 60s, save: {n: "{{ result }}"}}
  status: {http: GET, url: "https://shop.test/{{ order }}", about: x, args: {order: string}}
always: [{key: 9, name: louder, hear: [operator], do: louder}]
catch:
  event.hello: {say: Your parcel is here.}
  error.stt: {say: Please use the keys.}
  error.model: {say: I lost my thread.}
nodes:
  text:
    say: How can I help?
    reprompt: Once more.
    chat:
      prompt: Help.
      tools: [slow, status]
      keys: text
      exits: {done: {when: it is done, goto: opened}, human: {when: a person is wanted, goto: choose}}
  opened:
    chat:
      prompt: Help.
      tools: [slow]
      history: fresh
      exits: {done: {when: it is done, key: 12, goto: choose}, human: {when: a person is wanted, key: 0, goto: text}}
  choose:
    say: Sales or bills.
    menu: {understand: model, options: [{key: 1, hear: [balance], goto: text}, {key: 2, hear: [message], goto: end}]}
"""
loaded = load("restless.yaml", RESTLESS.encode(), plugins.node_types(), None).flow
assert loaded is not None
BESIDE["restless"] = Program(loaded, BESIDE)
STARTS = ("restless", "chat", "outer", "tools", "voice", "waits")
ENV = EveryName()
STEPS = 1500


class Shell(plain.Shell):
    """Knows what else the call waits for."""

    def __init__(self, flow: str) -> None:
        self.program = BESIDE[flow]
        self.it = Interpreter(self.program, ENV)
        self.copy = None
        self.at = 0.0
        self.prompt = None
        self.reply: wish.Ask | None = None
        self.runs: dict[str, wish.RunTool] = {}
        self.keys_of_runs: set[tuple[str, int]] = set()
        self.started: dict[str, int] = {}
        self.recording = ""
        self.sending = ""
        self.old = "e0.p0"
        self.end = None
        call = {"id": "c", "from": "+1", "to": "+2", "headers": {}}
        self.tell(fact.CallStarted(0.0, call, "2026-01-05T10:00:00+00:00", 7, {}))

    def restore(self) -> None:
        snapshot = self.it.snapshot()
        self.copy = Interpreter.restore(self.program, ENV, json.loads(json.dumps(snapshot)), self.it.state.at)
        assert self.copy.deadline == self.it.deadline
        assert self.copy.snapshot() == snapshot

    def tell(self, event: fact.Event) -> None:
        effects = self.it.handle(event)
        if self.copy is not None:
            assert self.copy.handle(event) == effects
        assert self.end is None or effects == [], "after the end of the call nothing has an effect"
        for effect in effects:
            self._carry_out(effect, effects)
        self._not_in_silence()

    def _not_in_silence(self) -> None:
        """Where nothing is on and nothing is owed, a node that asks counts the silence."""
        busy = self.prompt or self.reply or self.runs or self.recording or self.sending
        if self.end is not None or busy or self.it.state.phase != TALKING or not self.it.node.type.asks:
            return
        counted = set(self.it.state.timers) - {"call", "node"}
        comes = self.it.state.cut or self.it.state.after_tool  # what cut, or the words after a tool of a handler
        assert counted or comes, f"dead air in {self.it.node.name}"

    def _carry_out(self, effect: wish.Effect, effects: list[wish.Effect]) -> None:
        if isinstance(effect, wish.PlayPrompt | wish.Ask):
            assert self.prompt is None, "at most one prompt is on"
            assert self.reply is None, "at most one answer is on"
            if isinstance(effect, wish.Ask):
                self.reply = effect
            else:
                self.prompt = effect
        elif isinstance(effect, wish.StopPrompt):
            assert self.prompt is not None
            assert self.prompt.prompt == effect.prompt
            self.over()
        elif isinstance(effect, wish.CancelReply):
            assert self.reply is not None
            assert self.reply.reply == effect.reply
            self.reply = None
        elif isinstance(effect, wish.RunTool):
            tries = self.started[effect.run] = self.started.get(effect.run, 0) + 1
            assert (effect.key, tries) not in self.keys_of_runs, "no run of a tool is sent twice"
            self.keys_of_runs.add((effect.key, tries))
            assert tries == 1 or effect.kind != "http" or effect.target == "GET", "only what is safe is repeated"
            self.runs[effect.run] = effect
        elif isinstance(effect, wish.CancelTool):
            self.runs.pop(effect.run, None)
        elif isinstance(effect, wish.Record):
            assert not self.recording, "at most one recording is on"
            self.recording = effect.recording
        elif isinstance(effect, wish.StopRecording):
            assert self.recording == effect.recording
        elif isinstance(effect, wish.PressKeys):
            self.sending = effect.keys
        elif isinstance(effect, wish.EndCall):
            assert self.end is None, "a call ends once"
            assert effect is effects[-1]
            assert self.prompt is None
            assert self.reply is None
            self.end = effect

    def go_on(self, choice: int) -> None:
        """Let the call go its usual way for a step, so that something is under way when the unusual comes."""
        if self.reply is not None:
            usual = (("begins", None), ("acts", WISHES[choice % len(WISHES)]), ("answers", "Well."))
            self.do(*usual[choice % len(usual)])
        elif self.prompt is not None:
            prompt = self.prompt.prompt
            self.over()
            self.at += 2.0
            self.tell(fact.PromptFinished(self.at, prompt, 2.0))
        elif self.runs:
            self.do("tool", (choice, ANSWERS[choice % len(ANSWERS)]))
        else:
            self.do("say", "what about my order")

    def do(self, what: str, value: Any) -> None:
        if what == "on":
            self.go_on(value)
            return
        if self.reply is not None and self._to_the_reply(self.reply, what, value):
            return
        if what == "say":
            self._cut_by_speech(value)
            self.tell(fact.UtteranceEnded(self.at, value, self.at))
        elif what == "speech":
            self.tell(fact.SpeechStarted(self.at))
        elif what == "event":
            self.tell(fact.EventReceived(self.at, value, {"name": "Eve", "from": "Bob"}))
        elif what == "resume":
            self.reply, self.recording, self.sending = None, "", ""
            self.runs.clear()
            super().do(what, value)
        elif what in ERRANDS:
            self._errand(what, value)
        else:
            super().do(what, value)

    def _to_the_reply(self, reply: wish.Ask, what: str, value: Any) -> bool:
        """Tell a fact of the answer that is on; False for one that is not about it."""
        if what == "acts":
            name = f"c{self.at}.{len(self.keys_of_runs)}"
            self.tell(fact.ReplyActed(self.at, reply.reply, value[0], value[1], name, {}))
        elif what == "answers":
            self.reply = None
            self.tell(fact.ReplyFinished(self.at, reply.reply, value, 1.5))
        elif what == "breaks":
            self.reply = None
            self.tell(fact.ReplyFailed(self.at, reply.reply, "error", value or ""))
        elif what == "begins":
            self.tell(fact.ReplyStarted(self.at, reply.reply))
        elif what == "audible":
            self.tell(fact.ReplyAudible(self.at, reply.reply))
        elif what == "key" and value in reply.policy.keys:
            self.reply = None
            self.tell(fact.ReplyInterrupted(self.at, reply.reply, "what was heard", 1.0))
            self.tell(fact.DigitPressed(self.at, value))
        else:
            return False
        return True

    def _errand(self, what: str, value: Any) -> None:
        """Tell a fact of what is under way; those of a reply that is not on are nothing."""
        if what == "tool" and self.runs:
            run = sorted(self.runs)[value[0] % len(self.runs)]
            self.runs.pop(run)
            self.tell(fact.ToolFinished(self.at, run, *value[1]))
        elif what == "stale tool":
            self.tell(fact.ToolFinished(self.at, "e0.t0", None, value))
        elif what == "recorded" and self.recording:
            recording, self.recording = self.recording, ""
            self.tell(fact.RecordingFinished(self.at, recording, value, 1.0))
        elif what == "sent" and self.sending:
            self.sending = ""
            self.tell(fact.KeysSent(self.at, ""))

    def _cut_by_speech(self, text: str) -> None:
        if self.prompt is not None and self.prompt.policy.speech and text:
            prompt = self.prompt
            self.over()
            self.tell(fact.PromptInterrupted(self.at, prompt.prompt, 0.5))
        elif self.reply is not None and self.reply.policy.speech and len(text) > 4:
            reply, self.reply = self.reply, None
            self.tell(fact.ReplyInterrupted(self.at, reply.reply, "a part", 0.5))

    def wait_for_the_end(self) -> None:
        for _ in range(STEPS):
            if self.end is not None:
                return
            due = self.it.deadline
            if self.reply is not None:
                self.at += 1.0
                self.do("answers", "Well.")
            elif self.sending:
                self.do("sent", None)
            elif self.recording:
                self.at += 3.0
                self.do("recorded", "")
            elif self.prompt is not None and not (due is not None and due <= self.at + 2.0):
                prompt = self.prompt.prompt
                self.over()
                self.at += 2.0
                self.tell(fact.PromptFinished(self.at, prompt, 2.0))
            elif due is not None:
                self.do("due", 0.0)
            else:
                assert self.it.state.phase == "transferring", "nothing will ever happen in this call"
                self.tell(fact.TransferFinished(self.at, "noanswer"))
        raise AssertionError(f"the call goes on and on: {self.it.state.path[-9:]}")


ERRANDS = frozenset(["tool", "stale tool", "recorded", "sent", "acts", "answers", "breaks", "begins", "audible"])
WORDS = [
    "balance",
    "help me please",
    "operator",
    "yes",
    "no",
    "one two three four",
    "skip",
    "that is all",
    "message",
    "",
]
ANSWERS = [(None, ""), ({"id": "B1"}, ""), ({"items": [{"price": 12.5}]}, ""), (None, "timeout"), (None, "http.503")]
ANSWERS += [(None, "http.404"), (None, "error")]
WISHES = [
    ("tool", "status"),
    ("tool", "slow"),
    ("tool", "cut"),
    ("tool", "nothing"),
    ("exit", "done"),
    ("exit", "human"),
]
WISHES += [("exit", "order"), ("exit", "person"), ("exit", "nowhere"), ("option", "key_1")]
ACTS = st.one_of(
    plain.ACTS,
    st.tuples(st.just("say"), st.sampled_from(WORDS)),
    st.tuples(st.just("say"), st.sampled_from(WORDS)),
    *[st.tuples(st.just("on"), st.integers(0, 20))] * 12,
    st.tuples(st.just("speech"), st.none()),
    st.tuples(st.just("tool"), st.tuples(st.integers(0, 3), st.sampled_from(ANSWERS))),
    st.tuples(st.just("stale tool"), st.sampled_from(["", "timeout"])),
    st.tuples(st.just("begins"), st.none()),
    st.tuples(st.just("audible"), st.none()),
    st.tuples(st.just("acts"), st.sampled_from(WISHES)),
    st.tuples(st.just("acts"), st.sampled_from(WISHES)),
    st.tuples(st.just("answers"), st.sampled_from(["", "Well.", "A longer answer."])),
    st.tuples(st.just("breaks"), st.sampled_from(["", "A part"])),
    st.tuples(st.just("event"), st.sampled_from(["free", "closed", "note", "stop", "other", "hello"])),
    st.tuples(st.just("recorded"), st.sampled_from(["", "recording:1"])),
    st.tuples(st.just("sent"), st.none()),
)
LISTS = st.tuples(st.lists(ACTS, max_size=40), st.lists(plain.ENDS, max_size=1), st.lists(ACTS, max_size=4))


@pytest.mark.parametrize("flow", STARTS)
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(acts=LISTS)
def test_any_facts_in_any_order_come_to_one_end(flow: str, acts: Any) -> None:
    shell = Shell(flow)
    for what, value in (act for part in acts for act in part):
        shell.do(what, value)
    shell.wait_for_the_end()
    for what, value in acts[0][:5]:
        shell.do(what, value)


def unusual(chance: random.Random) -> tuple[str, Any]:
    """Something that may come at any time."""
    return chance.choice(
        [
            ("key", chance.choice("0129#")),
            ("say", chance.choice(WORDS)),
            ("event", "hello"),
            ("tool", (chance.randrange(4), chance.choice(ANSWERS))),
            ("due", 0.0),
            ("pass", chance.random() * 3),
            ("speech", None),
            ("breaks", chance.choice(["", "A part"])),
            ("audible", None),
            ("acts", chance.choice(WISHES)),
            ("answers", chance.choice(["", "Well."])),
            ("finish", 1.0),
            ("restore", None),
            ("resume", None),
        ]
    )


@pytest.mark.parametrize("flow", ["restless", "chat"])
def test_a_conversation_goes_on_whatever_comes_between(flow: str) -> None:
    """Every other step is the usual one, so that tools, words and answers are under way when the unusual comes."""
    for seed in range(400):
        chance, shell = random.Random(seed), Shell(flow)
        try:
            for _ in range(40):
                shell.do(*(("on", chance.randrange(21)) if chance.random() < 0.5 else unusual(chance)))
            shell.wait_for_the_end()
        except Exception as error:
            error.add_note(f"seed {seed} of {flow}")
            raise
