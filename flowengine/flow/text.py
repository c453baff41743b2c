"""Bytes -> text that every YAML reader and every editor takes the same way, or a diagnostic."""

from __future__ import annotations

import re

from flowengine.flow.diagnostics import Report, Span
from flowengine.flow.syntax import at

MAX_BYTES = 1 << 20
# Control characters; separators that only some readers take for ends of lines; marks of byte order inside the text.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def decode(file: str, data: bytes | str, report: Report) -> str | None:
    """Give the text of a file without its byte order mark; None, and a finding, where there is none."""
    start = Span(file, 1, 1, 1, 1)
    size = len(data) if isinstance(data, bytes) else len(data.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        report.error(
            "file-too-large", f"the file has {size} bytes; at most {MAX_BYTES} are read", start, help="split the flow"
        )
        return None
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        report.error(
            "not-utf-8",
            f"byte 0x{data[error.start]:02X} is not UTF-8",
            Span(file, line, column, line, column + 1),
            about=f"0x{data[error.start]:02X}",
            help="save the file as UTF-8",
        )
        return None


def forbidden_character(file: str, text: str, lines: tuple[str, ...], report: Report) -> bool:
    """Report the first character that YAML, or one of its readers, does not take for text."""
    match = _FORBIDDEN.search(text)
    if match:
        # The lines are those that an editor shows, so a separator is the end of its line.
        before = text[: match.start()].splitlines(keepends=True) or [""]
        whole = bool(before[-1].splitlines()) and before[-1] != before[-1].splitlines()[0]
        line, column = (len(before), 0) if whole else (len(before) - 1, len(before[-1]))
        code = f"U+{ord(match[0]):04X}"
        span = at(file, lines, line, column)
        report.error("yaml-character", f"the character {code} is not allowed", span, about=code, help="delete it")
    return bool(match)
