"""What becomes of what was heard: noises, words over words, words before keys, and words that nobody is sure of."""

from __future__ import annotations

import pytest

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from tests.runtime.test_interpreter import Talk

RACE = """
vars: {number: digits}
nodes:
  main: {say: Sales is 1., menu: [{key: 1, hear: [sales], goto: number}, {key: 2, hear: [two], goto: end}]}
  number: {collect: {into: number, length: 2}, goto: after}
  after: {say: Thank you., menu: [{key: 1, goto: end}]}
"""
DEAF = RACE.replace("main: {say: Sales is 1.,", "main: {say: Sales is 1., barge_in: false,")
CHAT = """
nodes:
  help: {say: "How can I help?", chat: {prompt: Help., exits: {human: {when: a person is wanted, goto: end}}}}
"""


def said(talk: Talk, text: str, began: float, ended: float | None = None, confidence: float = 1.0) -> None:
    talk.take(fact.UtteranceEnded(talk.at, text, began, ended, confidence))


def test_case_13_words_that_began_before_a_key_are_dropped_wherever_it_led() -> None:
    """The next node asks nothing: its question would have kept them out."""
    talk = Talk(RACE)
    talk.hear()
    talk.take(fact.SpeechStarted(talk.at))
    talk.press("1")
    talk.at += 0.5
    said(talk, "four two", talk.at - 1.5)
    assert talk.node == "number"
    said(talk, "four two", talk.at)
    assert talk.vars["number"] == "42"


def test_case_13_a_key_that_means_nothing_here_drops_no_words() -> None:
    talk = Talk(CHAT)
    talk.hear()
    talk.press("7")
    said(talk, "I was speaking all the time", talk.at - 2.0)
    assert any(isinstance(effect, wish.Ask) for effect in talk.effects)


@pytest.mark.parametrize(("before", "after", "counts"), [(1.0, 1.1, True), (1.1, 1.0, False), (2.0, 0.0, False)])
def test_case_06_words_that_span_the_end_count_by_their_larger_part(before: float, after: float, counts: bool) -> None:
    talk = Talk(DEAF)
    talk.hear()
    end = talk.at
    talk.at = end + after
    said(talk, "sales", end - before, end + after)
    assert (talk.path == ["main", "number"]) is counts
    assert talk.notes("failure") == []


def test_a_noise_that_cut_the_words_is_followed_by_listening() -> None:
    """A voice without a transcriber stops a prompt, and gives no words."""
    talk = Talk(RACE)
    assert talk.prompt is not None
    talk.at += 1
    talk.take(fact.PromptInterrupted(talk.at, talk.prompt.prompt, 1.0))
    said(talk, "", talk.at)
    talk.wait(6.1)
    assert talk.notes("failure") != []


@pytest.mark.parametrize(("confidence", "node"), [(0.29, "main"), (0.3, "number")])
def test_assertion_21_words_of_low_confidence_choose_nothing(confidence: float, node: str) -> None:
    talk = Talk(RACE)
    talk.hear()
    said(talk, "sales", talk.at, confidence=confidence)
    assert talk.node == node
    assert (talk.notes("failure") == []) is (node == "number")


def test_a_model_may_make_sense_of_words_that_nobody_is_sure_of() -> None:
    talk = Talk(CHAT)
    talk.hear()
    said(talk, "something like it", talk.at, confidence=0.1)
    assert any(isinstance(effect, wish.Ask) for effect in talk.effects)


def test_what_may_be_said_is_told_before_the_question() -> None:
    talk = Talk(RACE)
    listens = [effect for effect in talk.effects if isinstance(effect, wish.Listen)]
    assert listens == [wish.Listen("en-US", "choice", ("sales", "1", "two", "2"))]
    talk.hear()
    talk.press("1")
    listens = [effect for effect in talk.effects if isinstance(effect, wish.Listen)]
    assert listens[-1] == wish.Listen("en-US", "digits", (), 2, 2)
    assert len(listens) == 2


def test_words_do_not_cut_a_question_that_takes_keys_alone() -> None:
    keys = "number: {say: Type it., collect: {into: number, length: 2, by: [keys]},"
    talk = Talk(RACE.replace("number: {collect: {into: number, length: 2},", keys))
    talk.hear()
    talk.press("1")
    asked = [effect.policy.speech for effect in talk.effects if isinstance(effect, wish.PlayPrompt)]
    assert asked == [True, False]
    assert [effect for effect in talk.effects if isinstance(effect, wish.Listen)][-1].kind == "nothing"


HANDLED = RACE.replace("nodes:", "catch: {error.stt: {goto: after}}\nnodes:")
WAITING = """
nodes:
  main: {say: One moment., wait: 5s, goto: end}
"""
LOST = {
    "keys are left": (RACE, "main", "waits"),
    "a handler says what to do": (HANDLED, "after", "waits"),
    "nothing is left": (CHAT, "", "ends"),
    "nothing was to be said": (WAITING, "main", "waits"),
}


@pytest.mark.parametrize("case", LOST)
def test_a_transcriber_that_is_lost(case: str) -> None:
    flow, node, state = LOST[case]
    talk = Talk(flow)
    talk.hear()
    talk.take(fact.TranscriberFailed(talk.at, "unavailable"))
    if state == "ends":
        talk.hear()
        assert any(isinstance(effect, wish.HangUp) for effect in talk.effects)
    else:
        assert talk.node == node
