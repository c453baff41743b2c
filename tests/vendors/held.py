"""What a process holds: tasks, sockets at the doubles, threads, descriptors, memory; and what it holds too much of."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from flowengine.testing.virtual_time import let_pass
from tests.vendors.world import Vendors

POOLS = Counter({"cartesia": 2, "openai": 2})
"""Sockets that the server keeps for the next call, however many it has needed so far."""

_NUMBER = re.compile(r"[0-9a-f]*\d[0-9a-f]*")


@dataclass(frozen=True)
class Held:
    """What is there at a moment: tasks and the doubles' open sockets by name; ``rss`` in MB."""

    tasks: Counter[str]
    sockets: Counter[str]
    threads: int
    files: int
    rss: float

    @staticmethod
    def now(vendors: Vendors) -> Held:
        """Look."""
        tasks = Counter(_NUMBER.sub("N", task.get_name()) for task in asyncio.all_tasks())
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return Held(
            tasks,
            Counter({name: double.open for name, double in vendors.doubles.items()}),
            # Of the loop's pool, which has six at most, it is chance how many there are yet.
            sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),
            len(os.listdir("/proc/self/fd")),
            int(status.partition("VmRSS:")[2].split()[0]) / 1024,
        )

    def beyond(self, before: Held) -> list[str]:
        """Give what there is now and was not before; nothing where all is as it was, or less."""
        # Tasks of connections to the doubles have no names; what is theirs is counted as sockets.
        kept = before.tasks | Counter({f"{name}-reader": count for name, count in POOLS.items()})
        found = [f"task {name} +{more}" for name, more in (self.tasks - kept).items() if name != "Task-N"]
        found += [f"socket {name} +{more}" for name, more in (self.sockets - (before.sockets | POOLS)).items()]
        if self.threads > before.threads:
            found.append(f"threads +{self.threads - before.threads}")
        if (more := self.others - before.others) > 0:
            found.append(f"files +{more}")
        return found

    @property
    def others(self) -> int:
        """How many descriptors are no ends of sockets between the server and the doubles: both are this process."""
        return self.files - 2 * self.sockets.total()

    def text(self) -> str:
        """Give it in one line."""
        sockets = ", ".join(f"{name} {count}" for name, count in self.sockets.items())
        return (
            f"tasks {self.tasks.total()}, sockets ({sockets}), threads {self.threads}, "
            f"files {self.files}, rss {self.rss:.1f} MB"
        )


async def left(vendors: Vendors, before: Held, within: float = 10.0) -> list[str]:
    """Wait until nothing is held that was not before; give what is after so many seconds."""
    deadline = asyncio.get_running_loop().time() + within
    await vendors.settled()
    while (found := Held.now(vendors).beyond(before)) and asyncio.get_running_loop().time() < deadline:
        await let_pass(0.1)
    return found


async def at_rest(vendors: Vendors) -> Held:
    """Wait until all is written and pools are as they stay, and drop what the doubles keep; then look."""
    await vendors.settled()
    forget(vendors)
    return Held.now(vendors)


def forget(vendors: Vendors) -> None:
    """Drop what the doubles remember of calls: it is no memory of the server's."""
    for listening in (vendors.deepgram, vendors.second):
        listening.hearings.clear()
    for answering in (vendors.anthropic, vendors.openai):
        answering.requests.clear()
        answering.others.clear()
    vendors.cartesia.requests.clear()
    vendors.cartesia.headers.clear()
    vendors.cartesia.done.clear()
    vendors.cartesia.cancels.clear()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps of a peak is no leak
