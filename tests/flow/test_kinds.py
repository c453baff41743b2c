"""Kinds of fields: what is written, and what is read from it."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine.flow import source
from flowengine.flow.diagnostics import Report, Span
from flowengine.flow.kinds import Choice, Decimal, Duration, Flag, KeySequences, Kind, OneKey, Reading, Text, Whole
from flowengine.flow.source import Mapping
from flowengine.flow.validator import Validator


def given(written: str) -> source.Value:
    root = source.read("f", f"x: {written}\n", Report()).root
    assert isinstance(root, Mapping)
    return root.entries["x"].value


FITS: list[tuple[Kind, str, Any]] = [
    (Text(), "12.50", "12.50"),
    (Text(), "true", "true"),
    (Duration(), "800ms", 0.8),
    (Duration(), "6s", 6.0),
    (Duration(), "1.5m", 90.0),
    (Duration(), "1h", 3600.0),
    (Whole(1, 20), "3.0", 3),
    (Flag(), "true", True),
    (Whole(1, 20), "3", 3),
    (Decimal(0.5, 2), "1", 1.0),
    (Choice(("a", "b")), "b", "b"),
    (OneKey(), "star", "*"),
    (OneKey(), "none", ""),
    (OneKey(), "5", "5"),
    (KeySequences(), "12", ("12",)),
    (KeySequences(), '"*1"', ("*1",)),
    (KeySequences(), "[1, hash, 007]", ("1", "#", "007")),
]


@pytest.mark.parametrize(("kind", "written", "read"), FITS)
def test_what_fits_is_read(kind: Kind, written: str, read: Any) -> None:
    value = given(written)
    assert not list(Validator(kind.schema()).misfits(source.to_plain(value)))
    assert kind.read(value, Reading(Report(), ())) == read


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Duration(), "6"),
        (Duration(), "6 s"),
        (Duration(), "-6s"),
        (Flag(), "yes"),
        (Whole(1, 20), "0"),
        (Whole(1, 20), "3.5"),
        (Decimal(0.5, 2), "3"),
        (Choice(("a",)), "c"),
        (OneKey(), "12"),
        (KeySequences(), "x"),
        (KeySequences(), "null"),
    ],
)
def test_what_does_not_fit_has_a_sentence_or_a_list_of_words(kind: Kind, written: str) -> None:
    found = list(Validator(kind.schema()).misfits(source.to_plain(given(written))))
    assert found
    assert all("errorMessage" in misfit.schema or "enum" in misfit.schema for misfit in found)


def test_an_empty_list_of_keys_does_not_fit() -> None:
    assert [m.keyword for m in Validator(KeySequences().schema()).misfits([])] == ["minItems"]


@pytest.mark.parametrize(
    ("line", "word", "column"),
    [
        ("say: word {{ word }}", "word", 14),
        ("say: passwords word", "word", 16),
        ("say: {% if word %}", "word", 12),
        ("say: {{ n * 2 }}", "*", 11),
        ("say: nothing", "word", 6),
    ],
)
def test_a_word_is_found_in_the_braces_first(line: str, word: str, column: int) -> None:
    reading = Reading(Report(), (line,))
    assert reading.locate(Span("f", 1, 6, 1, len(line) + 1), word).column == column
