"""Loads what nobody meant for as long as it is told, in a child whose CPU time and memory are limited.

    python tests/fuzz.py [SECONDS] [SEED]

The child reports every text that took the most time or grew the memory most; a text that raises, or that ends the
child, is written to `fuzz-SEED.yaml`. Exits with 1 for one of these.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
import traceback
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.flow import mutants
from tests.flow.test_fuzz import drawn, judged

MEMORY = 1 << 30  # bytes of address space; a load of the largest file that is read takes a tenth of it
LONGEST = 20  # seconds of CPU time for one text, of which none may take more than a fraction
SECONDS, ROUND = 60.0, 400


def text_of(seed: int, texts: list[str]) -> bytes | str:
    """Give the text of a seed: noise, YAML of any shape, or a flow with slips."""
    rng = random.Random(seed)
    kind = rng.randrange(10)
    if kind == 0:
        return mutants.noise(rng)
    return mutants.document(rng) if kind < 4 else mutants.mutant(rng, texts)


def child(first: int, count: int) -> None:
    """Load the texts of some seeds; tell of each worst one, and of each that raises."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    texts = mutants.sources()
    slowest = grown = 0.0
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(first, first + count):
        used = int(time.process_time()) + LONGEST
        resource.setrlimit(resource.RLIMIT_CPU, (used, resource.RLIM_INFINITY))
        tell("begin", seed)
        begin = time.process_time()
        try:
            text = text_of(seed, texts)
            drawn(judged(text), text)
        except Exception:
            tell("raised", seed, traceback.format_exc().replace("\n", "\\n"))
        took = time.process_time() - begin
        grew = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
        if took > slowest:
            slowest = took
            tell("slowest", seed, f"{took:.3f}")
        if grew > grown:
            grown = grew
            tell("grown", seed, f"{grew:.1f}")


def tell(*words: object) -> None:
    """Tell the parent."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def run(seconds: float, seed: int) -> int:
    """Run children until the time is over; give how many texts went wrong."""
    until, texts = time.monotonic() + seconds, mutants.sources()
    done = failed = 0
    worst = {"slowest": (0.0, 0), "grown": (0.0, 0)}
    while time.monotonic() < until:
        command = [sys.executable, __file__, "--child", str(seed), str(ROUND)]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ROUND * LONGEST)
        last = seed
        for line in said.stdout.splitlines():
            word, number, *rest = line.split(" ", 2)
            last = int(number)
            if word == "raised":
                failed += keep(last, texts, rest[0].replace("\\n", "\n"))
            elif word in worst:
                worst[word] = max(worst[word], (float(rest[0]), last))
        if said.returncode:
            failed += keep(last, texts, f"the child ended with {said.returncode}\n{said.stderr[-2000:]}")
        done += last - seed + 1
        seed = last + 1
    slow, grown = worst["slowest"], worst["grown"]
    told = f"{done} texts, {failed} went wrong; slowest {slow[0]:.3f} s of CPU (seed {slow[1]}), "
    print(told + f"most memory +{grown[0]:.1f} MB (seed {grown[1]}); next seed {seed}")  # noqa: T201 - it reports
    return failed


def keep(seed: int, texts: list[str], why: str) -> int:
    """Write a text that went wrong, and say so."""
    text = text_of(seed, texts)
    file = Path(f"fuzz-{seed}.yaml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    print(f"{file}: {why}")  # noqa: T201 - it reports
    return 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), int(sys.argv[3]))
    else:
        given = sys.argv[1:]
        sys.exit(bool(run(float(given[0]) if given else SECONDS, int(given[1]) if len(given) > 1 else 1)))
