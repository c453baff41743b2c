"""JUnit XML: suites of cases, as CI servers read it. What `check` finds and what `test` runs are both told in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

# What XML 1.0 can not hold in any spelling.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class JunitCase:
    """One case. It failed where it has a ``failure``: a message, a type and the text; ``output`` is printed with it.

    ``seconds`` is how long it took, where somebody measured.
    """

    name: str
    line: int | None = None
    failure: tuple[str, str, str] | None = None
    output: str = ""
    seconds: float | None = None


def document(title: str, suites: Iterable[tuple[str, Sequence[JunitCase]]]) -> str:
    """Give the whole document; a suite is a file and its cases."""
    listed = list(suites)
    tests = sum(len(cases) for _, cases in listed)
    failures = sum(_failures(cases) for _, cases in listed)
    head = f'<testsuites name={_attribute(title)} tests="{tests}" failures="{failures}" errors="0">'
    parts = [_suite(file, cases) for file, cases in listed]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *parts, "</testsuites>"]) + "\n"


def _failures(cases: Iterable[JunitCase]) -> int:
    return sum(case.failure is not None for case in cases)


def _suite(file: str, cases: Sequence[JunitCase]) -> str:
    name = _attribute(file)
    counts = f'tests="{len(cases)}" failures="{_failures(cases)}" errors="0" skipped="0"'
    return "\n".join([f"  <testsuite name={name} {counts}>", *(_case(c, name) for c in cases), "  </testsuite>"])


def _case(case: JunitCase, file: str) -> str:
    line = f' line="{case.line}"' if case.line else ""
    time = "" if case.seconds is None else f' time="{case.seconds:.6f}"'
    head = f"    <testcase name={_attribute(case.name)} classname={file} file={file}{line}{time}"
    inner = ""
    if case.failure:
        message, kind, text = case.failure
        inner = f"<failure message={_attribute(message)} type={_attribute(kind)}>{escape(_xml(text))}</failure>"
    if case.output:
        inner += f"<system-out>{escape(_xml(case.output))}</system-out>"
    return f"{head}>{inner}</testcase>" if inner else f"{head}/>"


def _attribute(text: str) -> str:
    return quoteattr(_xml(text))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
