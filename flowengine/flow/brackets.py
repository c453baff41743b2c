"""The part of the scan that walks a `{ }` or `[ ]`."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from flowengine.flow.finding import KEY, KEY_FIELDS, Finding, closing_quote, in_brackets, quoted, template

if TYPE_CHECKING:
    from flowengine.flow.scan import Scan

_CLOSE = {"{": "}", "[": "]"}


class FlowScan:
    """Walks a ``{ }`` or ``[ ]``, over several lines if need be, and looks at the unquoted texts inside it."""

    def __init__(self, scan: Scan, name: str) -> None:
        self.scan = scan
        self.name = name
        self.open: list[tuple[int, int, str]] = []

    def findings(self, column: int) -> Iterator[Finding]:
        """Give the mistakes from the opening bracket to its end; moves the scan's line there."""
        scan = self.scan
        first = scan.line
        while scan.line < len(scan.lines):
            text = scan.lines[scan.line]
            if scan.line > first and self._outside(first, text):
                scan.line -= 1
                yield self._unclosed()
                return
            result = yield from self._line(text, column)
            if result:
                return
            scan.line += 1
            column = 0
        yield self._unclosed()

    def _outside(self, first: int, text: str) -> bool:
        """A line that begins a new key to the left of the bracket's own line ends the bracket for a reader."""
        own = self.scan.lines[first]
        indent = len(own) - len(own.lstrip())
        return bool(text.strip()) and len(text) - len(text.lstrip()) <= indent and bool(KEY.match(text.lstrip("- ")))

    def _unclosed(self) -> Finding:
        line, column, sign = self.open[-1]
        return Finding(
            "unclosed-bracket", f"this `{sign}` is not closed", line, column, column + 1, sign, f"add `{_CLOSE[sign]}`"
        )

    def _close(self, text: str, column: int) -> Iterator[Finding]:
        _, place, sign = self.open[-1]
        if _CLOSE[sign] != text[column]:
            yield self._unclosed()
        self.open.pop()
        rest = text[column + 1 :].lstrip()
        if not self.open and rest[:1] in ("}", "]"):
            place = len(text) - len(rest)
            yield Finding(
                "extra-bracket",
                f"this `{rest[0]}` closes nothing",
                self.scan.line,
                place,
                place + 1,
                rest[0],
                "delete it",
                text[:place] + text[place + 1 :],
            )

    def _line(self, text: str, column: int) -> Generator[Finding, None, bool]:
        """Look at one line; the result says whether the outermost bracket closed on it."""
        while column < len(text):
            sign = text[column]
            if text.startswith("{{", column):
                yield template(self.scan.lines, self.scan.line, column)
                column = max(text.find("}}", column), column) + 2
            elif sign in "[{":
                self.open.append((self.scan.line, column, sign))
                column += 1
            elif sign in "]}":
                yield from self._close(text, column)
                column += 1
                if not self.open:
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
            elif re.match(r"[&*|>%@`](\s|\w)", text[column:]) and text[:column].rstrip()[-1:] == ":":
                yield self._bad_begin(text, column)
                column += 1
            else:
                column = yield from self._plain(text, column)
        return False

    def _bad_begin(self, text: str, column: int) -> Finding:
        match = re.compile(r"[^,\]}]*").match(text, column)
        end = match.end() if match else len(text)
        return Finding(
            "unquoted-text",
            f'a text can not begin with "{text[column]}"',
            self.scan.line,
            column,
            column + 1,
            text[column],
            "put the text in quotes",
            text[:column] + quoted(text[column:end]) + text[end:],
        )

    def _in_keys(self, text: str, column: int) -> bool:
        field = re.findall(r"([a-z_]+):", text[:column])
        return (field[-1] if field else self.name) in KEY_FIELDS

    def _plain(self, text: str, column: int) -> Generator[Finding, None, int]:
        match = re.compile(r"(?:[^,\[\]{}:#]|:(?=[^\s,\[\]{}])|(?<=\S)#|\{\{.*?\}\})+").match(text, column)
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
