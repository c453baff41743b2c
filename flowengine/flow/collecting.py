"""What can be collected, by type: which fields go with it, which variables take it, and the choice from a list."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from flowengine.flow.expressions import Template
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Prompt, Scoped
from flowengine.flow.source import Mapping


@dataclass(frozen=True, slots=True)
class Form:
    """A type of value that can be asked for: the fields that only some types have, and the types that take it too."""

    fields: frozenset[str]
    fits: tuple[str, ...] = ()


_DIGITS = frozenset({"length", "match"})
_NUMBERS = frozenset({"length", "range"})
FORMS: MappingType[str, Form] = {
    "digits": Form(_DIGITS, ("text",)),
    "int": Form(_NUMBERS, ("number", "money")),
    "number": Form(frozenset({"range"}), ("money",)),
    "money": Form(frozenset({"range"}), ("number",)),
    "bool": Form(frozenset(), ("yesno",)),
    "yesno": Form(frozenset(), ("bool",)),
    "date": Form(frozenset()),
    "time": Form(frozenset()),
    "phone": Form(_DIGITS, ("text",)),
    "enum": Form(frozenset(), ("text",)),
    "text": Form(_DIGITS),
}
_SPECIAL = ("length", "range", "match")
# `star` is the decimal point of these.
_DECIMALS = ("number", "money")


@dataclass(frozen=True, slots=True)
class Choosing:
    """A choice at run time: the list, what is said of one entry, and how many are offered at a time."""

    entries: Template
    show: Scoped
    page: int = 4


def read_range(value: Mapping, text: str | None, reading: Reading) -> tuple[float, float] | None:
    """Give the bounds of a `range`."""
    if text is None:
        return None
    low, high = (float(part) for part in text.split(".."))
    if low > high:
        span = value.entries["range"].value.span
        reading.report.error("empty-range", "the smaller number comes first", span, about=text)
    return low, high


def read_choosing(value: Mapping, read: MappingType[str, Any], reading: Reading) -> Choosing | None:
    """Give the choice from a list; what belongs to one form alone is not beside the other."""
    entries: Template | None = read.get("from")
    report = reading.report
    if "from" not in value.entries:
        for name in ("show", "page"):
            if name in value.entries:
                span = value.entries[name].key.span
                message, help_ = f"`{name}` belongs to a choice `from` a list", "add `from`, or delete it"
                report.error("unfit-field", message, span, about=name, help=help_)
        return None
    span = value.entries["from"].value.span
    for name in (*_SPECIAL, "type", "end_key", "clear_key"):
        if name in value.entries:
            message = f"`{name}` can not stand beside `from`: an entry of the list is taken as it is"
            report.error("unfit-field", message, value.entries[name].key.span, about=name, help="delete it")
    if entries is not None and not report.has_error_in(span) and not entries.single:
        help_ = 'write `from: "{{ slots }}"`'
        report.error("from-not-list", "`from` is not one `{{ }}`", span, about=entries.source, help=help_)
    show: Prompt | None = read.get("show")
    if "show" not in value.entries:
        help_ = 'write what is said of one entry: `show: "{{ it }}"`'
        report.error(
            "missing-field", "`show` is missing in collect", value.entries["from"].key.span, about="show", help=help_
        )
    if entries is None or show is None:
        return None
    return Choosing(entries, Scoped(show, ("it",)), read.get("page", 4))


def check_form(kind: str, written: Mapping, reading: Reading) -> None:
    """The fields that only some types have are those of this type, and its keys mean one thing."""
    report = reading.report
    for name in _SPECIAL:
        entry = written.entries.get(name)
        if entry and name not in FORMS[kind].fields:
            has = ", ".join(k for k, form in FORMS.items() if name in form.fields)
            message = f"a value of the type {kind} has no `{name}`"
            report.error("unfit-field", message, entry.key.span, about=name, help=f"it is for {has}")
    for name in ("end_key", "clear_key"):
        entry = written.entries.get(name)
        if entry and kind in _DECIMALS and getattr(entry.value, "text", "") in ("star", "*"):
            report.error(
                "digit-ends-entry",
                f"`{name}: star` is the decimal point of a value of the type {kind}",
                entry.value.span,
                about="star",
                help="use hash or none",
            )
    match = written.entries.get("match")
    if match and not report.has_error_in(match.value.span):
        problem = unmatched(getattr(match.value, "text", ""))
        if problem:
            report.error(
                "bad-pattern",
                f"this is not a regular expression: {problem}",
                match.value.span,
                about=getattr(match.value, "text", ""),
                help="the syntax is RE2's: no look-around and no back references",
            )


def in_range(entry: str, bounds: tuple[float, float] | None) -> bool:
    """Say whether digits are a number within bounds; without bounds all are."""
    return bounds is None or bounds[0] <= float(entry) <= bounds[1]


def matches(value: str, pattern: str) -> bool:
    """Say whether the whole value matches a regular expression; every value matches none."""
    if not pattern:
        return True
    import re2  # few flows have one, and the library is not small

    return re2.fullmatch(pattern, value) is not None


def unmatched(pattern: str) -> str:
    """Say what is wrong with a regular expression of RE2, whose time grows with the text alone; empty for nothing."""
    # Few flows have one, and the library is not small.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return (reason.decode() if isinstance(reason, bytes) else str(reason)) or "it does not parse"
    return ""
