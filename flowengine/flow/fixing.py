"""Applies the remedies that are certain to a file's text, one after another, and holds each against the checker.

A ``fix`` is the line as it should read. It is kept only if its finding goes away and nothing new is wrong with what it
wrote. Everything else stays as it was: comments, layout, the ends of lines, the byte order mark.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Generic, Protocol, TypeVar

from flowengine.flow.diagnostics import Diagnostic, Severity

# More than any file in need of help has; a bound, so that no two fixes can undo each other for ever.
MAX_FIXES = 1000
# What shows that a line was read in another way than its author meant.
_MISREAD = frozenset(
    {"bad-name", "duplicate-key", "missing-field", "not-a-flow"}
    | {"prompt-form", "two-types", "unknown-field", "wrong-value"}
)


class Checked(Protocol):
    """What a checker says of a text, be it a flow, tests or settings: ``readable`` says that it is a YAML mapping."""

    @property
    def file(self) -> str:
        """The name of the text's file; findings in other files are mended there."""

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """Everything that was found, in the order of the text."""

    @property
    def lines(self) -> Sequence[str]:
        """The lines of the text."""

    @property
    def readable(self) -> bool:
        """Whether the text is a YAML mapping, whatever it holds."""


Outcome = TypeVar("Outcome", bound=Checked)


@dataclass(frozen=True)
class Fixed(Generic[Outcome]):
    """A text after its fixes, how many findings they took away, and what the checker says of it now."""

    data: bytes
    count: int
    loaded: Outcome


def fix(data: bytes, load: Callable[[bytes], Outcome], loaded: Outcome | None = None) -> Fixed[Outcome]:
    """Apply every fix that stands the test; ``loaded`` is what the checker says of the text, where that is known."""
    now = loaded or load(data)
    refused: set[tuple[int, str | None]] = set()
    count = 0
    for _ in range(MAX_FIXES):
        open_ones = [d for d in now.diagnostics if _open(d, now.file) and (d.span.line, d.fix) not in refused]
        if not open_ones:
            break
        # Remedies of one kind belong together (tabs of one width), so they are tried at once and then one by one.
        kind = _one_a_line(d for d in open_ones if d.code == open_ones[0].code)
        for batch in (kind, *([d] for d in kind if len(kind) > 1)):
            tried = _rewritten(data, batch)
            after = load(tried)
            gone = _gone(batch, now, after)
            if gone:
                data, now, count = tried, after, count + gone
                # What was refused beside another mistake may stand now.
                refused.clear()
                break
        else:
            refused.update((d.span.line, d.fix) for d in kind)
    return Fixed(data, count, now)


def _open(finding: Diagnostic, file: str) -> bool:
    return finding.fix is not None and finding.span.file == file


def _one_a_line(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    first: dict[int, Diagnostic] = {}
    for d in findings:
        first.setdefault(d.span.line, d)
    return list(first.values())


def _rewritten(data: bytes, findings: Iterable[Diagnostic]) -> bytes:
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    lines = data[len(mark) :].decode("utf-8").splitlines(keepends=True)
    for d in findings:
        old = lines[d.span.line - 1]
        lines[d.span.line - 1] = f"{d.fix}{old[len(old.splitlines()[0]) :]}"
    return mark + "".join(lines).encode("utf-8")


def _gone(batch: Sequence[Diagnostic], before: Checked, after: Checked) -> int:
    """Give how many findings went with the fixes of this batch; 0 where one of them did not help, or did harm."""
    if not after.readable:
        # The scan stops at its first mistake: that one has to stand further down than those that went.
        last = max((d.span.line, d.span.column) for d in batch)
        first = after.diagnostics[0].span
        return len(batch) if not before.readable and (first.line, first.column) > last else 0
    old, left = _by_line(before.diagnostics), _by_line(after.diagnostics)
    new = _new_errors(before, after)
    misread: dict[int, list[Diagnostic]] = {}
    for d in new:
        misread.setdefault(d.span.line, []).append(d)
    count = 0
    for d in batch:
        place = (d.code, d.span.line)
        if before.readable and left[place] >= old[place]:
            return 0
        if (d.severity is Severity.WARNING and new) or _harms(d, before, misread.get(d.span.line, ())):
            return 0
        count += max(1, old[place] - left[place])
    return count


def _by_line(findings: Iterable[Diagnostic]) -> Counter[tuple[str, int]]:
    """Count the findings of each kind in each line: one mistake may stand there twice."""
    return Counter((d.code, d.span.line) for d in findings)


def _harms(finding: Diagnostic, before: Checked, new: Iterable[Diagnostic]) -> bool:
    """Say whether something at the fix, or a space away from it, is misread now."""
    left, right = _changed(before.lines[finding.span.line - 1], finding.fix or "")
    return any(d.code in _MISREAD and d.span.column <= right + 1 and left - 1 <= d.span.end_column for d in new)


def _new_errors(before: Checked, after: Checked) -> Sequence[Diagnostic]:
    known = Counter((d.code, d.about, d.message) for d in before.diagnostics)
    new = []
    for d in after.diagnostics:
        key = (d.code, d.about, d.message)
        if known[key]:
            known[key] -= 1
        elif d.severity is Severity.ERROR:
            new.append(d)
    return new


def _changed(old: str, new: str) -> tuple[int, int]:
    """Give the columns, from 1, between which the new line differs from the old one."""
    left = _alike_at_start(old, new)
    right = _alike_at_start(old[left:][::-1], new[left:][::-1])
    return left + 1, len(new) - right + 1


def _alike_at_start(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
