"""`wait`: hold until time or an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowengine.flow import choosing
from flowengine.flow.caption import duration
from flowengine.flow.choosing import OPTIONS, Option
from flowengine.flow.diagnostics import Span
from flowengine.flow.kinds import (
    NAME,
    Duration,
    Field,
    Fields,
    ListOf,
    Reading,
    Reference,
    Schema,
    Text,
    by_shape,
)
from flowengine.flow.model import Branch, Command, Flow, Named, Node, Prompt
from flowengine.flow.prompting import PromptKind
from flowengine.flow.source import Mapping, Value
from flowengine.flow.wording import Named as NamedKind
from flowengine.runtime import keys as keypad
from flowengine.runtime.node import (
    AsksNothing,
    Context,
    EventCame,
    Expects,
    KeyTaken,
    NodeEvent,
    PromptOver,
    Said,
    TimerDue,
)
from flowengine.runtime.understanding import choose, phrases

OUTCOMES = {"timeout": "The time is over."}
_EVENT = NamedKind("must be the name of an event such as agent-free", NAME)


@dataclass(frozen=True, slots=True)
class WaitSpec:
    """``seconds`` None: without end; ``play`` a file that is heard meanwhile; ``say`` comes every ``every`` seconds."""

    seconds: float | None = None
    play: str = ""
    say: Prompt | None = None
    every: float = 45.0
    events: tuple[Named, ...] = ()
    options: tuple[Option, ...] = ()


class Wait(AsksNothing):
    """Holds the line: for a time, until an event of the application, or until the caller chooses."""

    key = "wait"
    about = "Holds the line until time has passed, an event comes, or the caller chooses."
    example = """\
queue:
  say: All our people are busy.
  wait:
    for: 5m
    every: 45s
    say: Thank you for waiting. Press 1 to be called back.
    events: [agent_free]
    options:
      - {key: 1, goto: callback}
  goto: {agent_free: agent, timeout: nobody}
"""
    events = ("error.stt",)
    known_outcomes = OUTCOMES
    fields = (
        Field("for", Duration(), "How long; without it, until an event or a choice."),
        Field("play", Text(), "A WAV file beside the flow that is heard meanwhile."),
        Field("say", Reference("prompt", PromptKind), "Spoken after the first `every`, and again."),
        Field("every", Duration(), "How often `say` is spoken.", default="45s"),
        Field("events", ListOf(_EVENT, 1), "Events of the application that end it; each is an outcome."),
        Field("options", OPTIONS, "Choices of the caller, as in a menu."),
    )

    def schema(self) -> Schema:
        """Give the schema: a duration, or a mapping."""
        sentence = "must be a duration such as 5s, or a mapping such as `{for: 5m, events: [agent_free]}`"
        mapping = {**Fields(self.fields, sentence).schema(), "minProperties": 1}
        return by_shape(scalar=Duration().schema(), mapping=mapping, sentence=sentence)

    def read(self, value: Value | None, reading: Reading) -> WaitSpec:
        """Read how long, for what, and what is heard meanwhile."""
        if not isinstance(value, Mapping):
            return WaitSpec(Duration().read(value, reading) if value is not None else None)
        read = Fields(self.fields).read(value, reading)
        options = choosing.read_options(value.get("options"), reading)
        read.pop("options", None)
        seconds = read.pop("for", None)
        ways = [name for name in ("for", "events", "options") if name in value.entries]
        if not ways and not reading.report.has_error_in(value.span):
            reading.report.error(
                "endless-wait",
                "nothing ends this wait",
                value.span.start(),
                about="for",
                help="add `for: 5m`, events or options",
            )
        return WaitSpec(seconds, options=options, **read)

    def outcomes(self, spec: WaitSpec) -> tuple[str, ...]:
        """Give the end of time, the events, and the options without a `goto` of their own."""
        events = tuple(dict.fromkeys(event.name for event in spec.events))
        return (*["timeout"] * (spec.seconds is not None), *events, *choosing.outcomes(spec.options))

    def branches(self, spec: WaitSpec) -> tuple[Branch, ...]:
        """Give the options with a `goto` of their own."""
        return choosing.branches(spec.options)

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """No key, phrase or name stands twice."""
        spec: WaitSpec = node.spec
        choosing.check(spec.options, reading.report)
        taken: dict[str, Span] = {event.name: event.span for event in spec.events}
        for option in spec.options:
            if option.name in taken or option.name == "timeout":
                reading.report.error(
                    "duplicate-option",
                    f'an option and an outcome of the wait are both called "{option.name}"',
                    option.span,
                    about=option.name,
                    help="give the option another `name`",
                )

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """No server plays a file meanwhile."""
        return ("`play` in a wait", node.type_span or node.name_span) if node.spec.play else None

    def waits_for(self, spec: WaitSpec) -> tuple[str, ...]:
        """Name the events that end it."""
        return tuple(event.name for event in spec.events)

    def expects(self, ctx: Context) -> Expects:
        """Expect the phrases and keys of the options that are there, and those of the commands."""
        return Expects("choice", phrases((*self._here(ctx), *ctx.awake()), ctx.lang, ctx.flow.defaults.lang))

    def cutting_keys(self, ctx: Context) -> str:
        """Keys that begin a choice or give a command cut its words."""
        return "".join(sorted({key[0] for key in self._choices(ctx)}))

    def enter(self, ctx: Context) -> None:
        """Speak; the time runs from the end of the words."""
        ctx.speak()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Take the end of time, an event, a choice of the caller's, or the time for another word."""
        spec: WaitSpec = ctx.node.spec
        if isinstance(event, PromptOver) and not ctx.local.get("waiting"):
            ctx.local["waiting"] = True
            if spec.seconds is not None:
                ctx.start_timer("wait", spec.seconds)
            if spec.say:
                ctx.start_timer("every", spec.every)
        elif isinstance(event, EventCame):
            ctx.done(event.name)
        elif isinstance(event, KeyTaken):
            self._key(event.key, ctx)
        elif isinstance(event, Said):
            self._said(event.text, ctx)
        elif isinstance(event, TimerDue) and event.name == "wait":
            ctx.done("timeout")
        elif isinstance(event, TimerDue) and event.name == "every":
            ctx.start_timer("every", spec.every)
            ctx.say(spec.say)
        elif isinstance(event, TimerDue):
            self._settle(ctx.local.get("entry", ""), ctx)

    def _choices(self, ctx: Context) -> dict[str, Any]:
        return {**ctx.commands(), **{key: option for option in reversed(self._here(ctx)) for key in option.keys}}

    def _here(self, ctx: Context) -> list[Option]:
        """Give the options that are there now."""
        scope = ctx.scope()
        spec: WaitSpec = ctx.node.spec
        return [o for o in spec.options if o.condition is None or o.condition.holds(scope)]

    def _key(self, key: str, ctx: Context) -> None:
        entry = ctx.local.get("entry", "") + key
        found = keypad.match(entry, self._choices(ctx))
        ctx.stop_timer("interdigit")
        ctx.local["entry"] = entry
        if found in (keypad.Match.PREFIX, keypad.Match.OPEN):
            ctx.start_timer("interdigit", ctx.node.timeouts.interdigit)
        else:
            self._settle(entry, ctx)

    def _settle(self, entry: str, ctx: Context) -> None:
        choice = self._choices(ctx).get(entry)
        ctx.local["entry"] = ""
        if choice is None:
            ctx.note("ignored", why="this node does not take it")
        else:
            self._take(choice, ctx)

    def _said(self, text: str, ctx: Context) -> None:
        here = self._here(ctx)
        things: list[Option | Command] = [*here, *ctx.awake()]
        choice = choose(text, things, ctx.lang, ctx.flow.defaults.lang)
        if choice is None:
            ctx.note("ignored", why="nothing here is meant by it")
        else:
            self._take(choice, ctx)

    def _take(self, choice: Option | Command, ctx: Context) -> None:
        if isinstance(choice, Option):
            ctx.assign(choice.set, choice.add)
            ctx.done(choice.name)
        else:
            ctx.command(choice)

    def takes(self, spec: WaitSpec) -> tuple[str, ...]:
        """Give the keys of the options."""
        return choosing.key_sequences(spec.options)

    def shows(self, spec: WaitSpec) -> str:
        """Show how long."""
        return f"up to {duration(spec.seconds)}" if spec.seconds is not None else ""

    def labels(self, spec: WaitSpec) -> dict[str, str]:
        """Give the keys and phrases of the options."""
        return choosing.labels(spec.options)


NODE = Wait()
