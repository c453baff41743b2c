"""What the server knows of what the phone played, and a phone that stops reading: over real sockets.

    .venv/bin/python tests/bench/line.py

For each carrier and one-way delay (a third of it as jitter) a caller interrupts a long prompt at random moments; the
error is the trace's `heard` against the samples that the phone had played. Then one of 21 phones stops reading.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

from flowengine.cli._local import LocalServer, local_server
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import ExpectEnd, HangUp, Keys, Script, Silence, Step, StopReading, WaitAudio
from flowengine.testing.virtual_time import let_pass

LONG = "This sentence goes on and on so that it can be interrupted at any moment whatever. " * 20
FLOW = f"""flow: line
version: 1
defaults: {{limits: {{visits: 999, hops: 999}}}}
nodes:
  main:
    say: {LONG.strip()}
    menu: [{{key: 1, goto: again}}]
"""
DELAYS = (0.0, 0.06, 0.15)
INTERRUPTIONS = 20
Carrier = Literal["twilio", "vobiz"]


def phone(server: LocalServer, network: SocketNetwork, carrier: Carrier, seed: int, delay: float = 0.0) -> Phone:
    """Make a phone of a carrier."""
    url = f"{server.url}/answer/{carrier}"
    return Phone(carrier, network, answer_url=url, token=server.token, seed=seed, delay=delay, jitter=delay / 3)


def trace(server: LocalServer, report: CallReport) -> list[dict[str, Any]]:
    """Read the trace of a call."""
    for path in server.traces.glob("*.jsonl"):
        text = path.read_text()
        if report.call_id in text:
            return [json.loads(line) for line in text.splitlines()]
    return []


async def heard(server: LocalServer, network: SocketNetwork, carrier: Carrier, delay: float, seed: int) -> str:
    """Interrupt one call again and again; give a row of the table."""
    rng = random.Random(seed)
    steps: list[Step] = [WaitAudio(1.0), Keys("1"), Silence(1.0)]  # the call's first mark comes
    for _ in range(INTERRUPTIONS):
        steps += [WaitAudio(rng.uniform(0.4, 2.5)), Keys("1"), Silence(0.8)]
    report = await phone(server, network, carrier, seed, delay).run(Script((*steps, HangUp()), carrier))
    events = [line["event"] for line in trace(server, report) if "event" in line]
    told = [e["heard"] for e in events if e["type"] == "PromptInterrupted"]
    played = [e.data["played"] / 8000 for e in report.of("key")]
    errors = sorted(abs(a - b) * 1000 for a, b in list(zip(told, played, strict=True))[1:])
    after = [e.data["unplayed"] for e in report.of("cleared")]
    return (
        f"{carrier:<7} {delay * 1000:>5.0f} {len(errors):>4} {errors[len(errors) // 2]:>8.1f} "
        f"{errors[int(len(errors) * 0.95)]:>8.1f} {errors[-1]:>8.1f} {sum(after) / len(after) / 8:>10.0f} "
        f"{len(report.of('wrong', 'raced')):>6}"
    )


async def stalled(server: LocalServer, network: SocketNetwork) -> str:
    """Let one phone stop reading beside twenty that go on."""
    others = [
        asyncio.create_task(phone(server, network, "twilio", 700 + n).run(Script((Silence(32.0), HangUp()))))
        for n in range(20)
    ]
    steps = (WaitAudio(1.0), StopReading(), ExpectEnd(45.0))
    one = phone(server, SocketNetwork(receive_buffer=8192), "twilio", 699)
    began = time.monotonic()
    task = asyncio.create_task(one.run(Script(steps)))
    gone = 0.0
    while not task.done() and not gone and time.monotonic() - began < 60:
        await let_pass(0.05)
        texts = [path.read_text() for path in server.traces.glob("*.jsonl")]
        if any(one.call_id in text and '"EndCall"' in text for text in texts if one.call_id):
            gone = time.monotonic() - began - 1.0
    report = await task
    ended = [line["event"] for line in trace(server, report) if line.get("event", {}).get("type") == "CallStopped"]
    reports = await asyncio.gather(*others)
    # A break in the audio of the others would show as one run of it ending and another beginning.
    breaks = sum(len(r.of("audio_started")) - 1 for r in reports)
    return (
        f"gone {gone:.1f} s after it last read ({ended[0]['reason'] if ended else 'no'}); breaks in 20 others: {breaks}"
    )


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        flow = Path(folder) / "line.yaml"
        flow.write_text(FLOW, encoding="utf-8")
        async with local_server(flow) as server:
            network = SocketNetwork(timeout=60)
            print("carrier delay    n  p50 ms   p95 ms   max ms  unplayed ms  wrong")  # noqa: T201 - a benchmark
            cases = [(carrier, delay) for delay in DELAYS for carrier in ("twilio", "vobiz")]
            rows = await asyncio.gather(
                *(heard(server, network, c, d, 10 + i) for i, (c, d) in enumerate(cases))  # type: ignore[arg-type]  # literals
            )
            print("\n".join(rows))  # noqa: T201
            print(await stalled(server, network))  # noqa: T201
            await network.aclose()


if __name__ == "__main__":
    asyncio.run(main())
