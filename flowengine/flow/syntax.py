"""Explains YAML syntax errors in our words, at the place of the mistake.

A YAML parser gives up where it can not go on, often lines below what the author did. So a second, line-oriented scan
looks for the mistakes that people really make (a question mark in ``{ }``, a second ``: `` in a text, a quote inside
quotes, …), each of which is illegal wherever it stands. The first one at or above the parser's place is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import yaml

from flowengine.flow.diagnostics import Report, Span
from flowengine.flow.finding import Finding, in_brackets, opens_block, parent_indent, quoted, template
from flowengine.flow.scan import Scan

_NEIGHBOURS = "begin it in the same column as its neighbours: fields of one node stand under each other"


def at(file: str, lines: Sequence[str], line: int, column: int, length: int = 1) -> Span:
    """Give the span of ``length`` characters at a place that counts from 0, kept inside the file."""
    line = max(0, min(line, len(lines) - 1)) if lines else 0
    width = len(lines[line]) if lines else 0
    column = max(0, min(column, width))
    return Span(file, line + 1, column + 1, line + 1, min(column + length, max(width, column)) + 1)


def check_lines(file: str, lines: Sequence[str], report: Report) -> bool:
    """Report tabs and odd spaces in indentation, which no parser survives; True when there were some."""
    odd = dict(_odd_indents(lines))
    mended = _mended(lines, odd) if odd else {}
    for number, column in odd.items():
        sign = lines[number][column]
        code = f"U+{ord(sign):04X}"
        report.error(
            "yaml-tab" if sign == "\t" else "yaml-character",
            "a tab is not allowed in the indentation"
            if sign == "\t"
            else f"the character {code} is not allowed in the indentation",
            at(file, lines, number, column),
            about="\\t" if sign == "\t" else code,
            help="use spaces",
            fix=mended.get(number),
        )
    return bool(odd)


def _odd_indents(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Give line and column, from 0, of the first tab or odd space of each indentation that has one."""
    block: int | None = None
    for number, line in enumerate(lines):
        stripped = line.lstrip(" \t")
        indent = len(line) - len(stripped)
        if block is not None:
            if not stripped or (indent > block and "\t" not in line[: block + 1]):
                continue
            block = None
        odd = re.match(r" *([^\S \t])", line)
        if odd:
            yield number, odd.start(1)
        elif "\t" in line[:indent] and stripped and not stripped.startswith("#"):
            yield number, line.index("\t")
        if opens_block(stripped):
            block = parent_indent(line)


def _mended(lines: Sequence[str], odd: Collection[int]) -> dict[int, str]:
    """Give the odd lines with spaces, by the first width of a tab with which all lines fit each other."""
    for width in (2, 4, 8):
        mended = {number: _spaced(lines[number], width) for number in odd}
        whole = [mended.get(number, line) for number, line in enumerate(lines)]
        if _fits(whole, odd):
            return mended
    return {}


def _spaced(line: str, width: int) -> str:
    stripped = line.lstrip()
    return re.sub(r"[^\t]", " ", line[: len(line) - len(stripped)]).expandtabs(width) + stripped


def _fits(lines: Sequence[str], odd: Collection[int]) -> bool:
    """Say whether this is YAML in which what follows a bare `key:` stands further in, where an odd line has a part."""
    above, last = "", -1
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        opens = above.rstrip().endswith(":") and not stripped.startswith("-") and (number in odd or last in odd)
        if opens and len(line) - len(line.lstrip()) <= parent_indent(above):
            return False
        above, last = line, number
    try:
        for _ in yaml.parse("\n".join(lines), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.YAMLError:
        return False
    return True


def explain(file: str, lines: Sequence[str], line: int, column: int, problem: str, report: Report) -> None:
    """Turn a parser's failure at (line, column), counted from 0, into the diagnostic of its cause."""
    for finding in Scan(lines).findings():
        if finding.line > line:
            break
        _report(file, lines, finding, report)
        return
    _report(file, lines, _from_parser(lines, line, column, problem), report)


def unquoted_template(file: str, lines: Sequence[str], line: int, column: int, report: Report) -> None:
    """Report a value that begins with ``{{`` outside quotes."""
    _report(file, lines, template(lines, line, column), report)


def question_mark(file: str, lines: Sequence[str], span: Span, report: Report) -> None:
    """Report a `?` in an unquoted text inside brackets: some YAML readers take it, others stop there."""
    text = lines[span.line - 1]
    start, end = span.column - 1, span.end_column - 1
    _report(file, lines, in_brackets(text, span.line - 1, start, end, "?", text.index("?", start)), report)


def requote(line: str, column: int) -> str | None:
    """Rewrite the entry of a ``{ }`` in which a comma split the text before ``column``: the whole text in quotes."""
    left = line.rfind(",", 0, column)
    if left < 0:
        return None
    opened = re.search(r"[{,]\s*[A-Za-z_][\w.-]*:\s+", line[:left][::-1][::-1])
    starts = [m.end() for m in re.finditer(r"[{,]\s*[A-Za-z_][\w.-]*:\s+", line[: left + 1])]
    if not opened or not starts or line[starts[-1]] in "\"'[{":
        return None
    start = starts[-1]
    tail = re.search(r"\s*(,\s*[A-Za-z_][\w.-]*:\s|[}\]])", line[column:])
    end = column + tail.start() if tail else len(line)
    return line[:start] + quoted(line[start:end]) + line[end:]


def _report(file: str, lines: Sequence[str], finding: Finding, report: Report) -> None:
    span = at(file, lines, finding.line, finding.column, max(1, finding.end - finding.column))
    report.error(finding.code, finding.message, span, about=finding.about, help=finding.help, fix=finding.fix)


# The parser's words for where it stopped, and ours.
_PROBLEMS = (
    (r"expected key|block end|block mapping|block entr", "this line does not fit the lines above it", _NEIGHBOURS),
    (r"expected ':'|simple key", "a `:` and a space are missing after the key", "write `name: value`"),
    (r"',' or '[}\]]'", "a list or mapping in brackets is not closed here", "close it, or quote the text inside it"),
    (r"expected alphabetic", "`*` and `&` begin an alias or anchor here", "put the text in quotes"),
    (r"end of (the )?stream", "the file ends inside a quoted text or bracket", "close it"),
    (r"document start", "a second document begins here", "one flow a file; delete the line with `...`"),
    (r"mapping values", "a `:` and a space do not belong here", "quote the text, or begin the key on its own line"),
    (r"cannot start any token", "a text can not begin with this character", "put the text in quotes"),
    (
        r"comment or line break",
        "a text after `|` or `>` begins on the next line",
        "put it on the next line, or in quotes",
    ),
)


def _from_parser(lines: Sequence[str], line: int, column: int, problem: str) -> Finding:
    """Words for what the scan did not recognise; the place is the parser's."""
    text = lines[line] if line < len(lines) else ""
    if "escape" in problem:
        return _bad_escape(text, line, column)
    indent = len(text) - len(text.lstrip())
    above = next((t for t in reversed(lines[:line]) if t.strip()), "")
    if "mapping values" in problem and indent > len(above) - len(above.lstrip()) and re.search(r":\s+\S", above):
        if " " in text[indent:column].strip():
            message = "a text with `: ` in it needs quotes"
            return Finding("unquoted-text", message, line, column, column + 1, ":", "put the whole text in quotes")
        column = indent
        problem = "did not find expected key"
    known = (words for pattern, *words in _PROBLEMS if re.search(pattern, problem))
    message, way = next(known, [f"this is not valid YAML here ({problem})", ""])
    word = re.match(r"[^\s:]+", text[column:])
    about = word[0] if word else ""
    return Finding("yaml-syntax", message, line, column, column + max(1, len(about)), about, way)


def _bad_escape(text: str, line: int, column: int) -> Finding:
    start = max(0, text.rfind("\\", 0, column + 1))
    sign = text[start : start + 2]
    return Finding(
        "bad-escape",
        f"`{sign}` means nothing in double quotes",
        line,
        start,
        start + 2,
        sign,
        "write `\\\\` for a backslash, or put the text in single quotes",
    )
