"""Many calls that do anything at any moment, against the real application on a virtual clock.

Each call follows from its seed. A failure names the seeds; ``SEEDS = [17]`` runs one alone.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal

import pytest

from flowengine.call.ports import SpeechRequest
from flowengine.server.run import Application
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import (
    Dialled,
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Script,
    Silence,
    Step,
    StopReading,
    WaitAudio,
    WaitSilence,
)
from flowengine.testing.virtual_time import let_pass
from tests.call.test_session import Wiretap
from tests.conftest import TOKEN, ToneVoice

SEEDS = range(150)
AT_ONCE = 25
FRAME = 160
GOODBYE = 0.35  # the session waits so long after the last word
FLOW = """
flow: test
version: 1
vars: {number: {type: digits, private: true}, left: text}
always: [{key: star, name: help, goto: help, cooldown: 1s}]
catch:
  hangup: {set: {left: "{{ call.ended }}"}}
  toomany: {say: Too often., goto: bye}
nodes:
  greet:
    say: Welcome to the soak.
    goto: main
  main:
    say: One, two, three, four, five, or twelve and more of these words.
    menu:
      - {key: 1, goto: number}
      - {key: 12, goto: half}
      - {key: 2, goto: agent}
      - {key: 3, goto: agents}
      - {key: 4, goto: blind}
      - {key: 5, goto: bye}
      - {key: 6, goto: loud}
  number:
    say: Four digits.
    collect: {into: number, length: 4, confirm: "I have {{ number | spell }}."}
    goto: main
  half:
    say: "It breaks for {{ call.from }}."
    goto: main
  loud: {say: Nothing stops this one., barge_in: false, goto: main}
  help: {say: This is the help., goto: back}
  agent:
    say: One moment.
    transfer: {to: "+15550100", ring: 5s}
    goto: {ended: bye, else: main}
  agents:
    transfer: {to: ["+15550101", "+15550102", "+15550103"], ring: 5s}
    goto: {ended: bye, else: main}
  blind: {say: Off you go., transfer: {to: "+15550104", mode: blind}}
  bye: {say: Goodbye., hangup: }
"""
REASONS = {"caller.hangup", "flow.hangup", "flow.transfer", "flow.error", "flow.timeout", "carrier.failed"}


class CountedVoice(ToneVoice):
    """Says in the first two bytes of each frame which text it is of and which frame of it."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, int] = {}
        self.broken["It breaks for +15550001111."] = True

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        number = self.numbers.setdefault(request.text, len(self.numbers) % 256)
        async for audio in super().speak(request):
            counted = bytearray(audio[: len(audio) // FRAME * FRAME])
            for frame in range(len(counted) // FRAME):
                counted[frame * FRAME : frame * FRAME + 2] = bytes([number, frame % 256])
            yield bytes(counted)


def plan(seed: int) -> tuple[Script, dict[str, Any], str | None]:
    """What the call of a seed does: its script, how its phone is, and where it reports its end."""
    rng = random.Random(seed)
    carrier: Literal["twilio", "vobiz"] = rng.choice(["twilio", "vobiz"])
    steps: list[Step] = []
    garbage = ["{", "not json", "[]", '{"event": "dtmf"}', '{"event": "mark"}']
    for _ in range(rng.randint(1, 6)):
        waits: list[Step] = [WaitAudio(rng.uniform(0.02, 2.0), 8), Silence(rng.uniform(0.0, 3.0)), WaitSilence(0.3, 8)]
        steps.append(rng.choice(waits))
        kind = rng.random()
        if kind < 0.75:
            keys = "".join(rng.choices("1122334455666**#790", k=rng.choice([1, 1, 1, 2, 5, 12])))
            steps.append(Keys(keys, rng.choice([0.0, 0.0, 0.02, 0.3])))
        elif kind < 0.85:
            steps.append(Garbage(rng.choice(garbage)))
        elif kind < 0.95:
            steps.append(Drop(rng.choice(["reset", "abort", 1000, 1001, 1011])))
    last = rng.random()
    status: str | None = f"https://voice.test/status/{carrier}"
    if last < 0.1:
        steps += [StopReading(), ExpectEnd(120)]
    elif last < 0.25:
        steps.append(Drop(rng.choice(["reset", "abort", 1000, 1001, 1011]), "nothing"))
        status = rng.choice([status, None])
    elif last < 0.5:
        steps.append(ExpectEnd(120))
    else:
        steps.append(HangUp())
    outcomes: list[Any] = ["ended", "busy", "noanswer", "failed", "declined"]
    transfers = tuple(Dialled(rng.choice(outcomes), rng.uniform(0, 5)) for _ in range(9))
    lag = {"delay": rng.choice([0.0, 0.02, 0.15]), "jitter": rng.choice([0.0, 0.05, 0.15])}
    return Script(tuple(steps), carrier, transfers=transfers), lag, status


class Call:
    """One call and what was seen of it on the wire."""

    def __init__(self, seed: int, application: Application) -> None:
        self.seed = seed
        self.script, self._lag, self._status = plan(seed)
        self.tap = Wiretap(application)
        self.report = CallReport()

    async def run(self) -> None:
        carrier = self.script.carrier
        phone = Phone(
            carrier,
            self.tap,
            answer_url=f"https://voice.test/answer/{carrier}",
            token=TOKEN,
            seed=self.seed,
            status_url=self._status,
            **self._lag,
        )
        self.report = await phone.run(self.script)

    def problems(self, record: dict[str, Any] | None, trace: Sequence[dict[str, Any]]) -> list[str]:
        """What is not as it has to be; empty for a call that went well."""
        if record is None:
            return ["there is no record"]
        events = [line["event"] for line in trace if "event" in line]
        effects = [effect for line in trace for effect in line.get("effects", [])]
        found = [f"{event.kind}: {event.data}" for event in self.report.of("wrong", "raced", "callback_failed")]
        found += [f"the application: {error!r}" for error in self.tap.failures]
        found += [f"bug: {line}" for line in trace if line.get("note") == "bug"]
        ends = [effect["reason"] for effect in effects if effect["type"] == "EndCall"]
        if ends != [record["ended_reason"]]:
            found.append(f"the flow ended with {ends}, the record says {record['ended_reason']}")
        if record["ended_reason"] != "provider.failed" or not any(e["type"] == "PromptFailed" for e in events):
            found += self._why(record["ended_reason"])
        pressed, heard = len(self.report.of("key")), sum(event["type"] == "DigitPressed" for event in events)
        late = self._too_late(record["ended_reason"])
        if not pressed - late <= heard <= pressed:
            found.append(f"{pressed} keys were pressed, {heard} were taken, {late} may have come too late")
        return found + self._wire()

    def _why(self, reason: str) -> list[str]:
        """Whether the call ended for a reason that it can have had."""
        kinds = {type(step) for step in self.script.steps}
        dialled = self.report.of("dial")
        if reason not in REASONS:
            return [f"ended as {reason}"]
        if reason == "carrier.failed" and StopReading not in kinds:
            return ["carrier.failed, but the phone read everything"]
        if reason == "flow.transfer" and not dialled and not self.report.of("hung_up"):
            return ["flow.transfer, but nothing was dialled"]
        gone = any(self._hangs_up(event.data["code"]) for event in self.report.of("stream_closed"))
        if reason == "caller.hangup" and self.report.end_reason not in ("caller", "dropped") and not gone:
            return [f"caller.hangup, but the phone says {self.report.end_reason}"]
        return []

    def _too_late(self, reason: str) -> int:
        """Keys that may not have counted: on the way when we ended a stream, or of the instant in which it ended."""
        delay, jitter = self._lag["delay"], self._lag["jitter"]
        way = 2 * (delay + jitter) + GOODBYE
        # The caller may put the receiver down while our own end is on its way.
        before = jitter + 0.001 if reason == "caller.hangup" else way
        spans = [(event.at - before, event.at) for event in self.report.of("hung_up")]
        # Of a burst that comes with the end of the stream, the first key may have ended it for us.
        spans += [(event.at - way, event.at) for event in self.report.of("stream_closed")]
        return sum(any(since <= key.at <= until for since, until in spans) for key in self.report.of("key"))

    def _hangs_up(self, code: int) -> bool:
        """Whether a socket that the carrier closes with this code means that the caller is gone."""
        return self.script.carrier == "vobiz" and code in (1000, 1001)

    def _wire(self) -> list[str]:
        """Frames follow each other; after a clear (or on a new stream) a prompt begins with its first one."""
        last: tuple[int, int] | None = None
        stream = None
        for at, message in self.tap.sent:
            if message["event"] in ("clear", "clearAudio"):
                last = None
            payload = base64.b64decode(message.get("media", {}).get("payload", ""))
            if (of := message.get("streamSid", message.get("streamId"))) != stream:
                stream, last = of, None
            for start in range(0, len(payload), FRAME):
                text, frame = payload[start], payload[start + 1]
                if frame and last != (text, frame - 1):
                    return [f"at {at:.2f} frame {frame} of text {text} follows {last}"]
                last = (text, frame)
        return []


async def soak(world: Any, seeds: Sequence[int]) -> list[str]:
    """Place the calls of these seeds, and give what is wrong afterwards."""
    world.flow(FLOW)
    world.voice = CountedVoice()
    application = await world.start()
    before = asyncio.all_tasks()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> Call:
        async with room:
            call = Call(seed, application)
            await call.run()
            return call

    calls = await asyncio.gather(*(one(seed) for seed in seeds))
    for _ in range(60):
        if not application.engine.busy:
            break
        await let_pass(1.0)
    for call in calls:
        await call.tap.aclose()
    engine = application.engine
    found = []
    for call in calls:
        ids = [i for i, lines in world.store.traces.items() if call.report.call_id in lines[0]]
        trace = [json.loads(line) for i in ids for line in world.store.traces[i]]
        record = await world.store.record(ids[0]) if ids else None
        found += [f"seed {call.seed}: {problem}" for problem in call.problems(record, trace)]
    if len(await world.store.records(1000)) != len(calls):
        found.append("not one record for each call")
    if engine.sessions or (left := asyncio.all_tasks() - before):
        found.append(f"left behind: {engine.sessions} {[task.get_name() for task in left]}")
    bad = {name: count for name, count in engine.counts.items() if name.startswith(("engine", "second", "store"))}
    return found + [f"counted: {bad}"] * bool(bad)


@pytest.mark.parametrize("half", [0, 1])
def test_calls_that_do_anything_leave_what_calls_leave(world: Any, on_virtual_time: Any, half: int) -> None:
    problems = on_virtual_time(soak(world, SEEDS[half::2]))
    assert not problems, "\n".join(problems)
