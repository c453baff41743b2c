"""The fields of a flow's document and of every node: what they are called, what they hold, what they default to."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import replace
from typing import Any, TypeVar

from flowengine.flow import values
from flowengine.flow.kinds import (
    NAME,
    VARIABLE,
    Choice,
    Decimal,
    Duration,
    Field,
    Fields,
    Flag,
    KeySequences,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Reference,
    Schema,
    Shaped,
    Text,
    Whole,
    by_shape,
)
from flowengine.flow.model import Catch, Command, Handler, Limits, Timeouts, Variable, Voice
from flowengine.flow.prompting import BargeInKind, PromptKind
from flowengine.flow.routing import Assignments, Goto, TargetName
from flowengine.flow.source import Mapping, Scalar, Sequence, Value, to_plain
from flowengine.flow.timetable import HoursKind

EVENTS = (
    "noinput",
    "nomatch",
    "invalid",
    "toomany",
    "maxvisits",
    "hangup",
    "ended",
    "timeout.node",
    "timeout.call",
    "error",
    "error.stt",
    "error.tts",
    "error.transfer",
    "error.template",
    "error.type",
    "error.loop",
)
_Bounds = TypeVar("_Bounds", Timeouts, Limits)
_EVENT_PATTERN = r"^[a-z][a-z0-9_.-]*$"


class VoiceKind(Kind):
    """Who speaks: a name, or a mapping."""

    mapping = Fields(
        (
            Field("name", Text(), "The provider's name of the voice.", default="default"),
            Field("rate", Decimal(0.5, 2.0), "A factor of the normal speaking rate.", default=1.0),
        )
    )

    def schema(self) -> Schema:
        return by_shape(scalar=Text().schema(), mapping=self.mapping.schema(), sentence="must be a voice's name")

    def read(self, value: Value, reading: Reading) -> Voice | None:
        if isinstance(value, Mapping):
            return Voice(**self.mapping.read(value, reading))
        return Voice(value.text) if isinstance(value, Scalar) else None


_HANDLER = Fields(
    (
        Field("say", Reference("prompt", PromptKind), "Spoken instead of the engine's own sentence."),
        Field("set", Assignments(), "Assigned when the event happens."),
        Field("add", Assignments(), "Added when the event happens."),
        Field("goto", TargetName(), "Where it leads; without it the node goes on where it was."),
    )
)


class CatchKind(Kind):
    """Handlers by event: one, or a list whose n-th entry serves the n-th time."""

    def schema(self) -> Schema:
        one = {"$ref": "#/$defs/handler"}
        handlers = by_shape(
            mapping=one,
            sequence={"type": "array", "items": one, "minItems": 1},
            sentence="must be a handler such as `{say: …, goto: …}`, or a list of them",
        )
        names = {"pattern": _EVENT_PATTERN, "errorMessage": "must be the name of an event"}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": handlers,
            "errorMessage": "must be a map from events to handlers",
        }

    def read(self, value: Value, reading: Reading) -> dict[str, Catch]:
        found: dict[str, Catch] = {}
        if isinstance(value, Mapping):
            for event, entry in value.entries.items():
                items = entry.value.items if isinstance(entry.value, Sequence) else [entry.value]
                handlers = tuple(_handler(item, reading) for item in items if isinstance(item, Mapping))
                if handlers:
                    found[event] = Catch(event, entry.key.span, handlers)
        return found


def handler_schema() -> Schema:
    """Give the schema of one handler."""
    return _HANDLER.schema()


def _handler(item: Mapping, reading: Reading) -> Handler:
    read = _HANDLER.read(item, reading)
    return Handler(item.span, read.get("say"), read.get("set", ()), read.get("add", ()), read.get("goto"))


class CommandKind(Kind):
    """A global command."""

    mapping = Fields(
        (
            Field("key", KeySequences(), "The keys that give the command.", required=True),
            Field("goto", TargetName(), "Where it leads.", required=True),
            Field("cooldown", Duration(), "It sleeps so long after it was taken.", default="3s"),
            Field("name", Pattern(NAME, "must be a name such as to-agent"), "Its name; default: its goto."),
        ),
        "must be a command such as `{key: star, goto: agent}`",
    )

    def schema(self) -> Schema:
        return self.mapping.schema()

    def read(self, value: Value, reading: Reading) -> Command | None:
        read = self.mapping.read(value, reading)
        if "goto" not in read or not read.get("key"):
            return None
        target = read["goto"]
        return Command(read.get("name", target.node), value.span, read["key"], target, read.get("cooldown", 3.0))


class VariablesKind(Kind):
    """`vars` and `args`: a name and its type, or a mapping."""

    mapping = Fields(
        (
            Field("type", Choice(values.TYPES), "The type of the values it may hold.", default="text"),
            Field("default", Text(), "Its first value; without one it is null."),
            Field("private", Flag(), "Masked wherever it would be written down.", default=False),
            Field("required", Flag(), "An argument without which the flow does not start.", default=False),
            Field("values", Text(), "The values of an enum."),
            Field("about", Text(), "For people."),
        )
    )

    def schema(self) -> Schema:
        properties = self.mapping.schema()
        properties["properties"]["default"] = {"description": "Its first value; without one it is null."}
        properties["properties"]["values"] = {
            "type": ["array", "object"],
            "description": "The values of an enum: a list, or a map from value to the phrases that mean it.",
            "errorMessage": "must be a list of values, or a map from value to phrases",
        }
        one = by_shape(scalar=Choice(values.TYPES).schema(), mapping=properties, sentence="must be a type or a mapping")
        names = {"pattern": VARIABLE, "errorMessage": "must be a name such as account or order_id"}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": one,
            "errorMessage": "must be a map from names to types",
        }

    def read(self, value: Value, reading: Reading) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        if not isinstance(value, Mapping):
            return found
        for name, entry in value.entries.items():
            found[name] = _variable(name, entry.key, entry.value, reading)
        return found


def _variable(name: str, key: Scalar, value: Value, reading: Reading) -> Variable:
    if isinstance(value, Scalar):
        return Variable(name, value.text if value.text in values.TYPES else "text", key.span)
    read = VariablesKind.mapping.read(value, reading)
    kind = read.get("type", "text")
    listed = value.get("values") if isinstance(value, Mapping) else None
    choices: tuple[str, ...] = ()
    if isinstance(listed, Sequence):
        choices = tuple(item.text for item in listed.items if isinstance(item, Scalar))
    elif isinstance(listed, Mapping):
        choices = tuple(listed.entries)
    if kind == "enum" and not choices:
        reading.report.error("enum-without-values", "an enum needs its values", key.span, about="values")
    given = value.get("default") if isinstance(value, Mapping) else None
    default = None
    if given is not None:
        # A text keeps the characters as written: `default: 007` is digits.
        as_text = isinstance(given, Scalar) and kind in ("text", "digits", "phone", "enum", "date", "time", "money")
        raw = given.text if as_text and isinstance(given, Scalar) else to_plain(given)
        try:
            default = values.fit(kind, raw, choices)
        except values.UnfitValueError:
            reading.report.error("wrong-type", f"this default does not fit the type {kind}", given.span, about=str(raw))
    return Variable(
        name,
        kind,
        key.span,
        default,
        read.get("private", False),
        read.get("required", False),
        choices,
        read.get("about", ""),
    )


TIMEOUTS = Fields(
    (
        Field("noinput", Duration(), "Silence after the prompt was heard.", default="6s"),
        Field("interdigit", Duration(), "Silence after a key.", default="3s"),
        Field("final", Duration(), "How long an end key after the last digit is swallowed.", default="1s"),
        Field("node", Duration(), "The longest stay in one node.", default="5m"),
        Field("call", Duration(), "The longest call.", default="30m"),
    )
)
LIMITS = Fields(
    (
        Field("hops", Whole(1, 1000), "Node entries without input or a second of speech.", default=50),
        Field("visits", Whole(1, 1000), "Entries of one node without input between.", default=20),
        Field("failures", Whole(1, 100), "Failures in the whole call.", default=9),
    )
)
TYPE_AHEAD = Choice(("menu", "always", "never"))
LANG = Pattern(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "must be a language tag such as en-US or de")
DEFAULTS = Fields(
    (
        Field("lang", LANG, "The language of the call.", default="en-US"),
        Field("voice", VoiceKind(), "Who speaks."),
        Field("barge_in", BargeInKind(), "What may interrupt prompts.", default=True),
        Field("type_ahead", TYPE_AHEAD, "Which nodes use keys that were pressed before they asked.", default="menu"),
        Field("timeouts", TIMEOUTS, "The timers."),
        Field("limits", LIMITS, "The bounds that end a loop."),
    )
)


class AlwaysKind(Kind):
    """Which global commands are alive in a node."""

    def schema(self) -> Schema:
        names = {"type": "array", "items": {"type": "string"}}
        scalar = {"type": "boolean", "errorMessage": "must be true, false, or a list of names of commands"}
        return by_shape(scalar=scalar, sequence=names, sentence="must be true, false, or a list of names of commands")

    def read(self, value: Value, reading: Reading) -> bool | tuple[str, ...] | None:
        if isinstance(value, Sequence):
            return tuple(item.text for item in value.items if isinstance(item, Scalar))
        return value.value if isinstance(value, Scalar) and isinstance(value.value, bool) else None


_PROMPT = Reference("prompt", PromptKind)
_REPROMPT = Shaped("must be a prompt, or a list of prompts", _PROMPT, _PROMPT, ListOf(_PROMPT, 1))

NODE_FIELDS = (
    Field("say", _PROMPT, "Spoken on entry."),
    Field(
        "reprompt", _REPROMPT, "Spoken instead of `say` when the node asks again after a failure; n-th for the n-th."
    ),
    Field("barge_in", BargeInKind(), "What may interrupt this node's prompts."),
    Field("tries", Whole(1, 20), "Failures that end the node.", default=3),
    Field("catch", Reference("catch", CatchKind), "Handlers of this node's events."),
    Field("set", Assignments(), "Assigned when the node is done, before `goto` is chosen."),
    Field("add", Assignments(), "One entry appended to a list, or added to a number, when the node is done."),
    Field("goto", Reference("goto", Goto), "Where the node leads."),
    Field("always", AlwaysKind(), "Which global commands are alive here.", default=True),
    Field("timeouts", TIMEOUTS, "The timers of this node."),
    Field("voice", VoiceKind(), "Who speaks here."),
    Field("lang", LANG, "The language of this node."),
    Field("max_visits", Whole(1, 1000), "Visits allowed in one call; the next one raises `maxvisits`."),
    Field("resume", TargetName(), "What a call does here after its server was lost.", default="again"),
    Field("about", Text(), "For people."),
    Field("tags", ListOf(Text()), "For reports."),
)

_COMMANDS = ListOf(CommandKind())

DOCUMENT_FIELDS = (
    Field("flow", Pattern(NAME, "must be a name such as front-desk"), "The flow's name.", required=True),
    Field("version", Whole(1, 1), "The version of the language: 1.", required=True),
    Field("start", Pattern(NAME, "must be the name of a node"), "The first node; default: the first in the file."),
    Field("about", Text(), "One paragraph for people."),
    Field("args", VariablesKind(), "Inputs of the flow."),
    Field("vars", VariablesKind(), "The variables of the flow."),
    Field("hours", HoursKind(), "Opening hours by name: `if: office is open`."),
    Field("defaults", DEFAULTS, "What holds for every node that says nothing else."),
    Field("always", _COMMANDS, "Global commands."),
    Field("catch", Reference("catch", CatchKind), "Handlers for the whole flow."),
)


def override(outer: _Bounds, given: MappingType[str, Any] | None) -> _Bounds:
    """Give the outer timers or limits with the ones written here in their place."""
    return replace(outer, **(given or {}))


def is_event(name: str) -> bool:
    """Say whether this is an event of the language; errors may be more specific than the listed ones."""
    return name in EVENTS or bool(re.match(r"error(\.[a-z]+)?\.http(\.[0-9]{3}|\.[45]xx)?$", name))
