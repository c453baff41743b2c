"""An event loop whose time is made up: when nothing is ready it jumps to the next timer.

A conversation of an hour runs in as long as its computing takes, and every run is the same. Only what lives inside of
the loop is supported: timers, queues, an ASGI application called in process. Work given to threads by
``asyncio.to_thread`` is waited for and takes no virtual time. Sockets, subprocesses and other threads are not
supported: time would overtake them.

With a ``seed`` the loop does what a busy machine does, and the same for the same seed: tasks that are ready at once
take their steps in any order, and timers are late by a moment.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# Not zero, so that code which takes a time of 0 for "never" is not excused.
START = 1000.0
# How late a timer of a loop with a seed is at most; seconds.
LATE = 0.0005


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

    def __init__(self, limit: float = 24 * 3600.0, seed: int | None = None) -> None:
        self._now = START
        self._chance = None if seed is None else random.Random(seed)  # noqa: S311  # the same every time, on purpose
        self._limit = START + limit
        self._in_threads = 0
        super().__init__(_Selector(self._fall_asleep))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as when the process is stopped."""
        self._now += seconds

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer; with a seed it is late by a moment, so that timers of one instant come in any order."""
        if self._chance is not None:
            when += self._chance.uniform(0.0, LATE)
        return super().call_at(when, callback, *args, context=context)

    def _run_once(self) -> None:
        """Run what is ready, once; asyncio has no public place between two rounds."""
        super()._run_once()  # type: ignore[misc]
        if self._chance is not None:
            self._shuffle(self._chance)

    def _shuffle(self, chance: random.Random) -> None:
        """Change the order of what is ready among the steps of tasks only: callbacks may count on theirs."""
        ready: deque[asyncio.Handle] = self._ready  # type: ignore[attr-defined]
        if len(ready) < 2:
            return
        places = [place for place, handle in enumerate(ready) if _is_step(handle)]
        steps = [ready[place] for place in places]
        chance.shuffle(steps)
        for place, step in zip(places, steps, strict=True):
            ready[place] = step

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


def run(coroutine: Coroutine[Any, Any, T], *, limit: float = 24 * 3600.0, seed: int | None = None) -> T:
    """Run a coroutine on a new virtual loop and return its result; ``seed``: see the module.

    Raises what the coroutine raises, ``Deadlock`` when it can never end, ``TimeIsUp`` after ``limit`` virtual seconds.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(limit, seed)) as runner:
        return runner.run(coroutine)


def _is_step(handle: asyncio.Handle) -> bool:
    callback = handle._callback  # type: ignore[attr-defined]
    return isinstance(getattr(callback, "__self__", None), asyncio.Task)


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
