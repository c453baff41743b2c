"""`collect`: one value into one variable, with an optional check and confirmation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowengine.flow import values
from flowengine.flow.collecting import FORMS, Choosing, check_form, in_range, matches, read_choosing, read_range
from flowengine.flow.diagnostics import Span, did_you_mean
from flowengine.flow.expressions import Condition, Equalities
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
    Schema,
    Test,
    Whole,
    Words,
)
from flowengine.flow.model import Flow, Node, Prompt
from flowengine.flow.node_type import LanguageHalf
from flowengine.flow.prompting import PromptKind
from flowengine.flow.source import Mapping, Value
from flowengine.flow.values import UnfitValueError
from flowengine.nodes.menu import reprompt
from flowengine.runtime import keys as keypad
from flowengine.runtime.node import Context, KeyTaken, NodeEvent, RunningHalf, TimerDue

BY_KEYS = ("digits", "int", "phone", "text")
_LENGTH = r"^[1-9][0-9]?(\.\.[1-9][0-9]?)?$"
_RANGE = r"^-?[0-9]+(\.[0-9]+)?\.\.-?[0-9]+(\.[0-9]+)?$"
OUTCOMES = {
    "done": "The value is there.",
    "skipped": "The caller skipped it (only with `optional`).",
    "empty": "There is nothing to choose from (only with `from`).",
}
YES, NO = "1", "2"


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


class Collect(LanguageHalf, RunningHalf):
    """Asks for a value. It is tentative until it was checked and confirmed; only then is it stored."""

    key = "collect"
    about = "One value by keys or voice into one variable."
    example = """\
ask:
  say: Enter your six digit account number.
  collect:
    into: account
    length: 6
    confirm: "I have {{ account | spell }}. Press 1 if that is right, or 2 to try again."
  goto: bye
"""
    timed = True
    asks = True
    events = ("noinput", "nomatch", "invalid", "toomany", "error.stt")
    known_outcomes = OUTCOMES
    keeps_keys = True
    fields = (
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

    def schema(self) -> Schema:
        """Give the schema of the mapping."""
        return Fields(self.fields, "must be a mapping such as `{into: account, length: 6}`").schema()

    def read(self, value: Value | None, reading: Reading) -> CollectSpec:
        """Read what is collected."""
        start = value.span if value else Span("", 1, 1, 1, 1)
        if not isinstance(value, Mapping):
            return CollectSpec("", start)
        read = Fields(self.fields).read(value, reading)
        into = value.get("into")
        least, most = 1, 30
        if "length" in read:
            low, _, high = re.sub(r"\.\.", " ", read["length"]).partition(" ")
            least, most = int(low), int(high or low)
            if least > most:
                length = value.entries["length"].value
                reading.report.error(
                    "empty-range", "the shorter length comes first", length.span, about=f"{least}..{most}"
                )
        end_key, clear_key = read.get("end_key", "#"), read.get("clear_key", "")
        self._check_keys(value, end_key, clear_key, reading)
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

    def _check_keys(self, value: Mapping, end_key: str, clear_key: str, reading: Reading) -> None:
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

    def outcomes(self, spec: CollectSpec) -> tuple[str, ...]:
        """Give `done`, `skipped` when it is optional, and `empty` when it chooses from a list."""
        return ("done", *["skipped"] * spec.optional, *["empty"] * bool(spec.choosing))

    def shows(self, spec: CollectSpec) -> str:
        """Show the variable; for a choice at run time also the list."""
        return f"into {spec.into}" + (f" from {spec.choosing.entries.source}" if spec.choosing else "")

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """The variable is declared, takes what is collected, and the fields are those of its type."""
        spec: CollectSpec = node.spec
        variable = flow.vars.get(spec.into)
        if spec.into and variable is None:
            help_ = did_you_mean(spec.into, flow.vars) or f"declare it: `vars: {{{spec.into}: digits}}`"
            reading.report.error(
                "unknown-variable", f'unknown variable "{spec.into}"', spec.into_span, about=spec.into, help=help_
            )
        if variable is None or spec.written is None or spec.choosing:
            return
        kind = spec.kind or variable.kind
        place = spec.written.entries["type"].value.span if spec.kind else spec.into_span
        if kind not in FORMS:
            reading.report.error(
                "wrong-type",
                f"a value of the type {kind} can not be collected; {', '.join(FORMS)} can",
                place,
                about=kind,
                help="collect into a variable of another type, or choose `from` a list",
            )
            return
        if variable.kind not in (kind, *FORMS[kind].fits):
            reading.report.error(
                "wrong-type",
                f'a value of the type {kind} does not fit "{variable.name}", which holds {variable.kind}',
                place,
                about=kind,
                help=f"declare the variable as {kind}, or leave `type` out",
            )
        check_form(kind, spec.written, reading)

    def takes(self, spec: CollectSpec) -> tuple[str, ...] | None:
        """Its words may name any digit."""
        return None

    def gives(self, spec: CollectSpec, outcome: str) -> tuple[str, ...]:
        """Give the variable a value when it is done."""
        return (spec.into,) if outcome == "done" and spec.into else ()

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """Keys alone are heard yet, as digits."""
        spec: CollectSpec = node.spec
        if spec.choosing:
            return "a choice `from` a list", node.type_span or node.name_span
        if "keys" not in spec.by:
            return "a value by voice alone", node.type_span or node.name_span
        kind = spec.kind or flow.vars[spec.into].kind
        return (f"collecting a {kind}", spec.into_span) if kind not in BY_KEYS else None

    def enter(self, ctx: Context) -> None:
        """Use what was typed ahead, else ask."""
        if not ctx.typed_ahead():
            ctx.ask(ctx.node.say)

    def question(self, ctx: Context) -> Prompt | None:
        """Give the confirmation while it is asked, else the question for the value."""
        if ctx.local.get("confirming"):
            spec: CollectSpec = ctx.node.spec
            return spec.confirm
        return reprompt(ctx)

    def cutting_keys(self, ctx: Context) -> str:
        """Only keys that it takes cut; in the confirmation any key does."""
        if ctx.local.get("confirming"):
            return keypad.ALL
        own = self._taken(ctx.node.spec)
        return own + "".join(key for key in keypad.ALL if key not in own and key in ctx.commands())

    def _taken(self, spec: CollectSpec) -> str:
        return "0123456789" + spec.end_key + spec.clear_key

    def gives_up(self, ctx: Context) -> bool:
        """An optional one is skipped."""
        spec: CollectSpec = ctx.node.spec
        if spec.optional:
            ctx.done("skipped")
        return spec.optional

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Take a key or a timer, in the entry or in the confirmation."""
        if isinstance(event, TimerDue):
            if event.name == "interdigit":
                self._complete(ctx, ctx.local.get("entry", ""))
            else:
                ctx.fail("noinput")
        elif isinstance(event, KeyTaken):
            if ctx.local.get("confirming"):
                self._confirm(event.key, ctx)
            else:
                self._key(event.key, ctx)

    def _key(self, key: str, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        entry: str = ctx.local.get("entry", "")
        if key not in self._taken(spec):
            command = ctx.commands().get(key)
            if command:
                ctx.command(command)
            else:
                ctx.note("ignored", why="this node does not take it")
                if entry:
                    ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)
                else:
                    ctx.start_timer("noinput", ctx.node.timeouts.noinput)
        elif key == spec.end_key:
            self._complete(ctx, entry)
        elif key == spec.clear_key:
            ctx.local["entry"] = ""
            ctx.stop_timer("interdigit")
            ctx.start_timer("noinput", ctx.node.timeouts.noinput)
        else:
            ctx.local["entry"] = entry + key
            if len(entry) + 1 >= spec.most:
                ctx.swallow(spec.end_key, ctx.node.timeouts.final)
                self._complete(ctx, entry + key)
            else:
                ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)

    def _complete(self, ctx: Context, entry: str) -> None:
        spec: CollectSpec = ctx.node.spec
        ctx.stop_timer("interdigit")
        ctx.stop_timer("noinput")
        ctx.local["entry"] = ""
        if len(entry) < spec.least:
            ctx.fail("invalid")
            return
        try:
            ctx.propose(spec.into, entry)
        except UnfitValueError:
            ctx.fail("invalid")
            return
        if not (in_range(entry, spec.range) and matches(entry, spec.match)):
            ctx.fail("invalid")
            return
        if spec.check is not None and not spec.check.holds(ctx.scope()):
            ctx.fail("invalid")
        elif spec.confirm is None:
            self._store(ctx)
        else:
            # An old key never confirms.
            ctx.flush_keys("confirm")
            ctx.local["confirming"] = True
            ctx.ask(spec.confirm)

    def _confirm(self, key: str, ctx: Context) -> None:
        if key == YES:
            self._store(ctx)
        elif key == NO:
            ctx.local["confirming"] = False
            ctx.fail("denied")
        elif key in ctx.commands():
            ctx.command(ctx.commands()[key])
        else:
            ctx.fail("nomatch")

    def _store(self, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        ctx.store(spec.into)
        ctx.done("done")


NODE = Collect()
