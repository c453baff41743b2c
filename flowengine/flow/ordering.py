"""The order of what stands in each layer of a picture: the one in which the fewest lines cross."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from itertools import pairwise

from flowengine.flow.spot import Spot, sweeps

ORDER_SWEEPS = 24


def order(layers: list[list[Spot]]) -> None:
    """Put each layer into an order in which few lines cross, going down and up as long as that may help."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(sweeps(ORDER_SWEEPS, layers)):
        down = sweep % 2 == 0
        for n in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            _sort(layers[n], layers[n - 1 if down else n + 1], down=down, turned=sweep % 4 > 1)
        _swap_neighbours(layers)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, spots in zip(layers, best, strict=True):
        layer[:] = spots


def _sort(layer: list[Spot], fixed: list[Spot], *, down: bool, turned: bool) -> None:
    """Order a layer by the places of its neighbours; those that would stand in the same place change their order.

    They do so only when ``turned``: an order that no single change improves may be improved by two of them.
    """
    index = {id(spot): n for n, spot in enumerate(fixed)}
    wanted: dict[int, float] = {}
    for n, spot in enumerate(layer):
        near = [index[id(other)] for other in (spot.above if down else spot.below)]
        # Who has no neighbour there stays about where it is.
        wanted[id(spot)] = sum(near) / len(near) if near else n * len(fixed) / len(layer)
    if turned:
        layer.reverse()
    layer.sort(key=lambda spot: wanted[id(spot)])


def _swap_neighbours(layers: list[list[Spot]]) -> None:
    places = [{id(spot): n for n, spot in enumerate(layer)} for layer in layers]
    for number, layer in enumerate(layers):
        index = {
            key: n for near in (number - 1, number + 1) if 0 <= near < len(layers) for key, n in places[near].items()
        }
        for n in range(len(layer) - 1):
            one, two = layer[n], layer[n + 1]
            if _between(one, two, index) > _between(two, one, index):
                layer[n], layer[n + 1] = two, one
        places[number] = {id(spot): n for n, spot in enumerate(layer)}


def _between(left: Spot, right: Spot, index: Mapping[int, int]) -> int:
    """Count the crossings of the lines of two neighbours."""
    pairs = ((left.above, right.above), (left.below, right.below))
    return sum(index[id(a)] > index[id(b)] for ours, theirs in pairs for a in ours for b in theirs)


def _crossings(layers: list[list[Spot]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        index = {id(spot): n for n, spot in enumerate(lower)}
        seen: list[int] = []
        for spot in upper:
            ends = sorted(index[id(other)] for other in spot.below)
            for end in ends:
                count += len(seen) - bisect_right(seen, end)
            for end in ends:
                insort(seen, end)
    return count
