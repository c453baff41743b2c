"""What the engine itself adds to a turn with a language model, and its CPU, at more and more calls at once.

    .venv/bin/python tests/bench/talk.py [--levels 1 20 40 60] [--seconds 20]

The server is `flowengine serve` in a process of its own on core 0, with the vendors' real SDKs; Deepgram's, Anthropic's
and Cartesia's doubles and the phones are this process, on core 1. Each call says something and is answered, again and
again. What is added: from the moment at which Deepgram's double tells the end of the turn to the first byte of the
answer at the phone, without the model's own time as far as it fell behind that moment (the engine asks ahead), and
without the voice's. The first level at which this process is itself late (p99 of its lag over 10 ms) is the last one:
its numbers say nothing about the server.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.cli._local import LocalServer, local_server
from flowengine.cli._voices import local_speech
from flowengine.testing.labels import Clip
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport, Event
from flowengine.testing.script import HangUp, Say, Script, Step, WaitAudio, WaitSilence
from flowengine.testing.virtual_time import let_pass
from flowengine.testing.voices import Speech, Voices
from tests.bench.calls import cpu_seconds, lag, quantile
from tests.doubles.anthropic_server import AnthropicServer
from tests.doubles.cartesia_server import CartesiaServer
from tests.doubles.deepgram_server import DeepgramServer, Spoken
from tests.doubles.vendor_http import Asked

LEVELS = (1, 20, 40, 60, 80, 100, 120)
MODEL = 0.25  # seconds to the model's first word, and
VOICE = 0.1  # to the voice's first audio
TURN = 3.0  # seconds that a turn takes, nearly
APART = 3.0  # seconds within which the calls of a level begin
PROBE = 0.01  # seconds that the probe of our own lag sleeps
LATE = 0.01  # seconds of p99 of our own lag over which a level says nothing
KEY = "the-key"


@dataclass(frozen=True)
class Stamp:
    """A step of an answer that notes when it was reached."""

    into: list[tuple[float, float]]
    asked: float


@dataclass
class Model(AnthropicServer):
    """Answers whoever asks after the same time; notes by the call's number when it was asked, and when it answered."""

    answered: dict[int, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.choose = self._chosen

    def _chosen(self, asked: Asked) -> list[Any]:
        now = asyncio.get_running_loop().time()
        said = re.findall(r"call(\d+)", str(asked.body["messages"][-1]))
        return [MODEL, Stamp(self.answered[int(said[-1])], now), "Yes, it is."]

    async def fault(self, step: Any) -> None:
        """As ``VendorServer.fault``; and take stamps."""
        if isinstance(step, Stamp):
            step.into.append((step.asked, asyncio.get_running_loop().time()))
        await super().fault(step)


@dataclass
class Doubles:
    """The vendors, and a line of the caller for each call, that is known from all others."""

    line: Clip
    deepgram: DeepgramServer = field(default_factory=DeepgramServer)
    anthropic: Model = field(default_factory=Model)
    cartesia: CartesiaServer = field(default_factory=lambda: CartesiaServer(latency=VOICE, speed=4.0))

    def settings(self) -> dict[str, str]:
        """Give the settings of a server that talks to them."""
        given = {
            "SPEECH__SYNTHESIZER": {"USE": "cartesia", "URL": self.cartesia.url, "VOICE": "v"},
            "SPEECH__TRANSCRIBER": {"USE": "deepgram", "URL": self.deepgram.url, "MODEL": "flux-general-en"},
            "MODELS__DEFAULT": {"USE": "anthropic", "URL": self.anthropic.url},
        }
        return {
            f"{section}__{name}": value
            for section, values in given.items()
            for name, value in {**values, "KEY": KEY}.items()
        }

    def clip(self, number: int) -> Clip:
        """Give what a call says: its first 8 ms, which nobody hears, are its own."""
        head = bytes(random.Random(number).choices(b"\xff\x7f\xfe\x7e", k=64))
        self.deepgram.clips[head] = [Spoken(f"call{number}", self.line.onset, self.line.end)]
        return replace(self.line, audio=head + self.line.audio[len(head) :])

    def ends(self) -> dict[int, list[float]]:
        """Give by the call's number when the ends of its turns were told."""
        found: dict[int, list[float]] = {}
        for hearing in self.deepgram.hearings:
            if words := hearing.spoken(len(hearing.audio)):
                told = zip(hearing.events, hearing.told_at, strict=True)
                found.setdefault(int(words[0].text[4:]), []).extend(at for event, at in told if event == "EndOfTurn")
        return found

    def forget(self) -> None:
        """Begin anew for the next level."""
        self.deepgram.hearings.clear()
        self.deepgram.clips.clear()
        for requests in (self.anthropic.requests, self.cartesia.requests, self.cartesia.headers):
            requests.clear()
        self.anthropic.answered.clear()


@dataclass
class Caller:
    """One call, and when audio began to arrive at its phone."""

    number: int
    clip: Clip
    began: list[float] = field(default_factory=list)

    async def run(self, server: LocalServer, network: SocketNetwork, wait: float, turns: int) -> CallReport:
        """Talk for so many turns."""
        await let_pass(wait)
        loop = asyncio.get_running_loop()

        def seen(event: Event) -> None:
            if event.kind == "audio_started":
                self.began.append(loop.time())

        steps: list[Step] = []
        for _ in range(turns):
            steps += [WaitAudio(0.1), WaitSilence(0.4), Say(self.clip)]
        url = f"{server.url}/answer/twilio"
        phone = Phone("twilio", network, answer_url=url, token=server.token, seed=self.number, on_event=seen)
        return await phone.run(Script((*steps, WaitAudio(0.1), WaitSilence(0.4), HangUp())))

    def added(self, ends: Sequence[float], answered: Sequence[tuple[float, float]]) -> list[float]:
        """Give for each turn that was answered what the engine added to it, in seconds."""
        found = []
        for end, following in zip(ends, (*ends, float("inf"))[1:], strict=True):
            audio = next((at for at in self.began if end < at < following), None)
            model = [pair for pair in answered if audio is not None and pair[1] < audio]
            if audio is not None and model:
                asked, word = model[-1]
                found.append(audio - end - max(0.0, word - max(asked, end)) - VOICE)
        return found


async def probe(late: list[float]) -> None:
    """Note by how much a sleep of 10 ms is late, in seconds."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + PROBE
        await let_pass(PROBE)
        late.append(loop.time() - due)


def at(values: Sequence[float], share: float) -> float:
    """Give a quantile in milliseconds; nan where there is nothing."""
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


async def level(
    server: LocalServer, network: SocketNetwork, doubles: Doubles, calls: int, turns: int
) -> tuple[str, float]:
    """Run so many calls at once; give a row of the table, and the p99 of our own lag in ms."""
    doubles.forget()
    gc.collect()
    callers = [Caller(number, doubles.clip(number)) for number in range(1, calls + 1)]
    late: list[float] = []
    before, counts, own, began = cpu_seconds(server.pid), await lag(server), time.process_time(), time.monotonic()
    probing = asyncio.create_task(probe(late), name="probe")
    reports = await asyncio.gather(
        *(one.run(server, network, APART * n / calls, turns) for n, one in enumerate(callers))
    )
    probing.cancel()
    with suppress(asyncio.CancelledError):
        await probing
    busy = (time.process_time() - own) / (time.monotonic() - began)
    used = (cpu_seconds(server.pid) - before) / sum(report.duration for report in reports)
    lags = [after - earlier for after, earlier in zip(await lag(server), counts, strict=True)]
    ends = doubles.ends()
    added = [s for one in callers for s in one.added(ends.get(one.number, []), doubles.anthropic.answered[one.number])]
    failed = sum(bool(report.failures or report.of("wrong", "raced")) for report in reports)
    row = (
        f"{calls:>5}  {len(added):>5}  {calls * turns - len(added):>7}  {failed:>6}  {at(added, 0.5):>8.1f}  "
        f"{at(added, 0.99):>8.1f}  {used * 1000:>9.2f}  {quantile(lags, 0.99):>14}  "
        f"{at(late, 0.99):>11.1f}  {busy:>8.0%}"
    )
    return row, at(late, 0.99)


async def measure(levels: Sequence[int], seconds: float) -> None:
    """Measure level by level, and print."""
    async with local_speech() as speak:
        doubles = Doubles(await Voices(speak).clip(Speech("where is my order")))
    cores = sorted(os.sched_getaffinity(0))
    async with AsyncExitStack() as stack:
        for double in (doubles.deepgram, doubles.anthropic, doubles.cartesia):
            await stack.enter_async_context(double)
        os.sched_setaffinity(0, {cores[0]})  # what the server's process has, with its threads, from its first moment
        flow = Path(__file__).with_suffix(".yaml")
        server = await stack.enter_async_context(local_server(flow, doubles.settings()))
        os.sched_setaffinity(0, {cores[-1]})
        network = SocketNetwork(timeout=60)
        stack.push_async_callback(network.aclose)
        await level(server, network, doubles, 2, 2)  # connections, imports and caches are there then
        print(  # noqa: T201 - a benchmark prints
            "calls  turns  missing  failed  added ms       p99  ms/call-s  server lag p99  our lag p99  our core"
        )
        highest = 0
        for calls in levels:
            row, late = await level(server, network, doubles, calls, max(2, round(seconds / TURN)))
            print(row, flush=True)  # noqa: T201
            if late > LATE * 1000:
                break
            highest = calls
        print(f"the highest number of calls that says something: {highest}")  # noqa: T201


def main(given: Sequence[str] | None = None) -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--levels", type=int, nargs="+", default=LEVELS, help="calls at once")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each call, nearly")
    chosen = parser.parse_args(given)
    asyncio.run(measure(chosen.levels, chosen.seconds))


if __name__ == "__main__":
    main()
