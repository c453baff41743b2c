"""Keys: what an entry is among sequences, and the bounds of the type-ahead buffer."""

from __future__ import annotations

import pytest

from flowengine.runtime.keys import MAX_AGE, MAX_KEYS, KeyBuffer, Match, match

ENTRIES = [
    ("1", ["1", "2"], Match.COMPLETE),
    ("1", ["1", "12"], Match.OPEN),
    ("1", ["12", "13"], Match.PREFIX),
    ("12", ["1", "12"], Match.COMPLETE),
    ("13", ["1", "12"], Match.NONE),
    ("", ["1"], Match.PREFIX),
    ("1", [], Match.NONE),
    ("*1", ["*", "*1#"], Match.PREFIX),
    ("11", ["1"], Match.NONE),
]


@pytest.mark.parametrize(("entry", "sequences", "expected"), ENTRIES)
def test_an_entry_among_sequences(entry: str, sequences: list[str], expected: Match) -> None:
    assert match(entry, sequences) is expected
    assert match(entry, reversed(sequences)) is expected


def test_keys_are_taken_in_order_and_forgotten_with_age() -> None:
    buffer = KeyBuffer([])
    for number, key in enumerate("123"):
        assert buffer.keep(key, float(number))
    assert buffer.take(MAX_AGE) == "1"
    # The second is ten seconds old and counts; a moment later it would not.
    assert buffer.take(1.0 + MAX_AGE + 0.001) == "3"
    assert buffer.take(3.0) is None


def test_a_full_buffer_is_flushed_with_the_key_that_filled_it() -> None:
    buffer = KeyBuffer([])
    assert all(buffer.keep("1", 1.0) for _ in range(MAX_KEYS))
    assert not buffer.keep("2", 1.0)
    assert buffer.keys == []
    assert buffer.keep("3", 1.0)
    assert buffer.take(1.0) == "3"


def test_old_keys_do_not_fill_the_buffer() -> None:
    buffer = KeyBuffer([])
    for _ in range(MAX_KEYS):
        buffer.keep("1", 0.0)
    assert buffer.keep("2", MAX_AGE + 1)
    assert buffer.keys == [("2", MAX_AGE + 1)]
