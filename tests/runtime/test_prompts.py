"""Prompts become parts before anything of them is heard."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from flowengine import plugins
from flowengine.flow.expressions import EvaluationError
from flowengine.flow.loader import load
from flowengine.flow.model import Voice
from flowengine.runtime.effects import Pause, Recording, Speech
from flowengine.runtime.prompts import SENTENCES, Manner, Renderer, constant_speech, sentence

FLOW = """
flow: t
version: 1
vars: {{n: int, pin: {{type: digits, private: true}}}}
nodes:
  a:
    say: {say}
    goto: end
"""
EN = Manner(Voice("default", 1.0), "en", "en")


def prompt(say: str) -> Any:
    loaded = load("flows/t.yaml", FLOW.format(say=say), plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return loaded.flow.nodes["a"].say


def render(say: str, draw: tuple[int, int] = (1, 1), **names: Any) -> list[Any]:
    scope = {"args": {}, "n": 3, "pin": "4711", **names}
    return Renderer(scope, EN, {}, {"pin"}, draw).prompt(prompt(say))


RENDERED = [
    ("Hello.", ["Hello."]),
    ('"You are {{ n }}."', ["You are 3."]),
    ("[Hello., There.]", ["Hello.", "There."]),
    ("[Hello., {pause: 500ms}, There.]", ["Hello.", 0.5, "There."]),
    # Nothing that can be said is nothing at all: no voice is asked for it.
    ("\"{{ '' }}\"", []),
    ("\"... {{ '' }} !\"", []),
    ("[{if: n > 2, text: Many.}, {if: n > 5, text: Very many.}]", ["Many."]),
    ('"  Hello,\\n   you.  "', ["Hello, you."]),
]


@pytest.mark.parametrize(("say", "expected"), RENDERED)
def test_parts(say: str, expected: list[Any]) -> None:
    assert [part.seconds if isinstance(part, Pause) else part.text for part in render(say)] == expected


def test_a_recording_is_beside_its_flow_and_has_its_words() -> None:
    (part,) = render("[{audio: sounds/hello.wav, text: Hello.}]")
    assert isinstance(part, Recording)
    assert part.file == "flows/sounds/hello.wav"
    assert part.words is not None
    assert part.words.text == "Hello."
    (bare,) = render("[{audio: sounds/hello.wav}]")
    assert bare == Recording("flows/sounds/hello.wav", None)


def test_private_values_are_shown_covered() -> None:
    (part,) = render('"Your PIN is {{ pin }}, {{ n }} tries."')
    assert (part.text, part.shown, part.constant) == ("Your PIN is 4711, 3 tries.", "Your PIN is ••••, 3 tries.", False)
    (other,) = render("Hello.")
    assert (other.shown, other.constant) == (None, True)


def test_an_error_in_a_later_part_speaks_nothing() -> None:
    incomplete = Renderer({"args": {}}, EN, {}, (), (1, 1))
    with pytest.raises(EvaluationError):
        incomplete.prompt(prompt('[Hello., "{{ n }}"]'))


def test_one_of_is_drawn_by_seed_and_epoch() -> None:
    say = "[{one_of: [A one., B two., C three.]}]"
    drawn = [render(say, (seed, 1))[0].text for seed in range(300)]
    assert drawn == [render(say, (seed, 1))[0].text for seed in range(300)]
    assert drawn != [render(say, (seed, 2))[0].text for seed in range(300)]
    assert all(70 < count < 130 for count in Counter(drawn).values())


def test_constant_words_are_those_without_a_template() -> None:
    said = prompt('[Hello., "{{ n }}", {one_of: [A one., B two.]}, {pause: 1s}]')
    found = list(constant_speech(said, Manner(Voice("v", 1.2), "de", "de"), {}))
    assert [(s.text, s.voice, s.lang, s.rate) for s in found] == [
        ("Hello.", "v", "de", 1.2),
        ("A one.", "v", "de", 1.2),
        ("B two.", "v", "de", 1.2),
    ]
    # What is warmed is what is played: else the first caller would wait for it all the same.
    assert found[0] == Speech("Hello.", "v", "de", 1.2, constant=True)


@pytest.mark.parametrize(("lang", "as_in"), [("en", "en"), ("en-GB", "en"), ("de-AT", "de"), ("xx", "en"), ("", "en")])
def test_the_engines_own_sentences_by_language(lang: str, as_in: str) -> None:
    for name, words in SENTENCES[as_in].items():
        assert sentence(name, lang) == words
    assert sentence("nothing", lang) == ""
