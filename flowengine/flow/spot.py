"""What stands in the layers of a picture while it is laid out: boxes, and the bends and labels of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LEAST_SWEEPS = 6
WORK = 120_000
"""How many steps the placing of a large picture takes at most before it makes do with fewer sweeps."""


@dataclass(slots=True, eq=False)
class Spot:
    """A box, a bend or a label in its layer; ``left`` and ``right`` is its room on either side of ``x``."""

    layer: int
    left: float
    right: float
    height: float
    box: bool
    x: float = 0.0
    above: list[Spot] = field(default_factory=list)
    below: list[Spot] = field(default_factory=list)


def sweeps(wanted: int, layers: Sequence[Sequence[Spot]]) -> int:
    """Give how often all spots are visited: as often as wanted, in a large picture less."""
    return max(LEAST_SWEEPS, min(wanted, WORK // max(1, sum(map(len, layers)))))
