"""Which ways of a picture are lines, and which end in a signpost: many lines to one place hide all the others."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from flowengine.flow.picture import Link, Picture, is_reserved
from flowengine.flow.ranking import ranks

HUB = 4
"""From how many ways on a place is a hub: lines lead to it from the row above, and one from wherever it comes."""
HUB_LINES = 5
"""How many lines lead to a hub at most."""
DOWN, UP = 3, 2
"""Over how many rows a line leads down, and up; what leads farther ends in a signpost."""
ASTRAY = 2
"""By how many steps a way leads back towards the start before it no longer says which place stands above which.

To where a call ends all ways lead down.
"""
ROW = 190.0
"""About how high a row of boxes with its labels is."""
PAGE = 1.41
"""The width of the wanted page by its height: that of a sheet of paper on its side."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn how: ``lines`` lead from place to place, ``posts`` end in a signpost, ``loops`` at their source.

    ``rank`` is the row of each place, from 0.
    """

    lines: tuple[Link, ...]
    posts: tuple[Link, ...]
    loops: Mapping[str, tuple[Link, ...]]
    rank: Mapping[str, int]

    def within(self, lengths: Sequence[float], longest: float) -> Plan:
        """Turn the lines that are longer into signposts, but for the shortest line from above to each place.

        ``lengths`` are those of ``lines``, in their order.
        """
        best: dict[str, int] = {}
        for n, link in enumerate(self.lines):
            above = self.rank[link.source] < self.rank[link.target]
            if above and lengths[n] < lengths[best.setdefault(link.target, n)]:
                best[link.target] = n
        kept = {n for n, length in enumerate(lengths) if length <= longest} | set(best.values())
        given_up = (link for n, link in enumerate(self.lines) if n not in kept)
        return replace(self, lines=tuple(self.lines[n] for n in sorted(kept)), posts=(*self.posts, *given_up))


def plan(seen: Picture, widths: Mapping[str, float]) -> Plan:
    """Give each link its form; ``widths`` are those of the places with all that hangs below them."""
    loops: dict[str, list[Link]] = defaultdict(list)
    posts: list[Link] = []
    ways: list[Link] = []
    for link in seen.links:
        if link.target in ("again", link.source):
            loops[link.source].append(link)
        else:
            (posts if is_reserved(link.target) else ways).append(link)
    names = [seen.start, *(place.name for place in seen.places if place.name != seen.start)]
    steps, first = _walked(names, ways)
    incoming = Counter(link.target for link in ways)
    held = [link for link in ways if incoming[link.target] < HUB or link in first]
    last = {place.name for place in seen.places if place.role == "last"}
    ahead = [
        (link.source, link.target)
        for link in held
        if link.target in last or steps[link.source] - steps[link.target] < ASTRAY
    ]
    limit = max(math.sqrt(sum(widths.values()) * ROW * PAGE), *widths.values(), 1.0)
    rank = ranks(names, ahead, widths, limit)
    drawn = {*_short(held, rank, seen.start), *_near(ways, held, rank)}
    # In the order of the flow, and never in that of a set.
    lines = tuple(link for link in ways if link in drawn)
    return Plan(
        lines,
        (*posts, *(link for link in ways if link not in drawn)),
        {name: tuple(links) for name, links in loops.items()},
        rank,
    )


def _walked(names: Sequence[str], ways: Sequence[Link]) -> tuple[dict[str, int], set[Link]]:
    """Walk from the first name on: give the steps to each place, and the way by which it is reached soonest.

    Of two equally short ones the one that is no handler.
    """
    after: dict[str, list[Link]] = defaultdict(list)
    for link in sorted(ways, key=lambda link: link.handler):
        after[link.source].append(link)
    steps: dict[str, int] = {}
    first: set[Link] = set()
    for root in names:
        if root in steps:
            continue
        steps[root] = 0
        waiting = deque([root])
        while waiting:
            name = waiting.popleft()
            for link in after[name]:
                if link.target not in steps:
                    steps[link.target] = steps[name] + 1
                    first.add(link)
                    waiting.append(link.target)
    return steps, first


def _short(held: Sequence[Link], rank: Mapping[str, int], start: str) -> Iterator[Link]:
    """Give the ways over few rows, and to a place that has none of these its shortest."""
    lone: dict[str, Link] = {}
    led = {start}
    for link in held:
        rows = rank[link.target] - rank[link.source]
        if -UP <= rows <= DOWN and rows:
            led.add(link.target)
            yield link
        elif rows and (link.target not in lone or abs(rows) < _rows(lone[link.target], rank)):
            lone[link.target] = link
    yield from (link for target, link in lone.items() if target not in led)


def _near(ways: Sequence[Link], held: Sequence[Link], rank: Mapping[str, int]) -> Iterator[Link]:
    """Give the ways to hubs from the row above, as many as there is room for."""
    count = Counter(link.target for link in held)
    known = set(held)
    for link in ways:
        near = rank[link.target] - rank[link.source] == 1
        if near and not link.handler and link not in known and count[link.target] < HUB_LINES:
            count[link.target] += 1
            yield link


def _rows(link: Link, rank: Mapping[str, int]) -> int:
    return abs(rank[link.target] - rank[link.source])
