"""A menu in which a model may say which option is meant: it says no word, and keys and words still count."""

from __future__ import annotations

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from tests.nodes.test_chat import asks, say
from tests.runtime.test_interpreter import Talk

MENU = """
nodes:
  main:
    say: Sales or bills.
    menu: {understand: model, options: [{key: 1, hear: [sales], goto: a}, {key: 2, hear: [bills], goto: b}]}
  a: {say: Sales., menu: [{key: 9, goto: end}]}
  b: {say: Bills., menu: [{key: 9, goto: end}]}
"""


def thinking(*texts: str) -> Talk:
    """The caller has said something that is no phrase."""
    talk = Talk(MENU)
    talk.hear()
    for text in texts:
        say(talk, text)
        talk.at += 0.5
    return talk


def chooses(talk: Talk, option: int) -> None:
    spec = talk.it.node.spec
    talk.take(fact.ReplyActed(talk.at, asks(talk)[-1].reply, "exit", spec.options[option].name, "x", {}))


def test_the_models_words_are_not_spoken() -> None:
    assert asks(thinking("er, my thing"))[-1].silent


def test_case_13_a_key_while_the_model_thinks_is_taken() -> None:
    talk = thinking("er, my thing")
    talk.press("1")
    assert talk.node == "a"
    assert wish.CancelReply(asks(talk)[-1].reply) in talk.effects
    assert talk.notes("failure") == []


def test_case_20_what_is_said_in_two_breaths_is_told_as_one() -> None:
    talk = thinking("it is about money", "that I do not owe you")
    assert asks(talk)[-1].messages == ({"role": "user", "text": "it is about money that I do not owe you"},)


def test_what_a_broken_off_answer_had_chosen_is_not_taken() -> None:
    talk = thinking("my thing")
    chooses(talk, 1)
    say(talk, "no, the other one")
    talk.take(fact.ReplyFinished(talk.at, asks(talk)[-1].reply, "", 0.0))
    assert talk.node == "main"
    talk.hear()
    say(talk, "hm")
    chooses(talk, 1)
    talk.take(fact.ReplyFinished(talk.at, asks(talk)[-1].reply, "", 0.0))
    assert talk.node == "b"


def test_what_was_said_before_the_model_failed_is_said_anew() -> None:
    talk = Talk(MENU.replace("nodes:", "catch: {error.model: {say: Please say that again.}}\nnodes:"))
    talk.hear()
    say(talk, "my thing")
    talk.take(fact.ReplyFailed(talk.at, asks(talk)[-1].reply, "unavailable", ""))
    talk.hear()
    say(talk, "the money that I owe")
    assert asks(talk)[-1].messages == ({"role": "user", "text": "the money that I owe"},)
