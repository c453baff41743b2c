"""Playout against a simulated carrier with its own buffer, clock, delay and jitter: an independent witness.

The carrier knows nothing of our ledger: each frame of audio says in its first bytes which item and frame it is, and
what was really heard at a moment is read from what the carrier was playing then.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from flowengine.audio.playout import Chunk, ClearOut, Command, Fact, ItemFinished, MarkOut, Playout

RATE = 8000
TICK = 0.02


def frames(item: int, seconds: float) -> bytes:
    count = round(seconds / TICK)
    return b"".join(bytes([item]) + number.to_bytes(3, "big") + bytes(156) for number in range(count))


@dataclass
class World:
    now: float = 0.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: itertools.count[int] = field(default_factory=itertools.count)

    def at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (time, next(self._number), what))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, what = heapq.heappop(self._due)
            what()
        self.now = until


class Carrier:
    """A media server behind two ordered links of ``delay`` seconds and up to a third of it of jitter each."""

    def __init__(self, world: World, rng: random.Random, delay: float, *, acks: bool, returns: bool) -> None:
        self.world, self.rng, self.delay, self.acks, self.returns = world, rng, delay, acks, returns
        self.clock = rng.uniform(-1e6, 1e6)
        self.phase = rng.uniform(0.0, TICK)
        self.free = 0.0  # when the queue has run dry
        self.pieces: list[tuple[float, bytes]] = []
        self.marks: dict[str, float] = {}
        self.links = {"down": 0.0, "up": 0.0}
        self.empty_marks = 0
        self.audio_in_gate = 0
        self.gated = False

    def _arrival(self, link: str) -> float:
        fastest = self.world.now + self.delay + self.rng.uniform(0.0, self.delay / 3)
        self.links[link] = max(self.links[link], fastest)
        return self.links[link]

    def write(self, command: Command) -> None:
        self.world.at(self._arrival("down"), lambda: self._take(command))

    def timestamp(self) -> float:
        """Of the last media message before now."""
        return (self.world.now - self.phase) // TICK * TICK + self.phase + self.clock

    def say(self, what: Callable[[float], None]) -> None:
        """Send something up, behind the media of this moment."""
        stamp = self.timestamp()
        self.world.at(self._arrival("up"), lambda: what(stamp))

    def _take(self, command: Command) -> None:
        now = self.world.now
        if isinstance(command, Chunk):
            self.free = max(self.free, now)
            self.pieces.append((self.free, command.data))
            self.free += len(command.data) / RATE
        elif isinstance(command, MarkOut):
            self.empty_marks += self.free <= now
            self.marks[command.name] = self.free
            self.world.at(max(now, self.free), lambda: self._played(command.name))
        else:
            kept = [(start, data[: max(0, round((now - start) * RATE))]) for start, data in self.pieces[-20:]]
            self.pieces = self.pieces[:-20] + [piece for piece in kept if piece[1]]
            self.free = now
            out, self.marks = list(self.marks), {}
            for name in out if self.returns else ():
                self.say(self.on_mark(name))
            if self.acks:
                self.say(lambda _: self.host.playout.cleared(self.world.now))

    def _played(self, name: str) -> None:
        if self.marks.pop(name, None) is not None:
            self.say(self.on_mark(name))

    def on_mark(self, name: str) -> Callable[[float], None]:
        return lambda stamp: self.host.take(self.host.playout.mark_returned(name, self.world.now, stamp))

    host: Host

    def playing(self, time: float) -> tuple[int, int]:
        """Which item, and how many of its samples had been heard."""
        start, data = next((piece for piece in reversed(self.pieces) if piece[0] <= time), (0.0, b""))
        at = min(len(data), round((time - start) * RATE))
        frame = max(0, at - 1) // 160 * 160
        return data[frame], int.from_bytes(data[frame + 1 : frame + 4], "big") * 160 + at - frame


class Host:
    def __init__(self, world: World, carrier: Carrier, playout: Playout) -> None:
        self.world, self.carrier, self.playout = world, carrier, playout
        self.facts: list[Fact] = []
        carrier.host = self
        world.at(0.0, self.tick)
        world.at(carrier.phase, self.media)

    def take(self, facts: list[Fact]) -> None:
        self.facts.extend(facts)

    def tick(self) -> None:
        self.pull()
        self.world.at(self.world.now + TICK, self.tick)

    def pull(self) -> None:
        commands, facts = self.playout.pull(self.world.now)
        self.take(facts)
        for command in commands:
            self.carrier.write(command)

    def media(self) -> None:
        self.carrier.say(lambda stamp: self.playout.media_seen(self.world.now, stamp))
        self.world.at(self.world.now + TICK, self.media)


def line(seed: int, delay: float, form: str) -> tuple[World, Carrier, Host, random.Random]:
    rng = random.Random(seed)
    world = World()
    vobiz = form == "vobiz"
    carrier = Carrier(world, rng, delay, acks=vobiz, returns=not vobiz)
    playout = Playout(clear_ack=vobiz, marks_on_clear="lost" if vobiz else "returned", prefix="c1")
    return world, carrier, Host(world, carrier, playout), rng


def interruptions(seed: int, delay: float, form: str, *, stamps: bool = True) -> list[float]:
    """One call of ten prompts, each interrupted by a key; the errors in seconds of what we say was heard."""
    world, carrier, host, rng = line(seed, delay, form)
    errors: list[float] = []

    def key() -> None:
        if not carrier.pieces or carrier.free <= world.now:
            return  # nothing is playing: nothing to measure
        item, heard = carrier.playing(world.now)

        def arrived(stamp: float) -> None:
            positions = host.playout.stop(world.now, stamp if stamps else None)
            if str(item) in positions:
                position = positions[str(item)]
                if not position.estimated:
                    errors.append((position.samples - heard) / RATE)
            host.pull()

        carrier.say(arrived)

    for number in range(1, 21, 2):
        for item in (number, number + 1):  # two in the queue, so that some keys hit the second
            host.playout.begin(str(item))
            host.playout.append(str(item), frames(item, rng.uniform(0.5, 4.0)))
            host.playout.finish(str(item))
        world.at(world.now + 2 * delay + rng.uniform(0.1, 5.0), key)
        world.run(world.now + 10.0)
        assert host.playout.idle
    assert carrier.empty_marks == 0
    return errors


def percentile(values: list[float], share: float) -> float:
    return sorted(abs(value) for value in values)[int(len(values) * share)]


def measure(delay: float, form: str) -> tuple[int, float, float]:
    errors = [error for seed in range(40) for error in interruptions(seed, delay, form)]
    return len(errors), percentile(errors, 0.5), percentile(errors, 0.95)


@pytest.mark.parametrize("form", ["twilio", "vobiz"])
@pytest.mark.parametrize("delay", [0.0, 0.06, 0.15])
def test_heard_position_is_within_a_frame(delay: float, form: str) -> None:
    count, _, p95 = measure(delay, form)
    assert count >= 200
    assert p95 <= 0.020


@pytest.mark.parametrize("delay", [0.0, 0.06, 0.15])
def test_without_timestamps_only_the_jitter_is_lost(delay: float) -> None:
    errors = [error for seed in range(20) for error in interruptions(seed, delay, "twilio", stamps=False)]
    assert percentile(errors, 0.95) <= 0.020 + delay / 3


@pytest.mark.parametrize("form", ["twilio", "vobiz"])
@pytest.mark.parametrize("seed", range(10))
def test_all_audio_is_played_once_in_order_without_a_gap(form: str, seed: int) -> None:
    world, carrier, host, rng = line(seed, 0.06, form)
    for item in (1, 2, 3):
        host.playout.begin(str(item))
        audio = frames(item, 1.5)
        while audio:
            size = rng.randrange(1, 3000)
            host.playout.append(str(item), audio[:size])
            audio = audio[size:]
        host.playout.finish(str(item))
    world.run(8.0)
    assert b"".join(data for _, data in carrier.pieces) == b"".join(frames(item, 1.5) for item in (1, 2, 3))
    ends = [(start, start + len(data) / RATE) for start, data in carrier.pieces]
    assert all(abs(end - start) < 1e-6 for (_, end), (start, _) in itertools.pairwise(ends))
    finished = [fact for fact in host.facts if isinstance(fact, ItemFinished)]
    assert [(fact.item, fact.samples, fact.mark_lost) for fact in finished] == [
        (str(n), 12000, False) for n in (1, 2, 3)
    ]
    assert all(fact.at >= ends[-1][1] - 3.0 for fact in finished)
    assert finished[-1].at >= carrier.free  # never before the last sample was played
    assert host.playout.gaps == 0
    assert carrier.empty_marks == 0


@pytest.mark.parametrize("form", ["twilio", "vobiz"])
@pytest.mark.parametrize("seed", range(30))
def test_pause_and_resume_lose_nothing_and_repeat_little(form: str, seed: int) -> None:
    world, carrier, host, rng = line(seed, 0.06, form)
    for item in (1, 2):
        host.playout.begin(str(item))
        host.playout.append(str(item), frames(item, 3.0))
        host.playout.finish(str(item))
    world.run(rng.uniform(0.8, 5.0))
    host.playout.pause(world.now, carrier.timestamp() - 0.06)
    host.pull()
    world.run(world.now + 0.5)
    silent = carrier.free
    world.run(world.now + 1.0)
    assert carrier.free == silent
    host.playout.resume(world.now)
    world.run(world.now + 10.0)
    played = b"".join(data for _, data in carrier.pieces)
    seen = [(played[at], int.from_bytes(played[at + 1 : at + 4], "big")) for at in _frame_starts(carrier)]
    assert set(seen) == {(item, number) for item in (1, 2) for number in range(150)}
    assert len(seen) <= 300 + 25
    finished = [fact for fact in host.facts if isinstance(fact, ItemFinished)]
    assert [(fact.item, fact.mark_lost) for fact in finished] == [("1", False), ("2", False)]
    assert host.playout.idle
    assert host.playout.gaps == 0
    assert carrier.empty_marks == 0


def _frame_starts(carrier: Carrier) -> list[int]:
    """Where frames begin in all that was played; a clear may have cut one in the middle."""
    starts: list[int] = []
    at = 0
    for _, data in carrier.pieces:
        starts += range(at, at + len(data) - 3, 160)
        at += len(data)
    return starts


def slow_synthesizer(seed: int, form: str) -> tuple[list[float], Host]:
    """A prompt of six seconds that comes in four parts, each half a second late; the errors of 8 positions."""
    world, carrier, host, rng = line(seed, 0.06, form)
    errors: list[float] = []
    audio = frames(1, 6.0)

    def feed(part: int) -> None:
        host.playout.append("1", audio[part * 12000 : (part + 1) * 12000])
        if part == 3:
            world.at(world.now + 2.0, lambda: host.playout.finish("1"))
        else:
            world.at(world.now + 2.0, lambda: feed(part + 1))

    def key() -> None:
        _, heard = carrier.playing(world.now)

        def arrived(stamp: float) -> None:
            position = host.playout.heard("1", world.now, stamp)
            if not position.estimated:
                errors.append((position.samples - heard) / RATE)

        carrier.say(arrived)

    host.playout.begin("1")
    feed(0)
    for _ in range(8):
        world.run(world.now + rng.uniform(0.6, 0.9))
        key()
    world.run(12.0)
    return errors, host


@pytest.mark.parametrize("form", ["twilio", "vobiz"])
def test_a_slow_synthesizer_makes_gaps_and_the_position_stays_right(form: str) -> None:
    errors: list[float] = []
    for seed in range(20):
        found, host = slow_synthesizer(seed, form)
        errors += found
        assert host.playout.gaps == 3
        assert host.playout.idle
    assert len(errors) > 100
    assert percentile(errors, 0.95) <= 0.020


def test_clears_reach_the_carrier_before_what_follows() -> None:
    world, _, host, _ = line(1, 0.0, "vobiz")
    host.playout.begin("1")
    host.playout.append("1", frames(1, 3.0))
    world.run(1.0)
    host.playout.stop(world.now, None)
    host.playout.begin("2")
    host.playout.append("2", frames(2, 0.2))
    assert host.playout.pull(world.now)[0] == [ClearOut()]
