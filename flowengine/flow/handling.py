"""The kinds of fields that say what happens at an event, and from everywhere: handlers and global commands."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType

from flowengine.flow.kinds import (
    NAME,
    Choice,
    Duration,
    Field,
    Fields,
    KeySequences,
    Kind,
    Pattern,
    Reading,
    Reference,
    Schema,
    Text,
    by_shape,
    say,
)
from flowengine.flow.model import Catch, Command, Handler, Phrases
from flowengine.flow.prompting import PromptKind
from flowengine.flow.routing import Assignments, TargetName
from flowengine.flow.source import Mapping, Sequence, Value
from flowengine.flow.tooling import ToolRunKind
from flowengine.flow.wording import PhrasesKind

EVENTS: MappingType[str, str] = {
    "noinput": "The caller said and pressed nothing.",
    "nomatch": "What the caller said or pressed is not one of the choices.",
    "invalid": "What was collected is not acceptable.",
    "toomany": "The node's `tries` are used up, or the call's `limits.failures`.",
    "maxvisits": "The node was to be entered more often than its `max_visits`.",
    "maxturns": "The conversation has had its `max_turns`.",
    "hangup": "The caller hung up.",
    "ended": "The call is over, however it ended; `call.ended` is the reason.",
    "timeout.node": "The caller stayed in one node for too long.",
    "timeout.call": "The call lasted too long.",
    "error": "Something went wrong; every other error is one of these.",
    "error.tool": "A tool failed.",
    "error.tool.timeout": "A tool did not answer in time.",
    "error.http": "A tool's HTTP request was refused; error.http.404 and error.http.4xx are more special.",
    "error.model": "The language model failed.",
    "error.stt": "The speech recognition failed.",
    "error.tts": "The voice failed.",
    "error.transfer": "The transfer's number or settings are wrong.",
    "error.template": "A template could not be filled in.",
    "error.type": "A value does not fit its variable.",
    "error.loop": "The call went in circles.",
    "machine": "An answering machine picked up an outbound call.",
}
_EVENT_PATTERN = r"^[a-z][a-z0-9_.-]*$"


HANDLER_FIELDS = (
    Field("say", Reference("prompt", PromptKind), "Spoken instead of the engine's own sentence."),
    Field("set", Assignments(), "Assigned when the event happens."),
    Field("add", Assignments(), "Added when the event happens."),
    Field("tool", ToolRunKind(), "A tool that is run, by its name."),
    Field("goto", TargetName(), "Where it leads; without it the node goes on where it was."),
)
_HANDLER = Fields(HANDLER_FIELDS)


class CatchKind(Kind):
    """Handlers by event: one, or a list whose n-th entry serves the n-th time."""

    def schema(self) -> Schema:
        one = {"$ref": "#/$defs/handler"}
        handlers = by_shape(
            mapping=one,
            sequence={"type": "array", "items": one, "minItems": 1},
            sentence="must be a handler such as `{say: …, goto: …}`, or a list of them",
        )
        names = say({"title": "event", "pattern": _EVENT_PATTERN}, "must be the name of an event")
        return {
            "type": "object",
            "propertyNames": names,
            "properties": {event: {**handlers, "description": about} for event, about in EVENTS.items()},
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
    return Handler(
        item.span, read.get("say"), read.get("set", ()), read.get("add", ()), read.get("goto"), read.get("tool")
    )


class CommandKind(Kind):
    """A global command."""

    mapping = Fields(
        (
            Field("key", KeySequences(), "The keys that give the command."),
            Field("hear", PhrasesKind(), "The phrases that give the command."),
            Field("when", Text(), "When a language model may take it in a `chat`."),
            Field("goto", TargetName(), "Where it leads."),
            Field("do", Choice(("repeat", "louder", "slower")), "What it does to the prompt instead of leading away."),
            Field("cooldown", Duration(), "It sleeps so long after it was taken.", default="3s"),
            Field("name", Pattern(NAME, "must be a name such as to-agent"), "Its name; default: its goto or do."),
        ),
        "must be a command such as `{key: star, goto: agent}`",
    )

    def schema(self) -> Schema:
        return self.mapping.schema()

    def read(self, value: Value, reading: Reading) -> Command | None:
        read = self.mapping.read(value, reading)
        if not isinstance(value, Mapping):
            return None
        target, do = read.get("goto"), read.get("do", "")
        if target and do:
            reading.report.error(
                "goto-and-do",
                "a command leads away or does something, not both",
                value.entries["do"].key.span,
                about="do",
                help="delete `do` or `goto`",
            )
        missing = [name for name in ("goto", "do") if name in value.entries]
        if not missing and not reading.report.has_error_in(value.span):
            reading.report.error(
                "missing-field",
                "`goto` is missing in always",
                value.span.start(),
                about="goto",
                help="write where the command leads, or `do: repeat`",
            )
        if not any(name in value.entries for name in ("key", "hear", "when")) and not reading.report.has_error_in(
            value.span
        ):
            reading.report.error(
                "option-without-key",
                "this command can not be taken: it has no key and no phrases",
                value.span.start(),
                about="key",
                help="add `key: star`, or `hear: [agent]`",
            )
        name = read.get("name") or (target.node if target else do)
        return Command(
            name,
            value.span,
            read.get("key", ()),
            target,
            read.get("cooldown", 3.0),
            read.get("hear", Phrases()),
            read.get("when", ""),
            do,
        )


def is_event(name: str) -> bool:
    """Say whether this is an event of the language; errors may be more specific than the listed ones."""
    return (
        name in EVENTS
        or bool(re.match(r"error\.http\.([0-9]{3}|[45]xx)$", name))
        or bool(re.match(r"event\.[a-z][a-z0-9_-]*$", name))
    )
