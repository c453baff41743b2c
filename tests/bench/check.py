"""How long `check` takes and how it grows: flows of 30, 300 and 3,000 nodes, right and wrong, and the command's start.

    python tests/bench/check.py

Times are the best of several runs in one process; memory is what the loaded flow keeps and the peak while it loads
(tracemalloc, in a run of its own). The command's start is the median of whole processes, beside that of a bare Python.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

from flowengine.flow.draw import draw
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types

ROOT = Path(__file__).parents[2]
HEAD = """flow: large
version: 1
defaults: {zone: UTC}
vars: {account: {type: digits, private: true}, count: {type: int, default: 0}, message: text}
tools: {balance: {http: GET, url: "https://bank.example/{{ account }}", args: {account: string}}}
always: [{key: star, hear: [agent], goto: agent}]
catch: {toomany: {goto: agent}, error: {say: Sorry., goto: agent}}
nodes:
  agent:
    say: I will connect you.
    transfer: "+15550100"
    goto: {ended: bye, else: n0}
  bye: {say: Goodbye., goto: end}
"""
# Ten nodes as flows have them; each leads to the next one and some a little back or ahead.
TEN = """  n{0}:
    say: "For one press 1, for two press 2. You were here {{{{ count }}}} times."
    menu:
      - {{key: 1, hear: [one, first], goto: n{1}}}
      - {{key: 2, hear: [two, second], set: {{count: "{{{{ count + 1 }}}}"}}, goto: n{2}}}
  n{1}:
    say: Enter your account number.
    collect: {{into: account, length: 6, confirm: "I have {{{{ account | spell }}}}."}}
    goto: n{2}
  n{2}:
    say: One moment.
    set: {{count: "{{{{ count + 1 }}}}"}}
    goto: [{{if: count > 3, goto: n{3}}}, {{if: "count == 2", goto: n{5}}}, {{else: n{4}}}]
  n{3}: {{say: "You have {{{{ count | plural('call') }}}}.", goto: n{4}}}
  n{4}:
    tool: {{name: balance, with: {{account: "12"}}}}
    catch: {{error.http.404: {{say: Unknown., goto: n{1}}}}}
    goto: n{5}
  n{5}:
    chat:
      prompt: Help with orders. Two sentences at most.
      exits:
        done: {{when: the caller needs nothing more, goto: n{6}}}
        human: {{when: somebody asks for a person, key: 0, goto: agent}}
  n{6}:
    wait: {{for: 10s, events: [free], say: Please wait.}}
    goto: {{free: n{7}, timeout: n{7}}}
  n{7}:
    say: Leave a message.
    record: {{into: message}}
    goto: {{done: n{8}, silent: n{8}}}
  n{8}: {{press: "1w2", goto: n{9}}}
  n{9}: {{say: [Thank you., {{pause: 300ms}}, "That was {{{{ now | time }}}}."], goto: n{10}}}
"""


def flow(size: int, *, wrong: bool = False) -> str:
    """Give a flow of about so many nodes; a wrong one has a mistake in every second node."""
    text = HEAD
    for first in range(0, size, 10):
        names = [*range(first, first + 10), first + 10 if first + 10 < size else 0]
        text += TEN.format(*names)
    return text.replace("goto: n", "goto: m").replace("else: n", "else: m") if wrong else text


def timed(size: int, *, wrong: bool, runs: int) -> tuple[float, Loaded]:
    """Give the best time of a load in seconds, and what was loaded."""
    text, best = flow(size, wrong=wrong).encode(), float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        loaded = load("large.yaml", text, node_types())
        best = min(best, time.perf_counter() - begin)
    return best, loaded


def memory(size: int) -> tuple[float, float]:
    """Give what a loaded flow keeps and the peak of its load, in MB."""
    text = flow(size).encode()
    tracemalloc.start()
    loaded = load("large.yaml", text, node_types())
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert loaded.flow is not None
    return kept / 1e6, peak / 1e6


def started(*arguments: str, runs: int = 15) -> float:
    """Give the median time of a whole process, in seconds."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    load("warm.yaml", flow(10), node_types())
    head = f"{'nodes':>6} {'load':>9} {'per node':>9} {'with mistakes':>14} {'svg':>8} {'kept':>8} {'peak':>8}"
    print(head)  # noqa: T201 - a benchmark prints
    for size in (30, 300, 3000):
        runs = 5 if size < 3000 else 2
        right, loaded = timed(size, wrong=False, runs=runs)
        wrong, broken = timed(size, wrong=True, runs=runs)
        assert loaded.flow is not None, loaded.diagnostics[:3]
        begin = time.perf_counter()
        draw(loaded.flow, "svg")
        drawn = time.perf_counter() - begin
        kept, peak = memory(size)
        findings = f"({len(broken.diagnostics)})"
        line = f"{len(loaded.flow.nodes):>6} {right * 1e3:>6.0f} ms {right / size * 1e3:>6.2f} ms "
        line += f"{wrong * 1e3:>5.0f} ms {findings:>5} {drawn * 1e3:>5.0f} ms {kept:>5.1f} MB {peak:>5.1f} MB"
        print(line)  # noqa: T201
    bare = started("-c", "pass")
    check = started("-m", "flowengine", "check", "flows/front-desk.yaml")
    told = f"check flows/front-desk.yaml: {check:.2f} s, of which a bare Python takes {bare:.2f} s (medians of 15)"
    print(told)  # noqa: T201


if __name__ == "__main__":
    main()
