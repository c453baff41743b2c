"""What became of a prompt that a phone heard: where it stood still, whether it was cut, and when its last sample came.

The prompt is known by a reference, the same prompt played to a silent caller. What was heard is compared with it, so
that a pause of the speaker is told from one of the engine, and a prompt that goes on from another one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE = 8000
CELL = 80
"""Samples of the grid on which audio is audible or not: 10 ms."""

LOUD = 200
"""The peak from which a cell is audible: -44 dBFS, above comfort noise and padding."""

PAUSE = 0.15
"""Seconds of silence inside a prompt, beside the speaker's own, from which it is a pause of the engine."""

_NEARLY = 0.25  # seconds at the end of a prompt without which it still counts as whole
_SNIPPET = 0.5  # seconds that are looked for in the reference
_BACK, _ON = 4.0, 2.0  # seconds before and after where it stopped in which it is looked for
_ALIKE = 0.6  # correlation from which two pieces are the same
_SCRAP = 0.06  # seconds of sound that are too few to tell what they are
_BLOCK = 800  # samples that are compared when something may have been cut without a silence

Track = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Pause:
    """The engine was silent inside a prompt from ``at`` for ``seconds``, and then went on with it.

    A silence of the speaker's own at that place is not counted.
    """

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of a prompt, times in seconds of the call.

    ``played`` is how much of it was heard, without the pauses; ``whole``: up to its end; ``known``: it is the prompt.
    ``due`` is when it would have been audible again after ``end``: later than that where the speaker took a breath.
    """

    begin: float
    end: float
    played: float
    pauses: tuple[Pause, ...]
    whole: bool
    known: bool = True
    due: float = 0.0


def audible(track: Track) -> NDArray[np.bool_]:
    """Say for each cell of 10 ms whether something is to be heard in it; a rest of a cell is not looked at."""
    cells = len(track) // CELL
    return np.asarray(np.abs(track[: cells * CELL].astype(np.int32)).reshape(cells, CELL).max(axis=1) > LOUD)


def runs(cells: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Give begin and end of each run of cells that are True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], cells, [False])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def reference(track: Track) -> Track:
    """Cut a track to what is audible of it. Raises ``ValueError`` when nothing is."""
    loud = np.flatnonzero(np.abs(track.astype(np.int32)) > LOUD)
    if not loud.size:
        raise ValueError("nothing was played")
    return track[loud[0] : loud[-1] + 1]


def follow(track: Track, prompt: Track) -> Heard:
    """Follow the prompt through what was played, from the first audible sample on."""
    loud = np.flatnonzero(np.abs(track.astype(np.int32)) > LOUD)
    if not loud.size:
        return Heard(0.0, 0.0, 0.0, (), whole=False, known=False)
    begin = start = int(loud[0])
    place = 0  # of the prompt, that is heard at ``start``
    played, pauses = 0, list[Pause]()
    breaks = _breaks(loud, len(track))
    ends = [*(stop for stop, _ in breaks[1:]), len(track)]
    for (stop, again), end in zip(breaks, ends, strict=True):
        same = _same(track[start:stop], prompt[place:])
        cut = same < stop - start
        played, place, stop = played + same, place + same, start + same
        if cut or place >= len(prompt) - _NEARLY * RATE:
            break
        # No more than is audible of it: what follows may be a pause of the engine.
        found = _find(track[again : min(end, again + round(_SNIPPET * RATE))], prompt, place)
        if found is None:
            break
        own = _silence(prompt, place)
        if (again - stop - own) / RATE > PAUSE:
            pauses.append(Pause((stop + own) / RATE, (again - stop - own) / RATE))
        else:
            played += again - stop
        start, place = again, found
    whole = place >= len(prompt) - _NEARLY * RATE
    due = (stop + _silence(prompt, place)) / RATE
    return Heard(begin / RATE, stop / RATE, played / RATE, tuple(pauses), whole, played > 0, due)


def _breaks(loud: NDArray[np.intp], length: int) -> list[tuple[int, int]]:
    """Give begin and end of each silence that may be a pause; a scrap of sound between two of them is part of both."""
    found: list[tuple[int, int]] = []
    for number in [*np.flatnonzero(np.diff(loud) > PAUSE * RATE), len(loud) - 1]:
        begin, end = int(loud[number]) + 1, int(loud[number + 1]) if number + 1 < len(loud) else length
        if found and begin - found[-1][1] < _SCRAP * RATE:
            begin = found.pop()[0]
        found.append((begin, end))
    return found


def _same(heard: Track, prompt: Track) -> int:
    """Give for how many samples two tracks are the same but for their loudness; the heard one has no long silence."""
    for begin in range(0, len(heard), _BLOCK):
        one = heard[begin : begin + _BLOCK].astype(np.float64)
        other = prompt[begin : begin + _BLOCK].astype(np.float64)
        both = min(len(one), len(other))
        if both < min(len(one), _BLOCK // 2) or _alike(one[:both], other[:both]) < _ALIKE:
            return begin
    return len(heard)


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    power = float(np.sqrt(np.dot(one, one) * np.dot(other, other)))
    return float(np.dot(one, other)) / power if power else float(not one.any() and not other.any())


def _silence(prompt: Track, place: int) -> int:
    """Give the samples of silence of the speaker's own from a place of the prompt on."""
    loud = np.flatnonzero(np.abs(prompt[place:].astype(np.int32)) > LOUD)
    return int(loud[0]) if loud.size else 0


def _find(snippet: Track, prompt: Track, near: int) -> int | None:
    """Give the place of the prompt at which a snippet stands, near to a place; None when it is something else."""
    first = max(0, near - round(_BACK * RATE))
    area = prompt[first : near + round(_ON * RATE) + len(snippet)].astype(np.float64)
    one = snippet[: len(area)].astype(np.float64)
    if len(one) < CELL or not one.any():
        return None
    size = 1 << (len(area) + len(one)).bit_length()
    products = np.fft.irfft(np.fft.rfft(area, size) * np.conj(np.fft.rfft(one, size)), size)
    places = len(area) - len(one) + 1
    energy = np.concatenate(([0.0], np.cumsum(np.square(area))))
    windows = np.sqrt(np.maximum(energy[len(one) : len(one) + places] - energy[:places], 1.0))
    alike = products[:places] / windows / float(np.sqrt(np.dot(one, one)))
    best = int(np.argmax(alike))
    return first + best if alike[best] >= _ALIKE else None
