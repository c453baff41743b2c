"""A line-oriented look at a YAML text: the mistakes that people make, each illegal wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#&*!|>'"%@`,\[\]{}-][^#\n]*?|-[^\s#][^#\n]*?)\s*:(?=\s|$)"""
)
KEY_FIELDS = frozenset({"key", "keys", "hear", "end_key", "clear_key", "accept_key"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at a place that counts from 0; ``end`` is the column after it, ``fix`` the rewritten line."""

    code: str
    message: str
    line: int
    column: int
    end: int
    about: str
    help: str
    fix: str | None = None


def quoted(text: str) -> str:
    """Put a text in double quotes, or in single ones where it has double quotes itself."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def in_brackets(text: str, line: int, start: int, end: int, sign: str, place: int) -> Finding:
    """Give the finding of a text in brackets, ``start`` to ``end``, that its ``sign`` obliges to quotes."""
    return Finding(
        "unquoted-text",
        f"an unquoted `{sign}` does not belong to a text inside {{ }} or [ ]",
        line,
        place,
        place + 1,
        sign,
        "put the text in quotes",
        text[:start] + quoted(text[start:end]) + text[end:],
    )


def opens_block(stripped: str) -> bool:
    """Say whether this line opens a block text (`|` or `>`)."""
    return bool(re.search(r"(?:^|:\s+|-\s+)[|>][0-9+-]*\s*(?:\s#.*)?$", stripped)) and not stripped.startswith("#")


def parent_indent(line: str) -> int:
    """Give the column of the key (or dash) that owns a block scalar opened on this line."""
    match = re.match(r"\s*(?:-\s+)*", line)
    column = match.end() if match else 0
    if re.match(r"[|>]", line[column:]):
        return line.rindex("-", 0, column)
    return column


def template(lines: Sequence[str], line: int, column: int) -> Finding:
    """Give the finding of an unquoted `{{` at this place."""
    text = lines[line]
    close = text.rfind("}}")
    start = column
    for match in re.finditer(r"[:,\[-]\s+|\[", text[:column]):
        start = match.end()
    end = close + 2 if close >= column else len(text.rstrip())
    fix = text[:start] + quoted(text[start:end]) + text[end:]
    return Finding(
        "unquoted-template",
        "YAML reads an unquoted `{{` as a mapping",
        line,
        column,
        column + 2,
        "{{",
        "put the text in quotes",
        fix,
    )


class Scan:
    """Walks the lines with just enough YAML to know where a text stands."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.line = 0

    def findings(self) -> Iterator[Finding]:
        """Give the mistakes in the order of the lines."""
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
                if opens_block(stripped):
                    block = parent_indent(text)
                else:
                    yield from self._content(text, indent)
            self.line += 1

    def _content(self, text: str, column: int) -> Iterator[Finding]:
        """One line in block context: dashes, then a key, then the value."""
        while text.startswith("- ", column) or text[column:] == "-":
            column += 1
            column += len(text[column:]) - len(text[column:].lstrip())
        key = KEY.match(text, column)
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
        return own == depth and bool(KEY.match(before.lstrip("- "))) and before.rstrip()[-1:] not in "|>"

    def _value(self, text: str, column: int, name: str, keyed: bool) -> Iterator[Finding]:
        first = text[column]
        if name in KEY_FIELDS and first in "*#":
            yield self.key_sign(text, column)
        elif text.startswith("{{", column):
            yield template(self.lines, self.line, column)
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

    def _quoted(self, text: str, column: int, keyed: bool) -> Iterator[Finding]:
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
                return later.rstrip().endswith(mark) and not KEY.match(later.lstrip("- "))
            if KEY.match(later.lstrip("- ")):
                return False
        return False

    def key_sign(self, text: str, column: int) -> Finding:
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

    def _quote_it(self, text: str, column: int, message: str, about: str, at_column: int | None = None) -> Finding:
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
    ) -> Finding:
        return Finding(code, message, self.line, column, end, about, help_, fix)


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

    def __init__(self, scan: Scan, name: str) -> None:
        self.scan = scan
        self.name = name
        self.start = (scan.line, 0)
        self.depth = 0

    def findings(self, column: int) -> Iterator[Finding]:
        """Give the mistakes from the opening bracket to its end; moves the scan's line there."""
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
        return bool(text.strip()) and len(text) - len(text.lstrip()) <= indent and bool(KEY.match(text.lstrip("- ")))

    def _unclosed(self) -> Finding:
        line, column = self.start
        sign = self.scan.lines[line][column]
        return Finding(
            "unclosed-bracket", f"this `{sign}` is not closed", line, column, column + 1, sign, "close it on this line"
        )

    def _line(self, text: str, column: int) -> Generator[Finding, None, bool]:
        """Look at one line; the result says whether the outermost bracket closed on it."""
        while column < len(text):
            sign = text[column]
            if text.startswith("{{", column):
                yield template(self.scan.lines, self.scan.line, column)
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
            elif sign == "#" and (self.name in KEY_FIELDS or text[column - 1] in " [,"):
                if self._in_keys(text, column):
                    yield self.scan.key_sign(text, column)
                return False
            elif sign == "*" and self._in_keys(text, column):
                yield self.scan.key_sign(text, column)
                column += 1
            elif sign in " ,:":
                column += 1
            else:
                column = yield from self._plain(text, column)
        return False

    def _in_keys(self, text: str, column: int) -> bool:
        field = re.findall(r"([a-z_]+):", text[:column])
        return (field[-1] if field else self.name) in KEY_FIELDS

    def _plain(self, text: str, column: int) -> Generator[Finding, None, int]:
        match = re.compile(r"(?:[^,\[\]{}:#]|:(?=[^\s,\[\]{}])|(?<=\S)#|\{\{|\}\})+").match(text, column)
        end = match.end() if match else column + 1
        word = text[column:end].rstrip()
        if "{{" in word:
            yield template(self.scan.lines, self.scan.line, text.index("{{", column))
        elif "?" in word and not text.startswith(":", end):
            yield in_brackets(text, self.scan.line, column, column + len(word), "?", text.index("?", column))
        elif text.startswith(":", end) and re.match(r":\s*[,\]}]", text[end:]) and " " in word:
            yield in_brackets(text, self.scan.line, column, end + 1, ":", end)
        elif re.match(r":\s", text[end:]) and text[:column].rstrip().endswith(":"):
            stop = re.compile(r"[^,\]}]*").match(text, end)
            last = len(text[: stop.end() if stop else end].rstrip())
            yield in_brackets(text, self.scan.line, column, last, ":", end)
        return max(end, column + 1)
