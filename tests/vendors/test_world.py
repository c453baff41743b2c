"""Calls side by side through the vendors' real SDKs, on real sockets and in real time; and nothing of them is left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flowengine.cli._voices import local_speech
from flowengine.providers.silero import Silero
from flowengine.testing.labels import Clip
from flowengine.testing.report import CallReport
from flowengine.testing.script import HangUp, Say, Script, Step, WaitAudio, WaitSilence
from flowengine.testing.voices import Speech, Voices
from tests.doubles.vendor_http import Asked, Refuse
from tests.providers.leaks import run
from tests.vendors.world import Vendors, said

LINES = {"turn": "where is my order", "cut": "tell me", "fails": "how much is it"}
LONG = "It was baked this morning in the old oven, and then it was packed, and after that it was driven to you."
READY: tuple[Step, ...] = (WaitAudio(0.1), WaitSilence(0.2))


def answers() -> Any:
    """Give each call its own answers, told by what its caller said first."""
    given: dict[str, Iterator[Any]] = {
        LINES["turn"]: iter([["It is in the oven."]]),
        LINES["cut"]: iter([[LONG], ["As you wish."]]),
        LINES["fails"]: iter([Refuse(529), ["Four pounds."]]),
    }

    def choose(asked: Asked) -> Any:
        first = asked.body["messages"][0]["content"][0]["text"]
        return next(given[first])

    return choose


async def spoken() -> dict[str, Clip]:
    """Say the callers' lines."""
    async with local_speech() as speak:
        return {name: await Voices(speak).clip(Speech(line)) for name, line in LINES.items()}


async def scenario(folder: Path) -> tuple[dict[str, list[tuple[float, str, str]]], Vendors, list[str]]:
    """Have three calls at once; give who said what in each, and what went wrong."""
    clips = await spoken()
    vendors = Vendors(folder, flows=Path(__file__).parent / "flows", default="talk")
    vendors.knows(*clips.values())
    vendors.anthropic.choose = answers()
    scripts = {
        "turn": (*READY, Say(clips["turn"]), *READY, HangUp()),
        "cut": (*READY, Say(clips["cut"]), WaitAudio(0.9), Say(clips["turn"]), WaitAudio(0.1), HangUp()),
        "fails": (*READY, Say(clips["fails"]), *READY, HangUp()),
    }
    async with vendors.open():
        vendors.cartesia.speed = 4.0  # prompts are there by now, as fast as they come
        reports: list[CallReport] = await asyncio.gather(
            *(vendors.call(Script(steps), seed=number) for number, steps in enumerate(scripts.values(), 1))
        )
        await vendors.settled()
        found = {name: said(await vendors.trace(one.call_id)) for name, one in zip(scripts, reports, strict=True)}
        # Connections to models and voices are kept for the next call, those to a transcriber are a call's own.
        wrong = [f"{vendors.deepgram.open} calls are still listened to"] * bool(vendors.deepgram.open)
    return found, vendors, wrong + [failure for one in reports for failure in one.failures]


def test_a_turn_a_cut_answer_and_a_vendor_that_fails_once(tmp_path: Path) -> None:
    asyncio.run(Silero().start())  # its library keeps files of its own open, for as long as the process lives
    found, vendors, wrong = run(scenario(tmp_path), limit=30)
    assert not wrong
    assert not vendors.anthropic.invalid
    assert [text for _, who, text in found["turn"] if who == "model"] == ["It is in the oven."]
    # Whose model fails before its first word hears nothing of that.
    assert [(who, text) for _, who, text in found["fails"] if who in ("model", "failed")] == [("model", "Four pounds.")]
    cut, *_ = [text for _, who, text in found["cut"] if who == "model"]
    assert LONG.startswith(cut)
    assert 2 <= len(cut.split()) < len(LONG.split()) - 4
    history = next(one.body["messages"] for one in vendors.anthropic.requests if cut in str(one.body["messages"]))
    assert [block["text"] for block in history[1]["content"]] == [f"{cut}…"]
    assert LONG not in str(history)
