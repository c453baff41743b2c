"""`menu`: one choice by key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flowengine.flow.diagnostics import Label, Report, Span
from flowengine.flow.expressions import Condition, Equalities
from flowengine.flow.kinds import (
    NAME,
    Field,
    Fields,
    KeySequences,
    ListOf,
    Pattern,
    Reading,
    Schema,
    Shaped,
    Test,
    Text,
)
from flowengine.flow.model import Assignment, Branch, Flow, Node, Prompt, Target
from flowengine.flow.routing import Assignments, TargetName
from flowengine.flow.source import Mapping, Sequence, Value
from flowengine.runtime import keys as keypad
from flowengine.runtime.node import Context, KeyTaken, NodeEvent, TimerDue

OPTION = (
    Field("key", KeySequences(), "The keys that take this option: `1`, `12`, `star`, or a list of alternatives."),
    Field("hear", ListOf(Text()), "The phrases that take this option when the caller speaks."),
    Field("if", Test(), "The option is there only when this holds."),
    Field("set", Assignments(), "Assigned when this option is taken."),
    Field("add", Assignments(), "Added when this option is taken."),
    Field("name", Pattern(NAME, "must be a name such as balance"), "Its outcome; default: its first phrase or key_1."),
    Field("goto", TargetName(), "Where this option leads; without it the node's `goto` maps its name."),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a menu."""

    name: str
    span: Span
    keys: tuple[str, ...]
    hear: tuple[str, ...] = ()
    condition: Condition | Equalities | None = None
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    target: Target | None = None
    key_spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class MenuSpec:
    """The options in file order."""

    options: tuple[Option, ...]


_OPTIONS = ListOf(Fields(OPTION, "must be an option such as `{key: 1, goto: sales}`"), 1)


class Menu:
    """Asks for one choice. A key that begins a longer one waits `interdigit`; `#` ends the wait."""

    key = "menu"
    about = "One choice by key: a list of options."
    timed = True
    asks = True
    pauses = True
    keeps_keys = True
    fields = (Field("options", _OPTIONS, "The options.", required=True),)

    def schema(self) -> Schema:
        """Give the schema: a list of options, or a mapping that holds it."""
        return Shaped("must be a list of options", mapping=Fields(self.fields), sequence=_OPTIONS).schema()

    def read(self, value: Value | None, reading: Reading) -> MenuSpec:
        """Read the options."""
        listed = value.get("options") if isinstance(value, Mapping) else value
        items = listed.items if isinstance(listed, Sequence) else []
        return MenuSpec(tuple(_option(item, reading) for item in items if isinstance(item, Mapping)))

    def outcomes(self, spec: MenuSpec) -> tuple[str, ...]:
        """Name the options without a `goto` of their own."""
        return tuple(dict.fromkeys(option.name for option in spec.options if option.target is None))

    def branches(self, spec: MenuSpec) -> tuple[Branch, ...]:
        """Give the options with a `goto` of their own."""
        return tuple(Branch(o.name, _label(o), o.target, o.span) for o in spec.options if o.target)

    def check(self, node: Node, flow: Flow, report: Report) -> None:
        """No key and no name stands twice, and every option can be taken."""
        keys: dict[str, Span] = {}
        names: dict[str, Span] = {}
        for option in node.spec.options:
            if not option.keys and not report.has_error_in(option.span):
                report.error(
                    "option-without-key",
                    "this option can not be taken: it has no key",
                    option.span,
                    about="key",
                    help="add `key: 1`",
                )
            for key, span in zip(option.keys, option.key_spans, strict=True):
                if key in keys and option.condition is None:
                    report.error(
                        "duplicate-menu-key",
                        f"the key {key} takes two options",
                        span,
                        about=key,
                        help="give each option a key of its own",
                        related=(Label(keys[key], "first here"),),
                    )
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

    def enter(self, ctx: Context) -> None:
        """Use what was typed ahead, else ask."""
        if not ctx.typed_ahead():
            ctx.ask(ctx.node.say)

    def question(self, ctx: Context) -> Prompt | None:
        """After a failure the reprompt."""
        return reprompt(ctx)

    def cutting_keys(self, ctx: Context) -> str:
        """Any key cuts: one that is no option is a nomatch."""
        return keypad.ALL

    def gives_up(self, ctx: Context) -> bool:
        """A menu has no ending of its own."""
        return False

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Collect keys until they are an option, a command, or neither."""
        entry: str = ctx.local.get("entry", "")
        if isinstance(event, KeyTaken):
            self._key(entry, event.key, ctx)
        elif isinstance(event, TimerDue) and event.name == "interdigit":
            self._settle(entry, ctx)
        elif isinstance(event, TimerDue):
            ctx.fail("noinput")

    def _key(self, entry: str, key: str, ctx: Context) -> None:
        choices = self._choices(ctx)
        ctx.stop_timer("interdigit")
        found = keypad.match(entry + key, choices)
        if found is keypad.Match.NONE and key == "#" and entry:
            self._settle(entry, ctx)
            return
        ctx.local["entry"] = entry + key
        if found is keypad.Match.COMPLETE or found is keypad.Match.NONE:
            self._settle(entry + key, ctx)
        else:
            ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)

    def _choices(self, ctx: Context) -> dict[str, Any]:
        """Give the sequences that are taken now; an option of the node wins over a global command."""
        scope = ctx.scope()
        options = {
            key: option
            for option in reversed(ctx.node.spec.options)
            if option.condition is None or option.condition.holds(scope)
            for key in option.keys
        }
        return {**ctx.commands(), **options}

    def _settle(self, entry: str, ctx: Context) -> None:
        choice = self._choices(ctx).get(entry)
        ctx.local["entry"] = ""
        if choice is None:
            ctx.fail("nomatch")
        elif isinstance(choice, Option):
            ctx.assign(choice.set, choice.add)
            ctx.done(choice.name)
        else:
            ctx.command(choice)


def reprompt(ctx: Context) -> Prompt | None:
    """Give what a node asks again: its reprompt for this failure, or what it asked first."""
    node = ctx.node
    failures = int(ctx.scope()["node"]["failures"])
    if not node.reprompt or not failures:
        return node.say
    return node.reprompt[min(failures, len(node.reprompt)) - 1]


def _option(item: Mapping, reading: Reading) -> Option:
    read = Fields(OPTION).read(item, reading)
    keys = read.get("key", ())
    hear = read.get("hear", ())
    first = hear[0] if hear else f"key_{_spoken(keys[0])}" if keys else "option"
    name = read.get("name") or re.sub(r"[^a-z0-9]+", "_", first.lower()).strip("_")
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


def _spoken(key: str) -> str:
    return key.replace("*", "star").replace("#", "hash").lower()


def _label(option: Option) -> str:
    words = f"key {' or '.join(_spoken(key) for key in option.keys)}" if option.keys else option.name
    return f"{words} if {option.condition.source}" if option.condition else words


NODE = Menu()
