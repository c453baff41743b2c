"""Carries out the runs of tools that one stream of a call asks for, and tells how they ended.

The tasks belong to the process: a run that has begun may have changed something out there and comes to its end when the
caller hangs up, within ``LEFT_BEHIND`` seconds. One that may be cut off is, and tells nothing any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from flowengine.call.engine import Engine
from flowengine.call.ports import ToolRequest
from flowengine.errors import ToolError
from flowengine.runtime.effects import RunTool

log = logging.getLogger("flowengine.call")

LEFT_BEHIND = 10.0  # seconds that a run has after its call
GRACE = 1.0  # seconds after its time: during a call the interpreter counts it, and cuts the run off

Told = Callable[[str, Any, str], None]


class Running:
    """The runs of one stream. ``told`` hears of each that ends while the stream lasts: its id, answer and error."""

    def __init__(self, engine: Engine, call_id: str, told: Told) -> None:
        self._engine = engine
        self._call = call_id
        self._told = told
        self._left = False
        self._runs: dict[str, tuple[asyncio.Task[None], bool]] = {}

    def run(self, wanted: RunTool, *, last: bool = False) -> None:
        """Begin a run; ``last`` says that it is of a handler of the call's end, which nobody cuts off."""
        self.cancel(wanted.run)
        if len(self._engine.tool_runs) >= self._engine.max_tool_runs:
            self._engine.counts["tool.refused"] += 1
            running = len(self._engine.tool_runs)
            log.error("the tool %s of call %s was not run: %d are running", wanted.tool, self._call, running)
            self._told(wanted.run, None, "error")
            return
        task = self._engine.spawn(self._carry_out(wanted), f"tool {wanted.tool} of {self._call}")
        self._engine.tool_runs.add(task)
        task.add_done_callback(self._engine.tool_runs.discard)
        self._runs[wanted.run] = (task, wanted.keep or last)

    def cancel(self, run: str) -> None:
        """Cut a run off; after this nothing is told of it."""
        task, _ = self._runs.pop(run, (None, False))
        if task is not None:
            log.info("cut off: the %s", task.get_name())
            task.cancel()

    def leave(self) -> None:
        """The stream is over: what may be cut off is, the rest has ``LEFT_BEHIND`` seconds and tells nobody."""
        self._left = True
        loop = asyncio.get_running_loop()
        for run, (task, keep) in list(self._runs.items()):
            if not keep:
                self.cancel(run)
                continue
            end = loop.call_later(LEFT_BEHIND, task.cancel)
            task.add_done_callback(partial(_disarm, end))

    async def _carry_out(self, wanted: RunTool) -> None:
        result, error = None, ""
        try:
            async with asyncio.timeout(wanted.timeout + GRACE):
                result = await self._answer(wanted)
        except TimeoutError:
            error = "timeout"
            log.warning("the tool %s of call %s did not answer in time", wanted.tool, self._call)
        except ToolError as failure:
            error = failure.error
            log.warning("the tool %s of call %s failed: %s", wanted.tool, self._call, failure)
        except Exception as bug:
            # A bug of ours in a runner fails this run and nothing else. Its text may quote what was sent: not logged.
            error = "error"
            log.error("a bug of ours in the tool %s of call %s: %s", wanted.tool, self._call, type(bug).__qualname__)
            self._engine.counts["tool.bug"] += 1
        self._engine.counts["tool.failed" if error else "tool.done"] += 1
        task, _ = self._runs.get(wanted.run, (None, False))
        if task is not asyncio.current_task():
            return
        del self._runs[wanted.run]
        if self._left:
            log.info("the tool %s of call %s ended after it: %s", wanted.tool, self._call, error or "done")
        else:
            self._told(wanted.run, result, error)

    async def _answer(self, wanted: RunTool) -> Any:
        runner = self._engine.tools.get(wanted.kind)
        if runner is None:
            raise ToolError("error", f"this server runs no tools of the kind {wanted.kind}")
        request = ToolRequest(wanted.tool, wanted.target, wanted.args, wanted.request, wanted.key)
        return await runner.run(request)


def _disarm(end: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
    end.cancel()
