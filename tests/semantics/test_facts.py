"""The cases that a conversation in YAML can not reach: facts in an order, or at an instant, that only a line brings."""

from __future__ import annotations

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from tests.runtime.test_interpreter import Talk

CHAT = """
defaults: {limits: {failures: 20}}
tools: {slow: {python: "shop:slow", args: {}, timeout: 60s}}
nodes:
  help:
    say: How can I help?
    chat:
      prompt: Help.
      tools: [slow]
      exits: {human: {when: a person is wanted, key: 12, goto: person}}
  person: {say: A person., menu: [{key: 1, goto: end}]}
"""

RACE = """
vars: {number: digits}
nodes:
  main: {say: Sales is 1., menu: [{key: 1, hear: [sales], goto: number}, {key: 2, hear: [two], goto: end}]}
  number: {say: Two digits., collect: {into: number, length: 2}, goto: after}
  after: {say: Thank you., menu: [{key: 1, goto: end}]}
"""


def asked(talk: Talk) -> wish.Ask:
    """Give what a model was asked last."""
    return [effect for effect in talk.effects if isinstance(effect, wish.Ask)][-1]


def messages(talk: Talk) -> list[tuple[str, str]]:
    """Give who said what, as a model was told last."""
    return [(message["role"], message.get("text", "")) for message in asked(talk).messages]


def say(talk: Talk, text: str) -> None:
    """Let the caller say something, in an instant."""
    say_from(talk, text, talk.at)


def say_from(talk: Talk, text: str, began: float) -> None:
    """Let what the caller began to say then be final now."""
    talk.take(fact.UtteranceEnded(talk.at, text, began))


def test_case_14_keys_that_are_text_and_the_words_after_them_are_one_turn() -> None:
    talk = Talk(CHAT.replace("prompt: Help.", "prompt: Help.\n      keys: text").replace(", key: 12", ""))
    talk.hear()
    talk.press("12")
    say(talk, "is my number")
    assert messages(talk)[-1] == ("user", "[keys: 12] is my number")
    talk.take(fact.ReplyStarted(talk.at, asked(talk).reply))
    before = len(talk.effects)
    talk.wait(3.1)
    assert not any(isinstance(effect, wish.Ask) for effect in talk.effects[before:]), "no second answer over the first"


def test_case_14_words_between_two_keys_are_no_part_of_an_exit() -> None:
    talk = Talk(CHAT)
    talk.hear()
    talk.press("1")
    say(talk, "hello")
    talk.take(fact.ReplyStarted(talk.at, asked(talk).reply))
    talk.take(fact.ReplyFinished(talk.at + 1, asked(talk).reply, "Hello.", 1.0))
    talk.press("2")
    assert talk.node == "help"


def test_case_13_of_the_same_instant_the_key_wins_over_words_and_the_words_are_taken_by_nobody() -> None:
    talk = Talk(RACE)
    talk.hear()
    talk.take(fact.SpeechStarted(talk.at))
    talk.press("1")
    say_from(talk, "two", talk.at - 1)
    assert talk.path == ["main", "number"]
    assert talk.notes("failure") == []
    assert talk.prompt is not None


def test_case_13_words_that_were_final_before_the_key_win_and_the_key_is_the_next_nodes() -> None:
    talk = Talk(RACE)
    talk.hear()
    say_from(talk, "sales", talk.at - 1)
    assert talk.node == "number"
    talk.press("4", gap=0)
    talk.press("2")
    assert talk.vars["number"] == "42"


def test_case_13_words_that_began_before_the_first_digit_do_not_take_the_digits_away() -> None:
    talk = Talk(RACE)
    talk.hear()
    talk.press("1")
    talk.hear()
    talk.take(fact.SpeechStarted(talk.at))
    talk.press("4")
    say_from(talk, "well let me see", talk.at - 1)
    talk.press("2")
    assert talk.vars["number"] == "42"
    assert talk.notes("failure") == []


def test_case_13_words_leave_the_digits_of_a_node_that_takes_keys_alone() -> None:
    talk = Talk(RACE.replace("length: 2", "length: 2, by: [keys]"))
    talk.hear()
    talk.press("1")
    talk.hear()
    talk.press("4")
    talk.at += 1
    say(talk, "somebody speaks in the room")
    talk.press("2")
    assert talk.vars["number"] == "42"


def test_case_20_what_is_said_before_the_answer_begins_belongs_to_the_same_turn() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "I have a question")
    first = asked(talk).reply
    talk.at += 1
    say(talk, "about my order")
    assert wish.CancelReply(first) in talk.effects
    assert messages(talk)[-1] == ("user", "I have a question about my order")


def test_case_07_what_is_said_over_an_answer_that_it_did_not_cut_is_no_turn() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "tell me")
    reply = asked(talk).reply
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.take(fact.ReplyAudible(talk.at, reply))
    say(talk, "mhm")
    assert wish.CancelReply(reply) not in talk.effects
    talk.take(fact.ReplyFinished(talk.at + 1, reply, "First you take a cup.", 2.0))
    say(talk, "and then")
    assert messages(talk)[-3:] == [("user", "tell me"), ("assistant", "First you take a cup."), ("user", "and then")]


def test_case_19_a_model_is_told_what_was_heard_of_its_answer() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "tell me")
    reply = asked(talk).reply
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.at += 2
    talk.take(fact.ReplyInterrupted(talk.at, reply, "First you take", 2.0))
    say(talk, "wait")
    assert messages(talk)[-3:] == [("user", "tell me"), ("assistant", "First you take…"), ("user", "wait")]


def test_case_19_an_answer_of_which_nothing_was_heard_was_not_said() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "tell me")
    reply = asked(talk).reply
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.take(fact.ReplyInterrupted(talk.at, reply, "", 0.0))
    say(talk, "wait")
    assert [role for role, _ in messages(talk)] == ["assistant", "user", "user"]


def test_case_22_noise_lets_the_rest_of_the_time_run_and_not_for_ever() -> None:
    talk = Talk(RACE)
    talk.hear()
    talk.wait(5)
    talk.take(fact.SpeechStarted(talk.at))
    talk.wait(3)
    say(talk, "")
    assert talk.notes("failure") == []
    talk.wait(0.9)
    assert talk.notes("failure") == []
    talk.wait(0.2)
    assert talk.notes("failure") == [{"event": "noinput", "count": 1}]
    talk.hear()
    talk.take(fact.SpeechStarted(talk.at))
    talk.wait(17.9)
    assert len(talk.notes("failure")) == 1
    talk.wait(0.2)
    assert len(talk.notes("failure")) == 2, (
        "the line can not be held by noise: after three times the time it is silence"
    )


def test_case_23_a_key_that_means_nothing_does_not_count_silence_while_a_tool_runs() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "look it up")
    reply = asked(talk).reply
    talk.take(fact.ReplyActed(talk.at, reply, "tool", "slow", "w1", {}))
    talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
    talk.press("7")
    talk.wait(30)
    assert talk.notes("failure") == []


def test_assertion_23_the_onset_of_speech_stops_the_time_of_silence() -> None:
    talk = Talk(RACE)
    talk.hear()
    talk.wait(5.9)
    talk.take(fact.SpeechStarted(talk.at))
    talk.wait(5)
    assert talk.notes("failure") == []
