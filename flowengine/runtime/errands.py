"""What a node asks of the world and waits for: runs of tools, recordings, tones, and models.

Each has an id that never comes again. A fact with another id is of an errand that nobody waits for: it goes into the
trace. A tool that has begun goes on when its node is left, unless it says that it may be cut off.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from flowengine.flow.model import Tool, ToolRun
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.journey import Journey
from flowengine.runtime.node import Recorded, Sent, ToolDone, ToolFailed
from flowengine.runtime.requests import request, taken
from flowengine.runtime.state import ENDED
from flowengine.runtime.variables import value_of

RUNS = "runs"


class Errands(Journey):
    """Runs tools and records. What is under way stands in the node's ``local``: ``runs``, ``recording``, ``keys``."""

    # --- tools

    def run_tool(self, run: ToolRun, values: Mapping[str, Any] | None = None) -> str:
        """Run a tool for the node; give the run's id. ``values`` are a model's arguments, else those of ``run``."""
        return self._start_tool(run, self.state.depth, values)

    def _start_tool(self, run: ToolRun, depth: int, values: Mapping[str, Any] | None = None) -> str:
        state = self.state
        tool = self._programs[depth].flow.tools[run.name]
        with self._looking_at(depth):
            scope = self.scope()
            args = dict(values) if values is not None else value_of(run.values, scope)
            name = self._id("t")
            sent = request(tool, scope, args) if tool.kind == "http" else {}
        key = f"{state.call.get('id', '')}.{name}"
        entry = {"tool": run.name, "depth": depth, "key": key, "args": args, "tries": 0, "sent": sent}
        if state.phase != ENDED:
            state.local.setdefault(RUNS, {})[name] = entry
        self._effects.append(wish.SaveSnapshot(state.visit.node))
        self._send(name, entry, tool)
        return name

    def _send(self, name: str, entry: Mapping[str, Any], tool: Tool) -> None:
        timeout = tool.timeout if tool.timeout is not None else self.node.timeouts.tool
        self.start_timer(f"tool {name}", timeout)
        self._effects.append(
            wish.RunTool(
                name,
                tool.name,
                tool.kind,
                tool.target,
                entry["args"],
                entry["sent"],
                timeout,
                entry["key"],
                keep=tool.cancelled is None,
            )
        )

    def _tool_of(self, entry: Mapping[str, Any]) -> Tool:
        tool: Tool = self._programs[entry["depth"]].flow.tools[entry["tool"]]
        return tool

    def _tool_finished(self, run: str, result: Any, error: str) -> None:
        """Take a tool's answer: its failure is repeated where that is worth it, else told to who waits for it."""
        state = self.state
        entry = state.local.get(RUNS, {}).get(run)
        self.stop_timer(f"tool {run}")
        if entry is None or (error and f"retry {run}" in state.timers):
            # Of a try that was given up: its failure counts once, an answer that comes after all is an answer.
            self.note("stale", run=run)
            return
        self.stop_timer(f"retry {run}")
        tool = self._tool_of(entry)
        if error and entry["tries"] < tool.retry.times and _worth_it(tool, error):
            entry["tries"] += 1
            self.note("retry", tool=tool.name, error=error)
            self.start_timer(f"retry {run}", tool.retry.backoff)
            return
        del state.local[RUNS][run]
        if not error:
            state.result = taken(result, tool.take) if tool.take else result
            with self._looking_at(entry["depth"]):
                self.assign(tool.save, ())
        if state.after_tool and state.after_tool.get("run") == run:
            self._handler_goes_on(error)
        elif not error:
            self._type.handle(ToolDone(run, state.result), self._context)
        elif getattr(self.node.type, "answers_failures", False):
            self._type.handle(ToolFailed(run, error), self._context)
        else:
            state.result = None
            self._raise(error_event(error))

    def _handler_runs_tool(self) -> None:
        """A handler's words were heard: run its tool."""
        after = self.state.after_tool
        if after is not None:
            run = self._programs[after["depth"]].flow
            handler_run = ToolRun(after["tool"], run.span, after.get("values", {}))
            after["run"] = self._start_tool(handler_run, after["depth"])

    def _handler_goes_on(self, error: str) -> None:
        after, self.state.after_tool = self.state.after_tool or {}, None
        if error:
            # A handler that fails can not catch itself.
            self._default(error_event(error))
            return
        self.state.then = list(after["then"])
        self._next = self._follow

    def _errand_timer(self, name: str) -> bool:
        """Take a timer of an errand; False for one of somebody else's."""
        kind, _, run = name.partition(" ")
        if kind == "tool":
            self._effects.append(wish.CancelTool(run))
            self._tool_finished(run, None, "timeout")
        elif kind == "retry":
            entry = self.state.local[RUNS][run]
            self._send(run, entry, self._tool_of(entry))
        return kind in ("tool", "retry")

    @property
    def errands(self) -> Mapping[str, Any]:
        """The runs of tools that the node waits for, by id."""
        return dict(self.state.local.get(RUNS, {}))

    def cancel_tool(self, run: str) -> bool:
        """Cut a run off if its tool allows that; False where it goes on."""
        entry = self.state.local.get(RUNS, {}).get(run)
        if entry is None or self._tool_of(entry).cancelled is None:
            return False
        del self.state.local[RUNS][run]
        self.stop_timer(f"tool {run}")
        self.stop_timer(f"retry {run}")
        self._effects.append(wish.CancelTool(run))
        return True

    def _drop_errands(self) -> None:
        local = self.state.local
        for run in list(local.get(RUNS, {})):
            if not self.cancel_tool(run):
                self.stop_timer(f"tool {run}")
                self.stop_timer(f"retry {run}")
        local.pop(RUNS, None)
        if recording := local.pop("recording", ""):
            self._effects.append(wish.StopRecording(recording, keep=False))

    def await_input(self) -> None:
        """Count silence, unless a tool is still to answer: then we owe the caller something (case 23)."""
        if not self.errands:
            super().await_input()

    # --- recordings and tones

    def record(self, most: float, silence: float, *, beep: bool) -> None:
        """Record the caller; ``Recorded`` follows."""
        name = self.state.local["recording"] = self._id("v")
        self._effects.append(wish.Record(name, most, silence, beep))

    def stop_recording(self) -> None:
        """End the recording now; ``Recorded`` follows."""
        if recording := self.state.local.get("recording", ""):
            self._effects.append(wish.StopRecording(recording))

    def _recorded(self, event: fact.RecordingFinished) -> None:
        if event.recording != self.state.local.get("recording", ""):
            self.note("stale", recording=event.recording)
            return
        del self.state.local["recording"]
        self.state.heard_input()
        self._type.handle(Recorded(event.address), self._context)

    def press_keys(self, keys: str) -> None:
        """Send tones to the far end; ``Sent`` follows."""
        self.state.local["keys"] = self._id("k")
        self._effects.append(wish.PressKeys(keys))

    def _sent(self) -> None:
        if self.state.local.pop("keys", ""):
            self._type.handle(Sent(), self._context)
        else:
            self.note("stale", keys="")

    @abstractmethod
    def _follow(self, *, cut: bool = False) -> None:
        """Do what follows the prompt that is over."""


def error_event(error: str) -> str:
    """Give the event of a tool's failure: `timeout`, `http.404` or `error`."""
    return (
        f"error.{error}" if error.startswith("http.") else f"error.tool.{error}" if error != "error" else "error.tool"
    )


def _worth_it(tool: Tool, error: str) -> bool:
    """Say whether a failure is worth a repetition: those that are named, else a timeout and every 5xx."""
    event = error_event(error)
    if not tool.retry.errors:
        return event == "error.tool.timeout" or event.startswith("error.http.5")
    named = set(tool.retry.errors)
    return bool(named & {event, event[:-2] + "xx", "error.tool", "error"}) or (
        "error.http" in named and event.startswith("error.http.")
    )
