"""The fields of a flow's document and of every node: what they are called, what they hold, what they default to."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import Any, TypeVar

from msgspec.structs import replace

from flowengine.flow.declaring import VariablesKind
from flowengine.flow.handling import CatchKind, CommandKind
from flowengine.flow.kinds import (
    NAME,
    Choice,
    Decimal,
    Duration,
    Field,
    Fields,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Reference,
    Schema,
    Shaped,
    Text,
    Whole,
    Words,
    by_shape,
    say,
)
from flowengine.flow.model import RESERVED, Limits, Model, Timeouts
from flowengine.flow.model import Text as NamedText
from flowengine.flow.prompting import LANG, BargeInKind, PromptKind, VoiceKind
from flowengine.flow.routing import Assignments, Goto, TargetName
from flowengine.flow.source import Mapping, Scalar, Sequence, Value
from flowengine.flow.timetable import HoursKind, ZoneKind
from flowengine.flow.tooling import ToolsKind

_Bounds = TypeVar("_Bounds", Timeouts, Limits)


class ModelKind(Kind):
    """Which language model: its name in the settings, or a mapping."""

    mapping = Fields(
        (
            Field("name", Text(), "The model's name in the settings.", default="default"),
            Field("temperature", Decimal(0.0, 2.0), "How freely it answers, 0 to 2.", default=0.3),
        )
    )

    def schema(self) -> Schema:
        return by_shape(scalar=Text().schema(), mapping=self.mapping.schema(), sentence="must be a model's name")

    def read(self, value: Value, reading: Reading) -> Model | None:
        if isinstance(value, Mapping):
            return Model(**self.mapping.read(value, reading))
        return Model(value.text) if isinstance(value, Scalar) else None


class TextsKind(Kind):
    """`texts`: names to prompts, usually one for each language."""

    def schema(self) -> Schema:
        names = {"pattern": NAME, "errorMessage": "must be a name such as sorry"}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {"$ref": "#/$defs/prompt"},
            "errorMessage": "must be a map from names to texts",
        }

    def read(self, value: Value, reading: Reading) -> dict[str, NamedText]:
        if not isinstance(value, Mapping):
            return {}
        found: dict[str, NamedText] = {}
        for name, entry in value.entries.items():
            prompt = PromptKind().read(entry.value, reading)
            if prompt:
                found[name] = NamedText(name, entry.key.span, prompt)
        return found


class NodesKind(Kind):
    """`nodes`: the loader reads them one by one, with what the node types know."""

    def schema(self) -> Schema:
        # Not by `not`, whose finding editors tell in words of their own.
        pattern = f"^(?!({'|'.join(RESERVED)})$){NAME.removeprefix('^')}"
        sentence = "must be a name such as main or ask-number, and not again, back, end or else"
        names = say({"title": "node", "pattern": pattern}, sentence)
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {"$ref": "#/$defs/node"},
            "minProperties": 1,
            "errorMessage": "must be a map from names to nodes, with one at least",
        }

    def read(self, value: Value, reading: Reading) -> None:
        return None


TIMEOUTS = Fields(
    (
        Field("noinput", Duration(), "Silence after the prompt was heard.", default="6s"),
        Field("interdigit", Duration(), "Silence after a key.", default="3s"),
        Field("final", Duration(), "How long an end key after the last digit is swallowed.", default="1s"),
        Field("speech_end", Duration(), "Silence after speech that ends what the caller says.", default="700ms"),
        Field("max_speech", Duration(), "The longest that one utterance is listened to.", default="20s"),
        Field("tool", Duration(), "How long a tool may take.", default="8s"),
        Field("model_first", Duration(), "How long a model may take for its first word.", default="4s"),
        Field("node", Duration(), "The longest stay in one node.", default="5m"),
        Field("call", Duration(), "The longest call.", default="30m"),
    )
)
LIMITS = Fields(
    (
        Field("hops", Whole(1, 1000), "Node entries without input or a second of speech.", default=50),
        Field("visits", Whole(1, 1000), "Entries of one node without input between.", default=20),
        Field("failures", Whole(1, 100), "Failures in the whole call.", default=9),
        Field("tool_steps", Whole(1, 20), "Tools that a model may run in one turn.", default=4),
    )
)
TYPE_AHEAD = Choice(("menu", "always", "never"))
CURRENCY = Pattern(r"^[A-Z]{3}$", "must be a currency such as USD or EUR")
DEFAULTS = Fields(
    (
        Field("lang", LANG, "The language of the call.", default="en-US", examples=("en-US", "en-GB", "de-DE")),
        Field("zone", ZoneKind(), "The time zone of dates and hours.", default="UTC", examples=("Europe/Berlin",)),
        Field("currency", CURRENCY, "The currency of money; default: that of the language's region."),
        Field("voice", VoiceKind(), "Who speaks."),
        Field("barge_in", BargeInKind(), "What may interrupt prompts.", default=True),
        Field("type_ahead", TYPE_AHEAD, "Which nodes use keys that were pressed before they asked.", default="menu"),
        Field("persona", Words(), "Who the language model is: the beginning of every chat's prompt."),
        Field("model", ModelKind(), "Which language model answers."),
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
    Field("model", ModelKind(), "Which language model answers here."),
    Field("max_visits", Whole(1, 1000), "Visits allowed in one call; the next one raises `maxvisits`."),
    Field("resume", TargetName(), "What a call does here after its server was lost.", default="again"),
    Field("about", Text(), "For people."),
    Field("tags", ListOf(Text()), "For reports."),
)

_COMMANDS = ListOf(CommandKind())
_INCLUDED = Pattern(r"^(?!/)(?!.*(^|/)\.\.(/|$)).+\.ya?ml$", "must be a YAML file below the folder of the flow")

DOCUMENT_FIELDS = (
    Field("flow", Pattern(NAME, "must be a name such as front-desk"), "The flow's name.", required=True),
    Field("version", Whole(1, 1), "The version of the language: 1.", required=True, examples=(1,)),
    Field("start", Pattern(NAME, "must be the name of a node"), "The first node; default: the first in the file."),
    Field("about", Text(), "One paragraph for people."),
    Field("args", VariablesKind(), "Inputs of the flow: from the carrier, an application, or a calling flow."),
    Field("vars", VariablesKind(), "The variables of the flow."),
    Field("texts", TextsKind(), "Named texts, also by language; `say: {t: NAME}` speaks one."),
    Field("hours", HoursKind(), "Opening hours by name: `if: office is open`."),
    Field("tools", ToolsKind(), "Named tools: HTTP requests, Python functions, tools of MCP servers."),
    Field("defaults", DEFAULTS, "What holds for every node that says nothing else."),
    Field("always", _COMMANDS, "Global commands: keys and phrases that work in every node."),
    Field("catch", Reference("catch", CatchKind), "Handlers for the whole flow."),
    Field("include", ListOf(_INCLUDED), "Files that add vars, texts, hours, tools and nodes."),
    Field("nodes", NodesKind(), "The nodes of the flow by name; the first one is the start.", required=True),
)
# What a file that is included may add.
INCLUDED = ("vars", "texts", "hours", "tools", "nodes")


def override(outer: _Bounds, given: MappingType[str, Any] | None) -> _Bounds:
    """Give the outer timers or limits with the ones written here in their place."""
    return replace(outer, **(given or {}))
