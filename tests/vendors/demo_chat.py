"""A conversation with a language model as it will be, without a vendor: real SDKs, doubles on loopback, real audio.

    make demo-chat

Somebody calls the order line of flows/orders.yaml: says what they want, gives a number, asks about an order, interrupts
an answer, and has a delivery moved. Deepgram, Anthropic and Cartesia are doubles that speak the vendors' protocols; the
voices are espeak-ng's for the caller and tones for the bot. Prints who said what, what was heard, and what it took.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.cli._voices import local_speech
from flowengine.testing.labels import Clip
from flowengine.testing.report import CallReport
from flowengine.testing.script import ExpectEnd, Say, Script, Step, WaitAudio, WaitSilence
from flowengine.testing.voices import Speech, Voices
from tests.doubles.vendor_http import Call
from tests.vendors.world import Vendors, said

ORDER = "427911"
LINES = (
    "my order please",
    "four two seven nine one one",
    "yes",
    "where is my order",
    "stop, the evening would be better",
    "yes please",
)
MODEL = (
    ["What would you like to know about your order?"],
    ["Let me have a look. ", Call("c1", "order_status", ('{"number": "427911"}',))],
    [0.2, "It is in the oven, ", 0.05, "and comes tomorrow morning between nine and eleven, as you wished."],
    ["I can move it to the evening. ", "Shall I?"],
    ["One moment. ", Call("c2", "move_delivery", ('{"number": "427911", ', '"window": "evening"}'))],
    ["That is done. ", Call("c3", "moved", ('{"window": "evening"}',))],
)


async def caller() -> dict[str, Clip]:
    """Speak the caller's lines."""
    async with local_speech() as speak:
        voices = Voices(speak)
        return {line: await voices.clip(Speech(line)) for line in LINES}


async def demo(folder: Path) -> tuple[CallReport, Vendors, list[tuple[float, str, str]], dict[str, object]]:
    """Place the call; give the phone's report, the vendors, who said what, and the record."""
    clips = await caller()
    vendors = Vendors(folder)
    vendors.knows(*clips.values())
    vendors.answers(*MODEL)
    vendors.cartesia.latency, vendors.cartesia.speed = 0.15, 4.0
    vendors.shop.answers = {f"/orders/{ORDER}": {"state": "in the oven", "window": "morning"}}
    steps: list[Step] = []
    for line in LINES:
        # One answer is interrupted; everything else is said when the bot has finished.
        waits = [WaitAudio(3.0)] if line.startswith("stop") else [WaitAudio(0.3), WaitSilence(0.8)]
        steps += [*waits, Say(clips[line])]
    steps.append(ExpectEnd(30.0))
    async with vendors.open():
        report = await vendors.call(Script(tuple(steps)))
        await vendors.settled()
        return report, vendors, said(await vendors.trace(report.call_id)), await vendors.record(report.call_id)


def main() -> int:
    """Run and print; 1 when the conversation did not go as it should."""
    with tempfile.TemporaryDirectory(prefix="flowengine-demo-") as folder:
        report, vendors, lines, record = asyncio.run(demo(Path(folder)))
    for at, who, text in lines:
        print(f"{at:7.2f}s  {who:<7} {text}")  # noqa: T201 - a demonstration prints
    print(f"\nthe shop was asked: {', '.join(vendors.shop.asked)}")  # noqa: T201
    print(f"refused by the doubles: {vendors.anthropic.invalid or 'nothing'}")  # noqa: T201
    for name in ("path", "turns", "usage", "cost", "counts"):
        print(f"{name:>7}  {record.get(name)}")  # noqa: T201
    moved = f"POST /orders/{ORDER}/delivery" in vendors.shop.asked
    fine = moved and not report.failures and not vendors.anthropic.invalid
    print("as it should be" if fine else f"NOT as it should be: {report.failures}")  # noqa: T201
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
