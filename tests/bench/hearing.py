"""CPU of hearing per second of a call, with so many calls in one process, and what a decision takes to the wire.

    .venv/bin/python tests/bench/hearing.py [--seconds 20]

Each call gets 20 ms of audio every 20 ms, two fifths of it speech, and is ticked as often, as in a session: windows,
levels, key tones, the detector in batches, voice activity, endpointing, barge-in, and the audio for a transcriber. The
clock is virtual and the CPU is not: what the same loop costs without ears is taken off. The last columns are the
detector alone, and how many windows came into a batch. Run it alone on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.audio.playout import Playout
from flowengine.call.clock import CallClock
from flowengine.call.ears import Ears
from flowengine.call.listening import Listening
from flowengine.call.ports import Expected, Heard
from flowengine.call.speaking import Speaking
from flowengine.call.voice import Voice
from flowengine.providers.silero import Silero
from flowengine.runtime.effects import Listen, Pause, PlayPrompt, Policy
from flowengine.testing import virtual_time
from flowengine.testing.virtual_time import let_pass
from tests.conftest import ToneVoice
from tests.ears.voice import ThreadedVoice, opened

CALLS = (1, 10, 50, 100)
FRAME = 160
TEXTS = ("I would like to speak to somebody about my bill.", "Yes.", "No, that is not what I wanted.")


class Counted:
    """The detector, with the time that it takes."""

    def __init__(self, detector: Silero) -> None:
        self.seconds = 0.0
        self.window = detector.window
        self._detector = detector

    async def start(self) -> None:
        await self._detector.start()

    def fresh(self) -> Any:
        return self._detector.fresh()

    def detect(self, windows: Sequence[bytes], states: Sequence[Any]) -> tuple[list[float], list[Any]]:
        began = time.perf_counter()  # reading the CPU's own clock costs more than a window
        try:
            return self._detector.detect(windows, states)
        finally:
            self.seconds += time.perf_counter() - began


class Mute:
    """A transcriber that takes audio and understands nothing: the cost is ours alone."""

    name = "mute"
    ends_turns = False

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Mute]:
        yield self

    def send(self, audio: bytes) -> None:
        """Take it."""

    def expect(self, expected: Expected) -> None:
        """Take it."""

    def began(self) -> None:
        """Take it."""

    def finish(self) -> None:
        """Take it."""

    def __aiter__(self) -> Mute:
        return self

    async def __anext__(self) -> Heard:
        await asyncio.get_running_loop().create_future()  # until the stream ends
        raise StopAsyncIteration


def stream(voice: ThreadedVoice, seconds: int) -> bytes:
    """Give a caller: speech and pauses."""
    said = bytearray()
    while len(said) < seconds * 8000:
        for text in TEXTS:
            said += asyncio.run(voice.say(text, "en-us")) + b"\xff" * 16000
    return bytes(said[: seconds * 8000])


async def calls(count: int, audio: bytes, detector: Counted | None) -> tuple[float, float]:
    """Hear so many calls; give the CPU that it took, and how many windows came into a batch."""
    loop = asyncio.get_running_loop()
    clock = CallClock(loop)
    tasks: list[asyncio.Task[Any]] = []

    def spawn(work: Any, name: str) -> asyncio.Task[Any]:
        tasks.append(loop.create_task(work, name=name))
        return tasks[-1]

    ears = Ears(detector) if detector else None
    streams: list[tuple[int, Listening | None]] = []
    for number in range(count):
        playout = Playout(clear_ack=False, marks_on_clear="returned", prefix=str(number))
        speaking = Speaking(
            playout, Voice(ToneVoice(), None, spawn), lambda fact: None, spawn, lambda: None, clock, lambda used: None
        )
        speaking.play(PlayPrompt("p", "n", (Pause(3600.0),), Policy("", speech=True)))
        listening = None
        if ears is not None:
            listening = Listening(
                str(number),
                ears,
                Mute(),
                speaking,
                clock,
                lambda fact: None,
                lambda what, data: None,
                spawn,
                lambda text: None,
            )
            listening.expect(Listen("en-US", "choice", ("sales", "a person")))
        streams.append((number * 1117 % len(audio), listening))
    frames = len(audio) // FRAME
    began = time.process_time()
    for frame in range(frames):
        now = loop.time()
        for offset, listening in streams:
            at = (offset + frame * FRAME) % (len(audio) - FRAME)
            piece = audio[at : at + FRAME]
            if listening is not None:
                listening.take(piece, now, frame * 0.02)
                listening.tick(now)
        await let_pass(0.02)
    used = time.process_time() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return used, ears.windows / max(1, ears.batches) if ears else 0.0


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, help="of every call")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(given)
    detector = Silero()
    asyncio.run(detector.start())
    with opened() as voice:
        audio = stream(voice, chosen.seconds)
    print(f"{'calls':>5}  {'ms per call-second':>20}  {'detector alone':>16}  {'batch':>8}")  # noqa: T201
    for count in CALLS:
        best, share, batch = min(_round(count, audio, detector) for _ in range(chosen.rounds))
        print(f"{count:>5}  {best:>20.2f}  {share:>16.2f}  {batch:>8.1f}")  # noqa: T201


def _round(count: int, audio: bytes, detector: Silero) -> tuple[float, float, float]:
    counted = Counted(detector)
    without, _ = virtual_time.run(calls(count, audio, None))
    used, batch = virtual_time.run(calls(count, audio, counted))
    seconds = count * len(audio) / 8000
    return (used - without) / seconds * 1000, counted.seconds / seconds * 1000, batch


if __name__ == "__main__":
    main()
