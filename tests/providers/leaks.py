"""Runs a scenario of a provider and says what it left behind: descriptors, tasks, threads."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(what: Coroutine[Any, Any, T], *, limit: float = 10.0) -> T:
    """Run a scenario in a loop of its own, ``limit`` seconds at most; nothing of it may be left."""

    async def bounded() -> T:
        async with asyncio.timeout(limit):
            found = await what
            for _ in range(20):  # generators of HTTP libraries are closed by tasks of the loop
                await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left
            return found

    asyncio.run(asyncio.to_thread(int))  # the executor's own descriptors are there before they are counted
    threads = threading.active_count()
    before = len(os.listdir("/proc/self/fd"))
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads
    return found
