"""Many calls over the vendors' doubles in which anything happens: what is left of them afterwards.

    make soak-talk        # or: .venv/bin/python tests/vendors/soak.py [--calls 200] [--at-once 40] [--seed 1]

Callers talk, interrupt with keys and with their voice, wait, and hang up at any moment; models, voices and transcribers
fail at random, all by the seed. Server, doubles and phones are one process. After a warm-up of 20 such calls what the
process holds is looked at, and again after all calls. Prints both and the calls' ends; exit code 1 when something is
left, when a call has no record, or when the engine itself failed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.cli._voices import local_speech
from flowengine.testing.labels import Clip
from flowengine.testing.script import HangUp, Keys, Say, Script, Silence, Step, WaitAudio, WaitSilence
from flowengine.testing.voices import Speech, Voices
from tests.doubles.vendor_http import Abort, Call, Garbage, Hang, Refuse
from tests.vendors.held import Held, at_rest, left
from tests.vendors.world import Vendors

LINES = ("where is my order", "yes please", "stop, I meant the other one")
WARM = 20  # calls before the first look
GROWTH = 30.0  # MB by which a process may have grown: 20 calls at once need less than 40, whatever comes of them
POOLS = 20.0  # seconds in which connections that nobody uses are closed
VOICE = ("error", "error-all", "abort", "close:1011", "hang", "stall", "garbage", "late", "empty")
TRANSCRIBER = ("401", "abort:60", "close:90:1011", "garbage:70", "hang:80", "stall:100", "error:120")


def answer(rng: random.Random) -> Any:
    """Give an answer of the model, a sixth of them faults."""
    text = "It comes tomorrow morning between nine and eleven, as you wished. "
    if rng.random() < 0.84:
        return [rng.uniform(0.05, 0.4), text * rng.randint(1, 3)] if rng.random() < 0.9 else [Call("c1", "done")]
    fault = rng.choice([Refuse(401), Refuse(429), Refuse(529), Hang(), Abort(), Garbage()])
    if isinstance(fault, Refuse):
        return fault
    return [text, fault] if rng.random() < 0.5 else [fault]


def mixed(rng: random.Random, faults: Sequence[str], share: float) -> deque[str]:
    """Give faults of a double, so many of its requests failing."""
    return deque(rng.choice(faults) if rng.random() < share else "" for _ in range(5000))


def plan(rng: random.Random, clips: Sequence[Clip]) -> Script:
    """Give what a caller does."""
    steps: list[Step] = [WaitAudio(0.05)]
    for _ in range(rng.randint(1, 5)):
        waits: list[Step] = [WaitSilence(0.5, 8), WaitAudio(rng.uniform(0.1, 1.5), 8), Silence(rng.uniform(0.0, 2.0))]
        steps.append(rng.choice(waits))
        keys = Keys("".join(rng.choices("*120", [4, 3, 2, 1], k=rng.choice([1, 1, 3]))))
        steps.append(Say(rng.choice(clips)) if rng.random() < 0.75 else keys)
    return Script((*steps, *([WaitSilence(1.0, 8)] if rng.random() < 0.5 else []), HangUp()))


async def calls(vendors: Vendors, clips: Sequence[Clip], seeds: Sequence[int], at_once: int) -> Counter[str]:
    """Place the calls of these seeds; give how they ended."""
    room = asyncio.Semaphore(at_once)

    async def one(seed: int) -> str:
        async with room:
            report = await vendors.call(plan(random.Random(seed), clips), seed=seed)
            return report.call_id

    ids = await asyncio.gather(*(one(seed) for seed in seeds))
    await vendors.settled()
    return Counter([(await vendors.record(id_))["ended_reason"] for id_ in ids])


async def soak(folder: Path, count: int, at_once: int, seed: int) -> int:
    """Run and print; give the exit code."""
    async with local_speech() as speak:
        clips = [await Voices(speak).clip(Speech(line)) for line in LINES]
    rng = random.Random(seed)
    vendors = Vendors(folder, flows=Path(__file__).parent / "flows", default="talk")
    vendors.knows(*clips)
    vendors.anthropic.choose = lambda asked: answer(rng)
    async with vendors.open():
        assert vendors.application is not None
        vendors.cartesia.latency, vendors.cartesia.speed = 0.1, 4.0  # prompts are there by now, as fast as they come
        vendors.cartesia.faults = mixed(rng, VOICE, 0.08)
        vendors.cartesia.handshakes = mixed(rng, ("401",), 0.1)
        vendors.deepgram.faults = mixed(rng, TRANSCRIBER, 0.15)
        await calls(vendors, clips, range(WARM), at_once)
        before = await at_rest(vendors)
        print(f"after {WARM} calls: {before.text()}", flush=True)  # noqa: T201 - a script prints
        ends = await calls(vendors, clips, range(1000 * seed, 1000 * seed + count), at_once)
        await at_rest(vendors)
        still = await left(vendors, before, POOLS)
        after = Held.now(vendors)
        counts = {name: n for name, n in vendors.application.engine.counts.items() if n}
    print(f"after {count} more: {after.text()}")  # noqa: T201
    print(f"ended: {dict(ends)}\ncounted: {counts}")  # noqa: T201
    if after.rss - before.rss > GROWTH:
        still.append(f"rss +{after.rss - before.rss:.0f} MB")
    still += [name for name in {**ends, **counts} if name.startswith("engine")]
    print(f"left: {', '.join(still) or 'nothing'}; refused by the doubles: {set(vendors.anthropic.invalid)}")  # noqa: T201
    return int(bool(still or vendors.anthropic.invalid))


def main(given: Sequence[str] | None = None) -> int:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="flowengine-soak-") as folder:
        return asyncio.run(soak(Path(folder), chosen.calls, chosen.at_once, chosen.seed))


if __name__ == "__main__":
    sys.exit(main())
