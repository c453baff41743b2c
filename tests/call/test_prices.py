"""What a call costs by list prices."""

from __future__ import annotations

import pytest

from flowengine.call.ports import Usage
from flowengine.call.prices import PRICES, Price, cost, summed

HAIKU = Usage("anthropic", "claude-haiku-5-5", input_tokens=3000, cached_tokens=2500, output_tokens=60)


@pytest.mark.parametrize(
    ("used", "dollars"),
    [
        ([], 0.0),
        ([HAIKU], (500 * 0.10 + 2500 * 0.01 + 60 * 0.50) / 1e6),
        ([Usage("deepgram", "flux-general-en", seconds=90)], 1.5 * 0.0065),
        ([Usage("cartesia", "sonic-3.5", characters=900)], 900 * 38 / 1e6),
        ([Usage("local", characters=900), Usage("sphinx", seconds=60)], 0.0),
        ([HAIKU, Usage("somebody", characters=1)], None),
    ],
)
def test_what_was_used_has_its_price_or_none(used: list[Usage], dollars: float | None) -> None:
    assert cost(used) == (None if dollars is None else pytest.approx(dollars, abs=1e-6))


def test_the_user_has_the_last_word() -> None:
    assert cost([Usage("cartesia", characters=1000)], {**PRICES, "cartesia": Price(characters=10.0)}) == 0.01


def test_uses_of_one_model_are_added_up() -> None:
    (total,) = summed([HAIKU, HAIKU])
    assert (total.input_tokens, total.output_tokens, total.estimated) == (6000, 120, True)
    assert len(summed([HAIKU, Usage("anthropic", "claude-sonnet-5-5")])) == 2
