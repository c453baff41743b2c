from __future__ import annotations

import pytest

from flowengine import plugins
from flowengine.flow.style import STEP, hue, joined, text_width, wrapped


def test_the_kinds_of_ours_are_told_apart_and_a_strangers_has_a_colour() -> None:
    kinds = [key or "step" for key in plugins.node_types()]
    assert len({hue(kind) for kind in kinds}) == len(kinds)
    assert hue("step") == STEP
    assert hue("what-a-stranger-made") == hue("what-a-stranger-made") != STEP


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([], ""),
        (["key 1"], "key 1"),
        (["key 1", "key 2 or 3"], "keys 1, 2 or 3"),
        (["key 1", "busy", "key 2", "key 3 if late"], "keys 1, 2, busy, key 3 if late"),
    ],
)
def test_words_that_all_begin_with_are_said_once(labels: list[str], text: str) -> None:
    assert joined(labels) == text


def test_text_is_measured_by_its_letters() -> None:
    assert text_width("iiii", 10) < text_width("nnnn", 10) < text_width("WWWW", 10) <= text_width("漢漢漢漢", 10)
    assert text_width("abc", 20) == pytest.approx(2 * text_width("abc", 10))
    assert text_width("abc", 10, bold=True) > text_width("abc", 10)
    assert text_width("e\u0301", 10) == text_width("e", 10)


def test_text_is_broken_and_cut() -> None:
    assert wrapped("one two three four", 10, 45, 3) == ["one two", "three", "four"]
    assert wrapped("", 10, 45, 3) == []
    for text in ("one two three four five six seven", "incomprehensibilities", "a " * 99):
        lines = wrapped(text, 10, 60, 2)
        assert len(lines) <= 2
        assert lines[-1].endswith("…")
        assert all(text_width(line, 10) <= 60 for line in lines)
