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


def asked(talk: Talk) -> wish.Ask:
    """Give what a model was asked last."""
    return [effect for effect in talk.effects if isinstance(effect, wish.Ask)][-1]


def messages(talk: Talk) -> list[tuple[str, str]]:
    """Give who said what, as a model was told last."""
    return [(message["role"], message.get("text", "")) for message in asked(talk).messages]


def say(talk: Talk, text: str) -> None:
    """Let the caller say something, in an instant."""
    talk.take(fact.UtteranceEnded(talk.at, text, talk.at))


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
