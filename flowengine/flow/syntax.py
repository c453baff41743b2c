"""Explains YAML syntax errors in our words, at the place of the mistake.

A YAML parser gives up where it can not go on, often lines below what the author did. So a second, line-oriented scan
looks for the mistakes that people really make (a question mark in ``{ }``, a second ``: `` in a text, a quote inside
quotes, …), each of which is illegal wherever it stands. The first one at or above the parser's place is the cause.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from flowengine.flow.diagnostics import Report, Span

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#&*!|>'"%@`,\[\]{}-][^#\n]*?|-[^\s#][^#\n]*?)\s*:(?=\s|$)"""
)
_KEY_FIELDS = frozenset({"key", "keys", "hear", "end_key", "clear_key", "accept_key"})


@dataclass(frozen=True, slots=True)
class _Finding:
    code: str
    message: str
    line: int
    column: int
    end: int
    about: str
    help: str
    fix: str | None = None


def at(file: str, lines: Sequence[str], line: int, column: int, length: int = 1) -> Span:
    """Give the span of ``length`` characters at a place that counts from 0, kept inside the file."""
    line = max(0, min(line, len(lines) - 1)) if lines else 0
    width = len(lines[line]) if lines else 0
    column = max(0, min(column, width))
    return Span(file, line + 1, column + 1, line + 1, min(column + length, max(width, column)) + 1)


def quoted(text: str) -> str:
    """Put a text in double quotes, or in single ones where it has double quotes itself."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def check_lines(file: str, lines: Sequence[str], report: Report) -> bool:
    """Report tabs in indentation, which no parser survives; True when there were some."""
    found = False
    block: int | None = None
    for number, line in enumerate(lines):
        stripped = line.lstrip(" \t")
        indent = len(line) - len(stripped)
        if block is not None:
            if not stripped or (indent > block and "\t" not in line[: block + 1]):
                continue
            block = None
        if "\t" in line[:indent] and stripped and not stripped.startswith("#"):
            column = line.index("\t")
            found = True
            report.error(
                "yaml-tab",
                "a tab is not allowed in the indentation",
                at(file, lines, number, column),
                about="\\t",
                help="use spaces",
                fix=line[:indent].replace("\t", "  ") + stripped,
            )
        if _opens_block(stripped):
            block = _parent_indent(line)
    return found


def explain(file: str, lines: Sequence[str], line: int, column: int, problem: str, report: Report) -> None:
    """Turn a parser's failure at (line, column), counted from 0, into the diagnostic of its cause."""
    for finding in _Scan(lines).findings():
        if finding.line > line:
            break
        _report(file, lines, finding, report)
        return
    _report(file, lines, _from_parser(lines, line, column, problem), report)


def unquoted_template(file: str, lines: Sequence[str], line: int, column: int, report: Report) -> None:
    """Report a value that begins with ``{{`` outside quotes."""
    _report(file, lines, _template(lines, line, column), report)


def question_mark(file: str, lines: Sequence[str], span: Span, report: Report) -> None:
    """Report a `?` in an unquoted text inside brackets: some YAML readers take it, others stop there."""
    text = lines[span.line - 1]
    start, end = span.column - 1, span.end_column - 1
    _report(file, lines, _in_brackets(text, span.line - 1, start, end, "?", text.index("?", start)), report)


def _in_brackets(text: str, line: int, start: int, end: int, sign: str, place: int) -> _Finding:
    return _Finding(
        "unquoted-text",
        f"an unquoted `{sign}` does not belong to a text inside {{ }} or [ ]",
        line,
        place,
        place + 1,
        sign,
        "put the text in quotes",
        text[:start] + quoted(text[start:end]) + text[end:],
    )


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


def _report(file: str, lines: Sequence[str], finding: _Finding, report: Report) -> None:
    span = at(file, lines, finding.line, finding.column, max(1, finding.end - finding.column))
    report.error(finding.code, finding.message, span, about=finding.about, help=finding.help, fix=finding.fix)


def _opens_block(stripped: str) -> bool:
    return bool(re.search(r"(?:^|:\s+|-\s+)[|>][0-9+-]*\s*(?:\s#.*)?$", stripped)) and not stripped.startswith("#")


def _parent_indent(line: str) -> int:
    """Give the column of the key (or dash) that owns a block scalar opened on this line."""
    match = re.match(r"\s*(?:-\s+)*", line)
    column = match.end() if match else 0
    if re.match(r"[|>]", line[column:]):
        return line.rindex("-", 0, column)
    return column


def _template(lines: Sequence[str], line: int, column: int) -> _Finding:
    text = lines[line]
    close = text.rfind("}}")
    start = column
    for match in re.finditer(r"[:,\[-]\s+|\[", text[:column]):
        start = match.end()
    end = close + 2 if close >= column else len(text.rstrip())
    fix = text[:start] + quoted(text[start:end]) + text[end:]
    return _Finding(
        "unquoted-template",
        "YAML reads an unquoted `{{` as a mapping",
        line,
        column,
        column + 2,
        "{{",
        "put the text in quotes",
        fix,
    )


def _from_parser(lines: Sequence[str], line: int, column: int, problem: str) -> _Finding:
    """Words for what the scan did not recognise; the place is the parser's."""
    text = lines[line] if line < len(lines) else ""
    indent = len(text) - len(text.lstrip())
    above = next((t for t in reversed(lines[:line]) if t.strip()), "")
    if "mapping values" in problem and indent > len(above) - len(above.lstrip()) and re.search(r":\s+\S", above):
        column = indent
        problem = "did not find expected key"
    if "did not find expected key" in problem or "block end" in problem or "block mapping" in problem:
        message = "this line does not fit the lines above it"
        way = "begin it in the same column as its neighbours: fields of one node stand under each other"
    elif "could not find expected ':'" in problem or "simple key" in problem:
        message, way = "a `:` and a space are missing after the key", "write `name: value`"
    elif "',' or '}'" in problem or "',' or ']'" in problem:
        message, way = "a list or mapping in brackets is not closed here", "close it, or quote the text inside it"
    elif "alias" in problem:
        message, way = "`*` begins an alias here, which is not allowed", 'write "*" or star'
    elif "end of stream" in problem or "end of the stream" in problem:
        message, way = "the file ends inside a quoted text or bracket", "close it"
    else:
        message, way = f"this is not valid YAML here ({problem})" if problem else "this is not valid YAML here", ""
    word = re.match(r"[^\s:]+", text[column:])
    about = word[0] if word else ""
    return _Finding("yaml-syntax", message, line, column, column + max(1, len(about)), about, way)


class _Scan:
    """Walks the lines with just enough YAML to know where a text stands."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.line = 0

    def findings(self) -> Iterator[_Finding]:
        block: int | None = None
        while self.line < len(self.lines):
            text = self.lines[self.line]
            stripped = text.lstrip()
            indent = len(text) - len(stripped)
            if block is not None and (not stripped or indent > block):
                self.line += 1
                continue
            block = None
            if stripped and not stripped.startswith("#"):
                if _opens_block(stripped):
                    block = _parent_indent(text)
                else:
                    yield from self._content(text, indent)
            self.line += 1

    def _content(self, text: str, column: int) -> Iterator[_Finding]:
        """One line in block context: dashes, then a key, then the value."""
        while text.startswith("- ", column) or text[column:] == "-":
            column += 1
            column += len(text[column:]) - len(text[column:].lstrip())
        key = _KEY.match(text, column)
        name = ""
        if key:
            name = key["key"].strip("\"'")
            column = key.end()
            column += len(text[column:]) - len(text[column:].lstrip())
        elif self._lacks_colon(text, column):
            yield self._found(
                "missing-colon",
                "a `:` is missing after the key",
                column,
                len(text.rstrip()),
                "write `name: value`",
                about=text[column:].split(" ")[0],
            )
        value = text[column:]
        if value:
            yield from self._value(text, column, name, bool(key))

    def _lacks_colon(self, text: str, column: int) -> bool:
        """A line such as ``say Hello`` or ``key:1`` between lines that do have keys."""
        word = re.match(r"[a-z_]+(:\S| )", text[column:])
        if not word:
            return False
        above = (t for t in reversed(self.lines[: self.line]) if t.strip() and not t.lstrip().startswith("#"))
        below = (t for t in self.lines[self.line + 1 :] if t.strip() and not t.lstrip().startswith("#"))
        before = next(above, None) or next(below, "")
        depth = len(before) - len(before.lstrip())
        own = len(text) - len(text.lstrip())
        return own == depth and bool(_KEY.match(before.lstrip("- "))) and before.rstrip()[-1:] not in "|>"

    def _value(self, text: str, column: int, name: str, keyed: bool) -> Iterator[_Finding]:
        first = text[column]
        if name in _KEY_FIELDS and first in "*#":
            yield self._key_sign(text, column)
        elif text.startswith("{{", column):
            yield _template(self.lines, self.line, column)
        elif first in "\"'":
            yield from self._quoted(text, column, keyed)
        elif first in "[{":
            yield from _FlowScan(self, name).findings(column)
        elif first in "@`%":
            yield self._quote_it(text, column, f"a text can not begin with `{first}`", first)
        elif first == "#" or not keyed:
            return
        else:
            plain = re.split(r"\s+#", text[column:], maxsplit=1)[0]
            inner = re.search(r":(\s|$)", plain)
            if inner:
                yield self._quote_it(
                    text, column, "a text with `: ` in it needs quotes", ":", at_column=column + inner.start()
                )

    def _quoted(self, text: str, column: int, keyed: bool) -> Iterator[_Finding]:
        close = closing_quote(text, column)
        mark = text[column]
        if close is None:
            if self._closes_later(mark):
                return
            yield self._found(
                "unclosed-quote",
                f"the quote that opens here is not closed on this line ({mark})",
                column,
                len(text.rstrip()),
                "close it, or use the other kind of quote around the text",
                about=mark,
            )
            return
        rest = text[close + 1 :].lstrip()
        if rest and not rest.startswith(("#", ":")) and keyed:
            whole = re.split(r"\s{2,}#", text[column:])[0].rstrip()
            inner = whole[1:-1] if whole.endswith(mark) and len(whole) > 1 else whole.replace(mark, "")
            other = '"' if '"' not in inner else "'"
            body = inner.replace("'", "''") if other == "'" else inner
            yield self._found(
                "text-after-quote",
                "the quotes end before the text does",
                close,
                close + 1,
                "put the whole text in one pair of quotes, of a kind that it does not contain",
                about=mark,
                fix=text[:column] + other + body + other,
            )

    def _closes_later(self, mark: str) -> bool:
        """A quoted text over several lines is fine: its end stands alone on a later line before a new key does."""
        for later in self.lines[self.line + 1 :]:
            if mark in later:
                return later.rstrip().endswith(mark) and not _KEY.match(later.lstrip("- "))
            if _KEY.match(later.lstrip("- ")):
                return False
        return False

    def _key_sign(self, text: str, column: int) -> _Finding:
        sign = text[column]
        word = "star" if sign == "*" else "hash"
        return self._found(
            "unquoted-key",
            f"`{sign}` needs quotes: YAML gives it a meaning of its own",
            column,
            column + 1,
            f'write {word} or "{sign}"',
            about=sign,
            fix=text[:column] + word + text[column + 1 :],
        )

    def _quote_it(self, text: str, column: int, message: str, about: str, at_column: int | None = None) -> _Finding:
        body = re.split(r"\s{2,}#", text[column:])[0].rstrip()
        place = column if at_column is None else at_column
        return self._found(
            "unquoted-text",
            message,
            place,
            place + 1,
            "put the text in quotes",
            about=about,
            fix=text[:column] + quoted(body) + text[column + len(body) :],
        )

    def _found(
        self, code: str, message: str, column: int, end: int, help_: str, *, about: str, fix: str | None = None
    ) -> _Finding:
        return _Finding(code, message, self.line, column, end, about, help_, fix)


def closing_quote(text: str, column: int) -> int | None:
    """Give the index of the quote that closes the one at ``column`` on the same line."""
    mark = text[column]
    index = column + 1
    while index < len(text):
        if mark == '"' and text[index] == "\\":
            index += 2
            continue
        if text[index] == mark:
            if mark == "'" and text.startswith("''", index):
                index += 2
                continue
            return index
        index += 1
    return None


class _FlowScan:
    """Walks a ``{ }`` or ``[ ]``, over several lines if need be, and looks at the unquoted texts inside it."""

    def __init__(self, scan: _Scan, name: str) -> None:
        self.scan = scan
        self.name = name
        self.start = (scan.line, 0)
        self.depth = 0

    def findings(self, column: int) -> Iterator[_Finding]:
        scan = self.scan
        self.start = (scan.line, column)
        while scan.line < len(scan.lines):
            text = scan.lines[scan.line]
            if (scan.line, column) != self.start and column == 0 and self._outside(text):
                scan.line -= 1
                yield self._unclosed()
                return
            result = yield from self._line(text, column)
            if result:
                return
            scan.line += 1
            column = 0
        yield self._unclosed()

    def _outside(self, text: str) -> bool:
        """A line that begins a new key to the left of the bracket's own line ends the bracket for a reader."""
        own = self.scan.lines[self.start[0]]
        indent = len(own) - len(own.lstrip())
        return bool(text.strip()) and len(text) - len(text.lstrip()) <= indent and bool(_KEY.match(text.lstrip("- ")))

    def _unclosed(self) -> _Finding:
        line, column = self.start
        sign = self.scan.lines[line][column]
        return _Finding(
            "unclosed-bracket", f"this `{sign}` is not closed", line, column, column + 1, sign, "close it on this line"
        )

    def _line(self, text: str, column: int) -> Generator[_Finding, None, bool]:
        """Look at one line; the result says whether the outermost bracket closed on it."""
        while column < len(text):
            sign = text[column]
            if text.startswith("{{", column):
                yield _template(self.scan.lines, self.scan.line, column)
                column = max(text.find("}}", column), column) + 2
            elif sign in "[{":
                self.depth += 1
                column += 1
            elif sign in "]}":
                self.depth -= 1
                column += 1
                if not self.depth:
                    return True
            elif sign in "\"'":
                close = closing_quote(text, column)
                if close is None:
                    return False  # a text over several lines: leave it to the parser
                column = close + 1
            elif sign == "#" and (self.name in _KEY_FIELDS or text[column - 1] in " [,"):
                if self._in_keys(text, column):
                    yield self.scan._key_sign(text, column)
                return False
            elif sign == "*" and self._in_keys(text, column):
                yield self.scan._key_sign(text, column)
                column += 1
            elif sign in " ,:":
                column += 1
            else:
                column = yield from self._plain(text, column)
        return False

    def _in_keys(self, text: str, column: int) -> bool:
        field = re.findall(r"([a-z_]+):", text[:column])
        return (field[-1] if field else self.name) in _KEY_FIELDS

    def _plain(self, text: str, column: int) -> Generator[_Finding, None, int]:
        match = re.compile(r"(?:[^,\[\]{}:#]|:(?=[^\s,\[\]{}])|(?<=\S)#|\{\{|\}\})+").match(text, column)
        end = match.end() if match else column + 1
        word = text[column:end].rstrip()
        if "{{" in word:
            yield _template(self.scan.lines, self.scan.line, text.index("{{", column))
        elif "?" in word and not text.startswith(":", end):
            yield _in_brackets(text, self.scan.line, column, column + len(word), "?", text.index("?", column))
        elif text.startswith(":", end) and re.match(r":\s*[,\]}]", text[end:]) and " " in word:
            yield _in_brackets(text, self.scan.line, column, end + 1, ":", end)
        elif re.match(r":\s", text[end:]) and text[:column].rstrip().endswith(":"):
            stop = re.compile(r"[^,\]}]*").match(text, end)
            last = len(text[: stop.end() if stop else end].rstrip())
            yield _in_brackets(text, self.scan.line, column, last, ":", end)
        return max(end, column + 1)
