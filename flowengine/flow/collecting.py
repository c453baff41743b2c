"""What is collected: the fields of `collect`, what goes with each type of value, and the choice from a list."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from typing import Any

from flowengine.flow import values
from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.kinds import (
    VARIABLE,
    Choice,
    Field,
    Fields,
    Flag,
    ListOf,
    OneKey,
    Pattern,
    Reading,
    Reference,
    Test,
    Whole,
    Words,
)
from flowengine.flow.model import Prompt, Scoped
from flowengine.flow.prompting import PromptKind
from flowengine.flow.source import Mapping, Value

_LENGTH = r"^[1-9][0-9]?(\.\.[1-9][0-9]?)?$"
_RANGE = r"^-?[0-9]+(\.[0-9]+)?\.\.-?[0-9]+(\.[0-9]+)?$"


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


@dataclass(frozen=True, slots=True)
class CollectSpec:
    """What is collected.

    ``kind`` is the type of the value, empty for the variable's; ``least`` to ``most`` digits; ``range`` the least and
    the greatest number; ``end_key`` and ``clear_key`` are empty for none; ``choosing`` is a choice at run time.
    """

    into: str
    into_span: Span
    least: int = 1
    most: int = 30
    end_key: str = "#"
    clear_key: str = ""
    check: Condition | Equalities | None = None
    confirm: Prompt | None = None
    optional: bool = False
    kind: str = ""
    range: tuple[float, float] | None = None
    by: tuple[str, ...] = ("keys", "speech")
    match: str = ""
    choosing: Choosing | None = None
    written: Mapping | None = None


FIELDS = (
    Field("into", Pattern(VARIABLE, "must be the name of a variable"), "The variable.", required=True),
    Field("type", Choice(values.TYPES), "The type of the value; default: the variable's."),
    Field(
        "length",
        Pattern(_LENGTH, "must be a number of digits such as 6, or 4..8"),
        "How many digits.",
        examples=(6, "4..8"),
    ),
    Field("range", Pattern(_RANGE, "must be a range such as 1..5"), "The least and the greatest number."),
    Field("end_key", OneKey(), "The key that ends the entry, or none.", default="hash"),
    Field("clear_key", OneKey(), "The key that starts the entry over, or none.", default="none"),
    Field("by", ListOf(Choice(("keys", "speech")), 1), "How it can be given.", default=["keys", "speech"]),
    Field("match", Pattern(r"\S", "must be a regular expression"), "A regular expression for the whole value."),
    Field("check", Test(maps=False), "Must hold for the value, which stands under the variable's name."),
    Field("confirm", Reference("prompt", PromptKind), "Asked before the value is stored: 1 is yes, 2 is no."),
    Field(
        "optional",
        Flag(),
        "The caller may skip it, and the last failure ends it as `skipped` instead of `toomany`.",
        default=False,
    ),
    Field("from", Words(), "A choice at run time: one `{{ }}` that is a list."),
    Field("show", Reference("prompt", PromptKind), "With `from`: what is said of one entry; `it` is the entry."),
    Field("page", Whole(1, 8), "With `from`: how many entries are offered at a time.", default=4),
)
KIND = Fields(FIELDS, "must be a mapping such as `{into: account, length: 6}`")


def read_collect(value: Value | None, reading: Reading) -> CollectSpec:
    """Read what is collected."""
    start = value.span if value else Span("", 1, 1, 1, 1)
    if not isinstance(value, Mapping):
        return CollectSpec("", start)
    read = KIND.read(value, reading)
    into = value.get("into")
    least, most = 1, 30
    if "length" in read:
        low, _, high = re.sub(r"\.\.", " ", read["length"]).partition(" ")
        least, most = int(low), int(high or low)
        if least > most:
            length = value.entries["length"].value
            reading.report.error("empty-range", "the shorter length comes first", length.span, about=f"{least}..{most}")
    end_key, clear_key = read.get("end_key", "#"), read.get("clear_key", "")
    _check_keys(value, end_key, clear_key, reading)
    plain = {name: read[name] for name in ("check", "confirm", "optional", "by", "match") if name in read}
    return CollectSpec(
        read.get("into", ""),
        into.span if into else start,
        least,
        most,
        end_key,
        clear_key,
        **plain,
        kind=read.get("type", ""),
        range=read_range(value, read.get("range"), reading),
        choosing=read_choosing(value, read, reading),
        written=value,
    )


def _check_keys(value: Mapping, end_key: str, clear_key: str, reading: Reading) -> None:
    """No digit ends the entry, and one key does one thing."""
    for name, key in (("end_key", end_key), ("clear_key", clear_key)):
        entry = value.entries.get(name)
        if entry and key and key in "0123456789":
            reading.report.error(
                "digit-ends-entry",
                f"`{name}: {key}` is one of the digits that are collected",
                entry.value.span,
                about=key,
                help="use hash, star or none",
            )
    entry = value.entries.get("clear_key")
    if entry and clear_key and clear_key == end_key:
        reading.report.error(
            "same-key",
            "this key ends the entry already",
            entry.value.span,
            about=clear_key,
            help="use another key, or none",
        )


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


def in_range(value: Any, bounds: tuple[float, float] | None) -> bool:
    """Say whether a number is within bounds; without bounds all are."""
    return bounds is None or bounds[0] <= float(value) <= bounds[1]


def matches(value: Any, pattern: str) -> bool:
    """Say whether the whole of a text matches a regular expression; every value matches none."""
    if not pattern:
        return True
    import re2  # few flows have one, and the library is not small

    return re2.fullmatch(pattern, str(value)) is not None


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
