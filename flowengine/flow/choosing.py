"""Choices by key or voice, as menus and waits have them: the fields of an option, and the rules among options."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from flowengine.flow.diagnostics import Label, Report, Span
from flowengine.flow.expressions import Condition, Equalities
from flowengine.flow.kinds import NAME, Field, Fields, KeySequences, ListOf, Pattern, Reading, Test
from flowengine.flow.model import NO_PHRASES, Assignment, Branch, Phrase, Phrases, Target
from flowengine.flow.routing import Assignments, TargetName
from flowengine.flow.source import Mapping, Sequence, Value
from flowengine.flow.wording import PhrasesKind

OPTION = (
    Field("key", KeySequences(), "The keys that take this option: `1`, `12`, `star`, or a list of alternatives."),
    Field("hear", PhrasesKind(), "The phrases that take this option when the caller speaks."),
    Field("if", Test(), "The option is there only when this holds."),
    Field("set", Assignments(), "Assigned when this option is taken."),
    Field("add", Assignments(), "Added when this option is taken."),
    Field("name", Pattern(NAME, "must be a name such as balance"), "Its outcome; default: its first phrase or key_1."),
    Field("goto", TargetName(), "Where this option leads; without it the node's `goto` maps its name."),
)
OPTIONS = ListOf(Fields(OPTION, "must be an option such as `{key: 1, goto: sales}`"), 1)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice."""

    name: str
    span: Span
    keys: tuple[str, ...]
    hear: Phrases = NO_PHRASES
    condition: Condition | Equalities | None = None
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    target: Target | None = None
    key_spans: tuple[Span, ...] = ()


def read_options(value: Value | None, reading: Reading) -> tuple[Option, ...]:
    """Read a list of options."""
    items = value.items if isinstance(value, Sequence) else []
    return tuple(_option(item, reading) for item in items if isinstance(item, Mapping))


def _option(item: Mapping, reading: Reading) -> Option:
    read = Fields(OPTION).read(item, reading)
    keys = read.get("key", ())
    hear = read.get("hear", NO_PHRASES)
    first = hear.first or (f"key_{spoken_key(keys[0])}" if keys else "option")
    name = read.get("name") or word(first)
    written = item.get("key")
    return Option(
        name,
        item.span,
        keys,
        hear,
        read.get("if"),
        read.get("set", ()),
        read.get("add", ()),
        read.get("goto"),
        KeySequences.places(written) if written else (),
    )


def word(phrase: str) -> str:
    """Give a phrase as a name: lower case, without accents, with `_` between the words."""
    plain = unicodedata.normalize("NFKD", phrase.lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "_", plain).strip("_") or "option"


def spoken_key(key: str) -> str:
    """Give a key sequence with words for its signs."""
    return key.replace("*", "star").replace("#", "hash").lower()


def outcomes(options: Iterable[Option]) -> tuple[str, ...]:
    """Name the options without a `goto` of their own."""
    return tuple(dict.fromkeys(option.name for option in options if option.target is None))


def branches(options: Iterable[Option]) -> tuple[Branch, ...]:
    """Give the options with a `goto` of their own."""
    return tuple(Branch(o.name, label(o), o.target, o.span, (*o.set, *o.add), o.condition) for o in options if o.target)


def label(option: Option) -> str:
    """Give the words that a drawing shows for an option."""
    words = f"key {' or '.join(option.keys)}" if option.keys else f"“{option.hear.first}”"
    return f"{words} if {option.condition.source}" if option.condition else words


def labels(options: Iterable[Option]) -> dict[str, str]:
    """Give the words that a drawing shows for the options without a `goto` of their own, by their names."""
    return {option.name: label(option) for option in options if option.target is None}


def key_sequences(options: Iterable[Option]) -> tuple[str, ...]:
    """Give the key sequences of all options."""
    return tuple(key for option in options for key in option.keys)


def check(options: Iterable[Option], report: Report) -> None:
    """No key, phrase or name stands twice, and every option can be taken."""
    keys: dict[str, Span] = {}
    names: dict[str, Span] = {}
    phrases: dict[tuple[str, str], tuple[Option, Phrase]] = {}
    for option in options:
        if not option.keys and not option.hear and not report.has_error_in(option.span):
            report.error(
                "option-without-key",
                "this option can not be taken: it has no key and no phrases",
                option.span,
                about="key",
                help="add `key: 1`, or `hear: [sales]`",
            )
        for key, span in zip(option.keys, option.key_spans, strict=True):
            if key in keys and option.condition is None:
                duplicate_key(key, span, keys[key], "takes two options", report)
            keys.setdefault(key, span)
        if option.name in names and not report.has_error_in(option.span):
            report.error(
                "duplicate-option",
                f'two options are called "{option.name}"',
                option.span,
                about=option.name,
                help="give one of them a `name`",
                related=(Label(names[option.name], "first here"),),
            )
        names.setdefault(option.name, option.span)
        _check_phrases(option, phrases, report)


def duplicate_key(key: str, span: Span, first: Span, does: str, report: Report, what: str = "option") -> None:
    """Report a key that stands twice."""
    report.error(
        "duplicate-menu-key",
        f"the key {key} {does}",
        span,
        about=key,
        help=f"give each {what} a key of its own",
        related=(Label(first, "first here"),),
    )


def _check_phrases(option: Option, seen: dict[tuple[str, str], tuple[Option, Phrase]], report: Report) -> None:
    """Two options with the same phrase are never taken by it: that is a nomatch."""
    for lang, phrases in option.hear.by_language.items():
        for phrase in phrases:
            folded = (lang, word(phrase.text))
            first = seen.setdefault(folded, (option, phrase))
            if first[0] is not option and option.condition is None and first[0].condition is None:
                report.error(
                    "duplicate-phrase",
                    f'the phrase "{phrase.text}" means two options, so neither is taken by it',
                    phrase.span,
                    about=phrase.text,
                    help="give each option phrases of its own",
                    related=(Label(first[1].span, "first here"),),
                )
