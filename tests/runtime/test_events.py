"""Facts of the same instant have an order."""

from __future__ import annotations

import random

from flowengine.runtime import events as fact

ORDER: list[fact.Event] = [
    fact.CallerHungUp(1.0),
    fact.TransferFinished(1.0, "busy"),
    fact.PromptInterrupted(1.0, "p", 0.5),
    fact.DigitPressed(1.0, "1"),
    fact.TimePassed(1.0),
    fact.PromptFinished(1.0, "p", 1.0),
]


def test_of_one_instant_the_end_is_first_and_the_mark_last() -> None:
    # An interruption and its key keep their order by the sort's stability, so only they stay together.
    pairs = [ORDER[0:1], ORDER[1:2], ORDER[2:4], ORDER[4:5], ORDER[5:6]]
    for seed in range(20):
        random.Random(seed).shuffle(pairs)
        together: list[fact.Event] = [one for pair in pairs for one in pair]
        assert sorted(together, key=fact.rank) == ORDER


def test_time_goes_before_rank() -> None:
    both: list[fact.Event] = [fact.CallerHungUp(1.001), fact.PromptFinished(1.0, "p", 1.0)]
    assert sorted(both, key=fact.rank) == both[::-1]


def test_every_fact_has_a_rank() -> None:
    for event in (*ORDER, fact.CallStopped(1.0, "x"), fact.StreamResumed(1.0), fact.PromptFailed(1.0, "p", 0.0, "k")):
        assert fact.rank(event)[0] == 1.0
