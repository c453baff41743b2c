"""What a seed does: its calls, what their callers do, and what goes wrong with the line, the store and the server."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flowengine.testing.script import (
    Dialled,
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Say,
    Script,
    Silence,
    Step,
    StopReading,
    WaitAudio,
    WaitSilence,
)

ROOT = Path(__file__).parents[2]
FILES = (
    *(ROOT / "flows" / name for name in ("front-desk.yaml", "clinic.yaml")),
    *(ROOT / "tests" / "nodes" / "flows" / name for name in ("outer.yaml", "inner.yaml")),
    Path(__file__).parent / "flows" / "soak.yaml",
    Path(__file__).parent / "flows" / "talks.yaml",
)
NAMES = ("soak", "soak", "soak", "talks", "talks", "front-desk", "clinic", "outer")
GARBAGE = (
    "{",
    "not json",
    "[]",
    "null",
    '{"event": "dtmf"}',
    '{"event": "mark"}',
    '{"event": "MEDIA"}',
    '{"event": "media", "media": {"payload": "%%%"}}',
    '{"event": "media", "media": {"payload": ""}}',
    '{"event": "stop"',
    "[" * 3000,
)
CODES: tuple[Any, ...] = ("reset", "abort", 1000, 1001, 1005, 1011, 4000)
VOICE = b"\x10\x90\x1f\x9a" * 8000  # as loud as a voice
PATIENCE = 200.0  # no flow of a simulation keeps a silent caller for so long
# Of the world, not of one call: kinds with how often a seed has them and for how long.
WINDOWS = {
    "store slow": (0.15, 8.0),
    "store fails": (0.12, 6.0),
    "voice fails": (0.12, 6.0),
    "voice hangs": (0.05, 4.0),
    "words fail": (0.08, 6.0),
    "words hang": (0.05, 6.0),
    "model fails": (0.1, 6.0),
    "model hangs": (0.06, 10.0),
}
LINE = {
    "answer twice": 0.12,
    "status twice": 0.12,
    "continue twice": 0.06,
    "start missing": 0.03,
    "start twice": 0.06,
    "start late": 0.05,
    "start after media": 0.08,
    "start of another call": 0.02,
    "start of another codec": 0.02,
    "token again": 0.12,
    "marks lost": 0.08,
    "marks late": 0.08,
    "marks twice": 0.06,
    "marks unknown": 0.06,
    "clears unconfirmed": 0.05,
    "keys twice": 0.08,
    "talks after stop": 0.08,
    "burst": 0.15,
    "gap": 0.1,
    "stall": 0.1,
}


@dataclass
class Faults:
    """What goes wrong in a world, when, and how often it did."""

    windows: list[tuple[str, float, float]] = field(default_factory=list)
    crashes: list[float] = field(default_factory=list)
    drains: list[float] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)
    crash_at_await: int | None = None
    instants: dict[int, Callable[[], None]] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)
    awaits: int = 0

    def on(self, kind: str, now: float) -> bool:
        """Whether a fault is on, which is then counted."""
        found = any(name == kind and since <= now < until for name, since, until in self.windows)
        if found:
            self.injected[kind] += 1
        return found

    def awaited(self) -> None:
        """The server awaits the world once more: what is planned for this very await happens."""
        self.awaits += 1
        action = self.instants.pop(self.awaits, None)
        if action is not None:
            action()


@dataclass(frozen=True)
class CallPlan:
    """One call."""

    number: int
    carrier: Literal["twilio", "vobiz"]
    flow: str
    begins: float
    script: Script
    line: frozenset[str]
    delay: float
    jitter: float
    frame: int
    told: bool
    """Whether the carrier reports the end of the call to our status address."""
    at_await: int | None
    """The caller hangs up in the instant of this await of the server."""


@dataclass(frozen=True)
class Plan:
    """A seed."""

    seed: int
    calls: tuple[CallPlan, ...]
    faults: Faults


def plan(seed: int) -> Plan:
    """Give what a seed does."""
    rng = random.Random(seed)
    calls = tuple(_call(rng, number) for number in range(rng.choice([1, 2, 2, 3])))
    faults = Faults()
    for kind, (chance, longest) in WINDOWS.items():
        if rng.random() < chance:
            since = 1000.0 + rng.uniform(0, 12)
            faults.windows.append((kind, since, since + rng.uniform(0.2, longest)))
    if rng.random() < 0.2:
        faults.crashes = [rng.uniform(0.0, 14.0) for _ in range(rng.choice([1, 1, 2]))]
    elif rng.random() < 0.08:
        faults.drains = [rng.uniform(0.0, 10.0)]
    if rng.random() < 0.1:
        faults.stalls = [(rng.uniform(0.0, 10.0), rng.choice([0.05, 0.5, 2.0, 10.0]))]
    return Plan(seed, calls, faults)


def one_call(carrier: Literal["twilio", "vobiz"], *, hangs_up: int | None = None, crashes: int | None = None) -> Plan:
    """Give a plan of one call through menu, value, confirmation and transfer, with one thing that goes wrong.

    ``hangs_up`` and ``crashes`` say at which await of the server the caller leaves, or the server dies.
    """
    steps = (
        WaitAudio(0.2),
        Keys("5", 0.02) if crashes is not None else Keys("1123412", 0.02),
        WaitAudio(0.2, 4),
        *((Keys("2"), WaitAudio(0.3, 8)) if crashes is None else ()),
        ExpectEnd(PATIENCE),
    )
    script = Script(steps, carrier, transfers=(Dialled("busy"), Dialled("ended", 1.0)))
    call = CallPlan(0, carrier, "soak", 0.0, script, frozenset(), 0.0, 0.0, 800, False, hangs_up)
    return Plan(0, (call,), Faults(crash_at_await=crashes))


def _call(rng: random.Random, number: int) -> CallPlan:
    carrier: Literal["twilio", "vobiz"] = rng.choice(["twilio", "vobiz"])
    line = frozenset(kind for kind, chance in LINE.items() if rng.random() < chance * 0.6)
    outcomes: list[Any] = ["ended", "busy", "noanswer", "failed", "declined"]
    transfers = tuple(Dialled(rng.choice(outcomes), rng.uniform(0, 4)) for _ in range(9))
    return CallPlan(
        number,
        carrier,
        rng.choice(NAMES),
        rng.choice([0.0, 0.0, rng.uniform(0, 5)]),
        Script(tuple(_steps(rng)), carrier, transfers=transfers),
        line,
        rng.choice([0.0, 0.0, 0.02, 0.15]),
        rng.choice([0.0, 0.0, 0.05, 0.2]),
        rng.choice([160, 480, 800, 800]),
        rng.random() < 0.75,
        rng.randint(1, 260) if rng.random() < 0.25 else None,
    )


def _steps(rng: random.Random) -> list[Step]:
    steps: list[Step] = []
    for _ in range(rng.randint(0, 5)):
        waits: list[Step] = [WaitAudio(rng.uniform(0.02, 1.0), 6), Silence(rng.uniform(0, 1.5)), WaitSilence(0.3, 6)]
        steps.append(rng.choice(waits))
        kind = rng.random()
        if kind < 0.25:
            steps.append(Say(VOICE[: round(rng.choice([0.05, 0.2, 0.5, 1.5, 4.0]) * 8000)]))
        elif kind < 0.7:
            length = rng.choice([1, 1, 1, 1, 2, 5, 12])
            steps.append(Keys("".join(rng.choices("12233445566**#7888888880", k=length)), rng.choice([0.0, 0.02, 0.3])))
        elif kind < 0.74:
            steps.append(Keys("".join(rng.choices("0123456789", k=150)), 0.001))
        elif kind < 0.84:
            steps += [Garbage(rng.choice(GARBAGE))] * rng.choice([1, 1, 1, 30])
        elif kind < 0.93:
            steps.append(Drop(rng.choice(CODES)))
    last = rng.random()
    if last < 0.06:
        steps += [StopReading(), ExpectEnd(PATIENCE)]
    elif last < 0.16:
        steps.append(Drop(rng.choice(CODES), "nothing"))
    elif last < 0.35:
        steps.append(ExpectEnd(PATIENCE))
    else:
        steps += [Silence(rng.uniform(0, 1.0)), HangUp()]
    return steps
