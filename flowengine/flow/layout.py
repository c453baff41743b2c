"""Puts boxes and the lines between them on a page: a layered layout, from top to bottom.

The steps are those of Sugiyama, Tagawa and Toda: lines that lead back are turned round, every box has a rank
(`ranking.py`), a line that passes ranks gets a bend in each of them, the order in each layer is improved until fewer
lines cross, then the places along the layer are found. Labels stand in layers of their own between the ranks, and bends
take up room like boxes do: so no line crosses a box and no label lies on one.

No clock and no randomness: the same input gives the same page.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from flowengine.flow.ranking import ranks

BOX_GAP = 26.0
LINE_GAP = 12.0
RANK_GAP = 20.0
STEEPEST = 0.1
"""How much of the widest sideways move between two layers is added to the distance between them."""
WIDEST_GAP = 48.0
SWING = 20.0
"""The sideways distance of two bends from which on moving them further apart costs ever less."""
PORT_GAP = 14.0
ARROW = 8.0
"""How long the upright last piece of a line is, which gives its arrow the direction."""
ORDER_SWEEPS = 24
PLACE_SWEEPS = 60
LEAST_SWEEPS = 6
WORK = 120_000
"""How many steps the placing of a large picture takes at most before it makes do with fewer sweeps."""
STRAIGHT = 6.0
"""How much more it matters that a bend stands under a bend than that a box stands under a box."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shape:
    """A box to be placed: its size, and the room it needs at its right beside it (for a loop)."""

    name: str
    width: float
    height: float
    beside: float = 0.0


@dataclass(frozen=True, slots=True)
class Tie:
    """A line to be drawn between two different boxes, with the size of its label (0 without one).

    Without a target the line ends at its label.
    """

    source: str
    target: str
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Rect:
    """A placed rectangle: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Rect) -> bool:
        """Say whether two rectangles share an area."""
        across = self.x < other.x + other.width and other.x < self.x + self.width
        return across and self.y < other.y + other.height and other.y < self.y + self.height


@dataclass(frozen=True, slots=True)
class Route:
    """A placed line: points in pairs, each pair a straight upright stretch; between pairs it swings sideways."""

    points: tuple[Point, ...]
    label: Rect | None
    back: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Everything placed; routes are in the order of the ties."""

    boxes: Mapping[str, Rect]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True, eq=False)
class _Spot:
    """A box, a bend or a label in its layer; ``left`` and ``right`` is its room on either side of ``x``."""

    layer: int
    left: float
    right: float
    height: float
    box: bool
    x: float = 0.0
    above: list[_Spot] = field(default_factory=list)
    below: list[_Spot] = field(default_factory=list)


def arrange(shapes: Sequence[Shape], ties: Sequence[Tie], rank: Mapping[str, int] | None = None) -> Page:
    """Place boxes and lines; the first shape is the top. Ties within one rank are not allowed.

    Without ``rank`` every box stands below what leads to it.
    """
    if rank is None:
        names = [shape.name for shape in shapes]
        rank = ranks(names, [(tie.source, tie.target) for tie in ties if tie.target])
    spots = {
        shape.name: _Spot(2 * rank[shape.name], shape.width / 2, shape.width / 2 + shape.beside, shape.height, box=True)
        for shape in shapes
    }
    chains = [_chain(spots[tie.source], spots.get(tie.target), tie) for tie in ties]
    layers = _layers(list(spots.values()), chains)
    _order(layers)
    _place(layers)
    tops, bottoms = _heights(layers)
    sizes = {shape.name: shape for shape in shapes}
    boxes = {
        name: Rect(
            spot.x - spot.left,
            tops[spot.layer],
            sizes[name].width,
            spot.height,
        )
        for name, spot in spots.items()
    }
    routes = _routes(ties, chains, spots, boxes, tops, bottoms)
    width = max((spot.x + spot.right for layer in layers for spot in layer), default=0.0)
    return Page(boxes, routes, width, max(bottoms, default=0.0))


def _chain(source: _Spot, target: _Spot | None, tie: Tie) -> list[_Spot]:
    """Give the bends of a line from its upper end to its lower one; the label stands next to the line's source."""
    if target is None:
        chain = [source, _Spot(source.layer + 1, tie.width / 2, tie.width / 2, tie.height + ARROW, box=False)]
    else:
        upper, lower = (source, target) if source.layer < target.layer else (target, source)
        labelled = upper.layer + 1 if upper is source else lower.layer - 1
        chain = [upper]
        for layer in range(upper.layer + 1, lower.layer):
            half = tie.width / 2 if layer == labelled else 0.0
            chain.append(_Spot(layer, half, half, tie.height if layer == labelled else 0.0, box=False))
        chain.append(lower)
    for one, next_one in pairwise(chain):
        one.below.append(next_one)
        next_one.above.append(one)
    return chain


def _layers(boxes: Sequence[_Spot], chains: Sequence[list[_Spot]]) -> list[list[_Spot]]:
    """Collect the layers; the first order is that of a walk from the top, which keeps families together."""
    count = max((spot.layer for chain in (boxes, *chains) for spot in chain), default=-1) + 1
    layers: list[list[_Spot]] = [[] for _ in range(count)]
    seen: set[int] = set()
    for root in sorted(boxes, key=lambda spot: spot.layer):
        stack = [root]
        while stack:
            spot = stack.pop()
            if id(spot) in seen:
                continue
            seen.add(id(spot))
            layers[spot.layer].append(spot)
            stack.extend(reversed(spot.below))
    return layers


def _order(layers: list[list[_Spot]]) -> None:
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(_sweeps(ORDER_SWEEPS, layers)):
        down = sweep % 2 == 0
        for n in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            _sort(layers[n], layers[n - 1 if down else n + 1], down=down)
        _swap_neighbours(layers)
        crossings = _crossings(layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, spots in zip(layers, best, strict=True):
        layer[:] = spots


def _sweeps(wanted: int, layers: list[list[_Spot]]) -> int:
    """Give how often all spots are visited: as often as wanted, in a large picture less."""
    return max(LEAST_SWEEPS, min(wanted, WORK // max(1, sum(map(len, layers)))))


def _sort(layer: list[_Spot], fixed: list[_Spot], *, down: bool) -> None:
    index = {id(spot): n for n, spot in enumerate(fixed)}
    wanted: dict[int, float] = {}
    for n, spot in enumerate(layer):
        near = [index[id(other)] for other in (spot.above if down else spot.below)]
        # Who has no neighbour there stays about where it is.
        wanted[id(spot)] = sum(near) / len(near) if near else n * len(fixed) / len(layer)
    layer.sort(key=lambda spot: wanted[id(spot)])


def _swap_neighbours(layers: list[list[_Spot]]) -> None:
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


def _between(left: _Spot, right: _Spot, index: Mapping[int, int]) -> int:
    """Count the crossings of the lines of two neighbours."""
    pairs = ((left.above, right.above), (left.below, right.below))
    return sum(index[id(a)] > index[id(b)] for ours, theirs in pairs for a in ours for b in theirs)


def _crossings(layers: list[list[_Spot]]) -> int:
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


def _place(layers: list[list[_Spot]]) -> None:
    for layer in layers:
        x = 0.0
        for n, spot in enumerate(layer):
            x += _distance(layer[n - 1], spot) if n else 0.0
            spot.x = x
    sweeps = _sweeps(PLACE_SWEEPS, layers)
    for sweep in range(sweeps):
        last = sweep >= sweeps * 5 // 6
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            _settle(layer, above=last or sweep % 2 == 0, below=last or sweep % 2 == 1)
    _draw_near(layers)
    left = min((spot.x - spot.left for layer in layers for spot in layer), default=0.0)
    for layer in layers:
        for spot in layer:
            spot.x -= left


def _draw_near(layers: list[list[_Spot]]) -> None:
    """Move what is tied to nothing else as near to the others as there is room: nothing else pulls it."""
    number: dict[int, int] = {}
    parts: list[list[tuple[int, int]]] = []
    for root in (spot for layer in layers for spot in layer):
        if id(root) in number:
            continue
        parts.append([])
        number[id(root)] = len(parts) - 1
        waiting = [root]
        while waiting:
            spot = waiting.pop()
            for other in (*spot.above, *spot.below):
                if id(other) not in number:
                    number[id(other)] = len(parts) - 1
                    waiting.append(other)
    for row, layer in enumerate(layers):
        for n, spot in enumerate(layer):
            parts[number[id(spot)]].append((row, n))
    for part in parts[1:]:
        left, right = math.inf, math.inf
        for row, n in part:
            layer = layers[row]
            spot, own = layer[n], number[id(layer[n])]
            if n and number[id(layer[n - 1])] != own:
                left = min(left, spot.x - layer[n - 1].x - _distance(layer[n - 1], spot))
            if n + 1 < len(layer) and number[id(layer[n + 1])] != own:
                right = min(right, layer[n + 1].x - spot.x - _distance(spot, layer[n + 1]))
        move = -left if left < math.inf else right if right < math.inf else 0.0
        for row, n in part:
            layers[row][n].x += move


def _distance(left: _Spot, right: _Spot) -> float:
    gap = BOX_GAP if left.box and right.box else LINE_GAP
    return left.right + gap + right.left


def _settle(layer: list[_Spot], *, above: bool, below: bool) -> None:
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


def _strength(spot: _Spot, other: _Spot) -> float:
    """Give how strongly two neighbours want to stand in one line.

    Between bends it falls with their distance: a long line then makes one swing instead of a staircase.
    """
    return 1.0 if spot.box or other.box else STRAIGHT * SWING / max(abs(spot.x - other.x), SWING / 20)


def _heights(layers: list[list[_Spot]]) -> tuple[list[float], list[float]]:
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for layer in layers:
        if tops:
            widest = max((abs(spot.x - other.x) for spot in layer for other in spot.above), default=0.0)
            y += min(WIDEST_GAP, RANK_GAP + STEEPEST * widest)
        tops.append(y)
        y += max((spot.height for spot in layer), default=0.0)
        bottoms.append(y)
    return tops, bottoms


def _routes(
    ties: Sequence[Tie],
    chains: Sequence[list[_Spot]],
    spots: Mapping[str, _Spot],
    boxes: Mapping[str, Rect],
    tops: Sequence[float],
    bottoms: Sequence[float],
) -> tuple[Route, ...]:
    rects = {id(spot): boxes[name] for name, spot in spots.items()}
    ports = _ports(chains, rects)
    routes = []
    for n, (tie, chain) in enumerate(zip(ties, chains, strict=True)):
        back = chain[0] is not spots[tie.source]
        upper = rects[id(chain[0])]
        start, foot = ports[n, "below"], upper.y + upper.height
        points: list[Point] = [(start, foot), (start, max(bottoms[chain[0].layer], foot + ARROW))]
        label = None
        for spot in chain[1:-1] if tie.target else chain[1:]:
            top, bottom = tops[spot.layer], bottoms[spot.layer]
            points += [(spot.x, top), (spot.x, bottom if tie.target else top + ARROW)]
            if spot.height:
                # Next to the source, which is below where the line leads back.
                y = bottom - tie.height if back else top if tie.target else top + ARROW
                label = Rect(spot.x - spot.left, y, tie.width, tie.height)
        if tie.target:
            end, lower = ports[n, "above"], rects[id(chain[-1])]
            points += [(end, lower.y - ARROW), (end, lower.y)]
        routes.append(Route(tuple(reversed(points) if back else points), label, back))
    return tuple(routes)


def _ports(chains: Sequence[list[_Spot]], rects: Mapping[int, Rect]) -> dict[tuple[int, str], float]:
    """Spread the ends of lines along the sides of their boxes, in the order in which the lines arrive."""
    sides: dict[tuple[int, str], list[tuple[float, int]]] = defaultdict(list)
    for n, chain in enumerate(chains):
        sides[id(chain[0]), "below"].append((chain[1].x, n))
        if chain[-1].box:
            sides[id(chain[-1]), "above"].append((chain[-2].x, n))
    ports: dict[tuple[int, str], float] = {}
    for (spot, side), ends in sides.items():
        rect = rects[spot]
        low, high = rect.x + rect.width * 0.1, rect.x + rect.width * 0.9
        straight = [min(max(x, low), high) for x, _ in sorted(ends)]
        step = min((high - low) / len(ends), 40.0)
        first = rect.x + rect.width / 2 - step * (len(ends) - 1) / 2
        if all(one + min(PORT_GAP, step) <= two for one, two in pairwise(straight)):
            spread = straight
        else:
            spread = [first + n * step for n in range(len(ends))]
        for x, (_, n) in zip(spread, sorted(ends), strict=True):
            ports[n, side] = x
    return ports
