"""An event loop whose time is made up: when nothing is ready it jumps to the next timer.

A conversation of an hour runs in as long as its computing takes, and every run is the same. Only what lives inside of
the loop is supported: timers, queues, an ASGI application called in process. Work given to threads by
``asyncio.to_thread`` is waited for and takes no virtual time. Sockets, subprocesses and other threads are not
supported: time would overtake them.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not zero, so that code which takes a time of 0 for "never" is not excused.
START = 1000.0


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set, and yet the coroutine has not ended. The message names who waits where."""


class TimeIsUp(RuntimeError):
    """The virtual time that a run may take has passed: something goes on for ever."""


class _Selector(selectors.DefaultSelector):
    """Never sleeps: tells the loop how long it would have slept."""

    def __init__(self, asleep: Callable[[float | None], float | None]) -> None:
        super().__init__()
        self._asleep = asleep

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        return super().select(self._asleep(timeout))


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module; ``limit`` is the virtual seconds after which the loop raises ``TimeIsUp``."""

    def __init__(self, limit: float = 24 * 3600.0) -> None:
        self._now = START
        self._limit = START + limit
        self._in_threads = 0
        super().__init__(_Selector(self._fall_asleep))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run in a thread; virtual time stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._left_thread)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads' end, which asyncio does in a thread that it starts past ``run_in_executor``."""
        self._in_threads += 1
        try:
            # Its own time-out (new in Python 3.12) would be virtual time, which stands still here.
            await super().shutdown_default_executor()
        finally:
            self._in_threads -= 1

    def _left_thread(self, _: asyncio.Future[Any]) -> None:
        self._in_threads -= 1

    def _fall_asleep(self, timeout: float | None) -> float | None:
        """Take over for a selector that has nothing ready; return how long it shall really wait."""
        if self._in_threads:
            return None
        if timeout is None:
            raise Deadlock("nothing is ready and no timer is set\n" + _who_waits(self))
        if self._now + timeout > self._limit:
            raise TimeIsUp(f"still running after {self._limit - START:g} virtual seconds\n" + _who_waits(self))
        self._now += timeout
        return 0


def run(coroutine: Coroutine[Any, Any, T], *, limit: float = 24 * 3600.0) -> T:
    """Run a coroutine on a new virtual loop and return its result.

    Raises what the coroutine raises, ``Deadlock`` when it can never end, ``TimeIsUp`` after ``limit`` virtual seconds.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(limit)) as runner:
        return runner.run(coroutine)


def _who_waits(loop: asyncio.AbstractEventLoop) -> str:
    lines = []
    for task in asyncio.all_tasks(loop):
        stack = task.get_stack(limit=1)
        where = f"{stack[-1].f_code.co_filename}:{stack[-1].f_lineno}" if stack else "nowhere"
        lines.append(f"  {task.get_name()} waits at {where}")
    return "\n".join(sorted(lines))


async def let_pass(seconds: float) -> None:
    """Let time pass on whatever clock the running loop has."""
    await asyncio.sleep(seconds)
