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

from flowengine.flow.diagnostics import Diagnostic, Severity
from flowengine.flow.loader import Loaded

# More than any file in need of help has; a bound, so that no two fixes can undo each other for ever.
MAX_FIXES = 1000
# What shows that a line was read in another way than its author meant.
_MISREAD = frozenset(
    {"bad-name", "duplicate-key", "missing-field", "not-a-flow"}
    | {"prompt-form", "two-types", "unknown-field", "wrong-value"}
)

Load = Callable[[bytes], Loaded]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text after its fixes, how many findings they took away, and what the checker says of it now."""

    data: bytes
    count: int
    loaded: Loaded


def fix(data: bytes, load: Load, loaded: Loaded | None = None) -> Fixed:
    """Apply every fix that stands the test; ``loaded`` is what the checker says of the text, where that is known."""
    now = loaded or load(data)
    refused: set[tuple[int, str | None]] = set()
    count = 0
    for _ in range(MAX_FIXES):
        open_ones = [d for d in now.diagnostics if d.fix is not None and (d.span.line, d.fix) not in refused]
        if not open_ones:
            break
        # Remedies of one kind belong together (tabs of one width), so they are tried at once and then one by one.
        kind = _one_a_line(d for d in open_ones if d.code == open_ones[0].code)
        for batch in (kind, *([d] for d in kind if len(kind) > 1)):
            tried = _rewritten(data, batch)
            after = load(tried)
            if all(_stands(d, batch, now, after) for d in batch):
                count += sum(max(1, _alike(d, now) - _alike(d, after)) for d in batch)
                data, now = tried, after
                # What was refused beside another mistake may stand now.
                refused.clear()
                break
        else:
            refused.update((d.span.line, d.fix) for d in kind)
    return Fixed(data, count, now)


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


def _stands(finding: Diagnostic, batch: Sequence[Diagnostic], before: Loaded, after: Loaded) -> bool:
    """Say whether the finding is gone, and nothing at the fix (or a space away from it) is misread now."""
    if not after.readable:
        # The scan stops at its first mistake: that one has to stand further down than those that went.
        last = max((d.span.line, d.span.column) for d in batch)
        first = after.diagnostics[0].span
        return not before.readable and (first.line, first.column) > last
    if before.readable and _alike(finding, after) >= _alike(finding, before):
        return False
    new = _new_errors(before, after)
    if finding.severity is Severity.WARNING:
        return not new
    left, right = _changed(before.lines[finding.span.line - 1], finding.fix or "")
    return not any(
        d.code in _MISREAD
        and d.span.line == finding.span.line
        and d.span.column <= right + 1
        and left - 1 <= d.span.end_column
        for d in new
    )


def _alike(finding: Diagnostic, loaded: Loaded) -> int:
    """Count the findings of this kind in this line: one mistake may stand there twice."""
    return sum(d.code == finding.code and d.span.line == finding.span.line for d in loaded.diagnostics)


def _new_errors(before: Loaded, after: Loaded) -> Sequence[Diagnostic]:
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
