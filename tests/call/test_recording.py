"""Recording a caller, on whole calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowengine.errors import RemoteError
from flowengine.providers.silero import Silero
from flowengine.testing.labels import Clip
from flowengine.testing.script import Drop, HangUp, Keys, Say, Silence, Step, WaitAudio
from tests.conftest import Outcome, World

FLOW = """\
version: 1
flow: test
vars: {message: text}
nodes:
  main:
    say: Speak.
    record: {into: message, max: 5s, silence: 1s}
    goto: {done: thanks, silent: nothing}
  thanks: {say: "Thank you.", goto: end}
  nothing: {say: "Nothing.", goto: end}
catch:
  hangup: {set: {message: "{{ message }}!"}}
"""
DETECTOR = Silero()


@dataclass
class Shelf:
    """Recordings in memory; ``broken`` takes nothing."""

    broken: bool = False
    kept: dict[str, bytes] = field(default_factory=dict)

    def address(self, name: str) -> str:
        return f"shelf:{name}"

    async def put(self, name: str, audio: bytes) -> str:
        if self.broken:
            raise RemoteError("the shelf is full")
        self.kept[name] = audio
        return self.address(name)


@pytest.fixture
def shelf(world: World) -> Shelf:
    world.flow(FLOW)
    world.voice.lengths["Speak."] = 0.5
    world.detector = DETECTOR
    world.recordings = shelf = Shelf()
    return shelf


async def call(world: World, *steps: Step) -> Outcome:
    application = await world.start()
    outcome = await world.call(application, WaitAudio(0.3), Silence(1.0), *steps)
    await application.aclose()
    return outcome


def finished(outcome: Outcome) -> dict[str, Any]:
    (event,) = [event for event in outcome.events if event["type"] == "RecordingFinished"]
    return event


def path(outcome: Outcome) -> list[str]:
    assert outcome.record is not None
    found: list[str] = outcome.record["path"]
    return found


def test_a_message_is_recorded_until_silence(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    clip = spoken["give me an operator please"]
    outcome = on_virtual_time(call(world, Say(clip), Silence(4.0)))
    assert path(outcome) == ["main", "thanks"]
    ((name, audio),) = shelf.kept.items()
    assert finished(outcome)["address"] == f"shelf:{name}"
    # All of it is there, and half a second of the silence that ended it.
    assert clip.audio[800:-800] in audio
    assert audio.index(clip.audio[800:1600]) / 8000 + clip.seconds + 0.3 < len(audio) / 8000
    assert finished(outcome)["seconds"] == pytest.approx(len(audio) / 8000)


def test_nobody_speaks(world: World, shelf: Shelf, on_virtual_time: Callable[..., Any]) -> None:
    outcome = on_virtual_time(call(world, Silence(4.0)))
    assert path(outcome) == ["main", "nothing"]
    assert shelf.kept == {}


def test_the_longest_time_ends_it(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    clip = spoken["give me an operator please"]
    outcome = on_virtual_time(call(world, *[Say(clip)] * 5, Silence(2.0)))
    assert path(outcome) == ["main", "thanks"]
    (audio,) = shelf.kept.values()
    assert 4.0 <= len(audio) / 8000 <= 5.0


def test_a_key_ends_it(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    outcome = on_virtual_time(call(world, Say(spoken["give me an operator please"]), Keys("#"), Silence(3.0)))
    assert path(outcome) == ["main", "thanks"]
    assert len(shelf.kept) == 1


@pytest.mark.parametrize("leaving", [HangUp(), Drop("reset", "nothing")])
def test_assertion_76_a_hang_up_keeps_what_was_recorded(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any], leaving: Step
) -> None:
    outcome = on_virtual_time(call(world, Say(spoken["give me an operator please"]), leaving))
    ((name, audio),) = shelf.kept.items()
    assert len(audio) > 8000
    assert finished(outcome)["address"] == f"shelf:{name}"
    # It is told before the hang-up: its handler knows it.
    order = [event["type"] for event in outcome.events if event["type"] in ("RecordingFinished", "CallerHungUp")]
    assert order == ["RecordingFinished", "CallerHungUp"]


def test_a_store_that_takes_nothing_is_as_if_nothing_had_been_said(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    shelf.broken = True
    outcome = on_virtual_time(call(world, Say(spoken["give me an operator please"]), Silence(4.0)))
    assert path(outcome) == ["main", "nothing"]


def test_a_recording_that_nobody_wants_any_more_is_not_kept(
    world: World, shelf: Shelf, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    world.flow(
        FLOW.replace("catch:\n", 'catch:\n  timeout.node: {say: "Too long.", goto: end}\n').replace(
            "    say: Speak.\n", "    say: Speak.\n    timeouts: {node: 2s}\n"
        )
    )
    outcome = on_virtual_time(call(world, Say(spoken["give me an operator please"]), Silence(4.0)))
    assert "Too long." in outcome.prompts()
    assert shelf.kept == {}
