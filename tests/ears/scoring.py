"""Scores of a call from the phone's report alone: what was played, and what was spoken with its labels.

The definitions are those of τ-voice (https://github.com/sierra-research/tau2-bench, docs/interaction-metrics.md) and
eot-bench (https://github.com/livekit/eot-bench, README.md), on a grid of 10 ms instead of ticks of 200 ms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowengine.testing.labels import Said, Timeline
from flowengine.testing.report import CallReport
from tests.ears.following import CELL, RATE, Track, audible, follow, runs

NO_YIELD = 2.0
"""τ-voice, ``no_yield_window_sec``: "Time for the agent to yield after a real interruption"."""

SELECTIVE = 1.0
"""τ-voice, ``backchannel_yield_window_sec``: "Yield within this window after a backchannel = error"."""

TICK = 0.2
"""τ-voice, ``tick_duration_sec``: a shorter silence is no yield there."""

MISSED = 4.0
"""Seconds after a turn without an answer that count as no answer at all."""

PRESENCE = 0.3
"""Seconds of silence after which something audible begins anew: a shorter gap is one between words."""


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A prompt in noise in which nobody spoke to it.

    ``seconds`` of it were played; ``stopped``: it was cut for good, though nobody had spoken; ``pauses`` of more than
    150 ms after which it went on, and for how many seconds it was paused.
    """

    seconds: float
    stopped: bool
    pauses: int
    paused: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """A caller who spoke into a prompt.

    τ-voice: "yield — the agent stopped within the no-yield window (2.0 s). The time to stop is the yield latency";
    "no_yield — the agent kept talking through the window". ``latency`` is in seconds, from the labelled onset of the
    speech to the last audible sample of the prompt: None where it was not stopped in 2 s, 0 where the prompt was
    between two words when the caller began, and was not heard again. ``early``: the prompt was cut before the caller
    spoke, so there was nothing to interrupt, which is a false stop.
    """

    latency: float | None
    early: bool = False


@dataclass(frozen=True, slots=True)
class Aside:
    """A "mhm", a cough, or words that were meant for somebody else, into a prompt.

    τ-voice: selectivity is the "fraction of user backchannels the agent correctly talked through", error = "yields
    within 1.0 s". ``kept``: it was not cut for good within 1 s of the sound's end; ``unbroken``: it was not silent for
    a tick of 200 ms either, which is τ-voice's own, stricter measure. A prompt that was cut even before was not kept.
    """

    kept: bool
    unbroken: bool


@dataclass(frozen=True, slots=True)
class Hold:
    """A silence of the caller inside of a turn, eot-bench: "every earlier pause is a mid-turn hesitation the agent
    should listen through". ``cut``: the agent began to speak after its begin and before the turn's end."""

    seconds: float
    cut: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the caller's.

    eot-bench: a false cutoff is "firing on a mid-turn pause that wasn't actually the end of the turn"; latency is "the
    time the agent waits after a true turn ending before taking the floor". ``cut_ins`` are τ-voice's
    agent-interrupts-user events: "every agent segment that starts while the user is speaking". ``latency`` is in
    seconds from the labelled end to the first audible sample of what the bot says, None where it was cut into, or where
    nothing was said for 4 s (``answered`` is then False).
    """

    cut_ins: int
    latency: float | None
    answered: bool
    holds: tuple[Hold, ...] = ()


def undisturbed(report: CallReport, prompt: Track) -> Undisturbed:
    """Score a prompt in noise."""
    heard = follow(report.samples(report.played), prompt)
    return Undisturbed(
        heard.played, not heard.whole, len(heard.pauses), math.fsum(pause.seconds for pause in heard.pauses)
    )


def interruption(report: CallReport, prompt: Track) -> Interruption:
    """Score the first thing that the caller said into a prompt."""
    heard = follow(report.samples(report.played), prompt)
    first = _first(report)
    onset = first[0].time(first[1], first[1].clip.onset) if first else math.inf
    if heard.due < onset and not heard.whole:
        return Interruption(None, early=True)
    if heard.whole or heard.end > onset + NO_YIELD:
        return Interruption(None)
    return Interruption(max(0.0, heard.end - onset))


def aside(report: CallReport, prompt: Track) -> Aside:
    """Score the first thing that the caller said into a prompt as something that is not to stop it."""
    heard = follow(report.samples(report.played), prompt)
    first = _first(report)
    if first is None:
        return Aside(kept=False, unbroken=False)
    timeline, said = first
    onset, end = timeline.time(said, said.clip.onset), timeline.time(said, said.clip.end)
    kept = heard.whole or heard.end > end + SELECTIVE
    broken = any(onset <= pause.at <= end + SELECTIVE and pause.seconds >= TICK for pause in heard.pauses)
    return Aside(kept, kept and not broken)


def turns(report: CallReport) -> list[Turn]:
    """Score every turn that the caller took while nothing was being played."""
    track = report.samples(report.played)
    gap = round(PRESENCE * RATE / CELL)
    begins: list[float] = []
    last = -gap - 1
    for begin, end in runs(audible(track)):
        if begin - last > gap:
            begins.append(begin * CELL / RATE)
        last = end
    return [_turn(timeline, said, begins) for timeline, said in _all(report) if said.clip.kind == "speech"]


def _turn(timeline: Timeline, said: Said, begins: Sequence[float]) -> Turn:
    clip = said.clip
    onset, end = timeline.time(said, clip.onset), timeline.time(said, clip.end)
    cuts = [at for at in begins if onset < at < end]
    answer = next((at for at in begins if end <= at <= end + MISSED), None)
    spans = [(timeline.time(said, begin), timeline.time(said, over)) for begin, over in clip.pauses()]
    following = [*(begin for begin, _ in spans[1:]), end]
    holds = tuple(
        Hold(over - begin, any(begin < at < until for at in cuts))
        for (begin, over), until in zip(spans, following, strict=False)
    )
    latency = answer - end if answer is not None and not cuts else None
    return Turn(len(cuts), latency, bool(cuts) or answer is not None, holds)


def _all(report: CallReport) -> list[tuple[Timeline, Said]]:
    return [(timeline, said) for timeline in report.timelines for said in timeline.said]


def _first(report: CallReport) -> tuple[Timeline, Said] | None:
    """Give what was said first; None where the call was over before."""
    return next(iter(_all(report)), None)


def quantile(values: Sequence[float], q: float) -> float | None:
    """Give the smallest value that at least this share of the values does not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)] if ordered else None


def upper(count: int, confidence: float = 0.95) -> float:
    """Give the one-sided upper bound of the expectation of a Poisson count: 3.0 for none seen at 95 %."""
    low, high = 0.0, 10.0 + 3.0 * count
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count, middle) > 1 - confidence else (low, middle)
    return (low + high) / 2


def _at_most(count: int, expected: float) -> float:
    term = total = math.exp(-expected)
    for k in range(1, count + 1):
        term *= expected / k
        total += term
    return total
