from __future__ import annotations

from flowengine.flow.placing import BOX_GAP, LINE_GAP, place
from flowengine.flow.spot import Spot


def tie(upper: Spot, lower: Spot) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


def test_a_box_stands_in_the_middle_above_its_two() -> None:
    top, left, right = (Spot(row, 50, 50, 20, box=True) for row in (0, 1, 1))
    tie(top, left)
    tie(top, right)
    place([[top], [left, right]])
    assert (left.x, right.x - left.x) == (50, 100 + BOX_GAP)
    assert abs(top.x - (left.x + right.x) / 2) < 0.01


def test_bends_need_less_room_than_boxes() -> None:
    box, bend = Spot(0, 50, 70, 20, box=True), Spot(0, 0, 0, 0, box=False)
    place([[box, bend]])
    assert bend.x - box.x == 70 + LINE_GAP


def test_what_is_tied_to_nothing_is_moved_near() -> None:
    top, alone = Spot(0, 50, 50, 20, box=True), Spot(0, 50, 50, 20, box=True)
    lower = [Spot(1, 50, 50, 20, box=True) for _ in range(9)]
    for spot in lower:
        tie(top, spot)
    place([[top, alone], lower])
    assert abs(alone.x - top.x - 100 - BOX_GAP) < 0.01
