"""Puts boxes and the lines between them on a page: a layered layout, from top to bottom.

The steps are those of Sugiyama, Tagawa and Toda: lines that lead back are turned round, every box has a rank
(`ranking.py`), a line that passes ranks gets a bend in each of them, the order in each layer is improved until fewer
lines cross (`ordering.py`), then the places along the layer are found (`placing.py`). Labels stand in layers of their
own between the ranks, and bends take up room like boxes do: so no line crosses a box and no label lies on one.

No clock and no randomness: the same input gives the same page.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flowengine.flow.ordering import order
from flowengine.flow.placing import place
from flowengine.flow.ranking import ranks
from flowengine.flow.spot import Spot

RANK_GAP = 20.0
STEEPEST = 0.1
"""How much of the widest sideways move between two layers is added to the distance between them."""
WIDEST_GAP = 48.0
PORT_GAP = 14.0
ARROW = 8.0
"""How long the upright last piece of a line is, which gives its arrow the direction."""

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


def arrange(shapes: Sequence[Shape], ties: Sequence[Tie], rank: Mapping[str, int] | None = None) -> Page:
    """Place boxes and lines; the first shape is the top. Ties within one rank are not allowed.

    Without ``rank`` every box stands below what leads to it.
    """
    if rank is None:
        names = [shape.name for shape in shapes]
        rank = ranks(names, [(tie.source, tie.target) for tie in ties if tie.target])
    spots = {
        shape.name: Spot(2 * rank[shape.name], shape.width / 2, shape.width / 2 + shape.beside, shape.height, box=True)
        for shape in shapes
    }
    chains = [_chain(spots[tie.source], spots.get(tie.target), tie) for tie in ties]
    layers = _layers(list(spots.values()), chains)
    order(layers)
    place(layers)
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


def _chain(source: Spot, target: Spot | None, tie: Tie) -> list[Spot]:
    """Give the bends of a line from its upper end to its lower one; the label stands next to the line's source."""
    if target is None:
        chain = [source, Spot(source.layer + 1, tie.width / 2, tie.width / 2, tie.height + ARROW, box=False)]
    else:
        upper, lower = (source, target) if source.layer < target.layer else (target, source)
        labelled = upper.layer + 1 if upper is source else lower.layer - 1
        chain = [upper]
        for layer in range(upper.layer + 1, lower.layer):
            half = tie.width / 2 if layer == labelled else 0.0
            chain.append(Spot(layer, half, half, tie.height if layer == labelled else 0.0, box=False))
        chain.append(lower)
    for one, next_one in pairwise(chain):
        one.below.append(next_one)
        next_one.above.append(one)
    return chain


def _layers(boxes: Sequence[Spot], chains: Sequence[list[Spot]]) -> list[list[Spot]]:
    """Collect the layers; the first order is that of a walk from the top, which keeps families together."""
    count = max((spot.layer for chain in (boxes, *chains) for spot in chain), default=-1) + 1
    layers: list[list[Spot]] = [[] for _ in range(count)]
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


def _heights(layers: list[list[Spot]]) -> tuple[list[float], list[float]]:
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
    chains: Sequence[list[Spot]],
    spots: Mapping[str, Spot],
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


def _ports(chains: Sequence[list[Spot]], rects: Mapping[int, Rect]) -> dict[tuple[int, str], float]:
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
