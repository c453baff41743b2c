"""A conversation whose tools, words, keys and answers come in any order: one thing is asked at a time."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from tests.runtime.test_interpreter import Talk

CHAT = """
tools: {slow: {python: "shop:slow", args: {}, timeout: 60s}}
catch: {event.ping: {say: Your parcel is here.}}
nodes:
  help:
    say: How can I help?
    chat:
      prompt: Help.
      tools: [slow]
      exits: {human: {when: a person is wanted, key: 12, goto: person}}
  person: {say: A person., menu: [{key: 1, goto: end}]}
"""
KEYS_ARE_TEXT = CHAT.replace("prompt: Help.", "prompt: Help.\n      keys: text").replace(", key: 12", "")


def asks(talk: Talk) -> list[wish.Ask]:
    return [effect for effect in talk.effects if isinstance(effect, wish.Ask)]


def say(talk: Talk, text: str) -> None:
    talk.take(fact.UtteranceEnded(talk.at, text, talk.at))


def told(talk: Talk) -> list[tuple[Any, ...]]:
    """What the model was told last."""
    return [(one["role"], one.get("text") or one.get("result")) for one in asks(talk)[-1].messages]


def calls_a_tool(talk: Talk) -> tuple[str, str]:
    """The caller asks, and the model calls a tool without a word: the answer's id, and the run's."""
    talk.hear()
    say(talk, "look it up")
    reply = asks(talk)[-1].reply
    talk.take(fact.ReplyActed(talk.at, reply, "tool", "slow", "w1", {}))
    return reply, next(effect.run for effect in reversed(talk.effects) if isinstance(effect, wish.RunTool))


def test_keys_that_are_gathered_while_a_tool_answers_are_told_with_its_answer() -> None:
    talk = Talk(KEYS_ARE_TEXT)
    reply, run = calls_a_tool(talk)
    talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
    talk.press("1")
    talk.take(fact.ToolFinished(talk.at, run, {"a": 1}))
    assert len(asks(talk)) == 1
    talk.wait(5)
    assert len(asks(talk)) == 2
    assert told(talk)[-2:] == [("tool", {"a": 1}), ("user", "[keys: 1]")]


@pytest.mark.parametrize("what", ["event", "failure", "command"])
def test_a_tool_that_answers_while_words_play_is_asked_about_after_them(what: str) -> None:
    talk = Talk(CHAT.replace("catch:", "always: [{key: 9, name: louder, do: louder}]\ncatch:"))
    reply, run = calls_a_tool(talk)
    if what == "failure":
        talk.take(fact.ReplyFailed(talk.at, reply, "unavailable", "Let me look."))
    else:
        talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
        talk.wait(1)
        talk.take(fact.EventReceived(talk.at, "ping")) if what == "event" else talk.press("9")
    assert what == "command" or talk.prompt is not None
    talk.take(fact.ToolFinished(talk.at, run, {"a": 1}))
    if talk.prompt is not None and not talk.prompt.prompt.count(".r"):
        assert len(asks(talk)) == 1
        talk.hear()
    assert len(asks(talk)) == 2
    assert ("tool", {"a": 1}) in told(talk)


def test_a_key_that_is_nothing_does_not_silence_a_tools_answer() -> None:
    talk = Talk(CHAT)
    reply, run = calls_a_tool(talk)
    talk.take(fact.ReplyAudible(talk.at, reply))
    talk.take(fact.ToolFinished(talk.at, run, {"a": 1}))
    talk.take(fact.ReplyInterrupted(talk.at + 1, reply, "Let me", 1.0))
    talk.at += 1
    talk.take(fact.DigitPressed(talk.at, "1"))
    assert len(asks(talk)) == 1, "the key may go on"
    talk.wait(4)
    assert len(asks(talk)) == 2


def test_the_first_key_of_an_exit_does_not_count_silence_in_an_answer() -> None:
    talk = Talk(CHAT)
    reply, run = calls_a_tool(talk)
    talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
    talk.press("1")
    talk.take(fact.ToolFinished(talk.at, run, {"a": 1}))
    talk.wait(4)
    answer = asks(talk)[-1].reply
    talk.take(fact.ReplyStarted(talk.at, answer))
    talk.take(fact.ReplyAudible(talk.at, answer))
    talk.wait(20)
    assert wish.CancelReply(answer) not in talk.effects
    assert talk.notes("failure") == []


@pytest.mark.parametrize(
    ("event", "then"),
    [
        ("error.model", lambda talk, reply: fact.ReplyFailed(talk.at, reply, "unavailable", "")),
        ("error.stt", lambda talk, reply: fact.TranscriberFailed(talk.at, "closed")),
        ("event.ping", lambda talk, reply: fact.EventReceived(talk.at, "ping")),
    ],
)
def test_an_answer_that_is_broken_off_after_it_called_a_tool_waits_for_it(event: str, then: Any) -> None:
    talk = Talk(CHAT.replace("event.ping: {say: Your parcel is here.}", f"{event}: {{say: One moment.}}"))
    reply, run = calls_a_tool(talk)
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.take(then(talk, reply))
    talk.hear()
    talk.take(fact.ToolFinished(talk.at, run, {"a": 1}))
    assert len(asks(talk)) == 2
    assert told(talk)[-1] == ("tool", {"a": 1})


def test_what_was_heard_of_an_answer_that_a_handler_stopped_is_remembered() -> None:
    talk = Talk(CHAT)
    talk.hear()
    say(talk, "what are your hours")
    reply = asks(talk)[-1].reply
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.take(fact.ReplyAudible(talk.at, reply))
    talk.at += 5
    talk.take(fact.EventReceived(talk.at, "ping"))
    talk.take(fact.ReplyInterrupted(talk.at, reply, "We open at nine and", 5.0))
    talk.hear()
    say(talk, "thanks")
    assert told(talk)[-3:] == [
        ("user", "what are your hours"),
        ("assistant", "We open at nine and…"),
        ("user", "thanks"),
    ]


def test_a_tool_may_answer_nothing_before_the_words_are_over() -> None:
    talk = Talk(CHAT)
    reply, run = calls_a_tool(talk)
    talk.take(fact.ToolFinished(talk.at, run, None))
    talk.take(fact.ReplyFinished(talk.at + 1, reply, "Let me look.", 1.0))
    assert len(asks(talk)) == 2
    assert told(talk)[-1] == ("tool", None)


def test_two_runs_whose_calls_have_one_name_get_their_own_answers() -> None:
    talk = Talk(CHAT)
    reply, first = calls_a_tool(talk)
    talk.take(fact.ReplyFinished(talk.at, reply, "Let me look.", 0.0))
    say(talk, "and the other one")
    reply = asks(talk)[-1].reply
    talk.take(fact.ReplyActed(talk.at, reply, "tool", "slow", "w1", {}))
    second = [effect.run for effect in talk.effects if isinstance(effect, wish.RunTool)][-1]
    talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
    talk.take(fact.ToolFinished(talk.at, first, "one"))
    talk.take(fact.ToolFinished(talk.at, second, "two"))
    results = [text for role, text in told(talk) if role == "tool"]
    assert results == ["one", "two"]


def test_an_argument_that_is_missing_is_the_models_to_mend() -> None:
    city = '{http: GET, url: "https://w.test/{{ city }}", about: x, args: {city: string}}'
    talk = Talk(CHAT.replace('{python: "shop:slow", args: {}, timeout: 60s}', city))
    talk.hear()
    say(talk, "weather")
    reply = asks(talk)[-1].reply
    assert asks(talk)[-1].tools[0]["args"]["required"] == ["city"]
    talk.take(fact.ReplyActed(talk.at, reply, "tool", "slow", "w1", {}))
    talk.take(fact.ReplyFinished(talk.at, reply, "", 0.0))
    assert "city" in told(talk)[-1][1]["error"]
    assert talk.notes("error") == []


def test_case_15_an_exit_waits_for_the_tool_of_the_same_answer() -> None:
    saves = 'args: {}, timeout: 60s, save: {n: "{{ result }}"}'
    talk = Talk("vars: {n: text}\n" + CHAT.replace("args: {}, timeout: 60s", saves))
    reply, run = calls_a_tool(talk)
    talk.take(fact.ReplyActed(talk.at, reply, "exit", "human", "w2", {}))
    talk.take(fact.ReplyFinished(talk.at + 1, reply, "Done.", 1.0))
    assert talk.node == "help"
    talk.take(fact.ToolFinished(talk.at + 1, run, "A1"))
    assert (talk.node, talk.vars["n"]) == ("person", "A1")


def test_a_conversation_that_the_model_opens_is_listened_to() -> None:
    talk = Talk(CHAT.replace("    say: How can I help?\n", ""))
    assert [type(effect) for effect in talk.effects[-2:]] == [wish.Listen, wish.Ask]


def test_what_is_said_over_an_answer_that_no_voice_may_cut_is_no_turn() -> None:
    talk = Talk(CHAT.replace("    say: How can", "    barge_in: false\n    say: How can"))
    talk.hear()
    talk.at += 1
    say(talk, "tell me")
    reply = asks(talk)[-1].reply
    talk.take(fact.ReplyStarted(talk.at, reply))
    talk.take(fact.ReplyAudible(talk.at, reply))
    talk.at += 5
    talk.take(fact.ReplyFinished(talk.at, reply, "A long answer.", 5.0))
    talk.at += 0.2
    talk.take(fact.UtteranceEnded(talk.at, "hello is somebody there", talk.at - 3.0, talk.at - 0.1))
    assert len(asks(talk)) == 1


def test_a_fresh_conversation_does_not_lose_itself_in_a_long_history() -> None:
    talk = Talk(CHAT.replace("prompt: Help.", "prompt: Help.\n      history: fresh"))
    talk.it.state.history[:] = [{"role": "user", "text": "before"}] * 399
    talk.it.state.visit.begin = 399
    talk.hear()
    for text in ("one", "two", "three"):
        say(talk, text)
        talk.take(fact.ReplyFinished(talk.at, asks(talk)[-1].reply, f"{text}, yes", 1.0))
    assert ("user", "one") in told(talk)
    assert ("user", "before") not in told(talk)


def test_and_goes_on_where_the_call_comes_back_after_a_lost_stream() -> None:
    talk = Talk(CHAT.replace("prompt: Help.", "prompt: Help.\n      history: fresh"))
    talk.hear()
    say(talk, "my name is Ann")
    talk.take(fact.ReplyFinished(talk.at, asks(talk)[-1].reply, "Hello Ann.", 1.0))
    talk.take(fact.StreamResumed(talk.at + 2))
    talk.hear()
    say(talk, "what is my name")
    assert ("user", "my name is Ann") in told(talk)
