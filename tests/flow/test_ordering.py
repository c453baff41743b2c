from __future__ import annotations

from flowengine.flow.ordering import order
from flowengine.flow.spot import Spot

Layers = list[list[Spot]]


def layers(*sizes: int, pairs: list[tuple[int, int, int]]) -> tuple[Layers, dict[tuple[int, int], Spot]]:
    """Give layers of so many spots each; a pair is a layer, a place in it, and a place in the next."""
    spots = {(row, n): Spot(row, 20, 20, 10, box=True) for row, size in enumerate(sizes) for n in range(size)}
    for row, upper, lower in pairs:
        spots[row, upper].below.append(spots[row + 1, lower])
        spots[row + 1, lower].above.append(spots[row, upper])
    return [[spots[row, n] for n in range(size)] for row, size in enumerate(sizes)], spots


def test_lines_that_cross_are_disentangled() -> None:
    found, spots = layers(3, 3, pairs=[(0, 0, 2), (0, 1, 1), (0, 2, 0)])
    order(found)
    index = [{id(spot): n for n, spot in enumerate(layer)} for layer in found]
    assert all(index[0][id(spots[0, n])] == index[1][id(spots[1, 2 - n])] for n in range(3))


def test_an_order_that_no_single_swap_improves_is_improved_by_two() -> None:
    # The lines of one spot to both sides of another's: both layers have to change.
    found, spots = layers(2, 3, 2, pairs=[(0, 0, 0), (0, 1, 1), (0, 1, 2), (1, 0, 1), (1, 1, 0), (1, 2, 1)])
    order(found)
    assert found[2] == [spots[2, 1], spots[2, 0]]


def test_nothing_and_empty_layers_have_an_order() -> None:
    order([])
    found, spots = layers(1, 0, 1, pairs=[])
    order(found)
    assert found == [[spots[0, 0]], [], [spots[2, 0]]]
