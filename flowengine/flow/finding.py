"""What the scan of a broken YAML text finds, and the pieces of YAML that it looks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
        return max(0, line.rfind("-", 0, column))
    return column


def template(lines: Sequence[str], line: int, column: int) -> Finding:
    """Give the finding of an unquoted `{{` at this place."""
    text = lines[line]
    before = re.sub(r"\{\{.*?\}\}", lambda m: " " * len(m[0]), text[:column])
    inside = max(before.count("{") - before.count("}"), before.count("[") - before.count("]")) > 0
    start = max((m.end() for m in re.finditer(r"^\s*(?:- +)+|[:,]\s+|[\[{]\s*", before)), default=column)
    if inside:
        rest = re.compile(r"(?:\{\{.*?\}\}|[^,\]}])*").match(text, start)
        end = rest.end() if rest else len(text)
    else:
        end = start + len(re.split(r"\s+#", text[start:])[0])
    end = start + len(text[start:end].rstrip())
    return Finding(
        "unquoted-template",
        "YAML reads an unquoted `{{` as a mapping",
        line,
        column,
        column + 2,
        "{{",
        "put the text in quotes",
        text[:start] + quoted(text[start:end]) + text[end:],
    )


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
