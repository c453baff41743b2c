"""The tests of a flow as values: what is given, what the caller does, and what is expected, each with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowengine.flow.diagnostics import Span
from flowengine.flow.source import Value
from flowengine.testing.scripted import Answer

CALLER = "+15550001111"
CALLED = "+15551234567"
CLOCK = "2026-01-05T10:00"


@dataclass(frozen=True, slots=True)
class Wording:
    """What is looked for in the words of the bot: ``pattern`` finds it, ``text`` is what the author wrote."""

    text: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Moment:
    """When in a prompt the caller acts: a share of it (0 to 1), or seconds from its beginning."""

    text: str
    share: float | None = None
    seconds: float = 0.0

    def within(self, length: float) -> float:
        """Give the seconds from the beginning of a prompt of this length."""
        return self.seconds if self.share is None else self.share * length


@dataclass(frozen=True, slots=True)
class Step:
    """One line of `talk`. ``span`` is the place of what the step says."""

    span: Span


@dataclass(frozen=True, slots=True)
class Bot(Step):
    """The bot says this, now or before it waits for the caller."""

    words: Wording


@dataclass(frozen=True, slots=True)
class Not(Step):
    """The bot does not say this before the next `bot` or `end`."""

    words: Wording


@dataclass(frozen=True, slots=True)
class Act(Step):
    """The caller, or the world, does something: at the waiting point, or at a moment of the prompt."""

    at: Moment | None


@dataclass(frozen=True, slots=True)
class Keys(Act):
    """The caller presses keys; ``digits`` are of 0-9 * # A-D."""

    digits: str


@dataclass(frozen=True, slots=True)
class Hear(Act):
    """The caller speaks: one final transcript."""

    text: str


@dataclass(frozen=True, slots=True)
class Silence(Act):
    """Nothing happens for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Happening(Act):
    """An application sends an event into the call."""

    name: str
    data: Any


@dataclass(frozen=True, slots=True)
class HangUp(Act):
    """The caller hangs up."""


@dataclass(frozen=True, slots=True)
class TransferEnds(Step):
    """A transfer is started, and the dialled party answers so."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Machine(Step):
    """An answering machine has picked up."""


@dataclass(frozen=True, slots=True)
class Enter(Step):
    """The call comes to this node: `NODE` or `FLOW/NODE`."""

    node: str


@dataclass(frozen=True, slots=True)
class End(Step):
    """The call, or the flow, ends: `hangup`, `transfer` or `return`, the last one with an outcome perhaps."""

    how: str
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """A name with its place."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Given:
    """A name and a value as they were written: an argument, an expected variable, the answers of a tool."""

    name: str
    span: Span
    value: Value


@dataclass(frozen=True, slots=True)
class Case:
    """One test. ``clock`` is local to the flow unless it has an offset; ``path`` None is not looked at."""

    name: str
    span: Span
    talk: tuple[Step, ...] = ()
    path: tuple[Named, ...] | None = None
    vars: tuple[Given, ...] = ()
    args: tuple[Given, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    caller: str = CALLER
    called: str = CALLED
    direction: str = "inbound"
    clock: str = CLOCK
    seed: int = 1
    tools: tuple[Given, ...] = ()
    model: tuple[Answer, ...] | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one file, for one flow."""

    file: str
    flow: Named
    tests: tuple[Case, ...]
