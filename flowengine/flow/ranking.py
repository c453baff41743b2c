"""Which row of a layered picture each box stands in: under what leads to it, and no row wider than the page."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence


def ranks(
    names: Sequence[str],
    pairs: Iterable[tuple[str, str]],
    widths: Mapping[str, float] | None = None,
    limit: float = math.inf,
) -> dict[str, int]:
    """Give each name its rank from 0; ways that lead back to where they came from do not count.

    A name stands below everything that leads to it. Where ``widths`` are given, a row takes as many names as fit into
    ``limit`` (one at least); of those that could stand in it, the ones with the longest way still to go are taken.
    """
    pairs = list(pairs)
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    backward = _backward(names, pairs)
    for source, target in pairs:
        if source != target:
            upper, lower = (target, source) if (source, target) in backward else (source, target)
            after[upper].append(lower)
            before[lower].append(upper)
    order = _topological(names, after, before)
    rank = _filled(order, after, before, widths or {}, limit)
    for name in reversed(order):
        # What nothing leads to need not stand at the top: it stands right above what it leads to.
        if after[name] and not before[name] and name != names[0]:
            rank[name] = max(0, min(rank[lower] for lower in after[name]) - 1)
    return rank


def _topological(
    names: Sequence[str], after: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]
) -> list[str]:
    waiting = {name: len(before[name]) for name in names}
    order = [name for name in names if not waiting[name]]
    for name in order:
        for lower in after[name]:
            waiting[lower] -= 1
            if not waiting[lower]:
                order.append(lower)
    return order


def _filled(
    order: Sequence[str],
    after: Mapping[str, Sequence[str]],
    before: Mapping[str, Sequence[str]],
    widths: Mapping[str, float],
    limit: float,
) -> dict[str, int]:
    """Fill the rows from the top."""
    still = dict.fromkeys(order, 0)
    for name in reversed(order):
        still[name] = max((still[lower] + 1 for lower in after[name]), default=0)
    number = {name: n for n, name in enumerate(order)}
    waiting = {name: len(before[name]) for name in order}
    rank = dict.fromkeys(order, 0)
    used: dict[int, float] = defaultdict(float)
    ready = [(0, -still[name], number[name]) for name in order if not waiting[name]]
    heapq.heapify(ready)
    while ready:
        row, ahead, n = heapq.heappop(ready)
        name = order[n]
        width = widths.get(name, 0.0)
        if used[row] and used[row] + width > limit:
            heapq.heappush(ready, (row + 1, ahead, n))
            continue
        rank[name] = row
        used[row] += width
        for lower in after[name]:
            rank[lower] = max(rank[lower], row + 1)
            waiting[lower] -= 1
            if not waiting[lower]:
                heapq.heappush(ready, (rank[lower], -still[lower], number[lower]))
    return rank


def _backward(names: Sequence[str], pairs: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Find the pairs that close a circle, walking from the first name on in the order of the pairs."""
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in pairs:
        after[source].append(target)
    found: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in names:
        if root in done:
            continue
        path = {root: iter(after[root])}
        done.add(root)
        while path:
            name = next(reversed(path))
            target = next(path[name], "")
            if not target:
                del path[name]
            elif target in path:
                found.add((name, target))
            elif target not in done:
                done.add(target)
                path[target] = iter(after[target])
    return found
