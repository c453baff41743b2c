"""Two hundred seeds of the simulation, the seeds that found a bug once, and the proof that a seed is the same twice."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulated import world as worlds
from tests.simulated.invariants import INVARIANTS, broken
from tests.simulation import at_await, difference, moments, once, twice

SEEDS = range(1, 121)
AGAIN = 10  # every so many-th seed is run twice; `make simulate` runs each twice
# Seeds that failed once. What they do may change with what a seed is made of: each bug has a test of its own, too.
REGRESSIONS = {
    1: "a call whose server died was streaming in the store for ever, without a record",
    24: "the end of a dial that leads to the next number was not in the trace, so that a replay went another way",
    184: "a store that failed at the end of a stream lost the record, and failed requests with a traceback",
    195: "a call whose server died while the carrier dialled had no record",
    857: "the end of a dial that leads to the next number had the time before the transfer, so a trace went back",
    866: "a request for what follows a stream, made twice, took the call from the stream that was on",
    1953: "the end of a dial, told twice at once, took the call from the stream that followed it",
}


def test_whatever_happens_the_invariants_hold() -> None:
    with ProcessPoolExecutor(2) as pool:
        again = SEEDS[::AGAIN]
        results = [*pool.map(once, (seed for seed in SEEDS if seed not in again), chunksize=5)]
        results += pool.map(twice, again, chunksize=5)
    failed = [(result.seed, result.problems) for result in results if result.problems]
    assert not failed, f"reproduce it: python -m tests.simulation --seed {failed[0][0]} --verbose\n{failed}"
    # A plan that injects nothing proves nothing.
    kinds = {kind for result in results for kind in result.injected}
    assert len(kinds) >= 40, sorted(kinds)
    assert sum(result.calls for result in results) >= 200


def test_a_caller_may_leave_and_a_server_may_die_at_any_await() -> None:
    """Every seventh moment of one call; `make simulate` takes them all."""
    some = moments(7)
    assert len(some) > 60
    with ProcessPoolExecutor(2) as pool:
        failed = [result.problems for result in pool.map(at_await, some, chunksize=5) if result.problems]
    assert failed == []


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_was_mended_stays_mended(seed: int) -> None:
    assert once(seed).problems == [], REGRESSIONS[seed]


def test_every_invariant_says_what_it_is_about() -> None:
    assert all(check.__doc__ for check in INVARIANTS)


def test_an_invariant_that_does_not_hold_is_told() -> None:
    world = worlds.run(3)
    assert broken(world) == []
    world.records.append(dict(world.records[0]))
    world.left.append("task x")
    call = world.calls[0]
    call.line.problems.append("frame 3 follows nothing")
    names = {problem.partition(":")[0] for problem in broken(world)}
    assert names >= {"every_call_has_one_record", "nothing_is_left_over", "the_wire_is_as_the_carrier_wants_it"}


def test_another_seed_does_something_else() -> None:
    one, other = worlds.run(5), worlds.run(6)
    assert one.digest != other.digest
    again = worlds.run(5)
    assert one.digest == again.digest
    assert difference(one, again) == "in the end"
