"""Deterministic simulation of the shell: the real application, callers and carriers, and all that goes wrong, by seed.

    python -m tests.simulation --seeds 1-5000 [--jobs 2] [--once]
    python -m tests.simulation --seed 17 --verbose
    python -m tests.simulation --awaits          # one call, left and crashed at every await of the server

The same seed does the very same: each is run twice (not with ``--once``) and both runs are compared, wire and traces.
``simulated/plan.py`` has what a seed does, ``simulated/invariants.py`` what must hold. Exits with 1 if it does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.simulated import world as worlds
from tests.simulated.invariants import broken
from tests.simulated.plan import Plan, one_call, plan

Moment: TypeAlias = tuple[Literal["twilio", "vobiz"], Literal["hangs_up", "crashes"], int]
CARRIERS: tuple[Literal["twilio", "vobiz"], ...] = ("twilio", "vobiz")
NEVER = 10**9


@dataclass
class Result:
    """What came of a seed."""

    seed: int
    problems: list[str] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    cpu: float = 0.0
    virtual: float = 0.0
    digest: str = ""


def simulate(planned: Plan, *, other: Plan | None = None) -> Result:
    """Live a plan; with the same plan once more also see that it does the same again."""
    begin = time.process_time()
    world = worlds.live(planned)
    cpu = time.process_time() - begin
    problems = broken(world)
    if other is not None and (again := worlds.live(other)).digest != world.digest:
        problems.append(f"the_same_seed_does_the_same: {difference(world, again)}")
    return Result(
        planned.seed,
        problems,
        world.plan.faults.injected,
        Counter(record["ended_reason"] for record in world.records),
        len(world.calls),
        cpu,
        world.seconds,
        world.digest,
    )


def difference(one: worlds.World, other: worlds.World) -> str:
    """Give the first place in which two runs differ."""
    for call, again in zip(one.calls, other.calls, strict=True):
        for number, (line, second) in enumerate(zip(call.line.log, again.line.log, strict=False)):
            if line != second:
                return f"message {number} of call {call.plan.number}: {line} and {second}"
    for call_id, lines in one.traces.items():
        for line_, second_ in zip(lines, other.traces.get(call_id, ()), strict=False):
            if line_ != second_:
                return f"{call_id}: {line_} and {second_}"
    return "in the end"


def told(world: worlds.World) -> Iterable[str]:
    """Tell a seed in full."""
    faults = world.plan.faults
    yield f"windows {faults.windows} crashes {faults.crashes} drains {faults.drains} stalls {faults.stalls}"
    for call in world.calls:
        yield f"--- call {call.plan}"
        entries = [
            (at, what, text) for at, what, text in call.line.log if '"media"' not in text and "playAudio" not in text
        ]
        zero = min((at for at, _, _ in entries), default=0.0)
        yield from (f"{at - 1000:8.3f} {what:10} {' '.join(text.split())[:200]}" for at, what, text in entries)
        yield from (
            f"{event.at + zero - 1000:8.3f} phone {event.kind} {str(event.data)[:120]}" for event in call.report.events
        )
        yield f"failures {call.report.failures} end {call.report.end_reason} app {call.line.failures}"
    for lines in world.traces.values():
        yield from lines
    yield from map(json.dumps, world.records)
    yield str(dict(world.counts))


def run(seeds: range, jobs: int, *, again: bool) -> int:
    """Run seeds, tell of them, and give how many failed."""
    begin = time.monotonic()
    results: list[Result] = []
    failed = 0
    with ProcessPoolExecutor(jobs) as pool:
        for result in pool.map(twice if again else once, seeds, chunksize=5):
            results.append(result)
            if result.problems:
                failed += 1
                say(f"seed {result.seed} fails:", *(f"  {problem[:300]}" for problem in result.problems[:6]))
                say(f"  reproduce it: python -m tests.simulation --seed {result.seed} --verbose")
    summary(results, time.monotonic() - begin)
    say(f"{failed} of {len(results)} seeds failed")
    return failed


def once(seed: int) -> Result:
    """Run a seed."""
    return _guarded(seed, again=False)


def twice(seed: int) -> Result:
    """Run a seed, and see that it does the same again."""
    return _guarded(seed, again=True)


def at_await(what: Moment) -> Result:
    """Live the one call that a caller leaves, or that loses its server, at this await."""
    carrier, kind, number = what
    result = simulate(one_call(carrier, **{kind: number}))
    result.problems = [f"{kind} at await {number} of {carrier}: {problem}" for problem in result.problems]
    return result


def moments(every: int = 1) -> list[Moment]:
    """Give every await of the server in the one call, for each carrier, or every so many-th."""
    found: list[Moment] = []
    for carrier in CARRIERS:
        for kind in ("hangs_up", "crashes"):
            world = worlds.live(one_call(carrier, **{kind: NEVER}))
            found += [(carrier, kind, number) for number in range(1, world.plan.faults.awaits + 1, every)]
    return found


def run_awaits(jobs: int) -> int:
    """Live the one call at every moment, tell of it, and give how many failed."""
    begin = time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        results = list(pool.map(at_await, moments(), chunksize=10))
    failed = [result for result in results if result.problems]
    say(*(problem[:300] for result in failed for problem in result.problems))
    summary(results, time.monotonic() - begin)
    say(f"{len(failed)} of {len(results)} moments failed")
    return len(failed)


def _guarded(seed: int, *, again: bool) -> Result:
    try:
        return simulate(plan(seed), other=plan(seed) if again else None)
    except Exception as error:  # a bug of the simulation must not hide which seed it was
        return Result(seed, [f"the simulation broke: {error!r}"])


def summary(results: list[Result], seconds: float) -> None:
    """Tell what was run."""
    injected, ended = Counter[str](), Counter[str]()
    for result in results:
        injected.update(result.injected)
        ended.update(result.ended)
    slowest = max(results, key=lambda result: result.cpu)
    say("faults:", *(f"  {count:7} {kind}" for kind, count in sorted(injected.items())))
    say("ends:", *(f"  {count:7} {reason}" for reason, count in sorted(ended.items())))
    calls, hours = sum(result.calls for result in results), sum(result.virtual for result in results) / 3600
    say(f"{len(results)} seeds, {calls} calls, {hours:.1f} hours of virtual time in {seconds:.0f} s")
    say(f"slowest seed: {slowest.seed} ({slowest.cpu:.2f} s of CPU)")


def say(*lines: str) -> None:
    """Print lines."""
    sys.stdout.write("".join(line + "\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", default="1-200", help="which, as 1-200")
    parser.add_argument("--seed", type=int, help="one alone")
    parser.add_argument("--awaits", action="store_true", help="one call, left and crashed at every await")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--once", action="store_true", help="do not compare two runs of each seed")
    parser.add_argument("--verbose", action="store_true", help="tell one seed in full")
    given = parser.parse_args()
    if given.awaits:
        return bool(run_awaits(given.jobs))
    if given.seed is None:
        first, _, last = given.seeds.partition("-")
        return bool(run(range(int(first), int(last or first) + 1), given.jobs, again=not given.once))
    if given.verbose:
        say(*told(worlds.run(given.seed)))
    result = (once if given.once else twice)(given.seed)
    summary([result], result.cpu)
    say(*result.problems or ["it holds"])
    return bool(result.problems)


if __name__ == "__main__":
    sys.exit(main())
