"""What a caller hears when a vendor fails, for every fault that the doubles know: one call each, in a process each.

    make faults        # or: .venv/bin/python tests/vendors/faults.py [--behind] [--only model] [--at-once 4]

Each process first has a call in which nothing fails, then the one with the fault: `once` the next request (or
connection) fails, `always` all of them do. With ``--behind`` another vendor stands behind each. Prints a table: what
was heard after the caller's first words, the longest silence in seconds in which neither of the two spoke, how the call
ended, what the record and the process counted, and what was left behind. Exit code 1 when something ended badly: dead
air over 8 s, a fault of the engine, or a leak.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.cli._voices import local_speech
from flowengine.testing.report import RATE, CallReport
from flowengine.testing.script import HangUp, Say, Script, WaitAudio, WaitSilence
from flowengine.testing.virtual_time import let_pass
from flowengine.testing.voices import Speech, Voices
from tests.doubles.vendor_http import Abort, Garbage, Hang, Refuse
from tests.vendors.held import at_rest, left
from tests.vendors.world import Vendors, said

LINES = ("where is my order", "yes please")
ANSWER = "It comes tomorrow morning, between nine and eleven."
OTHER = "By another model: it comes tomorrow morning."
DEAD = 8.0  # seconds of silence that are too many
LOUD = 200  # of 16 bits
BREAKS = 1.7  # seconds of its audio after which the transcriber fails: the caller is speaking
MANY = 99
ANSWERED = (WaitAudio(0.15, 20), WaitSilence(1.5, 25))
# Faults in whose silence the caller waits: for a second piece of audio, or for longer before they speak.
PATIENT = {"gap": ANSWERED * 2, "stall": (WaitAudio(0.15, 20), WaitSilence(2.5, 25))}
TAKES = 120.0  # seconds that a process may take

MODEL: dict[str, Callable[[], Any]] = {
    "401": lambda: Refuse(401),
    "429": lambda: Refuse(429, (("retry-after", "1"),)),
    "529": lambda: Refuse(529),
    "hang": lambda: [Hang()],
    "gap": lambda: ["It is in the oven. ", "And it ", Hang()],
    "abort": lambda: ["It is in the oven. ", "And it ", Abort()],
    "garbage": lambda: ["It is in the oven. ", Garbage()],
    "garbage-first": lambda: [Garbage()],
}
VOICE = {name: name for name in ("hang", "abort", "close", "error", "error-all", "stall", "garbage")}
TRANSCRIBER = ("401", "abort", "close", "hang", "hang-first", "stall", "stall-first", "garbage", "mute")
NAMES = [
    f"{vendor} {fault} {often}"
    for vendor, faults in (("model", MODEL), ("voice", ("401", *VOICE)), ("transcriber", TRANSCRIBER))
    for fault in faults
    for often in ("once", "always")
]


def arm(vendors: Vendors, name: str, message: int) -> None:
    """Set a fault; of the transcriber's connections it comes with the message of that number."""
    vendor, fault, often = name.split()
    times = 1 if often == "once" else MANY
    if vendor == "model":
        faults = iter([MODEL[fault]() for _ in range(times)])
        vendors.anthropic.choose = lambda asked: next(faults, [ANSWER])
    elif vendor == "voice" and fault == "401":
        vendors.cartesia.handshakes = deque([fault] * times)
        vendors.cartesia.drop()
    elif vendor == "voice":
        vendors.cartesia.faults = deque([VOICE[fault]] * times)
    else:
        kind, _, first = fault.partition("-")  # before anything was told of the caller's turn, or in its middle
        at = "" if fault in ("401", "mute") else f":{1 if first else message}:1011"
        vendors.deepgram.faults = deque([kind + at] * times)


def longest_silence(report: CallReport) -> float:
    """Give the longest stretch in s after the caller's first words in which neither side was audible."""
    length = round(report.duration * 50)
    spoken = np.zeros(length + 1, bool)
    played = np.abs(report.samples(report.played).astype(np.int32)) > LOUD
    for block in range(min(length, len(played) // 160)):
        spoken[block] = played[block * 160 : block * 160 + 160].any()
    says = report.of("say")
    for event in says:
        spoken[round(event.at * 50) : round((event.at + event.data["seconds"]) * 50)] = True
    first = round((says[0].at + says[0].data["seconds"]) * 50) if says else 0
    spoken[length] = True
    edges = np.flatnonzero(spoken[first:])
    return float(np.max(np.diff(edges, prepend=0)) / 50) if len(edges) else 0.0


def heard_until(sizes: Sequence[int], seconds: float) -> int:
    """Give the number of the message of audio with which so many seconds have come."""
    return int(np.searchsorted(np.cumsum(sizes), seconds * RATE)) + 1


async def trial(name: str, folder: Path, *, behind: bool) -> dict[str, Any]:
    """Have a call without a fault and one with it; give a row of the table."""
    async with local_speech() as speak:
        clips = [await Voices(speak).clip(Speech(line)) for line in LINES]
    vendors = Vendors(folder, flows=Path(__file__).parent / "flows", default="talk", behind=behind)
    vendors.knows(*clips)
    vendors.anthropic.choose = lambda asked: [ANSWER]
    vendors.openai.choose = lambda asked: [OTHER]
    ready, errors = (WaitAudio(0.1), WaitSilence(0.6)), Errors()
    answered = PATIENT.get(name.split()[1], ANSWERED)
    async with vendors.open():
        assert vendors.application is not None
        vendors.cartesia.latency, vendors.cartesia.speed = 0.1, 4.0  # prompts are there by now, as fast as they come
        counts = vendors.application.engine.counts
        await vendors.call(Script((*ready, Say(clips[0]), *ready, HangUp())))
        await vendors.settled()
        sizes = max((hearing.messages for hearing in vendors.deepgram.hearings), key=len)  # others were kept ready
        message = heard_until(sizes, BREAKS)
        before, counted = await at_rest(vendors), counts.copy()
        arm(vendors, name, message)
        report = await vendors.call(Script((*ready, Say(clips[0]), *answered, Say(clips[1]), *answered, HangUp())))
        still = await left(vendors, before)
        record, trace = await vendors.record(report.call_id), await vendors.trace(report.call_id)
    turns = (line["at"] for line in trace if line.get("event", {}).get("type") == "UtteranceEnded")
    first = round(next(turns, 0.0), 2)  # as `said` has its times
    await let_pass(0.5)
    ended = asyncio.all_tasks() - {asyncio.current_task()}
    still += [f"task {task.get_name()} {task.get_coro()} after the end" for task in ended]
    return {
        "name": name,
        "heard": [f"{who}: {text}" for at, who, text in said(trace) if at >= first and text != "Hello there."],
        "silence": round(longest_silence(report), 1),
        "ended": record["ended_reason"],
        "counts": {**record["counts"], **(counts - counted)},
        # That the bot hung up first is an end as any other.
        "failures": [failure for failure in report.failures if "had ended" not in failure],
        "errors": errors.seen,
        "left": still,
    }


class Errors(logging.Handler):
    """Keeps what the server logs as errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        kind = record.exc_info[0] if record.exc_info else None
        self.seen.append(record.getMessage() + (f" ({kind.__name__})" if kind else ""))


def bad(row: dict[str, Any]) -> list[str]:
    """Say what ended badly in a row."""
    found = [f"dead air {row['silence']} s"] if row["silence"] > DEAD else []
    found += row["errors"] + row["left"]
    return found + [name for name in (row["ended"], *row["counts"]) if name.startswith("engine")]


def line(row: dict[str, Any]) -> str:
    """Give a row of the table in Markdown."""
    counts = ", ".join(f"{name} {count}" for name, count in row["counts"].items())
    cells = (
        row["name"],
        "<br>".join(row["heard"]) or "nothing",
        row["silence"],
        row["ended"],
        counts,
        "<br>".join(row["left"]) or "nothing",
        "<br>".join(bad(row) + row["failures"]),
    )
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"


async def child(name: str, room: asyncio.Semaphore, *, behind: bool) -> dict[str, Any]:
    """Try a fault in a process of its own."""
    async with room:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--one",
            name,
            *(["--behind"] if behind else []),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(TAKES):
                out, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            out, errors = await process.communicate()
    try:
        row: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    except (IndexError, ValueError):
        why = errors.decode().strip().splitlines()[-1:] or ["it took too long"]
        empty = {"heard": [], "silence": 0.0, "ended": "", "counts": {}, "failures": []}
        row = {"name": name, **empty, "errors": why, "left": []}
    print(line(row), flush=True)  # noqa: T201 - a script prints
    return row


async def every(names: Sequence[str], at_once: int, *, behind: bool) -> int:
    """Try these faults; give the exit code."""
    room = asyncio.Semaphore(at_once)
    print("| fault | what was heard | silence s | ended | counts | left | badly |")  # noqa: T201
    print("|---|---|--:|---|---|---|---|", flush=True)  # noqa: T201
    rows = await asyncio.gather(*(child(name, room, behind=behind) for name in names))
    return int(any(bad(row) for row in rows))


def main(given: Sequence[str] | None = None) -> int:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="faults whose name begins so, such as `voice abort`")
    parser.add_argument("--at-once", type=int, default=4, help="processes at once")
    parser.add_argument("--behind", action="store_true", help="another vendor stands behind each")
    parser.add_argument("--one", default="", help="this one, in this process; prints JSON")
    chosen = parser.parse_args(given)
    if chosen.one:
        with tempfile.TemporaryDirectory(prefix="flowengine-faults-") as folder:
            print(json.dumps(asyncio.run(trial(chosen.one, Path(folder), behind=chosen.behind))))  # noqa: T201
        return 0
    names = [name for name in NAMES if name.startswith(chosen.only)]
    return asyncio.run(every(names, chosen.at_once, behind=chosen.behind))


if __name__ == "__main__":
    sys.exit(main())
