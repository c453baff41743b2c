from __future__ import annotations

import itertools
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow.layout import Rect, Shape, Tie, arrange

Graph = tuple[list[Shape], list[Tie]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw any graph without loops: circles, islands and parallel lines are allowed."""
    size = st.floats(10, 200)
    shapes = [Shape(f"n{n}", draw(size), draw(size), draw(st.sampled_from((0.0, 60.0)))) for n in range(draw(_COUNT))]
    names = [shape.name for shape in shapes]
    ends = st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(lambda pair: pair[0] != pair[1])
    pairs = draw(st.lists(ends, max_size=30)) if len(names) > 1 else []
    ties = [Tie(*pair, *draw(st.sampled_from(((0.0, 0.0), (90.0, 18.0), (40.0, 46.0))))) for pair in pairs]
    posts = draw(st.lists(st.sampled_from(names), max_size=8))
    return shapes, [*ties, *(Tie(name, "", 70.0, 34.0) for name in posts)]


_COUNT = st.integers(1, 14)


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_nothing_lies_on_anything(graph: Graph) -> None:
    shapes, ties = graph
    page = arrange(shapes, ties)
    assert page == arrange(shapes, ties)
    solid = [Rect(b.x, b.y, b.width + s.beside, b.height) for s, b in ((s, page.boxes[s.name]) for s in shapes)]
    labels = [route.label for route in page.routes if route.label]
    assert len(labels) == sum(tie.width > 0 for tie in ties)
    assert not [pair for pair in itertools.combinations([*solid, *labels], 2) if pair[0].overlaps(pair[1])]
    for rect in (*solid, *labels):
        assert -0.01 <= rect.x <= page.width - rect.width + 0.01
        assert -0.01 <= rect.y <= page.height - rect.height + 0.01


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_no_line_crosses_a_box_or_the_label_of_another(graph: Graph) -> None:
    shapes, ties = graph
    page = arrange(shapes, ties)
    for tie, route in zip(ties, page.routes, strict=True):
        others = [box for name, box in page.boxes.items() if name not in (tie.source, tie.target)]
        others += [other.label for other in page.routes if other.label and other is not route]
        for (x, y), (to_x, to_y) in pairwise(route.points):
            # The hull of each piece: an upright stretch, or a swing from one side of a gap to the other.
            hull = Rect(min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y))
            inner = [box for box in others if _inside(hull, box)]
            assert not inner, (tie, hull, inner)


def _inside(hull: Rect, box: Rect) -> bool:
    small = Rect(box.x + 0.01, box.y + 0.01, box.width - 0.02, box.height - 0.02)
    return Rect(hull.x - 0.001, hull.y - 0.001, hull.width + 0.002, hull.height + 0.002).overlaps(small)


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_lines_begin_and_end_at_their_boxes(graph: Graph) -> None:
    shapes, ties = graph
    page = arrange(shapes, ties)
    for tie, route in zip(ties, page.routes, strict=True):
        for name, (x, y) in ((tie.source, route.points[0]), (tie.target, route.points[-1])):
            box = page.boxes[name] if name else route.label
            assert box is not None
            assert box.x <= x <= box.x + box.width
            assert y == pytest.approx(box.y) or y == pytest.approx(box.y + box.height)


def test_a_way_back_is_said_to_be_one() -> None:
    shapes = [Shape("a", 80, 40), Shape("b", 80, 40)]
    page = arrange(shapes, [Tie("a", "b"), Tie("b", "a", 30, 18)])
    assert [route.back for route in page.routes] == [False, True]
    assert page.boxes["a"].y < page.boxes["b"].y


def test_nothing_gives_an_empty_page() -> None:
    page = arrange([], [])
    assert (page.boxes, page.routes, page.width, page.height) == ({}, (), 0.0, 0.0)


def test_what_is_tied_to_nothing_stands_beside_the_rest() -> None:
    shapes = [Shape(f"n{n}", 80, 40) for n in range(9)]
    page = arrange(shapes, [Tie("n0", f"n{n}") for n in range(1, 8)])
    others = [box.x + box.width for name, box in page.boxes.items() if name != "n8"]
    assert page.width <= max(others)


def test_given_ranks_count_even_with_a_gap() -> None:
    shapes = [Shape("a", 80, 40), Shape("b", 80, 40)]
    page = arrange(shapes, [Tie("b", "", 50, 20)], {"a": 0, "b": 3})
    assert page.boxes["b"].y > page.boxes["a"].y + 40
    assert page.height > page.boxes["b"].y + 60
