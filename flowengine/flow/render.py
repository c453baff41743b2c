"""Diagnostics -> text: for people (``full``), for editors and grep (``concise``), for programs (``json_text``).

Colour is an argument: what the output is connected to is the command's business. Excerpts are made safe for a
terminal: no control character of a file reaches it, tabs have a fixed width, and carets stand under wide characters.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowengine.flow.diagnostics import Diagnostic, Severity, Span

EXCERPT = 110
_TAB = "    "
_CUT = "…"
_STYLES = {"error": "1;31", "warning": "1;33", "place": "1;34", "bold": "1", "help": "1;36"}
# What would move the cursor or turn the direction of the writing.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Mark:
    """A stretch of a line that gets underlined."""

    span: Span
    sign: str
    message: str
    style: str


def full(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Sequence[str]], *, colour: bool = False) -> str:
    """Give each finding with its place, an excerpt, the remedy and the rewritten line; ``sources``: lines by file."""
    found = list(diagnostics)
    shown = _covered(found, sources)
    return "\n".join(_full(diagnostic, shown, colour) for diagnostic in found)


def _covered(diagnostics: Iterable[Diagnostic], sources: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Give the lines with dots in the place of what is a secret: logs of a check are read by more people than files."""
    lines = {d.span.file: list(sources.get(d.span.file, ())) for d in diagnostics if d.covered}
    for d in diagnostics:
        span = d.span
        for number in range(span.line, span.end_line + 1) if d.covered else ():
            if number <= len(lines[span.file]):
                line = lines[span.file][number - 1]
                begin = span.column - 1 if number == span.line else 0
                end = span.end_column - 1 if number == span.end_line else len(line)
                lines[span.file][number - 1] = f"{line[:begin]}{'•' * len(line[begin:end])}{line[end:]}"
    return {**sources, **lines}


def concise(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Give one line for each finding: ``file:line:column: error[code] message (help)``."""
    lines = []
    for d in diagnostics:
        head = _paint(f"{d.severity}[{d.code}]", d.severity, colour)
        help_ = f" ({d.help})" if d.help else ""
        lines.append(f"{_safe(d.span.file)}:{d.span.line}:{d.span.column}: {head} {_safe(d.message + help_)}\n")
    return "".join(lines)


def json_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Give the findings as one JSON object, as the page of interfaces promises; lines and columns count from 1."""
    return json.dumps({"diagnostics": [as_plain(d) for d in diagnostics]}, indent=2) + "\n"


def as_plain(d: Diagnostic) -> dict[str, object]:
    """Give one finding as plain data."""
    return {
        "code": d.code,
        "severity": str(d.severity),
        "file": d.span.file,
        "line": d.span.line,
        "column": d.span.column,
        "end_line": d.span.end_line,
        "end_column": d.span.end_column,
        "about": d.about,
        "message": d.message,
        "help": d.help,
        "fix": d.fix,
        "related": [
            {
                "file": label.span.file,
                "line": label.span.line,
                "column": label.span.column,
                "message": label.message,
            }
            for label in d.related
        ],
    }


def summary(diagnostics: Iterable[Diagnostic], files: int) -> str:
    """Give ``Found 3 errors and 1 warning in 2 files.``; an empty text when there is nothing."""
    listed = list(diagnostics)
    errors = sum(d.severity is Severity.ERROR for d in listed)
    parts = [_count(n, word) for n, word in ((errors, "error"), (len(listed) - errors, "warning")) if n]
    return f"Found {' and '.join(parts)} in {_count(files, 'file')}." if parts else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _full(d: Diagnostic, sources: Mapping[str, Sequence[str]], colour: bool) -> str:
    head = _paint(f"{d.severity}[{d.code}]", d.severity, colour)
    marks = [_Mark(d.span, "^", "", d.severity)]
    marks += [_Mark(label.span, "-", label.message, "place") for label in d.related]
    gutter = max(len(str(mark.span.line)) for mark in marks)
    lines = [head + _paint(f": {_safe(d.message)}", "bold", colour)]
    for file in dict.fromkeys(mark.span.file for mark in marks):
        here = [mark for mark in marks if mark.span.file == file]
        arrow = "-->" if file == d.span.file else ":::"
        place = f"{_safe(file)}:{here[0].span.line}:{here[0].span.column}"
        lines.append(f"{' ' * gutter}{_paint(arrow, 'place', colour)} {place}")
        lines += _excerpts(here, sources.get(file, ()), gutter, colour)
    bar = f"{' ' * gutter} {_paint('=', 'place', colour)} "
    if d.help:
        lines.append(f"{bar}{_paint('help:', 'help', colour)} {_safe(d.help)}")
    if d.fix is not None:
        lines.append(f"{bar}{_paint('fix:', 'help', colour)} {_safe(d.fix.strip())}")
    return "\n".join(lines) + "\n"


def _excerpts(marks: Iterable[_Mark], lines: Sequence[str], gutter: int, colour: bool) -> list[str]:
    empty = f"{' ' * gutter} {_paint('|', 'place', colour)}"
    out = [empty]
    before = 0
    for mark in sorted(marks, key=lambda m: m.span):
        if mark.span.line > len(lines):
            continue
        if before and mark.span.line > before + 1:
            out.append("...")
        shown, start, width = _cut(lines[mark.span.line - 1], mark.span)
        if mark.span.line != before:
            number = _paint(f"{mark.span.line:>{gutter}} |", "place", colour)
            out.append(f"{number} {shown}".rstrip())
        label = f" {_safe(mark.message)}" if mark.message else ""
        out.append(f"{empty} {' ' * start}{_paint(mark.sign * width + label, mark.style, colour)}")
        before = mark.span.line
    return out if len(out) > 1 else []


def _cut(line: str, span: Span) -> tuple[str, int, int]:
    """Give the line as shown, the column of the mark in it, and the mark's width, in columns of a terminal."""
    line = line.rstrip()
    first = min(span.column - 1, len(line))
    last = span.end_column - 1 if span.end_line == span.line else len(line)
    last = max(first, min(last, len(line)))
    left, marked, right = (_shown(part) for part in (line[:first], line[first:last], line[last:]))
    if columns(left) + columns(marked) + columns(right) > EXCERPT:
        marked = _take(marked, EXCERPT - 10)
        room = max(10, EXCERPT - columns(marked))
        left = _take_end(left, max(room // 2, room - columns(right)))
        right = _take(right, max(10, EXCERPT - columns(left) - columns(marked)))
    return left + marked + right, columns(left), max(1, columns(marked))


def _take(text: str, width: int) -> str:
    if columns(text) <= width:
        return text
    taken = ""
    for character in text:
        if columns(taken + character) >= width:
            break
        taken += character
    return taken + _CUT


def _take_end(text: str, width: int) -> str:
    return _take(text[::-1], width)[::-1]


def columns(text: str) -> int:
    """Give the width of a text in columns of a terminal: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_width(character) for character in text)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _shown(text: str) -> str:
    return _UNSAFE.sub("\ufffd", text.replace("\t", _TAB))


def _safe(text: str) -> str:
    return _shown(text.replace("\n", "\\n"))


def _paint(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour else text
