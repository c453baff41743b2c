"""A line-oriented look at a YAML text: the mistakes that people make, each illegal wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from flowengine.flow.brackets import FlowScan
from flowengine.flow.finding import (
    KEY,
    KEY_FIELDS,
    Finding,
    closing_quote,
    opens_block,
    parent_indent,
    quoted,
    template,
)


class Scan:
    """Walks the lines with just enough YAML to know where a text stands."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.line = 0
        self.list_of = ""

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
        if re.match(r"-[\[{\"'A-Za-z]", text[column:]) and self._neighbour(column, lambda line: line.startswith("- ")):
            yield self._space(text, column + 1, "-", "a space is missing after the `-`")
            return
        key = KEY.match(text, column)
        name = ""
        if key:
            name = key["key"].strip("\"'")
            column = key.end()
            column += len(text[column:]) - len(text[column:].lstrip())
            self.list_of = name if not text[column:] else self.list_of
        else:
            name = self.list_of if text[:column].strip() == "-" else ""
            yield from self._lacks_colon(text, column)
        value = text[column:]
        if value:
            yield from self._value(text, column, name, bool(key))

    def _lacks_colon(self, text: str, column: int) -> Iterator[Finding]:
        """A line such as ``say Hello``, ``key:1`` or ``main`` where its neighbours have keys."""
        glued = re.match(r"([a-z_]+):(?=[^\s:/])", text[column:])
        spaced = re.match(r"([a-z_]+) +\S", text[column:])
        alone = re.match(r"([a-z][a-z0-9_-]*)\s*\Z", text[column:])
        if glued and self._neighbour(column, KEY.match):
            yield self._space(text, column + glued.end(), glued[0], "a space is missing after the `:`")
        elif (spaced and self._neighbour(column, KEY.match)) or (alone and self._begins_block(column)):
            word = (spaced or alone)[1]  # type: ignore[index]  # one of them matched
            end = column + len(word)
            yield self._found(
                "missing-colon",
                "a `:` is missing after the key",
                column,
                end,
                "write `name: value`",
                about=word,
                fix=f"{text[:end]}:{text[end:]}",
            )

    def _space(self, text: str, column: int, about: str, message: str) -> Finding:
        fix = f"{text[:column]} {text[column:]}"
        return self._found("missing-space", message, column - 1, column, "add it", about=about, fix=fix)

    def _neighbour(self, column: int, fits: Callable[[str], object]) -> bool:
        """Say whether the content line above or below begins in this column and fits."""
        near = (self._next(reversed(self.lines[: self.line])), self._next(iter(self.lines[self.line + 1 :])))
        return any(len(line) - len(line.lstrip()) == column and fits(line.lstrip()) for line in near)

    def _begins_block(self, column: int) -> bool:
        below = self._next(iter(self.lines[self.line + 1 :]))
        above = self._next(reversed(self.lines[: self.line]))
        outside = len(above) - len(above.lstrip()) != column or bool(KEY.match(above.lstrip()))
        return outside and len(below) - len(below.lstrip()) > column and bool(KEY.match(below.lstrip("- ")))

    @staticmethod
    def _next(lines: Iterator[str]) -> str:
        return next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")

    def _value(self, text: str, column: int, name: str, keyed: bool) -> Iterator[Finding]:
        first = text[column]
        if name in KEY_FIELDS and first in "*#":
            yield self.key_sign(text, column)
        elif text.startswith("{{", column):
            yield template(self.lines, self.line, column)
        elif first in "\"'":
            yield from self._quoted(text, column, keyed)
        elif first in "[{":
            yield from FlowScan(self, name).findings(column)
        elif re.match(r"[|>]\s*[^\s#0-9+-]", text[column:]):
            message = f"a text after `{first}` begins on the next line"
            body = re.split(r"\s{2,}#", text[column + 1 :])[0].strip()
            help_ = "put it on the next line, further in, or in quotes"
            fix = text[:column] + quoted(body) + text[text.index(body, column) + len(body) :]
            yield self._found("unquoted-text", message, column, column + 1, help_, about=first, fix=fix)
        elif first in "@`%" or re.match(r"[&*](\s|$)", text[column:]):
            yield self._quote_it(text, column, f'a text can not begin with "{first}"', first)
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
            inner = whole[1:-1] if whole.endswith(mark) else whole
            if inner is whole and (whole.count(mark) % 2 or re.match(r"'\w*'\w", whole)):
                inner = whole[1:]  # what closes the quotes is an apostrophe
            other = '"' if '"' not in inner else "'"
            body = inner.replace("'", "''") if other == "'" else inner
            yield self._found(
                "text-after-quote",
                "the quotes end before the text does",
                close,
                close + 1,
                "put the whole text in one pair of quotes, of a kind that it does not contain",
                about=mark,
                fix=text[:column] + other + body + other + text[column + len(whole) :],
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
