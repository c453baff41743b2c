"""What a transcriber that comes late is told of a stream, in order."""

from __future__ import annotations

import pytest

from flowengine.call.kept import Kept
from tests.call.test_transcribing import Words

A, B, C, D = (bytes([number]) * 10 for number in range(4))


def told(kept: Kept) -> list[object]:
    words = Words()
    kept.tell(words)
    return words.told


@pytest.mark.parametrize(
    ("room", "given", "wanted", "dropped"),
    [
        (30, [A, True, B, False, C], [A, "began", B, "finish", C], 0),
        (20, [A, True, B, False, C], ["began", B, "finish", C], 10),  # the voice is older than what is kept
        (10, [A, True, B, False, C], [C], 20),  # it is over, and nothing of it is left
        (20, [True], ["began"], 0),
        (20, [True, False], [], 0),
        (20, [A, True, B, C, D], ["began", C, D], 20),
    ],
)
def test_it_is_told_in_order(room: int, given: list[bytes | bool], wanted: list[object], dropped: int) -> None:
    kept = Kept(room)
    for one in given:
        kept.add(one)
    assert told(kept) == wanted
    assert kept.dropped == dropped
    assert kept.size == sum(len(one) for one in wanted if isinstance(one, bytes))


def test_what_is_done_with_is_forgotten() -> None:
    kept = Kept(100)
    for one in (A, True, B, False, True, C, D):
        kept.add(one)
    kept.keep(25)
    assert told(kept) == ["began", B, "finish", "began", C, D]
    kept.keep(10)
    assert told(kept) == ["began", D]
    kept.keep(0)
    assert told(kept) == ["began"]
    kept.clear()
    assert (told(kept), kept.size, kept.dropped) == ([], 0, 0)
