"""The interpreter, case by case (call semantics), through its public door: facts in, effects out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flowengine import plugins
from flowengine.flow.loader import load
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

HEAD = "flow: test\nversion: 1\n"


class Talk:
    """Drives an interpreter: the shell of the tests, with a clock that only goes where it is told."""

    def __init__(self, text: str, args: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> None:
        loaded = load("test.yaml", HEAD + text, plugins.node_types())
        errors = [d for d in loaded.diagnostics if d.severity == "error"]
        assert loaded.flow is not None, errors
        self.program = Program(loaded.flow)
        self.env = env or {}
        self.it = Interpreter(self.program, self.env)
        self.at = 0.0
        self.prompt: wish.PlayPrompt | None = None
        self.said: list[str] = []
        self.effects: list[wish.Effect] = []
        self.take(
            fact.CallStarted(0.0, {"id": "c", "from": "+1", "to": "+2"}, "2026-01-05T10:00:00+00:00", 7, args or {})
        )

    def take(self, event: fact.Event) -> list[wish.Effect]:
        new = self.it.handle(event)
        self.effects += new
        for effect in new:
            if isinstance(effect, wish.PlayPrompt):
                self.prompt = effect
                self.said.append(words(effect))
            elif isinstance(effect, wish.StopPrompt):
                assert self.prompt is not None
                assert effect.prompt == self.prompt.prompt
                self.prompt = None
        return new

    def wait(self, seconds: float) -> None:
        """Let time pass; timers fire when they are due, prompts play on."""
        until = self.at + seconds
        while (due := self.it.deadline) is not None and due <= until:
            self.at = max(self.at, due)
            self.take(fact.TimePassed(self.at))
        self.at = until

    def hear(self, seconds: float = 2.0) -> None:
        """Let the prompt that is on play to its end."""
        assert self.prompt is not None, "nothing plays"
        prompt, self.prompt = self.prompt, None
        self.at += seconds
        self.take(fact.PromptFinished(self.at, prompt.prompt, seconds))

    def press(self, keys: str, gap: float = 0.3) -> None:
        """Press keys as the shell tells of them: the policy's keys cut first."""
        for key in keys:
            self.at += gap
            prompt = self.prompt
            if (
                prompt
                and key in prompt.policy.keys
                and not (key == prompt.policy.deaf and self.at <= prompt.policy.deaf_until)
            ):
                self.prompt = None
                self.take(fact.PromptInterrupted(self.at, prompt.prompt, 0.5))
            self.take(fact.DigitPressed(self.at, key))

    @property
    def path(self) -> list[str]:
        return self.it.state.path

    @property
    def node(self) -> str:
        return self.path[-1]

    @property
    def vars(self) -> dict[str, Any]:
        return self.it.state.vars

    def ended(self) -> str | None:
        reasons = [e.reason for e in self.effects if isinstance(e, wish.EndCall)]
        assert len(reasons) <= 1
        return reasons[0] if reasons else None

    def notes(self, what: str) -> list[Any]:
        return [e.data for e in self.effects if isinstance(e, wish.Note) and e.what == what]


def words(effect: wish.PlayPrompt) -> str:
    return " ".join(part.text for part in effect.parts if isinstance(part, wish.Speech))


MENU = """
nodes:
  greet:
    say: Welcome.
    goto: main
  main:
    say: One, twelve or nine.
    reprompt: [Again one., Again two.]
    menu:
      - {key: 1, goto: one}
      - {key: 12, goto: twelve}
      - {key: 9, goto: collect}
  one: {say: You took one., goto: end}
  twelve: {say: You took twelve., goto: end}
  collect:
    say: Six digits.
    collect: {into: number, length: 6}
    goto: after
  after:
    say: Now one or two.
    menu: [{key: 1, goto: one}, {key: 2, goto: twelve}]
vars: {number: digits}
"""


def test_case_01_noinput_runs_from_the_end_of_the_prompt() -> None:
    talk = Talk(MENU)
    talk.hear()
    talk.wait(30)
    assert talk.node == "main"
    assert talk.notes("failure") == []
    talk.hear()
    talk.wait(5.9)
    assert talk.notes("failure") == []
    talk.wait(0.2)
    assert talk.said[-1] == "Sorry, I did not hear you. Again one."


@pytest.mark.parametrize("order", ["key first", "mark first"])
def test_case_02_a_key_in_the_last_frame(order: str) -> None:
    talk = Talk(MENU)
    talk.hear()
    prompt = talk.prompt
    assert prompt is not None
    if order == "key first":
        talk.press("9")
        talk.take(fact.PromptFinished(talk.at, prompt.prompt, 2.0))
        assert talk.notes("stale") == [{"prompt": prompt.prompt}]
    else:
        talk.hear()
        talk.press("9")
    assert talk.node == "collect"
    talk.hear()
    # The mark of a node that is left starts no timer here.
    talk.wait(5.9)
    assert talk.notes("failure") == []


def test_case_04_a_prompt_without_audio_counts_as_played() -> None:
    talk = Talk(
        """
vars: {word: {type: text, default: "..."}}
nodes:
  a: {say: "{{ word }}", goto: b}
  b:
    say: "{{ word }}"
    menu: [{key: 1, goto: c}]
  c: {say: Done., goto: end}
"""
    )
    assert talk.node == "b"
    assert talk.prompt is None
    talk.wait(6.1)
    assert talk.notes("failure") == [{"event": "noinput", "count": 1}]


@pytest.mark.parametrize(
    ("typed", "node", "said"),
    [
        ("9", "collect", ["Welcome.", "Six digits."]),
        ("9123", "collect", ["Welcome."]),
        ("9123456", "after", ["Welcome.", "Now one or two."]),
        ("91234562", "twelve", ["Welcome.", "You took twelve."]),
    ],
)
def test_case_08_type_ahead_skips_prompts(typed: str, node: str, said: list[str]) -> None:
    talk = Talk(MENU.replace("  greet:\n", "  greet:\n    barge_in: false\n"))
    talk.press(typed, gap=0.05)
    talk.hear()
    assert (talk.node, talk.said) == (node, said)
    if typed == "9123":
        # A partial answer starts the interdigit timer.
        talk.wait(3.1)
        assert talk.notes("failure") == [{"event": "invalid", "count": 1}]


def test_case_08_an_uninterruptible_prompt_plays_to_its_end_and_then_the_keys_count() -> None:
    talk = Talk(MENU.replace("    say: One, twelve or nine.", "    barge_in: false\n    say: One, twelve or nine."))
    talk.press("9")
    assert talk.node == "main"
    assert talk.prompt is not None
    talk.press("12")
    assert talk.node == "main"
    talk.hear()
    assert talk.node == "collect"
    assert talk.it.state.local["entry"] == "12"


def test_case_08_flushes() -> None:
    talk = Talk(MENU.replace("  greet:\n", "  greet:\n    barge_in: false\n"))
    talk.press("5" * 31, gap=0.01)
    assert talk.notes("flushed") == [{"why": "too many"}]
    talk = Talk(MENU.replace("  greet:\n", "  greet:\n    barge_in: false\n"))
    talk.press("9")
    talk.wait(10.5)
    talk.hear(0.0)
    assert talk.node == "main", "a key of ten seconds ago is not meant for this menu"
    talk = Talk(MENU)
    talk.press("5", gap=0.01)
    assert talk.said[-1].startswith("Sorry, that is not one of the choices."), "nomatch flushes what was typed"
    assert talk.it.state.keys == []


def test_a_key_that_crosses_the_next_prompt_on_its_way_cuts_it() -> None:
    """Two keys come in one tick: the second was pressed before the shell had the prompt that the first led to."""
    talk = Talk(MENU)
    talk.hear()
    prompt = talk.prompt
    assert prompt is not None
    talk.prompt = None
    talk.take(fact.PromptInterrupted(talk.at, prompt.prompt, 0.5))
    talk.take(fact.DigitPressed(talk.at, "9"))
    assert talk.said[-1] == "Six digits."
    talk.take(fact.DigitPressed(talk.at, "1"))
    assert talk.prompt is None
    talk.press("23456")
    assert talk.vars["number"] == "123456"


def test_keys_that_were_kept_come_before_the_one_that_cuts() -> None:
    talk = Talk(MENU.replace("    say: Six digits.", "    barge_in: {after: 2s}\n    say: Six digits."))
    talk.hear()
    talk.press("9")
    for key in "12":
        talk.take(fact.DigitPressed(talk.at, key))
    assert talk.prompt is not None
    talk.press("3456")
    assert talk.vars["number"] == "123456"


def test_case_09_one_key_more_than_needed_is_swallowed() -> None:
    talk = Talk(MENU)
    talk.press("9")
    talk.press("123456")
    assert talk.node == "after"
    talk.press("#", gap=0.9)
    assert talk.notes("swallowed") == [{}]
    assert talk.prompt is not None, "the next prompt plays on"
    talk.press("#", gap=0.05)
    assert talk.notes("swallowed") == [{}, {}]
    talk.press("#", gap=0.1)
    assert talk.notes("failure")[-1]["event"] == "nomatch"


def test_case_09_after_a_second_it_is_no_longer_swallowed() -> None:
    talk = Talk(MENU)
    talk.press("9")
    talk.press("123456")
    talk.press("#", gap=1.1)
    assert talk.notes("swallowed") == []
    assert talk.notes("failure")[-1]["event"] == "nomatch"


def test_case_10_a_prefix_waits_in_silence() -> None:
    talk = Talk(MENU)
    talk.press("1")
    assert talk.node == "main"
    assert talk.prompt is None
    talk.wait(3.1)
    assert talk.node == "one"


@pytest.mark.parametrize(("keys", "node"), [("1#", "one"), ("12", "twelve")])
def test_case_10_hash_and_a_complete_key_end_at_once(keys: str, node: str) -> None:
    talk = Talk(MENU)
    talk.hear()
    talk.press(keys)
    assert talk.node == node


def test_case_10_an_impossible_second_key_is_a_nomatch_of_both() -> None:
    talk = Talk(MENU)
    talk.hear()
    talk.press("13")
    assert talk.node == "main"
    assert talk.notes("failure") == [{"event": "nomatch", "count": 1}]
    assert talk.it.state.keys == []


def test_case_11_timers_of_keys() -> None:
    talk = Talk(MENU)
    talk.press("9")
    talk.hear()
    talk.press("1")
    assert "noinput" not in talk.it.state.timers
    talk.wait(2.5)
    talk.press("2")
    talk.wait(2.5)
    assert talk.notes("failure") == [], "each digit restarts interdigit"
    talk.wait(1)
    assert talk.notes("failure") == [{"event": "invalid", "count": 1}], "too short is invalid, not noinput"


def test_case_24_a_silent_loop_ends() -> None:
    talk = Talk(
        """
vars: {go: {type: bool, default: true}}
nodes:
  a: {say: "...", goto: b}
  b: {say: "...", goto: [{if: go, goto: a}, {else: end}]}
"""
    )
    assert talk.notes("loop")
    assert len(talk.notes("loop")[0]["path"]) == 10
    assert talk.said == ["I am sorry, something went wrong. Please call again later. Goodbye."]
    talk.hear()
    assert talk.ended() == "flow.error"


def test_case_24_a_loop_with_audio_is_bounded_by_visits() -> None:
    talk = Talk("nodes:\n  a: {say: Hello again., goto: a}\ndefaults: {limits: {visits: 5}}\n")
    for _ in range(5):
        assert talk.prompt is not None
        talk.hear()
    assert talk.notes("loop")


def test_case_25_counters_belong_to_a_visit_and_back_restores_them() -> None:
    talk = Talk(
        """
always: [{key: star, goto: aside}]
nodes:
  main:
    say: One.
    menu: [{key: 1, goto: end}]
  aside: {say: An aside., goto: back}
"""
    )
    talk.press("5")
    talk.press("5")
    assert talk.it.state.visit.failures == 2
    talk.press("*")
    assert talk.node == "aside"
    assert talk.it.state.visit.failures == 0
    talk.hear()
    assert talk.node == "main"
    assert talk.said[-1] == "One.", "back speaks `say`"
    assert talk.it.state.visit.failures == 2
    talk.press("5")
    assert talk.it.state.failures == 3
    assert talk.notes("event") == [{"name": "toomany"}]


def test_case_25_ping_pong_ends_by_the_failures_of_the_call() -> None:
    talk = Talk(
        """
defaults: {limits: {failures: 4}}
nodes:
  a:
    say: A.
    menu: [{key: 1, goto: b}]
    catch: {nomatch: {goto: b}}
  b:
    say: B.
    menu: [{key: 1, goto: a}]
    catch: {nomatch: {goto: a}}
"""
    )
    talk.press("55555")
    assert talk.it.state.failures == 5
    assert talk.said[-1].startswith("I am sorry")
    talk.hear()
    assert talk.ended() == "flow.error"


@pytest.mark.parametrize("when", ["greet", "menu", "interdigit", "confirm", "transfer", "goodbye"])
def test_case_26_the_caller_hangs_up_in_every_state(when: str) -> None:
    talk = Talk(
        """
vars: {number: digits, left: text, over: text}
catch:
  hangup: {set: {left: "yes"}}
  ended: {set: {over: "{{ call.ended }}"}}
nodes:
  greet: {say: Welcome., goto: main}
  main:
    say: One or two.
    menu: [{key: 1, goto: number}, {key: 2, goto: agent}, {key: 3, goto: bye}]
  number:
    say: Two digits.
    collect: {into: number, length: 2, confirm: "Right?"}
    goto: end
  agent: {say: Wait., transfer: "+15550100", goto: {else: bye}}
  bye: {say: Bye., hangup: }
"""
    )
    steps = {"menu": "", "interdigit": "11", "confirm": "112", "transfer": "2", "goodbye": "3"}
    if when != "greet":
        talk.hear()
        talk.press(steps[when])
    if when == "transfer":
        talk.hear()
        assert talk.it.state.phase == "transferring"
    talk.take(fact.CallerHungUp(talk.at))
    assert talk.ended() == "caller.hangup"
    assert (talk.vars["left"], talk.vars["over"]) == ("yes", "caller.hangup")
    said = len(talk.said)
    for event in (fact.CallerHungUp(talk.at + 1), fact.DigitPressed(talk.at + 1, "1"), fact.TimePassed(talk.at + 99)):
        assert talk.it.handle(event) == [], "nothing after the end has an effect"
    assert len(talk.said) == said
    assert talk.it.deadline is None


def test_case_27_the_goodbye_is_heard_before_the_end() -> None:
    talk = Talk("nodes:\n  bye: {say: Goodbye., hangup: }\n")
    talk.press("123")
    assert talk.prompt is not None, "keys do not cut a goodbye"
    assert talk.ended() is None
    talk.hear()
    assert [type(e).__name__ for e in talk.effects[-2:]] == ["HangUp", "EndCall"]
    assert talk.ended() == "flow.hangup"


def test_case_27_an_interruptible_goodbye_returns() -> None:
    talk = Talk(
        """
nodes:
  main:
    say: One.
    menu: [{key: 1, goto: bye}]
  bye: {say: Goodbye then., hangup: {interruptible: true}}
"""
    )
    talk.press("1")
    talk.press("5")
    assert talk.node == "main"
    assert talk.ended() is None


def test_case_29_an_error_in_a_template_speaks_nothing_of_the_node() -> None:
    talk = Talk(
        """
vars: {nothing: text}
nodes:
  a: {say: [The first half., "{{ nothing }}"], goto: end}
"""
    )
    assert talk.said == ["I am sorry, something went wrong. Please call again later. Goodbye."]
    assert "test.yaml:6:30" in talk.notes("error")[0]["reason"]


def test_case_29_an_error_in_a_condition_is_not_false() -> None:
    talk = Talk(
        """
vars: {balance: money}
catch: {error.template: {say: Caught., goto: end}}
nodes:
  a: {say: Hello., goto: [{if: balance < 0, goto: debt}, {else: fine}]}
  debt: {say: Debt., goto: end}
  fine: {say: Fine., goto: end}
"""
    )
    talk.hear()
    assert talk.said == ["Hello.", "Caught."]


def test_case_29_a_handler_of_error_does_not_catch_itself() -> None:
    talk = Talk(
        """
vars: {nothing: text}
catch: {error: {say: "{{ nothing }}", goto: a}}
nodes:
  a: {say: "{{ nothing }}", goto: end}
"""
    )
    assert talk.said == ["I am sorry, something went wrong. Please call again later. Goodbye."]
    talk.hear()
    assert talk.ended() == "flow.error"


def test_case_30_a_resumed_call_begins_its_node_again() -> None:
    talk = Talk(MENU)
    talk.press("9")
    talk.press("123")
    before = talk.it.snapshot()
    talk.it = Interpreter.restore(talk.program, {}, json.loads(json.dumps(before)), at=talk.at + 4)
    talk.prompt = None
    talk.at += 4
    talk.take(fact.StreamResumed(talk.at))
    assert talk.said[-1] == "Six digits."
    assert talk.it.state.epoch == before["epoch"] + 1
    talk.press("123456")
    assert talk.vars["number"] == "123456"


def test_case_30_a_node_may_name_where_it_resumes() -> None:
    talk = Talk(MENU.replace("    say: Six digits.", "    resume: main\n    say: Six digits."))
    talk.press("9")
    talk.prompt = None
    talk.take(fact.StreamResumed(talk.at))
    assert talk.node == "main"


KEYS = """
always: [{key: star, goto: other}]
vars: {number: digits}
nodes:
  first: {say: First., goto: menu, barge_in: BARGE}
  menu:
    say: One or two.
    barge_in: BARGE
    menu: [{key: 1, goto: number}, {key: 2, goto: agent}]
  number:
    say: Two digits.
    barge_in: BARGE
    collect: {into: number, length: 2, confirm: "Is it right?"}
    goto: end
  agent: {say: Wait., transfer: "+15550100", goto: {else: end}}
  other: {say: Other., goto: end}
"""


@pytest.mark.parametrize("barge_in", ["true", "keys"])
def test_keys_table_step_that_may_be_cut(barge_in: str) -> None:
    talk = Talk(KEYS.replace("BARGE", barge_in))
    talk.press("1")
    assert talk.path == ["first", "menu", "number"], "cut, and the key is kept for the next node"


@pytest.mark.parametrize("barge_in", ["false", "speech"])
def test_keys_table_step_that_may_not_be_cut(barge_in: str) -> None:
    talk = Talk(
        KEYS.replace(
            "first: {say: First., goto: menu, barge_in: BARGE}",
            f"first: {{say: First., goto: menu, barge_in: {barge_in}}}",
        ).replace("BARGE", "true")
    )
    talk.press("1")
    assert talk.path == ["first"]
    talk.hear()
    assert talk.path == ["first", "menu", "number"]


@pytest.mark.parametrize("barge_in", ["true", "keys"])
def test_keys_table_menu(barge_in: str) -> None:
    talk = Talk(KEYS.replace("BARGE", barge_in))
    talk.hear()
    talk.press("7")
    assert talk.said[-1] == "Sorry, that is not one of the choices. One or two."
    talk.press("1")
    assert talk.node == "number"


@pytest.mark.parametrize("barge_in", ["true", "keys"])
def test_keys_table_collect(barge_in: str) -> None:
    talk = Talk(KEYS.replace("BARGE", barge_in))
    talk.press("1")
    assert talk.node == "number"
    talk.press("A")
    assert talk.prompt is not None, "a key that it does not take does not cut"
    assert talk.notes("ignored")
    talk.press("12")
    assert talk.said[-1] == "Is it right?"


@pytest.mark.parametrize("barge_in", ["false", "speech"])
def test_keys_table_input_that_may_not_be_cut(barge_in: str) -> None:
    talk = Talk(KEYS.replace("BARGE", barge_in))
    talk.hear()
    talk.press("1")
    assert talk.node == "menu"
    talk.hear()
    assert talk.node == "number", "kept; it counts after the prompt's end"
    talk.press("12")
    assert talk.said[-1] == "Two digits."
    talk.hear()
    assert talk.said[-1] == "Is it right?"


@pytest.mark.parametrize(
    ("key", "node", "said"),
    [
        ("1", None, None),
        ("2", "number", "Two digits."),
        ("*", "other", "Other."),
        ("7", "number", "Sorry, that is not one of the choices. Is it right?"),
    ],
)
def test_keys_table_confirm(key: str, node: str | None, said: str | None) -> None:
    talk = Talk(KEYS.replace("BARGE", "true"))
    talk.press("1")
    # What was typed ahead of the confirmation does not confirm.
    talk.press("12")
    talk.press(key)
    if node is None:
        assert talk.ended() == "flow.hangup"
        assert talk.vars["number"] == "12"
    else:
        assert (talk.node, talk.said[-1]) == (node, said)
        assert talk.vars["number"] is None


def test_keys_table_confirm_takes_no_key_from_before() -> None:
    talk = Talk(KEYS.replace("BARGE", "false"))
    talk.hear()
    talk.press("1121")
    talk.hear()
    assert talk.node == "number"
    talk.hear()
    assert talk.said[-1] == "Is it right?", "the old 1 was flushed and has not confirmed"


def test_keys_table_transfer_drops_keys() -> None:
    talk = Talk(KEYS.replace("BARGE", "true"))
    talk.hear()
    talk.press("2")
    talk.press("12")
    assert talk.prompt is not None
    talk.hear()
    talk.press("1")
    assert talk.it.state.keys == []
    assert len(talk.notes("ignored")) == 3


def test_a_global_command_sleeps_while_a_collect_can_take_its_key() -> None:
    text = KEYS.replace("BARGE", "true").replace("length: 2,", "length: 2, clear_key: star,")
    talk = Talk(text)
    talk.press("1")
    talk.press("1*12")
    assert talk.node == "number"
    assert talk.said[-1] == "Is it right?"


def test_a_nodes_own_option_wins_over_a_global_command() -> None:
    talk = Talk(KEYS.replace("BARGE", "true").replace("{key: 2, goto: agent}", "{key: star, goto: agent}"))
    talk.hear()
    talk.press("*")
    assert talk.node == "agent"


def test_a_global_command_has_a_cooldown() -> None:
    talk = Talk(
        KEYS.replace("BARGE", "true").replace("other: {say: Other., goto: end}", "other: {say: Other., goto: menu}")
    )
    talk.hear()
    talk.press("*")
    talk.hear(0.1)
    talk.press("*")
    assert talk.notes("failure") == [{"event": "nomatch", "count": 1}]
    talk.wait(3)
    talk.press("*")
    assert talk.node == "other"


def test_failures_escalate_by_their_own_count_and_end_in_toomany() -> None:
    talk = Talk(
        """
catch:
  toomany: {say: Enough., goto: person}
nodes:
  main:
    say: One.
    tries: 4
    menu: [{key: 1, goto: end}]
    catch:
      noinput: [{say: First silence.}, {say: Second silence.}]
      nomatch: {say: Wrong key.}
  person: {say: A person., goto: end}
"""
    )
    talk.hear()
    talk.wait(6.1)
    assert talk.said[-1] == "First silence. One."
    talk.press("5")
    assert talk.said[-1] == "Wrong key. One."
    talk.hear()
    talk.wait(6.1)
    assert talk.said[-1] == "Second silence. One."
    talk.hear()
    talk.wait(6.1)
    assert talk.said[-1] == "Enough."
    talk.hear()
    assert talk.node == "person"


def test_the_last_failure_runs_its_own_handler_only_with_a_goto_for_exactly_that_count() -> None:
    text = """
nodes:
  main:
    say: One.
    tries: 2
    menu: [{key: 1, goto: end}]
    catch: {noinput: [{say: First.}, {say: Second., goto: person}]}
  person: {say: A person., goto: end}
"""
    talk = Talk(text)
    talk.hear()
    talk.wait(6.1)
    talk.hear()
    talk.wait(6.1)
    assert talk.said[-1] == "Second."
    talk.hear()
    assert talk.node == "person"
    talk = Talk(text)
    talk.hear()
    talk.wait(6.1)
    talk.press("5")
    assert talk.said[-1].startswith("I am sorry"), "the nomatch has no handler with a goto: toomany at once"


def test_an_optional_collect_is_skipped_by_its_last_failure() -> None:
    talk = Talk(
        """
vars: {number: digits}
nodes:
  ask:
    say: Two digits.
    tries: 1
    collect: {into: number, length: 2, optional: true}
    goto: {done: got, skipped: none}
  got: {say: Got it., goto: end}
  none: {say: Nothing., goto: end}
"""
    )
    talk.hear()
    talk.wait(6.1)
    assert talk.said[-1] == "Nothing."


def test_a_denied_confirmation_asks_again_and_leaves_the_old_value() -> None:
    talk = Talk(
        """
vars: {number: {type: digits, default: "77"}}
nodes:
  ask:
    say: Two digits.
    reprompt: Once more.
    collect: {into: number, length: 2, confirm: "{{ number | spell }}?"}
    goto: end
"""
    )
    talk.press("12")
    assert talk.said[-1] == "1 2?"
    talk.press("2")
    assert talk.said[-1] == "Once more."
    assert talk.vars["number"] == "77"
    talk.press("341")
    assert talk.vars["number"] == "34"


def test_a_check_that_does_not_hold_is_invalid() -> None:
    talk = Talk(
        """
vars: {age: int}
nodes:
  ask:
    say: Your age.
    collect: {into: age, length: 2, check: age >= 18}
    goto: end
"""
    )
    talk.press("12")
    assert talk.said[-1] == "Sorry, that does not look right. Your age."
    talk.press("18")
    assert talk.vars["age"] == 18


def test_lengths_and_the_end_key() -> None:
    text = """
vars: {number: digits}
nodes:
  ask:
    say: Digits.
    collect: {into: number, length: 3..5}
    goto: end
"""
    talk = Talk(text)
    talk.press("12#")
    assert talk.notes("failure") == [{"event": "invalid", "count": 1}]
    talk.press("123#")
    assert talk.vars["number"] == "123"
    talk = Talk(text)
    talk.press("1234")
    talk.wait(3.1)
    assert talk.vars["number"] == "1234"
    talk = Talk(text)
    talk.press("#")
    assert talk.notes("failure") == [{"event": "invalid", "count": 1}], "the end key alone never hangs"


def test_set_add_and_cases() -> None:
    talk = Talk(
        """
vars:
  count: int
  list: list
  total: {type: money, default: 1.5}
  seen: text
nodes:
  a:
    set: {seen: "{{ call.from }}"}
    add: {count: 2, list: {at: "{{ count | default(0) }}"}, total: 2}
    say: A.
    goto:
      - {if: count > 5, goto: end}
      - {if: {seen: "+1"}, set: {shared.way: equal}, goto: b}
      - {else: end}
  b: {say: "{{ total }} {{ shared.way }}", goto: end}
"""
    )
    talk.hear()
    assert talk.node == "b"
    assert talk.said[-1] == "3.5 equal"
    assert talk.vars["count"] == 2
    assert talk.vars["list"] == [{"at": 2}]


def test_a_value_that_does_not_fit_is_error_type() -> None:
    talk = Talk(
        """
vars: {count: int, word: {type: text, default: abc}}
catch: {error.type: {say: Does not fit., goto: end}}
nodes:
  a: {say: A., set: {count: "{{ word }}"}, goto: end}
"""
    )
    talk.hear()
    assert talk.said[-1] == "Does not fit."


def test_max_visits_is_raised_without_speaking() -> None:
    talk = Talk(
        """
nodes:
  pin:
    say: Your PIN.
    max_visits: 2
    menu: [{key: 1, goto: wrong}]
    catch: {maxvisits: {say: Too often., goto: end}}
  wrong: {say: Wrong., goto: pin}
"""
    )
    for _ in range(2):
        talk.press("1")
        talk.hear()
    assert talk.said[-1] == "Too often."
    assert talk.said.count("Your PIN.") == 2


def test_timeouts_of_node_and_call() -> None:
    talk = Talk("nodes:\n  a: {say: Hello., goto: end}\ndefaults: {timeouts: {node: 20s, call: 60s}}\n")
    talk.wait(21)
    assert talk.said[-1].startswith("I am sorry")
    talk.hear()
    assert talk.ended() == "flow.timeout"
    talk = Talk("nodes:\n  a: {say: Hello., goto: end, timeouts: {node: 10m}}\ndefaults: {timeouts: {call: 60s}}\n")
    talk.wait(61)
    talk.hear()
    assert talk.ended() == "flow.timeout"


def test_a_list_of_transfer_targets_is_tried_in_turn() -> None:
    talk = Talk(
        """
nodes:
  agent: {say: Wait., transfer: {to: ["+15550100", "+15550101"], ring: 5s}, goto: {busy: no, else: end}}
  no: {say: All busy., goto: end}
"""
    )
    talk.hear()
    talk.take(fact.TransferFinished(10.0, "noanswer"))
    numbers = [e.number for e in talk.effects if isinstance(e, wish.Transfer)]
    assert numbers == ["+15550100", "+15550101"]
    talk.take(fact.TransferFinished(20.0, "busy"))
    assert talk.said[-1] == "All busy."


def test_a_blind_transfer_ends_the_call_for_us() -> None:
    talk = Talk('nodes:\n  agent: {say: Wait., transfer: {to: "+15550100", mode: blind}}\n')
    talk.hear()
    assert talk.ended() == "flow.transfer"


def test_the_voice_fails_before_anything_was_heard() -> None:
    talk = Talk("catch: {error.tts: {say: Caught., goto: end}}\nnodes:\n  a: {say: Hello., goto: end}\n")
    assert talk.prompt is not None
    talk.take(fact.PromptFailed(0.5, talk.prompt.prompt, 0.0, "timeout"))
    assert talk.said[-1] == "Caught."


def test_a_voice_that_is_gone_for_good_ends_the_call() -> None:
    talk = Talk("nodes:\n  a: {say: Hello., goto: end}\n")
    for _ in range(2):
        assert talk.prompt is not None
        talk.take(fact.PromptFailed(0.5, talk.prompt.prompt, 0.0, "timeout"))
    assert talk.ended() == "provider.failed"


def test_the_drain_apologizes_and_ends() -> None:
    talk = Talk(MENU)
    talk.take(fact.CallStopped(1.0, "engine.drained"))
    assert talk.said[-1].startswith("I am sorry")
    talk.hear()
    assert talk.ended() == "engine.drained"


def test_one_of_draws_by_the_seed_and_nothing_else() -> None:
    text = "nodes:\n  a: {say: {one_of: [One., Two., Three., Four.]}, goto: end}\n"
    assert Talk(text).said == Talk(text).said


def test_private_values_are_covered_in_what_is_shown() -> None:
    talk = Talk(
        """
vars: {pin: {type: digits, private: true}}
nodes:
  ask:
    say: Four digits.
    collect: {into: pin, length: 4, confirm: "{{ pin | spell }}?"}
    goto: end
"""
    )
    assert talk.it.covers(fact.DigitPressed(1.0, "1"))
    assert talk.it.covers(fact.UtteranceEnded(1.0, "one two", 1.0))
    talk.press("1234")
    assert talk.it.covers(fact.DigitPressed(1.0, "5"))
    assert not talk.it.covers(fact.DigitPressed(1.0, "1")), "it answers the question whether the value is right"
    part = talk.prompt.parts[0] if talk.prompt else None
    assert isinstance(part, wish.Speech)
    assert (part.text, part.shown) == ("1 2 3 4?", "• • • •?")
    assert not part.constant


@pytest.mark.parametrize("keys", ["", "9", "9123", "9123456", "5", "1"])
def test_restore_of_a_snapshot_behaves_as_the_state(keys: str) -> None:
    talk = Talk(MENU)
    talk.press(keys)
    other = Interpreter.restore(talk.program, {}, json.loads(json.dumps(talk.it.snapshot())), talk.it.state.at)
    for event in (
        fact.DigitPressed(talk.at + 0.1, "1"),
        fact.TimePassed(talk.at + 4),
        fact.DigitPressed(talk.at + 4.1, "9"),
        fact.TimePassed(talk.at + 30),
    ):
        assert other.handle(event) == talk.it.handle(event)
    assert other.snapshot() == talk.it.snapshot()


@pytest.mark.parametrize("said", ["", "say: That failed., "])
def test_case_29_an_error_that_is_handled_without_a_goto_does_not_go_round(said: str) -> None:
    """The step would go on where it was, which is what failed: the second time is the engine's default."""
    talk = Talk(
        f"""
vars: {{nothing: int, total: {{type: int, default: 0}}}}
catch: {{error: {{{said}set: {{total: 1}}}}}}
nodes:
  a: {{say: Now., set: {{total: "{{{{ total + nothing }}}}"}}, goto: end}}
"""
    )
    while talk.prompt is not None and len(talk.said) < 9:
        talk.hear()
    apology = "I am sorry, something went wrong. Please call again later. Goodbye."
    assert talk.said == ["Now.", *(["That failed."] if said else []), apology]
    assert talk.ended() == "flow.error"


def test_a_second_drain_does_not_begin_the_apology_again() -> None:
    """The first signal's time was up, then came the second one: the words that end the call are being said."""
    talk = Talk(MENU)
    talk.take(fact.CallStopped(1.0, "engine.drained"))
    talk.take(fact.CallStopped(2.0, "engine.drained"))
    assert talk.said == ["Welcome.", "I am sorry, something went wrong. Please call again later. Goodbye."]
    talk.hear()
    assert talk.ended() == "engine.drained"


def test_values_are_written_in_the_nodes_language_and_the_flows_money() -> None:
    talk = Talk(
        "vars: {price: {type: money, default: 12.50}, weight: {type: number, default: 2.5}}\n"
        "nodes:\n"
        '  english: {say: "{{ price | money }} for {{ weight }}", goto: german}\n'
        '  german: {lang: de, say: "{{ price | money }} für {{ weight }}", goto: end}\n'
    )
    talk.hear()
    assert talk.said == ["$12.50 for 2.5", "12,50 $ für 2,5"]
