"""The fields of conversations with a model: the prompt, the tools it may use, and the exits that fence it in."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from flowengine.flow import choosing, names
from flowengine.flow.diagnostics import Label, Report, Span, did_you_mean
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.kinds import (
    NAME,
    VARIABLE,
    Choice,
    Decimal,
    Field,
    Fields,
    KeySequences,
    Kind,
    ListOf,
    Reading,
    Schema,
    Shaped,
    Test,
    Text,
    Whole,
    Words,
    say,
)
from flowengine.flow.model import NO_PHRASES, Assignment, Branch, Filler, Flow, Named, Node, Phrases, Target
from flowengine.flow.routing import Assignments, TargetName
from flowengine.flow.source import Mapping, Scalar, Value
from flowengine.flow.tooling import FillerKind
from flowengine.flow.wording import Named as NamedKind
from flowengine.flow.wording import PhrasesKind

# Two `when` that are so alike are a coin toss for a model.
ALIKE = 0.85


@dataclass(frozen=True, slots=True)
class Exit:
    """A way out of a conversation. ``fill`` maps variables to what the model should put into them."""

    name: str
    span: Span
    when: Template | None = None
    when_span: Span | None = None
    keys: tuple[str, ...] = ()
    hear: Phrases = NO_PHRASES
    condition: Condition | Equalities | None = None
    fill: MappingType[str, str] = field(default_factory=dict)
    fill_spans: MappingType[str, Span] = field(default_factory=dict)
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    target: Target | None = None
    key_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatSpec:
    """A conversation. ``last`` is how many messages of before are kept, None for the rule in ``history``."""

    prompt: Template | None = None
    tools: tuple[Named, ...] = ()
    exits: tuple[Exit, ...] = ()
    temperature: float | None = None
    history: str = "keep"
    last: int | None = None
    opens: str = "bot"
    max_turns: int = 20
    keys: str = "exit"
    filler: Filler | None = None


class _Fill(Kind):
    """`fill`: variables, each with what belongs into it."""

    def schema(self) -> Schema:
        names = {"pattern": VARIABLE, "errorMessage": "must be the name of a variable"}
        sentence = "must be a map from variables to what belongs into them"
        return say({"type": "object", "propertyNames": names, "additionalProperties": Text().schema()}, sentence)

    def read(self, value: Value, reading: Reading) -> Mapping | None:
        return value if isinstance(value, Mapping) else None


EXIT_FIELDS = (
    Field("when", Words(), "When the model may take this exit, in one sentence."),
    Field("key", KeySequences(), "The keys that take this exit."),
    Field("hear", PhrasesKind(), "The phrases that take this exit when the caller says nothing else."),
    Field("if", Test(), "The exit is there only when this holds."),
    Field("fill", _Fill(), "Variables that the model fills in, each with what belongs into it."),
    Field("set", Assignments(), "Assigned when this exit is taken."),
    Field("add", Assignments(), "Added when this exit is taken."),
    Field("goto", TargetName(), "Where this exit leads; without it the node's `goto` maps its name."),
)
_EXIT = Fields(
    EXIT_FIELDS,
    "must be an exit such as `{when: the caller needs nothing more, goto: bye}`",
)


class _Exits(Kind):
    """`exits`: names to exits."""

    def schema(self) -> Schema:
        names = {"pattern": NAME, "errorMessage": "must be a name such as done"}
        sentence = "must be a map from names to exits"
        return say({"type": "object", "propertyNames": names, "additionalProperties": _EXIT.schema()}, sentence)

    def read(self, value: Value, reading: Reading) -> tuple[Exit, ...]:
        if not isinstance(value, Mapping):
            return ()
        return tuple(
            _exit(name, entry.key, entry.value, reading)
            for name, entry in value.entries.items()
            if isinstance(entry.value, Mapping)
        )


def _exit(name: str, key: Scalar, value: Mapping, reading: Reading) -> Exit:
    read = _EXIT.read(value, reading)
    fill = read.get("fill")
    filled = fill.entries if isinstance(fill, Mapping) else {}
    written, when = value.get("key"), value.get("when")
    return Exit(
        name,
        key.span,
        read.get("when"),
        when.span if when else None,
        read.get("key", ()),
        read.get("hear", NO_PHRASES),
        read.get("if"),
        {variable: getattr(entry.value, "text", "") for variable, entry in filled.items()},
        {variable: entry.key.span for variable, entry in filled.items()},
        read.get("set", ()),
        read.get("add", ()),
        read.get("goto"),
        KeySequences.places(written) if written else (),
    )


_LAST = Fields(
    (Field("last", Whole(1, 200), "How many messages of before are kept.", required=True),),
    "must be keep, fresh, summary, or `{last: 10}`",
)
_HISTORY = Shaped(
    "must be keep, fresh, summary, or `{last: 10}`", scalar=Choice(("keep", "fresh", "summary")), mapping=_LAST
)
FIELDS = (
    Field("prompt", Words(), "What the model shall do, in this node alone.", required=True),
    Field("tools", ListOf(NamedKind("must be the name of a tool under `tools`")), "The tools that it may use."),
    Field("exits", _Exits(), "The ways out of the conversation, by name."),
    Field("temperature", Decimal(0.0, 2.0), "How freely the model answers here, 0 to 2."),
    Field(
        "history", _HISTORY, "What the model remembers of before: all, nothing, a summary, or so many.", default="keep"
    ),
    Field("opens", Choice(("bot", "caller")), "Who speaks first; what `say` holds is the opening.", default="bot"),
    Field("max_turns", Whole(1, 200), "Turns of the caller; then `maxturns` is raised.", default=20),
    Field(
        "keys",
        Choice(("exit", "text", "ignore")),
        "What keys do: take an exit, become the caller's words, or nothing.",
        default="exit",
    ),
    Field("filler", FillerKind(), "What is said when an answer takes long."),
)
KIND = Fields(FIELDS, "must be a mapping such as `{prompt: …, exits: …}`")


def read_chat(value: Value | None, reading: Reading) -> ChatSpec:
    """Read a conversation."""
    if not isinstance(value, Mapping):
        return ChatSpec()
    read: dict[str, Any] = KIND.read(value, reading)
    history = read.pop("history", "keep")
    if isinstance(history, dict):
        read["last"] = history.get("last")
    else:
        read["history"] = history
    return ChatSpec(**read)


def outcomes(spec: ChatSpec) -> tuple[str, ...]:
    """Name the exits without a `goto` of their own."""
    return tuple(one.name for one in spec.exits if one.target is None)


def branches(spec: ChatSpec) -> tuple[Branch, ...]:
    """Give the exits with a `goto` of their own."""
    return tuple(
        Branch(one.name, label(one), one.target, one.span, (*one.set, *one.add), one.condition)
        for one in spec.exits
        if one.target
    )


def label(one: Exit) -> str:
    """Give the words that a drawing shows for an exit."""
    keys = f" (key {' or '.join(one.keys)})" if one.keys else ""
    return f"{one.name}{keys}" + (f" if {one.condition.source}" if one.condition else "")


def labels(spec: ChatSpec) -> dict[str, str]:
    """Give the words that a drawing shows for the exits without a `goto` of their own, by their names."""
    return {one.name: label(one) for one in spec.exits if one.target is None}


def gives(spec: ChatSpec, outcome: str) -> tuple[str, ...]:
    """Name what an exit fills in."""
    return tuple(variable for one in spec.exits if one.name == outcome for variable in one.fill)


def takes(spec: ChatSpec) -> tuple[str, ...] | None:
    """Give the keys of the exits; None where keys are words."""
    return None if spec.keys == "text" else tuple(key for one in spec.exits for key in one.keys)


def check(node: Node, flow: Flow, reading: Reading) -> None:
    """Every exit can be taken and told from the others, and what a model uses and fills in is declared."""
    spec: ChatSpec = node.spec
    report = reading.report
    if not spec.exits and node.type_span and not report.has_error_in(node.type_span):
        report.warning(
            "chat-without-exits",
            f"this {node.type.key} has no exits: it goes on until a timer or the caller ends it",
            node.name_span,
            about=node.name,
            help="add `exits: {done: {when: the caller needs nothing more, goto: end}}`",
        )
    keys: dict[str, Span] = {}
    for one in spec.exits:
        if one.when is None and not one.keys and not one.hear and not report.has_error_in(one.span):
            report.error(
                "option-without-key",
                f'the exit "{one.name}" can not be taken: it has no when, key or phrases',
                one.span,
                about=one.name,
                help="write when the model may take it: `when: the caller asks for a person`",
            )
        for key, span in zip(one.keys, one.key_spans, strict=True):
            if key in keys:
                choosing.duplicate_key(key, span, keys[key], "takes two exits", report, "exit")
            keys.setdefault(key, span)
        for variable, span in one.fill_spans.items():
            if variable not in flow.vars:
                help_ = did_you_mean(variable, flow.vars) or "declare it under `vars`"
                report.error("unknown-variable", f'unknown variable "{variable}"', span, about=variable, help=help_)
    _similar(spec.exits, report)
    names.used_tools(spec.tools, flow, reading)
    _usable_tools(spec.tools, flow, report)


def _similar(exits: tuple[Exit, ...], report: Report) -> None:
    from difflib import SequenceMatcher  # few flows have conversations

    for first, second in combinations(exits, 2):
        if first.when is None or second.when is None or first.when_span is None or second.when_span is None:
            continue
        if SequenceMatcher(None, _words(first.when.source), _words(second.when.source)).ratio() >= ALIKE:
            report.warning(
                "similar-exits",
                f'a model can hardly tell "{second.name}" from "{first.name}"',
                second.when_span,
                about=second.name,
                help="say in what they differ",
                related=(Label(first.when_span, "nearly the same as this"),),
            )


def _words(text: str) -> list[str]:
    # Two that differ by a `not` are opposites, so whole words are compared, each by its own weight.
    words = [word.strip(".,;:!?") for word in text.lower().split()]
    return [word for word in words if word not in ("the", "a", "an", "to", "of", "is", "are", "has", "caller")]


def _usable_tools(tools: tuple[Named, ...], flow: Flow, report: Report) -> None:
    for used in tools:
        tool = flow.tools.get(used.name)
        if tool and tool.kind == "http" and tool.args is None:
            report.error(
                "tool-without-args",
                f'a model can not call "{used.name}": nothing says which arguments it takes',
                used.span,
                about=used.name,
                help="declare `args` in the tool, or `args: {}` for none",
                related=(Label(tool.span, "declared here"),),
            )
