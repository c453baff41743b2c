"""A simulated call as it happens: what the phone saw, and, where the server is ours, the words from its trace."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from flowengine.testing.report import Event

LOOK = 0.1


class Conversation:
    """Prints one call, line by line; ``name`` stands before each line where several calls are printed."""

    def __init__(self, name: str = "", out: Callable[[str], None] = click.echo) -> None:
        self.path: list[str] = []
        self.ended: str = ""
        self._name = f"{name:<7}" if name else ""
        self._out = out

    def say(self, at: float, who: str, words: str) -> None:
        """Print one line."""
        self._out(f"{self._name}{at:6.1f}s  {who:<6} {words}")

    def on_event(self, event: Event) -> None:
        """Print what the phone saw."""
        data = event.data
        match event.kind:
            case "stream_opened":
                self.say(event.at, "line", "the stream is open")
            case "key":
                self.say(event.at, "caller", f"presses {data['digit']}")
            case "say":
                words = f'says "{data["text"]}"' if data["text"] else f"speaks for {data['seconds']:.1f} s"
                self.say(event.at, "caller", words)
            case "cleared":
                self.say(event.at, "line", f"falls silent, {data['unplayed'] / 8:.0f} ms unplayed")
            case "dial":
                self.say(event.at, "line", f"dials {', '.join(data['targets'])}")
            case "dial_ended":
                self.say(event.at, "line", f"the dialled party: {data['outcome']}")
            case "said":
                self.say(event.at, "line", f"the carrier's voice: {data['text']}")
            case "stream_refused":
                self.say(event.at, "line", f"the stream was refused with {data['status']}")
            case "stream_closed":
                self.say(event.at, "line", f"the stream is closed by the {data['by']} ({data['code']})")
            case "wrong":
                self.say(event.at, "line", f"the server sent what the carrier does not take: {data['why']}")
            case "hung_up":
                self.say(event.at, "line", "hung up")

    def on_mark(self, event: Event) -> None:
        """Print the marks and levels, for a server whose trace we can not read."""
        if event.kind == "mark_played":
            self.say(event.at, "line", f"mark {event.data['name'].rpartition('.')[2]} was played")
        elif event.kind == "audio_started":
            self.say(event.at, "bot", "speaks")
        elif event.kind == "audio_stopped":
            self.say(event.at, "bot", f"was heard for {event.data['samples'] / 8000:.1f} s")
        self.on_event(event)

    def on_fact(self, line: Mapping[str, Any]) -> None:
        """Print what the caller and the world did, for a call that nobody watched."""
        event = line.get("event", {})
        at = float(line.get("at", 0.0))
        match event.get("type"):
            case "DigitPressed":
                self.say(at, "caller", f"presses {event['digit']}")
            case "UtteranceEnded" if event["text"]:
                self.say(at, "caller", event["text"])
            case "ReplyFinished" | "ReplyInterrupted" if event["text"]:
                self.say(at, "bot", event["text"])
            case "CallerHungUp":
                self.say(at, "caller", "hangs up")
            case "TransferFinished":
                self.say(at, "line", f"the dialled party: {event['outcome']}")
            case "ToolFinished":
                self.say(at, "tool", event["error"] or "has answered")
            case "StreamResumed":
                self.say(at, "line", "a new stream is open")
            case "EventReceived":
                self.say(at, "event", event["name"])

    def on_trace(self, line: Mapping[str, Any]) -> None:
        """Print what the flow says and where it goes."""
        at = float(line.get("at", 0.0))
        for effect in line.get("effects", ()):
            if effect["type"] == "SaveSnapshot" and (not self.path or self.path[-1] != effect["node"]):
                self.path.append(effect["node"])
                self.say(at, "flow", f"→ {effect['node']}")
            elif effect["type"] == "PlayPrompt":
                words = " ".join(p.get("text") or p.get("file") or "…" for p in effect["parts"])
                self.say(at, "bot", words)
            elif effect["type"] == "EndCall":
                self.ended = effect["reason"]
                self.say(at, "flow", f"ended: {effect['reason']}")
            elif effect["type"] == "Note" and effect["what"] == "failure":
                self.say(at, "flow", effect["data"]["event"])


async def follow(traces: Path, carrier_call_id: Callable[[], str], conversation: Conversation, copy: str = "") -> None:
    """Read a call's trace as it grows, until the call has ended (or this task is cancelled).

    With ``copy`` the whole trace is then written to that file.
    """
    path: Path | None = None
    while path is None:
        await asyncio.sleep(LOOK)
        path = _find(traces, carrier_call_id())
    done = 0
    while not conversation.ended:
        whole = path.read_text("utf-8").split("\n")[:-1]
        for text in whole[done:]:
            conversation.on_trace(json.loads(text))
        done = len(whole)
        await asyncio.sleep(LOOK)
    if copy:
        shutil.copy(path, copy)


def _find(traces: Path, carrier_call_id: str) -> Path | None:
    if not carrier_call_id or not traces.is_dir():
        return None
    for path in traces.glob("*.jsonl"):
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        if first.endswith("\n") and json.loads(first).get("call", {}).get("carrier_call_id") == carrier_call_id:
            return path
    return None
