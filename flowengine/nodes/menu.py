"""`menu`: one choice by key or voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flowengine.flow import choosing
from flowengine.flow.choosing import OPTIONS, Option
from flowengine.flow.diagnostics import Span
from flowengine.flow.kinds import Choice, Field, Fields, Reading, Schema, Shaped
from flowengine.flow.model import Branch, Flow, Node, Prompt
from flowengine.flow.node_type import LanguageHalf
from flowengine.flow.source import Mapping, Value
from flowengine.runtime import keys as keypad
from flowengine.runtime.effects import Ask, Effect
from flowengine.runtime.node import (
    Acted,
    Context,
    Expects,
    KeyTaken,
    NodeEvent,
    Replied,
    ReplyBroke,
    RunningHalf,
    Said,
    TimerDue,
)
from flowengine.runtime.understanding import choose, phrases


@dataclass(frozen=True, slots=True)
class MenuSpec:
    """The options in file order; ``model`` says that a language model is asked when no phrase matched."""

    options: tuple[Option, ...]
    model: bool = False


class Menu(LanguageHalf, RunningHalf):
    """Asks for one choice. A key that begins a longer one waits `interdigit`; `#` ends the wait."""

    key = "menu"
    about = "One choice by key or voice: a list of options."
    example = """\
main:
  say: For your balance press 1. For a person press 0.
  menu:
    - {key: 1, hear: [balance, account], goto: balance}
    - {key: 0, hear: [person], goto: agent}
"""
    timed = True
    asks = True
    events = ("noinput", "nomatch", "toomany", "error.stt", "error.model")
    keeps_keys = True
    fields = (
        Field("options", OPTIONS, "The options.", required=True),
        Field(
            "understand",
            Choice(("phrases", "model")),
            "Whether a language model is asked when no phrase matched; it may only pick one of the options.",
            default="phrases",
        ),
    )

    def schema(self) -> Schema:
        """Give the schema: a list of options, or a mapping that holds it."""
        return Shaped("must be a list of options", mapping=Fields(self.fields), sequence=OPTIONS).schema()

    def read(self, value: Value | None, reading: Reading) -> MenuSpec:
        """Read the options."""
        if not isinstance(value, Mapping):
            return MenuSpec(choosing.read_options(value, reading))
        understand = Fields(self.fields[1:]).read(value, reading).get("understand")
        return MenuSpec(choosing.read_options(value.get("options"), reading), understand == "model")

    def outcomes(self, spec: MenuSpec) -> tuple[str, ...]:
        """Name the options without a `goto` of their own."""
        return choosing.outcomes(spec.options)

    def branches(self, spec: MenuSpec) -> tuple[Branch, ...]:
        """Give the options with a `goto` of their own."""
        return choosing.branches(spec.options)

    def labels(self, spec: MenuSpec) -> dict[str, str]:
        """Give the keys and phrases of the options."""
        return choosing.labels(spec.options)

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """No key, phrase or name stands twice, and every option can be taken."""
        choosing.check(node.spec.options, reading.report)

    def takes(self, spec: MenuSpec) -> tuple[str, ...]:
        """Give the keys of the options."""
        return choosing.key_sequences(spec.options)

    def by_voice_alone(self, node: Node) -> tuple[str, Span] | None:
        """An option without a key needs words."""
        silent = next((option for option in node.spec.options if not option.keys), None)
        return ("an option by voice alone", silent.span) if silent else None

    def wishes(self, spec: MenuSpec) -> tuple[type[Effect], ...]:
        """Ask a model where it may be asked."""
        return (Ask,) if spec.model else ()

    def enter(self, ctx: Context) -> None:
        """Use what was typed ahead, else ask."""
        if not ctx.typed_ahead():
            ctx.ask(ctx.node.say)

    def question(self, ctx: Context) -> Prompt | None:
        """After a failure the reprompt."""
        return reprompt(ctx)

    def expects(self, ctx: Context) -> Expects:
        """Expect the phrases and keys of the options that are there, and those of the commands."""
        return Expects("choice", phrases((*self._here(ctx), *ctx.awake()), ctx.lang, ctx.flow.defaults.lang))

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
        elif isinstance(event, Said):
            self._said(event.text, ctx)
        elif isinstance(event, Acted):
            ctx.local["chosen"] = event.name
        elif isinstance(event, Replied):
            self._replied(event, ctx)
        elif isinstance(event, ReplyBroke):
            ctx.local.pop("text", None)
            ctx.raise_event("error.model")
        elif isinstance(event, TimerDue):
            ctx.fail("noinput")

    def _said(self, text: str, ctx: Context) -> None:
        """Take the option whose phrase was said, else a command; else a model may be asked which is meant."""
        ctx.local["entry"] = ""
        ctx.local.pop("chosen", None)
        ctx.stop_timer("interdigit")
        default = ctx.flow.defaults.lang
        here = self._here(ctx)
        choice = choose(text, here, ctx.lang, default)
        command = choose(text, ctx.awake(), ctx.lang, default) if choice is None else None
        if choice is not None:
            ctx.assign(choice.set, choice.add)
            ctx.done(choice.name)
        elif command is not None:
            ctx.command(command)
        elif ctx.node.spec.model and text:
            # What was said before the model had chosen belongs to the same turn (case 20).
            text = ctx.local["text"] = f"{ctx.local.get('text', '')} {text}".strip()
            # The model may only pick one of the options, or none: it says no word to the caller.
            options = [{"name": o.name, "phrases": [p.text for p in o.hear.spoken_in(ctx.lang, default)]} for o in here]
            system = "Which of the options does the caller mean? Take one of them, or none."
            said = [{"role": "user", "text": text}]
            keys = self.cutting_keys(ctx)
            ctx.ask_model(system, said, exits=options, temperature=0.0, keys=keys, silent=True)
        else:
            ctx.fail("nomatch")

    def _replied(self, event: Replied, ctx: Context) -> None:
        chosen = ctx.local.pop("chosen", "")
        ctx.local.pop("text", None)
        if event.cut:
            return  # by a key, which comes next
        option = next((option for option in self._here(ctx) if option.name == chosen), None)
        if option is None:
            ctx.fail("nomatch")
        else:
            ctx.assign(option.set, option.add)
            ctx.done(option.name)

    def _here(self, ctx: Context) -> list[Option]:
        """Give the options that are there now."""
        scope = ctx.scope()
        options: tuple[Option, ...] = ctx.node.spec.options
        return [option for option in options if option.condition is None or option.condition.holds(scope)]

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
        options = {key: option for option in reversed(self._here(ctx)) for key in option.keys}
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


NODE = Menu()
