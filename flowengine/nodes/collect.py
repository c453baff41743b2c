"""`collect`: one value into one variable, with an optional check and confirmation."""

from __future__ import annotations

from typing import Any

from flowengine.flow.collecting import (
    FIELDS,
    FORMS,
    KIND,
    Choosing,
    CollectSpec,
    check_form,
    in_range,
    matches,
    read_collect,
)
from flowengine.flow.diagnostics import Span, did_you_mean
from flowengine.flow.kinds import Reading, Schema
from flowengine.flow.model import Flow, Node, Prompt
from flowengine.flow.node_type import LanguageHalf
from flowengine.flow.source import Value
from flowengine.flow.values import UnfitValueError
from flowengine.nodes.menu import reprompt
from flowengine.runtime import keys as keypad
from flowengine.runtime import offering, spoken
from flowengine.runtime.node import Context, Expects, KeyTaken, NodeEvent, RunningHalf, Said, TimerDue
from flowengine.runtime.understanding import agrees, phrases, skips, whole, words

BY_KEYS = ("digits", "int", "phone", "text")
OUTCOMES = {
    "done": "The value is there.",
    "skipped": "The caller skipped it (only with `optional`).",
    "empty": "There is nothing to choose from (only with `from`).",
}
YES, NO = "1", "2"


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
    fields = FIELDS

    def schema(self) -> Schema:
        """Give the schema of the mapping."""
        return KIND.schema()

    def read(self, value: Value | None, reading: Reading) -> CollectSpec:
        """Read what is collected."""
        return read_collect(value, reading)

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

    def by_voice_alone(self, node: Node) -> tuple[str, Span] | None:
        """A value without keys needs words."""
        return None if "keys" in node.spec.by else ("a value by voice alone", node.type_span or node.name_span)

    def own_keys(self, ctx: Context) -> str:
        """Give the keys that an entry is made of, and those that end it or begin it anew."""
        spec: CollectSpec = ctx.node.spec
        if "keys" not in spec.by:
            return ""
        if spec.choosing:
            return "123456789"
        point = "*" if self._kind(ctx) in ("number", "money") else ""
        return "0123456789" + point + spec.end_key + spec.clear_key

    def _kind(self, ctx: Context) -> str:
        spec: CollectSpec = ctx.node.spec
        return spec.kind or ctx.flow.vars[spec.into].kind

    def enter(self, ctx: Context) -> None:
        """Use what was typed ahead, else ask; an empty list has nothing to choose from."""
        spec: CollectSpec = ctx.node.spec
        if spec.choosing and not offering.entries(ctx, spec.choosing):
            ctx.done("empty")
        elif not ctx.typed_ahead():
            ctx.ask(self._first_question(ctx))

    def _first_question(self, ctx: Context) -> Prompt | None:
        spec: CollectSpec = ctx.node.spec
        say = ctx.node.say
        return offering.offer(ctx, spec.choosing, say) if spec.choosing else say

    def question(self, ctx: Context) -> Prompt | None:
        """Give the confirmation while it is asked, else the question for the value."""
        spec: CollectSpec = ctx.node.spec
        if ctx.local.get("confirming"):
            return spec.confirm
        again = reprompt(ctx)
        return offering.offer(ctx, spec.choosing, again) if spec.choosing else again

    def expects(self, ctx: Context) -> Expects:
        """Expect yes or no in the confirmation, else a value of the type; nothing where only keys are taken."""
        spec: CollectSpec = ctx.node.spec
        default = ctx.flow.defaults.lang
        if ctx.local.get("confirming"):
            return Expects("yesno")
        commands = phrases(ctx.awake(), ctx.lang, default)
        if "speech" not in spec.by:
            return Expects("choice", commands) if commands else Expects("nothing")
        if spec.choosing:
            return Expects("choice", (*offering.phrases(ctx, spec.choosing), *commands))
        kind = self._kind(ctx)
        if kind == "digits":
            return Expects(kind, commands, spec.least, spec.most)
        variable = ctx.flow.vars[spec.into]
        named = [p.text for one in variable.phrases.values() for p in one.spoken_in(ctx.lang, default)]
        return Expects(kind, (*variable.choices, *named, *commands))

    def cutting_keys(self, ctx: Context) -> str:
        """Only keys that it takes cut; in the confirmation any key does."""
        if ctx.local.get("confirming"):
            return keypad.ALL
        own = self.own_keys(ctx)
        return own + "".join(key for key in keypad.ALL if key not in own and key in ctx.commands())

    def gives_up(self, ctx: Context) -> bool:
        """An optional one is skipped."""
        spec: CollectSpec = ctx.node.spec
        if spec.optional:
            ctx.done("skipped")
        return spec.optional

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Take a key, words or a timer, in the entry or in the confirmation."""
        confirming = ctx.local.get("confirming")
        if isinstance(event, TimerDue) and event.name == "interdigit":
            self._complete(ctx, ctx.local.get("entry", ""))
        elif isinstance(event, TimerDue) and event.name == "noinput":
            ctx.fail("noinput")
        elif isinstance(event, KeyTaken) and confirming:
            self._confirm(event.key, ctx)
        elif isinstance(event, KeyTaken):
            self._key(event.key, ctx)
        elif isinstance(event, Said):
            self._said(event.text, ctx)

    # --- keys

    def _key(self, key: str, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        entry: str = ctx.local.get("entry", "")
        if key not in self.own_keys(ctx):
            command = ctx.commands().get(key)
            if command:
                ctx.command(command)
            else:
                ctx.note("ignored", why="this node does not take it")
                if entry:
                    ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)
                else:
                    ctx.await_input()
        elif spec.choosing:
            self._pick_by_key(spec.choosing, key, ctx)
        elif key == spec.end_key:
            self._complete(ctx, entry)
        elif key == spec.clear_key:
            ctx.local["entry"] = ""
            ctx.stop_timer("interdigit")
            ctx.await_input()
        else:
            ctx.local["entry"] = entry + key
            if len(entry) + 1 >= self._most(ctx):
                ctx.swallow(spec.end_key, ctx.node.timeouts.final)
                self._complete(ctx, entry + key)
            else:
                ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)

    def _bounds(self, ctx: Context) -> tuple[int, int]:
        """Give how many keys an entry has at least and at most."""
        spec: CollectSpec = ctx.node.spec
        kind = self._kind(ctx)
        if kind in BY_KEYS:
            return spec.least, spec.most
        return spoken.key_count(kind, ctx.flow.vars[spec.into].choices)

    def _most(self, ctx: Context) -> int:
        return self._bounds(ctx)[1]

    def _complete(self, ctx: Context, entry: str) -> None:
        spec: CollectSpec = ctx.node.spec
        ctx.stop_timer("interdigit")
        ctx.stop_timer("noinput")
        ctx.local["entry"] = ""
        if len(entry) < self._bounds(ctx)[0]:
            ctx.fail("invalid")
            return
        value = spoken.by_keys(self._kind(ctx), entry, ctx.lang, ctx.flow.vars[spec.into].choices)
        if value is None:
            ctx.fail("invalid")
        else:
            self._take(value, ctx)

    # --- words

    def _said(self, text: str, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        if ctx.local.get("confirming"):
            self._confirm_by_words(text, ctx)
            return
        command = whole(text, ctx.awake(), ctx.lang, ctx.flow.defaults.lang)
        if command is None and "speech" not in spec.by:
            # Words that it does not take leave the digits of the entry and their time as they are.
            ctx.note("ignored", why="this node takes keys alone")
            if not ctx.local.get("entry"):
                ctx.await_input()
            return
        ctx.local["entry"] = ""
        ctx.stop_timer("interdigit")
        if command is not None:
            ctx.command(command)
        elif spec.optional and skips(text, ctx.lang):
            ctx.done("skipped")
        elif spec.choosing:
            self._pick_by_words(spec.choosing, text, ctx)
        else:
            self._take_words(text, ctx)

    def _take_words(self, text: str, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        variable = ctx.flow.vars[spec.into]
        value = spoken.value(
            self._kind(ctx),
            text,
            ctx.lang,
            ctx.scope()["now"],
            choices=variable.choices,
            phrases=variable.phrases,
            length=(spec.least, spec.most),
        )
        if value is None:
            ctx.fail("nomatch")
        elif self._has_length(ctx) and not spec.least <= len(str(value)) <= spec.most:
            ctx.fail("invalid")
        else:
            self._take(value, ctx)

    def _has_length(self, ctx: Context) -> bool:
        """Whether what is said has as many characters as `length` says; of digits it always counts."""
        written = ctx.node.spec.written
        return self._kind(ctx) == "digits" or (written is not None and written.get("length") is not None)

    # --- a choice from a list

    def _pick_by_key(self, choosing: Choosing, key: str, ctx: Context) -> None:
        if offering.more(ctx, choosing, key):
            self._turn_page(choosing, ctx)
        elif (entry := offering.by_key(ctx, choosing, key)) is not None:
            self._take(entry, ctx)
        else:
            ctx.fail("nomatch")

    def _pick_by_words(self, choosing: Choosing, text: str, ctx: Context) -> None:
        if offering.more(ctx, choosing, text=text):
            self._turn_page(choosing, ctx)
        elif (entry := offering.by_words(ctx, choosing, text)) is not None:
            self._take(entry, ctx)
        else:
            ctx.fail("nomatch")

    def _turn_page(self, choosing: Choosing, ctx: Context) -> None:
        offering.turn_page(ctx, choosing)
        ctx.ask(offering.offer(ctx, choosing, None))

    # --- what becomes of a value

    def _take(self, value: Any, ctx: Context) -> None:
        """Hold a value tentatively, check it, and ask whether it is right, or store it."""
        spec: CollectSpec = ctx.node.spec
        try:
            ctx.propose(spec.into, value)
        except UnfitValueError:
            ctx.fail("invalid")
            return
        form = spec.choosing is not None or (in_range(value, spec.range) and matches(value, spec.match))
        if not form or (spec.check is not None and not spec.check.holds(ctx.scope())):
            ctx.fail("invalid")
        elif spec.confirm is None:
            self._store(ctx)
        else:
            # An old key never confirms.
            ctx.flush_keys("confirm")
            ctx.local["confirming"] = True
            ctx.ask(spec.confirm)

    def _confirm(self, key: str, ctx: Context) -> None:
        if key in (YES, NO):
            self._confirmed(ctx, yes=key == YES)
        elif key in ctx.commands():
            ctx.command(ctx.commands()[key])
        else:
            ctx.fail("nomatch")

    def _confirm_by_words(self, text: str, ctx: Context) -> None:
        answer = agrees(text, ctx.lang)
        if answer is None and len(said := words(text, ctx.lang)) == 1 and said[0] in (YES, NO):
            answer = said[0] == YES
        command = whole(text, ctx.awake(), ctx.lang, ctx.flow.defaults.lang) if answer is None else None
        if answer is not None:
            self._confirmed(ctx, yes=answer)
        elif command is not None:
            ctx.command(command)
        else:
            ctx.fail("nomatch")

    def _confirmed(self, ctx: Context, *, yes: bool) -> None:
        if yes:
            self._store(ctx)
        else:
            ctx.local["confirming"] = False
            ctx.fail("denied")

    def _store(self, ctx: Context) -> None:
        spec: CollectSpec = ctx.node.spec
        ctx.store(spec.into)
        ctx.done("done")


NODE = Collect()
