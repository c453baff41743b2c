"""What is said of a run of tests: a line for each file, failures in full, what was not reached, one line at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flowengine.flow import render
from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.formats import junit_cases
from flowengine.flow.junit import JunitCase, document
from flowengine.testing.coverage import KINDS, Coverage
from flowengine.testing.runner import Failure, Result

Sources = Mapping[str, Sequence[str]]
WIDTH = 100


@dataclass(slots=True)
class Ran:
    """One file of tests after its run. ``findings`` are why it could not run; ``seconds`` by test, as measured."""

    file: str
    results: list[Result] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    findings: Sequence[Diagnostic] = ()

    @property
    def failed(self) -> list[Result]:
        """The tests that failed."""
        return [result for result in self.results if result.failure]


def line(ran: Ran, *, colour: bool = False) -> str:
    """Give the line of one file: ``flows/a.test.yaml ..F (2 passed, 1 failed)``."""
    if ran.findings:
        return f"{ran.file} {_paint('can not run', '1;31', colour)}"
    dots = "".join(_paint("F", "1;31", colour) if result.failure else "." for result in ran.results)
    return f"{ran.file} {dots or 'has no tests'} ({_counts(len(ran.results) - len(ran.failed), len(ran.failed))})"


def failure(result: Result, found: Failure, sources: Sources, *, colour: bool = False) -> str:
    """Give one failure in full: the place in the test, the place of the call, what was said last, the way there."""
    title = _paint(f"{result.case.span.file}: {result.case.name}", "1", colour)
    lines = [title, render.full([found.finding], sources, colour=colour).rstrip("\n")]
    if found.said:
        lines.append(f'  said last: "{found.said}"')
    if found.path:
        lines += _wrapped("  path: ", ", ".join(found.path).split(" "))
    return "\n".join(lines) + "\n"


def _wrapped(head: str, words: Iterable[str]) -> list[str]:
    lines = [head.rstrip(" ")]
    for word in words:
        if len(lines[-1]) + len(word) >= WIDTH:
            lines.append(" " * (len(head) - 1))
        lines[-1] += f" {word}"
    return lines


def coverage(covered: Iterable[Coverage]) -> str:
    """Give the coverage of each flow in a line, and each thing that no test has reached with its place."""
    lines = []
    for one in covered:
        counts = one.counts()
        listed = ", ".join(f"{kind}s {counts[kind][0]}/{counts[kind][1]}" for kind in KINDS if kind in counts)
        if not one.reached:
            lines.append(f"{one.flow.file}: 0 % reached ({listed}): it has no tests")
            continue
        lines.append(f"{one.flow.file}: {percent([one])} % reached ({listed})")
        lines += [f"  {i.span.file}:{i.span.line}:{i.span.column}: {i} is in no test" for i in one.missing]
    return "\n".join(lines) + "\n" if lines else ""


def percent(covered: Iterable[Coverage]) -> int:
    """Give the share of all items that were reached, in whole percent; 100 only for all of them."""
    listed = list(covered)
    everything = sum(len(one.items) for one in listed)
    return 100 * sum(len(one.reached) for one in listed) // everything if everything else 100


def summary(rans: Sequence[Ran], covered: Sequence[Coverage]) -> str:
    """Give ``3 passed, 1 failed in 0.01 s (400 tests per second), 95 % reached``."""
    failed = sum(len(ran.failed) for ran in rans)
    passed = sum(len(ran.results) for ran in rans) - failed
    seconds = sum(sum(ran.seconds) for ran in rans)
    speed = f" ({(passed + failed) / seconds:.0f} tests per second)" if seconds and passed + failed else ""
    broken = sum(bool(ran.findings) for ran in rans)
    more = f", {broken} file{'' if broken == 1 else 's'} can not run" if broken else ""
    reached = f", {percent(covered)} % reached" if covered else ""
    return f"{_counts(passed, failed)}{more} in {seconds:.2f} s{speed}{reached}"


def _counts(passed: int, failed: int) -> str:
    parts = [f"{passed} passed"] if passed or not failed else []
    return ", ".join([*parts, f"{failed} failed"] if failed else parts)


def junit(rans: Iterable[Ran], sources: Sources) -> str:
    """Give JUnit XML: a suite for each file, a case for each test; findings where a file could not run."""
    return document("flowengine test", ((ran.file, _cases(ran, sources)) for ran in rans))


def _cases(ran: Ran, sources: Sources) -> list[JunitCase]:
    if ran.findings:
        return junit_cases(ran.findings)
    cases = []
    for result, seconds in zip(ran.results, ran.seconds, strict=True):
        found = result.failure
        told = (found.finding.message, "failed", failure(result, found, sources)) if found else None
        cases.append(JunitCase(result.case.name, result.case.span.line, told, seconds=seconds))
    return cases


def _paint(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text
