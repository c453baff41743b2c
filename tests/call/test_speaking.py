"""Speaking one prompt at a time: what is at hand goes out at once, what fails is told, what may cut does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import numpy as np
import pytest

from flowengine.audio import mulaw
from flowengine.audio.playout import Chunk, ItemFinished, MarkOut, Playout
from flowengine.call.clock import CallClock
from flowengine.call.ports import SpeechRequest, Usage
from flowengine.call.speaking import Speaking
from flowengine.call.voice import Voice
from flowengine.runtime import events as fact
from flowengine.runtime.effects import Part, Pause, PlayPrompt, Policy, Speech
from flowengine.testing import virtual_time
from flowengine.testing.virtual_time import let_pass

SLOW = Speech("Slow words.", "default", "en", 1.0, constant=False)


class Synthesizer:
    """Gives a second of audio after ``delay`` seconds."""

    name = "test"
    version = "1"

    def __init__(self, delay: float) -> None:
        self.delay = delay

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        await let_pass(self.delay)
        yield b"\x10" * 8000


class Line:
    """A playout that is pulled every 20 ms, and what came of it."""

    def __init__(self, delay: float = 0.1) -> None:
        self.facts: list[fact.Event] = []
        self.used: list[Usage] = []
        self.sent = 0
        self.audio = b""
        self.marks: list[str] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.clock = CallClock(asyncio.get_running_loop())
        self.playout = Playout(clear_ack=False, marks_on_clear="returned", prefix="t")
        voice = Voice(Synthesizer(delay), None, self._spawn)
        self.speaking = Speaking(
            self.playout, voice, self.facts.append, self._spawn, self.pull, self.clock, self.used.append
        )

    def _spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        return task

    def pull(self) -> None:
        commands, _ = self.playout.pull(self.clock.now())
        audio = b"".join(command.data for command in commands if isinstance(command, Chunk))
        self.sent += len(audio)
        self.audio += audio
        self.marks += [command.name for command in commands if isinstance(command, MarkOut)]
        self.speaking.made_room()

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            await let_pass(0.02)
            self.pull()

    def heard(self) -> None:
        """Let the carrier tell that everything was played."""
        now = self.clock.now()
        for name in self.marks:
            for one in self.playout.mark_returned(name, now, None):
                assert isinstance(one, ItemFinished)
                self.speaking.finished(one, self.clock.at(now))

    def play(self, *parts: Part, policy: Policy | None = None) -> None:
        self.speaking.play(PlayPrompt("p1", "main", parts, policy or Policy("123")))


def test_what_is_at_hand_goes_out_in_the_same_tick() -> None:
    async def work() -> int:
        line = Line()
        line.play(Pause(1.0))
        return line.sent

    assert virtual_time.run(work()) > 0


def test_parts_follow_each_other_in_order() -> None:
    async def work() -> tuple[int, list[fact.Event]]:
        line = Line()
        line.play(Pause(0.5), SLOW, Pause(0.5))
        await line.run(4.0)
        return line.sent, line.facts

    assert virtual_time.run(work()) == (16_000, [])


def test_a_voice_that_says_nothing_for_10_s_is_told() -> None:
    async def work() -> tuple[list[fact.Event], float]:
        line = Line(delay=60.0)
        line.play(Pause(0.5), SLOW)
        await line.run(10.5)
        assert line.speaking.prompt is None
        return line.facts, line.clock.at()

    facts, _ = virtual_time.run(work())
    (failed,) = facts
    assert isinstance(failed, fact.PromptFailed)
    assert failed.kind == "timeout"
    assert failed.at == pytest.approx(10.0, abs=0.05)


def loudest(audio: bytes) -> set[int]:
    """Give the two strongest frequencies in Hz, to the nearest 10."""
    spectrum = np.abs(np.fft.rfft(mulaw.decode(audio).astype(float)))
    step = 8000 / len(audio)
    first = int(spectrum.argmax())
    spectrum[max(0, first - 3) : first + 4] = 0
    return {round(number * step / 10) * 10 for number in (first, int(spectrum.argmax()))}


def test_keys_are_pressed_for_the_far_end() -> None:
    """Tones of 100 ms with as much silence behind each, and half a second for a `w`; then it is told (ITU-T Q.23)."""

    async def work() -> tuple[bytes, list[fact.Event]]:
        line = Line()
        line.speaking.press("1w#")
        await line.run(1.5)
        assert line.facts == []
        line.heard()
        return line.audio, line.facts

    audio, facts = virtual_time.run(work())
    assert len(audio) == 7200
    assert (loudest(audio[:800]), loudest(audio[5600:6400])) == ({700, 1210}, {940, 1480})
    assert set(audio[800:5600]) == {0xFF}
    (sent,) = facts
    assert isinstance(sent, fact.KeysSent)
    assert sent.keys == "1w#"


CUTS = [
    # policy, key, pressed at, whether it cuts
    (Policy("123"), "1", 1.0, True),
    (Policy("123"), "9", 1.0, False),
    (Policy(""), "1", 1.0, False),
    (Policy("123", after=2.0), "1", 1.0, False),
    (Policy("123", after=2.0), "1", 3.0, True),
    (Policy("123#", deaf="#", deaf_until=1.5), "#", 1.0, False),
    (Policy("123#", deaf="#", deaf_until=1.5), "#", 2.0, True),
    (Policy("123#", deaf="#", deaf_until=1.5), "1", 1.0, True),
]


@pytest.mark.parametrize(("policy", "key", "at", "cuts"), CUTS)
def test_only_what_the_policy_names_cuts(policy: Policy, key: str, at: float, cuts: bool) -> None:
    async def work() -> tuple[Any, bool, bool]:
        line = Line()
        line.play(Pause(5.0), policy=policy)
        await line.run(at)
        now = line.clock.now()
        cut = line.speaking.cut_by(key, line.clock.at(now), now, None)
        again = line.speaking.cut_by(key, line.clock.at(now), now, None)
        return cut, again is None or not cuts, line.speaking.prompt is None

    cut, once, silent = virtual_time.run(work())
    assert (cut is not None, silent) == (cuts, cuts)
    assert once
    if cut is not None:
        assert cut.prompt == "p1"
        assert 0.0 < cut.heard <= at


def test_a_prompt_that_was_stopped_says_no_more() -> None:
    async def work() -> tuple[int, int, list[fact.Event]]:
        line = Line(delay=1.0)
        line.play(Pause(0.5), SLOW)
        await line.run(0.2)
        line.speaking.stop(line.clock.now(), None)
        before = line.sent
        await line.run(3.0)
        return before, line.sent, line.facts

    before, after, facts = virtual_time.run(work())
    assert (after, facts) == (before, [])
