"""The scores of many calls as figures, and the figures as a table of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowengine.testing.report import CallReport
from tests.ears.following import Track
from tests.ears.scenarios import Scenario
from tests.ears.scoring import (
    Aside,
    Interruption,
    Turn,
    Undisturbed,
    aside,
    interruption,
    quantile,
    turns,
    undisturbed,
    upper,
)

ALL = "all"


@dataclass
class Scores:
    """What one system scored, by kind and row of the table."""

    undisturbed: dict[str, list[Undisturbed]] = field(default_factory=dict)
    interruptions: dict[str, list[Interruption]] = field(default_factory=dict)
    asides: dict[str, list[Aside]] = field(default_factory=dict)
    turns: dict[str, list[Turn]] = field(default_factory=dict)

    def add(self, scenario: Scenario, report: CallReport, prompt: Track) -> None:
        """Score a call."""
        match scenario.kind:
            case "noise":
                self.undisturbed.setdefault(scenario.cell, []).append(undisturbed(report, prompt))
            case "interruption":
                self.interruptions.setdefault(scenario.cell, []).append(interruption(report, prompt))
            case "aside":
                self.asides.setdefault(scenario.cell, []).append(aside(report, prompt))
            case "turns":
                self.turns.setdefault(scenario.cell, []).extend(turns(report))


@dataclass(frozen=True, slots=True)
class Falsely:
    """Stops and pauses in prompts to which nobody spoke, per 10 minutes of prompt, with the 95 % bound of the stops."""

    minutes: float
    stops: int
    pauses: int
    paused_share: float

    @property
    def rate(self) -> float:
        """Give stops per 10 minutes."""
        return self.stops / self.minutes * 10 if self.minutes else 0.0

    @property
    def bound(self) -> float:
        """Give the upper bound of that at 95 %; infinite where nothing was played."""
        return upper(self.stops) / self.minutes * 10 if self.minutes else math.inf

    @property
    def pause_rate(self) -> float:
        """Give pauses per 10 minutes."""
        return self.pauses / self.minutes * 10 if self.minutes else 0.0


def falsely(scores: Iterable[Undisturbed]) -> Falsely:
    """Add prompts up."""
    found = list(scores)
    seconds = math.fsum(one.seconds for one in found)
    paused = math.fsum(one.paused for one in found)
    return Falsely(
        seconds / 60,
        sum(one.stopped for one in found),
        sum(one.pauses for one in found),
        paused / (seconds + paused) if seconds + paused else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Yields:
    """Interruptions: of ``count``, how many stopped the prompt in 2 s, and how soon; seconds."""

    count: int
    yielded: int
    early: int
    p50: float | None
    p95: float | None


def yields(scores: Iterable[Interruption]) -> Yields:
    """Add interruptions up; those that came too late because the prompt had been stopped do not count as any."""
    found = list(scores)
    latencies = [one.latency for one in found if one.latency is not None]
    early = sum(one.early for one in found)
    return Yields(len(found) - early, len(latencies), early, quantile(latencies, 0.5), quantile(latencies, 0.95))


@dataclass(frozen=True, slots=True)
class Ends:
    """Turns: how many, cut into, unanswered; false cutoffs of holds; the delay from the end to the answer; seconds."""

    count: int
    cut: int
    missed: int
    holds: int
    cut_holds: int
    p50: float | None
    p95: float | None


def ends(scores: Iterable[Turn]) -> Ends:
    """Add turns up."""
    found = list(scores)
    holds = [hold for turn in found for hold in turn.holds]
    latencies = [turn.latency for turn in found if turn.latency is not None]
    return Ends(
        len(found),
        sum(turn.cut_ins > 0 for turn in found),
        sum(not turn.answered for turn in found),
        len(holds),
        sum(hold.cut for hold in holds),
        quantile(latencies, 0.5),
        quantile(latencies, 0.95),
    )


def table(systems: Mapping[str, Scores]) -> str:
    """Give the table: a section for each kind of call, a row for each cell, a column for each system."""
    parts = [
        "False interruptions: stops per 10 min of prompt (95 % bound), pauses per 10 min, share of time paused",
        *_rows(systems, "undisturbed", _falsely_text, grouped=True),
        "",
        "Interruptions: yield rate (tau-voice, within 2 s), from onset to silence p50 / p95",
        *_rows(systems, "interruptions", _yields_text),
        "",
        "Selectivity: share not cut (share neither cut nor paused for 200 ms, as tau-voice counts)",
        *_rows(systems, "asides", _asides_text),
        "",
        "Ends of turns: cut into / turns, missed (4 s), false cutoffs / holds (eot-bench), delay p50 / p95",
        *_rows(systems, "turns", _ends_text),
    ]
    return "\n".join(parts) + "\n"


def rows(systems: Mapping[str, Scores], kind: str) -> list[str]:
    """Give the rows that any system has, in the order of their first appearance."""
    return list(dict.fromkeys(row for scores in systems.values() for row in getattr(scores, kind)))


def together(scores: Scores, kind: str, row: str) -> list[Any]:
    """Give the scores of a row, of ``all`` of them, or of a kind of noise at all levels (``car *``)."""
    cells: dict[str, list[Any]] = getattr(scores, kind)
    if row == ALL:
        return [one for cell in cells.values() for one in cell]
    if row.endswith(" *"):
        return [one for name, cell in cells.items() if name.rpartition(" ")[0] == row[:-2] for one in cell]
    return cells.get(row, [])


def _rows(
    systems: Mapping[str, Scores], kind: str, text: Callable[[Sequence[Any]], str], *, grouped: bool = False
) -> list[str]:
    names = rows(systems, kind)
    if grouped:
        groups = list(dict.fromkeys(name.rpartition(" ")[0] for name in names))
        names = [
            row for group in groups for row in (f"{group} *", *(n for n in names if n.rpartition(" ")[0] == group))
        ]
    lines = [f"{'':<18}" + "".join(f"{name:>34}" for name in systems)]
    for row in (ALL, *names):
        values = [together(scores, kind, row) for scores in systems.values()]
        lines.append(f"{row:<18}" + "".join(f"{text(value) if value else '-':>34}" for value in values))
    return lines


def _falsely_text(scores: Sequence[Undisturbed]) -> str:
    found = falsely(scores)
    return f"{_rate(found.rate)} (<{_rate(found.bound)})  {_rate(found.pause_rate):>5}  {found.paused_share:4.0%}"


def _rate(per_ten_minutes: float) -> str:
    """Write a rate; what is stopped in its first seconds gives figures that mean nothing but often."""
    return f"{per_ten_minutes:.1f}" if per_ten_minutes < 100 else ">99"


def _yields_text(scores: Sequence[Interruption]) -> str:
    found = yields(scores)
    early = f" early {found.early}" if found.early else ""
    return f"{found.yielded}/{found.count}{early}  {ms(found.p50)} / {ms(found.p95)}"


def _asides_text(scores: Sequence[Aside]) -> str:
    kept, unbroken = sum(one.kept for one in scores), sum(one.unbroken for one in scores)
    return f"{kept / len(scores):.2f} ({unbroken / len(scores):.2f})  of {len(scores)}"


def _ends_text(scores: Sequence[Turn]) -> str:
    found = ends(scores)
    cut = f"{found.cut}/{found.count}  {found.missed}  {found.cut_holds}/{found.holds}"
    return f"{cut}  {ms(found.p50)} / {ms(found.p95)}"


def ms(seconds: float | None) -> str:
    """Write seconds as milliseconds."""
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
