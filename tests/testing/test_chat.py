"""A call that is typed: what is shown, what is asked, what is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from flowengine.cli import _flows
from flowengine.runtime import events as fact
from flowengine.testing.chat import Chat, TypingError

STARTED = {"id": "c", "from": "+1", "to": "+2", "direction": "inbound", "headers": {}}


class Typist:
    """Answers what is asked, in order, and notes what that was."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self.answers.pop(0)


def chat(flow: str, *answers: str, env: Mapping[str, str] | None = None) -> tuple[Chat, Typist]:
    program = _flows.program(_flows.Shelf(), flow)
    args = {name: argument.default for name, argument in program.flow.args.items()}
    typist = Typist(*answers)
    return Chat(
        program, env or {}, fact.CallStarted(0.0, STARTED, "2026-01-05T10:00:00+00:00", 1, args), typist
    ), typist


def after(one: Chat, *inputs: str) -> list[tuple[str, str]]:
    """Type, and give what was shown since the last input before."""
    one.settle()
    for text in inputs:
        list(one.lines())
        one.take(text)
        one.settle()
    return [(line.who, line.text) for line in one.lines()]


def test_words_nodes_variables_and_the_end_are_shown() -> None:
    one, _ = chat("flows/front-desk.yaml")
    shown = after(one)
    assert shown[:2] == [("flow", "→ greet"), ("bot", "Welcome to Acme.")]
    assert one.waiting.startswith("noinput in 6.0 s, ")
    shown = after(one, ":keys 1", ":keys 123456", ":keys 1")
    assert ("vars", 'account = "123456"') in shown
    assert shown[-1] == ("line", "dials +15550100")
    assert one.waiting == "a transfer to +15550100 rings"
    shown = after(one, ":transfer busy")
    assert ("flow", "→ busy") in shown
    assert shown[-1] == ("flow", "ended: flow.hangup")
    assert one.over


def test_undo_takes_the_last_input_back_and_the_rest_stays() -> None:
    one, _ = chat("flows/front-desk.yaml")
    after(one, ":keys 1", ":keys 123456")
    before = one.player.at
    after(one, ":keys 2")
    after(one, ":undo")
    assert (one.player.at, one.player.path[-1]) == (before, "account")
    shown = after(one, ":keys 1")
    assert ("vars", 'account = "123456"') in shown
    for _ in range(3):
        after(one, ":undo")
    assert one.player.path == ["greet", "main"]
    with pytest.raises(TypingError, match="nothing to take back"):
        one.take(":undo")


def test_silence_and_hanging_up() -> None:
    one, _ = chat("flows/front-desk.yaml")
    assert ("flow", "noinput") in after(one, ":silence 7s")
    assert ("flow", "noinput") in after(one, ":silence")
    assert after(one, ":hangup")[-1] == ("flow", "ended: caller.hangup")
    with pytest.raises(TypingError, match="the call is over"):
        one.take("hello")
    assert after(one, ":undo") == []
    assert not one.over


def test_what_tools_answer_is_asked_once_and_remembered_by_undo() -> None:
    one, typist = chat("tests/nodes/flows/tools.yaml", '{"items": [{"price": 5}]}', '{"id": "B1"}', "done")
    shown = after(one)
    assert ("bot", "Booked as B1.") in shown or any("B1" in text for _, text in shown)
    assert typist.asked[:2] == ["tool> ", "tool> "]
    assert any(who == "tool" and text.startswith("lookup {") for who, text in shown)


@pytest.mark.parametrize(("answer", "said"), [("!http.404", "no such thing"), ("!http.402", "They refused it")])
def test_a_tool_fails_as_it_is_typed(answer: str, said: str) -> None:
    one, _ = chat("tests/nodes/flows/tools.yaml", answer, "", "", "", "", "")
    assert any(said in text for _, text in after(one))


def test_the_model_is_whoever_types() -> None:
    one, typist = chat(
        "tests/nodes/flows/chat.yaml", "Which order?", "Thank you. :exit done", "no JSON here :exit x {bad}"
    )
    assert ("bot", "Which order?") in after(one, "where is my order")
    shown = after(one, "never mind")
    assert ("bot", "Thank you.") in shown
    assert ("flow", "→ bye") in shown
    assert typist.asked == ["model> ", "model> "]
    after(one, ":undo")
    assert typist.asked == ["model> ", "model> "], "the first answer is known, the second one was taken back"


BAD: list[tuple[str, str]] = [
    (":keys x", "keys are"),
    (":keys", "keys are"),
    (":silence long", "silence is a time"),
    (":transfer busy", "no transfer rings"),
    (":event", "an event has a name"),
    (":event paid {", "the data of an event is JSON"),
    (":dance", ":dance is nothing that can be done here"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_means_nothing_is_told_and_nothing_happens(text: str, message: str) -> None:
    one, _ = chat("flows/front-desk.yaml")
    after(one)
    at: Any = one.player.at
    with pytest.raises(TypingError) as error:
        one.take(text)
    assert str(error.value).startswith(message)
    assert (one.player.at, len(one.inputs)) == (at, 1)


def test_while_a_transfer_rings_only_its_end_means_something() -> None:
    one, _ = chat("flows/front-desk.yaml")
    after(one, ":keys 0")
    for text in ("hello", ":keys 1"):
        with pytest.raises(TypingError, match="a transfer rings"):
            one.take(text)
    with pytest.raises(TypingError, match="a transfer ends as one of"):
        one.take(":transfer maybe")
    assert after(one, ":hangup")[-1] == ("flow", "ended: caller.hangup")
