"""CPU of the server per second of a call, and the lag of its loop, at 1, 20 and 50 calls at once.

    .venv/bin/python tests/bench/calls.py

The server has core 0, the phones core 1 (where the machine has two). A call listens to prompts and presses a key every
three seconds, for 18 s; audio goes both ways all the time. CPU is the server process's own, without the voice's.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import httpx

from flowengine.call.lag import BOUNDS
from flowengine.cli._local import LocalServer, local_server
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.script import HangUp, Keys, Script, Silence, Step

LEVELS = (1, 20, 50)
ROUNDS = 6
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Give the CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def quantile(counts: list[int], q: float) -> str:
    """Give the bucket of the loop's lag in which a quantile lies."""
    wanted, seen = q * sum(counts), 0
    for bound, count in zip(BOUNDS, counts, strict=False):
        seen += count
        if seen >= wanted:
            return f"<= {bound * 1000:.0f}"
    return f"> {BOUNDS[-1] * 1000:.0f}"


async def lag(server: LocalServer) -> list[int]:
    """Give the histogram of the loop's lag."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return list((await client.get(f"{server.url}/ready")).json()["loop_lag_counts"])


async def level(server: LocalServer, network: SocketNetwork, calls: int, first_seed: int) -> str:
    """Run so many calls at once; give a row of the table."""
    steps: list[Step] = []
    for _ in range(ROUNDS):
        steps += [Silence(3.0), Keys("2")]
    before, counts = cpu_seconds(server.pid), await lag(server)
    own = time.process_time()
    began = time.monotonic()
    reports = await asyncio.gather(
        *(
            Phone(
                "twilio" if n % 2 else "vobiz",
                network,
                answer_url=f"{server.url}/answer/{'twilio' if n % 2 else 'vobiz'}",
                token=server.token,
                seed=first_seed + n,
            ).run(Script((*steps, HangUp()), "twilio" if n % 2 else "vobiz"))
            for n in range(calls)
        )
    )
    wall = time.monotonic() - began
    used = cpu_seconds(server.pid) - before
    seconds = sum(report.duration for report in reports)
    late = [after - earlier for after, earlier in zip(await lag(server), counts, strict=True)]
    failed = sum(bool(report.failures or report.of("wrong", "raced")) for report in reports)
    busy = (time.process_time() - own) / wall
    return (
        f"{calls:>5}  {used / seconds * 1000:>10.2f}  {quantile(late, 0.5):>8}  {quantile(late, 0.99):>8}  "
        f"{failed:>6}  {busy:>8.0%}"
    )


async def main() -> None:
    """Measure and print."""
    async with local_server(Path("flows/front-desk.yaml")) as server:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(server.pid, {cores[0]})
            os.sched_setaffinity(0, {cores[1]})
        network = SocketNetwork(timeout=60)
        await level(server, network, 2, 9000)
        print("calls  ms/call-s   lag p50   lag p99  failed  phones' core")  # noqa: T201 - a benchmark prints
        for number, calls in enumerate(LEVELS):
            print(await level(server, network, calls, 1000 * number))  # noqa: T201
        await network.aclose()


if __name__ == "__main__":
    asyncio.run(main())
