"""How well the engine listens: synthesized and labelled calls, scored on what the phone played.

    .venv/bin/python tests/bench/ears.py [--systems ours,energy] [--kinds turns] [--calls 2] [--seed 1] [--sockets]

On virtual time (an hour of calls takes two minutes of a core), or over real WebSockets in real time (``--sockets``:
eight minutes). The same seed gives the same calls, and on virtual time the same figures. Writes
``bench-ears/table.txt``, ``picture.svg`` and ``scores.json`` with the settings. What is scored and how:
``tests/ears/scoring.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.ears.driver import SIDE_BY_SIDE, System, on_virtual_time, over_sockets
from tests.ears.following import reference
from tests.ears.picture import picture
from tests.ears.scenarios import KINDS, REFERENCE, scenarios
from tests.ears.systems import SYSTEMS
from tests.ears.table import Scores, table
from tests.ears.voice import ThreadedVoice, opened

FOLDER = Path("bench-ears")


class Errors(logging.Handler):
    """Keeps what is logged as an error meanwhile: an engine that breaks must not look like one that listens badly."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())

    def __enter__(self) -> list[str]:
        logging.getLogger().addHandler(self)
        return self.messages

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)


def measure(
    system: System,
    voice: ThreadedVoice,
    *,
    seed: int,
    calls: int,
    kinds: Sequence[str],
    cells: Sequence[str],
    sockets: bool,
    lines: int,
) -> Scores:
    """Place a system's calls and score them. Raises ``RuntimeError`` when the system logged an error meanwhile."""
    place = over_sockets if sockets else on_virtual_time
    chosen = [one for one in scenarios(seed, calls, tuple(kinds)) if not cells or one.cell in cells]
    planned = [REFERENCE, *chosen]
    with Errors() as errors:
        quiet, *runs = place(system, planned, voice, seed=seed, side_by_side=lines)
    if errors:
        raise RuntimeError(f"{len(errors)} errors were logged, so the figures mean nothing; the first: {errors[0]}")
    prompt = reference(quiet.report.samples(quiet.report.played))
    scores = Scores()
    for run in runs:
        scores.add(run.scenario, run.report, prompt)
    return scores


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests/bench/ears.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--systems", default=",".join(SYSTEMS), help=f"which of {', '.join(SYSTEMS)}")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"which of {', '.join(KINDS)}")
    parser.add_argument("--cells", default="", help="only these rows of the table, such as 'echo -20,tv -42'")
    parser.add_argument("--calls", type=int, default=2, help="how often every cell is called")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, default=SIDE_BY_SIDE, help="how many calls at once")
    parser.add_argument("--jobs", type=int, default=2, help="how many systems at once, on virtual time")
    parser.add_argument("--sockets", action="store_true", help="over real sockets, in real time")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the result goes")
    found = parser.parse_args(given)
    found.systems, found.kinds = found.systems.split(","), found.kinds.split(",")
    found.cells = [cell for cell in found.cells.split(",") if cell]
    for chosen, known in ((found.systems, SYSTEMS), (found.kinds, KINDS)):
        if strange := sorted(set(chosen) - set(known)):
            parser.error(f"there is no {', '.join(strange)}; known are {', '.join(known)}")
    return found


def _measured(name: str, chosen: argparse.Namespace) -> Scores:
    began = time.monotonic()
    with opened() as voice:
        scores = measure(
            SYSTEMS[name],
            voice,
            seed=chosen.seed,
            calls=chosen.calls,
            kinds=chosen.kinds,
            cells=chosen.cells,
            sockets=chosen.sockets,
            lines=chosen.lines,
        )
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201 - a benchmark prints
    return scores


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    chosen = arguments(given)
    # In real time a system must not take the machine from another one.
    jobs = 1 if chosen.sockets else min(chosen.jobs, len(chosen.systems))
    measured = partial(_measured, chosen=chosen)
    if jobs > 1:
        # New processes: those that are copied would have threads of libraries that do not live in them.
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(measured, chosen.systems))
    else:
        found = [measured(name) for name in chosen.systems]
    scored = dict(zip(chosen.systems, found, strict=True))
    clock = "real sockets" if chosen.sockets else "virtual time"
    title = f"ears: seed {chosen.seed}, {chosen.calls} calls a cell, {clock}, {chosen.lines} lines"
    text = f"{title}\n\n{table(scored)}"
    print(text)  # noqa: T201
    chosen.folder.mkdir(parents=True, exist_ok=True)
    (chosen.folder / "table.txt").write_text(text, encoding="utf-8")
    (chosen.folder / "picture.svg").write_text(picture(scored, title), encoding="utf-8")
    settings = {"seed": chosen.seed, "calls": chosen.calls, "clock": clock, "lines": chosen.lines}
    whole = {"settings": settings, "systems": {name: asdict(scores) for name, scores in scored.items()}}
    (chosen.folder / "scores.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
