from __future__ import annotations

import pytest

from flowengine.audio.item import Item, Position
from flowengine.errors import Bug


def item(samples: int, *, finished: bool = True) -> Item:
    made = Item("a", 8000, origin=0)
    made.append(bytes(samples))
    if finished:
        made.finish()
    return made


def test_only_whole_frames_are_ready_until_the_end() -> None:
    open_ended = item(500, finished=False)
    assert open_ended.ready == 480
    open_ended.finish()
    open_ended.finish()
    assert (open_ended.ready, open_ended.length) == (640, 500)


def test_take_gives_the_audio_in_order() -> None:
    made = item(320)
    assert made.take(160) == bytes(160)
    assert (made.sent, made.ready) == (160, 160)


@pytest.mark.parametrize(("heard", "sent"), [(0, 0), (159, 0), (165, 160), (320, 160)])
def test_taking_back_leaves_at_least_a_frame(heard: int, sent: int) -> None:
    made = item(320)
    made.take(320)
    made.take_back(Position(heard, estimated=False))
    assert made.sent == sent
    assert made.origin is None
    assert made.held == Position(heard, estimated=False)


def test_going_back_is_never_forward_and_never_before_what_is_kept() -> None:
    made = item(40 * 8000)
    made.take(36 * 8000)
    made.forget(35 * 8000)
    assert made.total == 40 * 8000
    made.go_back(38 * 8000)
    assert made.sent == 36 * 8000
    made.go_back(-1)
    assert made.sent == 5 * 8000


def test_empty() -> None:
    assert item(0).empty
    assert not item(0, finished=False).empty
    assert item(0).ready == 0


def test_no_audio_after_the_end() -> None:
    with pytest.raises(Bug):
        item(1).append(b"x")
