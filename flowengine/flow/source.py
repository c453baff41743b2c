"""Strict YAML: text -> a tree in which every value knows its line and column.

The reader stands on PyYAML's parser (its events carry marks, anchors and tags; a composer would have resolved them
already). Only ``true``/``false``, ``null``/empty, plain integers and decimals get a type; everything else is text, and
every scalar keeps the characters as they were written, because ``say: 12.50`` is meant to be spoken as written.
What goes wrong before there is a tree is explained by ``flowengine.flow.syntax``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from flowengine.flow import syntax
from flowengine.flow.diagnostics import Label, Report, Span
from flowengine.flow.finding import KEY_FIELDS, quoted
from flowengine.flow.text import decode, forbidden_character

MAX_DEPTH = 32

_INT = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_IGNORE = re.compile(r"#\s*flowengine:\s*ignore\[([a-z0-9, -]+)\]")
# libyaml where PyYAML was built with it: ten times faster, same events.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: ``value`` is typed, ``text`` is what was written."""

    value: str | int | float | bool | None
    text: str
    span: Span
    plain: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: Scalar
    value: Value


@dataclass(slots=True)
class Sequence:
    """A list."""

    items: list[Value]
    span: Span
    flow: bool


@dataclass(slots=True)
class Mapping:
    """A mapping: ``entries`` by key in file order; a repeated key's further entries are in ``repeated``."""

    entries: dict[str, Entry]
    span: Span
    flow: bool
    repeated: list[Entry] = field(default_factory=list)

    def get(self, key: str) -> Value | None:
        """Give the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Value = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its tree (None when there is none) and its lines for excerpts."""

    file: str
    root: Value | None
    lines: tuple[str, ...]


def read(file: str, data: bytes | str, report: Report) -> Document:
    """Parse one file. Everything wrong goes into the report; never raises for what an author wrote."""
    text = decode(file, data, report)
    if text is None:
        return Document(file, None, ())
    lines = tuple(text.splitlines())
    if forbidden_character(file, text, lines, report):
        return Document(file, None, lines)
    if "flowengine:" in text:
        _note_ignores(file, lines, report)
    if syntax.check_lines(file, lines, report):
        return Document(file, None, lines)
    builder = _Builder(file, lines, report)
    try:
        root = builder.build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        syntax.explain(file, lines, line, column, str(error.problem or error.context or ""), report)
        return Document(file, None, lines)
    return Document(file, root, lines)


def _note_ignores(file: str, lines: tuple[str, ...], report: Report) -> None:
    for number, line in enumerate(lines, 1):
        match = _IGNORE.search(line)
        if match:
            report.ignored[file, number] = frozenset(word.strip() for word in match[1].split(","))


class _Builder:
    """Turns the parser's events into the tree and reports what strict YAML forbids."""

    def __init__(self, file: str, lines: tuple[str, ...], report: Report) -> None:
        self.file = file
        self.lines = lines
        self.report = report
        self.events: Iterator[Any] = iter(())

    def build(self, text: str) -> Value | None:
        root: Value | None = None
        documents = 0
        self.events = yaml.parse(text, Loader=_LOADER)
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents == 2:
                    line, column = _place(event.start_mark)
                    span = syntax.at(self.file, self.lines, line, column, 3)
                    self.report.error(
                        "second-document", "a second document begins here", span, about="---", help="one flow a file"
                    )
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, 1, False)
                root = value if documents == 1 else root
        return root

    def _span(self, start: Any, end: Any) -> Span:
        return Span(self.file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _value(self, event: Any, depth: int, flow: bool) -> Value:
        span = self._span(event.start_mark, event.end_mark)
        if isinstance(event, yaml.AliasEvent):
            self._forbid(
                "alias",
                f"*{event.anchor}",
                span,
                f'write the value out; keys and texts need quotes: "*{event.anchor}"',
            )
            return Scalar(None, "", span, True)
        if event.anchor:
            mark = f"&{event.anchor}"
            self._forbid("anchor", mark, self._sign(span, mark), "write the value out where it is needed")
        if event.tag is not None and not (isinstance(event, yaml.ScalarEvent) and event.tag == "!" and event.value):
            sign = self._sign(span, "!")
            self._forbid("tag", self._word(sign), sign, "leave it out; a text that begins with ! needs quotes")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, span, flow)
        if depth > MAX_DEPTH:
            if depth == MAX_DEPTH + 1:
                self.report.error(
                    "too-deep", f"nested deeper than {MAX_DEPTH} levels", span.start(), help="flatten the document"
                )
            self._skip()
            return Scalar(None, "", span, True)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, span, depth)
        return self._mapping(event, span, depth)

    def _skip(self) -> None:
        open_ones = 1
        for event in self.events:
            if isinstance(event, yaml.CollectionStartEvent):
                open_ones += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                open_ones -= 1
                if not open_ones:
                    return

    def _sign(self, span: Span, sign: str) -> Span:
        """Find the anchor or tag that stands before (or at) the value's start."""
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        found = line.rfind(sign, 0, span.column + len(sign) - 1)
        column = found + 1 if found >= 0 else span.column
        end = column + len(sign)
        if sign == "!":
            rest = line[column - 1 :]
            end = column + len(rest.split(" ")[0])
        return Span(self.file, span.line, column, span.line, end)

    def _word(self, span: Span) -> str:
        return self.lines[span.line - 1][span.column - 1 : span.end_column - 1] if span.line <= len(self.lines) else ""

    def _forbid(self, what: str, about: str, span: Span, help_: str) -> None:
        article = "an" if what[0] in "aeiou" else "a"
        self.report.error(f"yaml-{what}", f"{article} {what} (`{about}`) is not allowed", span, about=about, help=help_)

    def _scalar(self, event: Any, span: Span, flow: bool) -> Scalar:
        plain = not event.style
        text: str = event.value
        value: str | int | float | bool | None = text
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        if line[: span.column - 1].endswith("\t"):
            self._tab(Span(self.file, span.line, span.column - 1, span.line, span.column))
        if plain:
            value = _typed(text)
            if "\t" in text:
                self._tab(span)
            if flow and "?" in text and span.line == span.end_line:
                syntax.question_mark(self.file, self.lines, span, self.report)
            self._comment_after(text, value, span)
        return Scalar(value, text, span, plain)

    def _tab(self, span: Span) -> None:
        for number in range(span.line, span.end_line + 1):
            column = self.lines[number - 1].find("\t", span.column - 1 if number == span.line else 0)
            if column >= 0:
                self.report.error(
                    "yaml-tab",
                    "a tab is not allowed here",
                    Span(self.file, number, column + 1, number, column + 2),
                    about="\\t",
                    help="use spaces",
                    fix=f"{self.lines[number - 1][:column]} {self.lines[number - 1][column + 1 :]}",
                )

    def _comment_after(self, text: str, value: object, span: Span) -> None:
        line = self.lines[span.end_line - 1] if span.end_line <= len(self.lines) else ""
        rest = line[span.end_column - 1 :]
        if text == "":
            if rest.lstrip(" ").startswith("#"):
                self._comment_instead(line, span.end_column - 1 + rest.index("#"), span.end_line)
        elif isinstance(value, str) and rest.startswith(" #"):
            column = span.end_column + 1
            head = line[: span.column - 1] if span.line == span.end_line else ""
            self.report.error(
                "comment-cuts-text",
                "this text is cut short: YAML takes ` #` and what follows for a comment",
                Span(self.file, span.end_line, column, span.end_line, len(line) + 1),
                about="#",
                help="put the text in quotes; before a real comment leave two spaces",
                fix=head + quoted(line[span.column - 1 :].rstrip()) if head else None,
            )

    def _comment_instead(self, line: str, column: int, number: int) -> None:
        key = re.search(r"([a-z_]+):\s*\Z", line[:column])
        keys = bool(key and key[1] in KEY_FIELDS)
        self.report.error(
            "comment-not-value",
            "there is no value here: YAML takes `#` and what follows for a comment",
            Span(self.file, number, column + 1, number, len(line.rstrip()) + 1),
            about="#",
            help='write hash or "#"' if keys else "put a text in quotes; an empty value is written null",
            # A text behind the `#` may be meant as what it is now, a comment.
            fix=f"{line[:column]}hash" if keys and line[column:].rstrip() == "#" else None,
        )

    def _sequence(self, event: Any, span: Span, depth: int) -> Sequence:
        items: list[Value] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                span = self._closed(span, inner, items[-1].span if items else None, bool(event.flow_style))
                break
            items.append(self._value(inner, depth + 1, bool(event.flow_style)))
        return Sequence(items, span, bool(event.flow_style))

    def _closed(self, span: Span, event: Any, last: Span | None, flow: bool) -> Span:
        # A block collection's end mark stands after the blank lines and comments that follow it.
        if flow or last is None:
            return Span(self.file, span.line, span.column, event.end_mark.line + 1, event.end_mark.column + 1)
        return Span(self.file, span.line, span.column, last.end_line, last.end_column)

    def _mapping(self, event: Any, span: Span, depth: int) -> Mapping:
        mapping = Mapping({}, span, bool(event.flow_style))
        last: Span | None = None
        for inner in self.events:
            if isinstance(inner, yaml.MappingEndEvent):
                mapping.span = self._closed(span, inner, last, mapping.flow)
                break
            # A comma makes a key of the rest of a text: what is wrong with it is told there, once.
            key = self._value(inner, depth + 1, False)
            value = self._value(next(self.events), depth + 1, mapping.flow)
            last = value.span
            if not isinstance(key, Scalar):
                self._bad_key(key)
                continue
            self._check_key(mapping, key, value)
            self._add(mapping, Entry(Scalar(key.text, key.text, key.span, key.plain), value))
        return mapping

    def _bad_key(self, key: Value) -> None:
        line = self.lines[key.span.line - 1]
        column = key.span.column - 1
        if line[max(0, column - 1) : column + 1] == "{{" or line[column : column + 2] == "{{":
            syntax.unquoted_template(self.file, self.lines, key.span.line - 1, line.index("{{"), self.report)
            return
        self.report.error("yaml-key", "a key must be a single word", key.span.start(), help="write the key as text")

    def _check_key(self, mapping: Mapping, key: Scalar, value: Value) -> None:
        if key.plain and key.text == "<<":
            self._forbid("merge-key", "<<", key.span, "write the fields out")
        if not mapping.flow or not isinstance(value, Scalar) or not value.plain or value.text:
            return
        line = self.lines[key.span.end_line - 1]
        if ":" in line[key.span.end_column - 1 : value.span.end_column] or value.span.line != key.span.end_line:
            return
        if "{{" in line[: key.span.column]:
            return  # the unquoted template is the cause and is reported by itself
        glued = re.match(r"([a-z_]+):(?=[^ ])", key.text)
        if glued:
            self._no_space(line, key.span, glued[1])
            return
        fix = syntax.requote(line, key.span.column - 1) if key.span.line == key.span.end_line else None
        if fix is not None and any(d.code == "comma-splits-text" and d.fix == fix for d in self.report.diagnostics):
            return  # a second comma of the same text
        self.report.error(
            "comma-splits-text",
            f"`{key.text}` stands here as a key without a value: a comma ends a text inside {{ }}",
            key.span,
            about=key.text,
            help="put the whole text in quotes",
            fix=fix,
        )

    def _no_space(self, line: str, span: Span, word: str) -> None:
        place = span.column - 1 + len(word) + 1
        self.report.error(
            "missing-space",
            "a space is missing after the `:`",
            Span(self.file, span.line, place, span.line, place + 1),
            about=f"{word}:",
            help="write `name: value`",
            fix=line[:place] + " " + line[place:],
        )

    def _add(self, mapping: Mapping, entry: Entry) -> None:
        first = mapping.entries.get(entry.key.text)
        if first is None:
            mapping.entries[entry.key.text] = entry
            return
        mapping.repeated.append(entry)
        self.report.error(
            "duplicate-key",
            f'the key "{entry.key.text}" stands here a second time',
            entry.key.span,
            about=entry.key.text,
            help="rename or delete one of the two",
            related=(Label(first.key.span, "first here"),),
        )


def _place(mark: Any) -> tuple[int, int]:
    return mark.line, mark.column


def _typed(text: str) -> str | int | float | bool | None:
    if text in ("", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if len(text) < 300:
        if _INT.match(text):
            return int(text)
        if _DECIMAL.match(text):
            return float(text)
    return text


def scalar(text: str, span: Span) -> Scalar:
    """Make a scalar as if the text had been written plainly at that place."""
    return Scalar(_typed(text), text, span, plain=True)


def to_plain(value: Value | None) -> Any:
    """Give the tree as plain dicts, lists and typed scalars (what JSON Schema and the revision hash see)."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Sequence):
        return [to_plain(item) for item in value.items]
    if isinstance(value, Mapping):
        return {key: to_plain(entry.value) for key, entry in value.entries.items()}
    return None


def find(value: Value | None, path: Iterator[str | int] | list[str | int] | tuple[str | int, ...]) -> Value | None:
    """Follow keys and indexes into the tree; None where the path leads nowhere."""
    for step in path:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, Sequence) and isinstance(step, int) and 0 <= step < len(value.items):
            value = value.items[step]
        else:
            return None
    return value
