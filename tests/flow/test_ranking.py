from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow.ranking import ranks


def test_ranks_follow_the_longest_way_and_ways_back_do_not_count() -> None:
    pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "a"), ("c", "c")]
    assert ranks(["a", "b", "c"], pairs) == {"a": 0, "b": 1, "c": 2}


def test_what_nothing_leads_to_stands_above_what_it_leads_to() -> None:
    assert ranks(["a", "b", "c", "x"], [("a", "b"), ("b", "c"), ("x", "c")])["x"] == 1


def test_a_full_row_sends_the_shortest_ways_to_the_next() -> None:
    names = ["top", "a", "b", "long", "longer"]
    pairs = [("top", "a"), ("top", "b"), ("top", "long"), ("long", "longer")]
    wide = dict.fromkeys(names, 100.0)
    assert ranks(names, pairs, wide, 250.0) == {"top": 0, "a": 1, "long": 1, "b": 2, "longer": 2}
    assert ranks(names, pairs, wide, 10.0) == {"top": 0, "long": 1, "a": 2, "b": 3, "longer": 4}


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60), st.sampled_from((1.0, 3.0, 99.0)))
@settings(max_examples=60, deadline=None)
def test_both_ends_of_a_way_are_in_different_rows_and_no_row_is_too_wide(
    numbers: list[tuple[int, int]], limit: float
) -> None:
    names = [f"n{n}" for n in range(20)]
    pairs = [(f"n{a}", f"n{b}") for a, b in numbers if a != b]
    rank = ranks(names, pairs, dict.fromkeys(names, 1.0), limit)
    assert set(rank) == set(names)
    assert all(rank[a] != rank[b] for a, b in pairs)
    # Without circles it is known what is led to; what nothing leads to moves down to what it leads to, full or not.
    pairs = [(f"n{min(a, b)}", f"n{max(a, b)}") for a, b in numbers if a != b]
    rank = ranks(names, pairs, dict.fromkeys(names, 1.0), limit)
    led = {b for _, b in pairs} | {"n0"}
    assert max(Counter(rank[name] for name in names if name in led).values()) <= limit
