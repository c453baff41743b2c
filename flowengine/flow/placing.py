"""The places of what stands in each layer of a picture: near to what it is tied to, in the order that is given."""

from __future__ import annotations

import math

from flowengine.flow.spot import Spot, sweeps

BOX_GAP = 26.0
LINE_GAP = 12.0
SWING = 20.0
"""The sideways distance of two bends from which on moving them further apart costs ever less."""
PLACE_SWEEPS = 60
STRAIGHT = 6.0
"""How much more it matters that a bend stands under a bend than that a box stands under a box."""


def place(layers: list[list[Spot]]) -> None:
    """Give each spot its ``x``; the least left edge is 0."""
    for layer in layers:
        x = 0.0
        for n, spot in enumerate(layer):
            x += _distance(layer[n - 1], spot) if n else 0.0
            spot.x = x
    count = sweeps(PLACE_SWEEPS, layers)
    for sweep in range(count):
        last = sweep >= count * 5 // 6
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _settle(layer, above=last or sweep % 2 == 0, below=last or sweep % 2 == 1)
    _draw_near(layers)
    left = min((spot.x - spot.left for layer in layers for spot in layer), default=0.0)
    for layer in layers:
        for spot in layer:
            spot.x -= left


def _draw_near(layers: list[list[Spot]]) -> None:
    """Move what is tied to nothing else as near to the others as there is room: nothing else pulls it."""
    number = _parts(layers)
    members: dict[int, list[tuple[list[Spot], int]]] = {}
    for layer in layers:
        for n, spot in enumerate(layer):
            members.setdefault(number[id(spot)], []).append((layer, n))
    for part in list(members.values())[1:]:
        left, right = math.inf, math.inf
        for layer, n in part:
            spot, own = layer[n], number[id(layer[n])]
            if n and number[id(layer[n - 1])] != own:
                left = min(left, spot.x - layer[n - 1].x - _distance(layer[n - 1], spot))
            if n + 1 < len(layer) and number[id(layer[n + 1])] != own:
                right = min(right, layer[n + 1].x - spot.x - _distance(spot, layer[n + 1]))
        move = -left if left < math.inf else right if right < math.inf else 0.0
        for layer, n in part:
            layer[n].x += move


def _parts(layers: list[list[Spot]]) -> dict[int, int]:
    """Give each spot, by its identity, the number of the part to which lines tie it."""
    number: dict[int, int] = {}
    count = 0
    for root in (spot for layer in layers for spot in layer):
        if id(root) in number:
            continue
        number[id(root)] = count
        waiting = [root]
        while waiting:
            spot = waiting.pop()
            for other in (*spot.above, *spot.below):
                if id(other) not in number:
                    number[id(other)] = count
                    waiting.append(other)
        count += 1
    return number


def _distance(left: Spot, right: Spot) -> float:
    gap = BOX_GAP if left.box and right.box else LINE_GAP
    return left.right + gap + right.left


def _settle(layer: list[Spot], *, above: bool, below: bool) -> None:
    """Move each spot as near to its neighbours as the order and the room allow: a weighted isotonic regression."""
    blocks: list[tuple[float, float, int]] = []
    offsets: list[float] = []
    for n, spot in enumerate(layer):
        offsets.append(offsets[-1] + _distance(layer[n - 1], spot) if n else 0.0)
        near = (spot.above if above else []) + (spot.below if below else [])
        pull = [(other.x, _strength(spot, other)) for other in near]
        weight = sum(strength for _, strength in pull) or 0.01
        wanted = sum(x * strength for x, strength in pull) / weight if pull else spot.x
        block = (wanted - offsets[n], weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            value, heavy, members = blocks.pop()
            total = heavy + block[1]
            block = ((value * heavy + block[0] * block[1]) / total, total, members + block[2])
        blocks.append(block)
    n = 0
    for value, _, members in blocks:
        for spot in layer[n : n + members]:
            spot.x = value + offsets[n]
            n += 1


def _strength(spot: Spot, other: Spot) -> float:
    """Give how strongly two neighbours want to stand in one line.

    Between bends it falls with their distance: a long line then makes one swing instead of a staircase.
    """
    return 1.0 if spot.box or other.box else STRAIGHT * SWING / max(abs(spot.x - other.x), SWING / 20)
