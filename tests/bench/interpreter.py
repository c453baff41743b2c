"""Microseconds per event and bytes per snapshot of the interpreter.

    .venv/bin/python tests/bench/interpreter.py

A call through the front desk (menu, account number, confirmation, busy transfer, goodbye) is run again and again; the
figure is the median of the rounds' means.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path

from flowengine import plugins
from flowengine.flow.loader import compile_templates, load
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

CALLS, ROUNDS = 300, 7


def one_call(program: Program) -> tuple[int, int]:
    """Run one call; give how many events it took and the bytes of its largest snapshot."""
    it = Interpreter(program, {})
    at, events, largest = 0.0, 0, 0
    playing = ""

    def take(event: fact.Event) -> None:
        nonlocal events, playing
        events += 1
        for effect in it.handle(event):
            if isinstance(effect, wish.PlayPrompt):
                playing = effect.prompt

    call = {"id": "01", "from": "+15550001111", "to": "+15551234567", "direction": "inbound", "carrier": "twilio"}
    take(fact.CallStarted(at, call, "2026-01-05T10:00:00+00:00", 7, {"desk_number": "+15550100"}))
    for keys in ("", "1", "123456", "1", "", ""):
        at += 2.0
        if keys:
            take(fact.PromptInterrupted(at, playing, 1.0))
            for key in keys:
                at += 0.2
                take(fact.DigitPressed(at, key))
        else:
            take(fact.PromptFinished(at, playing, 2.0))
    largest = len(json.dumps(it.snapshot()))
    take(fact.TransferFinished(at + 9, "busy"))
    while not it.ended:
        at += 12.0
        take(fact.PromptFinished(at, playing, 2.0))
    return events, largest


def main() -> None:
    """Measure and print."""
    path = Path("flows/front-desk.yaml")
    flow = load(path.as_posix(), path.read_bytes(), plugins.node_types()).flow
    assert flow is not None
    compile_templates(flow)
    program = Program(flow)
    events, size = one_call(program)
    means = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            one_call(program)
        means.append((time.process_time() - start) / (CALLS * events) * 1e6)
    snapshots = []
    it = Interpreter(program, {})
    it.handle(fact.CallStarted(0.0, {"id": "01"}, "2026-01-05T10:00:00+00:00", 7, {"desk_number": "+15550100"}))
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            json.dumps(it.snapshot())
        snapshots.append((time.process_time() - start) / CALLS * 1e6)
    print(f"events per call           {events}")  # noqa: T201 - a benchmark prints
    print(f"µs per event              {statistics.median(means):.1f}")  # noqa: T201
    print(f"bytes of a snapshot       {size}")  # noqa: T201
    print(f"µs per snapshot as JSON   {statistics.median(snapshots):.1f}")  # noqa: T201


if __name__ == "__main__":
    main()
