from __future__ import annotations

from flowengine.flow.picture import Link, Picture, Place
from flowengine.flow.signpost import DOWN, HUB, Plan, plan


def planned(*pairs: tuple[str, str], handlers: frozenset[tuple[str, str]] = frozenset(), last: str = "") -> Plan:
    """Plan a picture of these ways; the first source is the start, and calls end at ``last``."""
    names = list(dict.fromkeys(name for pair in pairs for name in pair if name not in ("again", "back", "end")))
    links = tuple(Link(*pair, (), pair in handlers) for pair in pairs)
    places = tuple(Place(name, "step", "", "last" if name == last else "plain") for name in names)
    return plan(Picture("x", "", "", names[0], places, (), links, ()), dict.fromkeys(names, 100.0))


def ends(links: tuple[Link, ...]) -> list[tuple[str, str]]:
    return [(link.source, link.target) for link in links]


def test_reserved_targets_are_signposts_and_loops_stay_at_their_source() -> None:
    found = planned(("a", "b"), ("a", "again"), ("b", "b"), ("b", "back"), ("b", "end"))
    assert ends(found.lines) == [("a", "b")]
    assert ends(found.posts) == [("b", "back"), ("b", "end")]
    assert {name: ends(links) for name, links in found.loops.items()} == {"a": [("a", "again")], "b": [("b", "b")]}


def test_a_hub_is_led_to_from_where_it_is_reached_first_and_from_the_row_above() -> None:
    pairs = [("n0", "hub"), *((f"n{n}", f"n{n + 1}") for n in range(HUB)), *((f"n{n}", "hub") for n in range(1, HUB))]
    found = planned(*pairs)
    assert found.rank["hub"] == 1
    assert [pair for pair in ends(found.lines) if pair[1] == "hub"] == [("n0", "hub")]
    assert ends(found.posts) == [(f"n{n}", "hub") for n in range(1, HUB)]
    fan = planned(*((("a", f"n{n}")) for n in range(HUB)), *((f"n{n}", "hub") for n in range(HUB)))
    assert len([pair for pair in ends(fan.lines) if pair[1] == "hub"]) == HUB


def test_handlers_come_last_in_the_choice_of_the_way_to_a_hub() -> None:
    pairs = [("a", "b"), ("a", "hub"), ("b", "hub"), ("b", "c"), ("c", "d"), ("c", "hub"), ("d", "hub")]
    found = planned(*pairs, handlers=frozenset({("a", "hub")}))
    assert ("a", "hub") in ends(found.lines)
    assert ("b", "hub") in ends(found.posts)


def test_a_long_way_is_a_signpost_unless_nothing_else_leads_there() -> None:
    chain = [(f"n{n}", f"n{n + 1}") for n in range(DOWN + 2)]
    last = f"n{DOWN + 2}"
    assert ends(planned(*chain, (last, "n0")).posts) == [(last, "n0")]
    # Where it is reached soonest counts, so the short cut is the line; but the end of a call stands below all.
    assert ends(planned(*chain, ("n0", last)).posts) == [(f"n{DOWN + 1}", last)]
    assert ends(planned(*chain, ("n0", last), last=last).posts) == [("n0", last)]
    far = planned(*chain, ("x", "n0"), ("n0", "x"), ("x", last), last=last)
    assert ("x", last) in ends(far.posts)


def test_wide_lines_become_signposts_but_never_the_last_one_from_above() -> None:
    found = planned(("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    narrow = found.within([9.0, 900.0, 900.0, 700.0], 400.0)
    assert ends(narrow.lines) == [("a", "b"), ("a", "c"), ("c", "d")]
    assert ends(narrow.posts) == [("b", "d")]
    assert found.within([1.0] * 4, 400.0) == found
