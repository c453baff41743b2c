"""The kinds of fields that declare tools and run them."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from typing import Any

from flowengine.flow.kinds import (
    NAME,
    Choice,
    Duration,
    Field,
    Fields,
    Flag,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Reference,
    Schema,
    Text,
    Values,
    Whole,
    Words,
    by_shape,
    rendered,
    say,
)
from flowengine.flow.model import Filler, Retry, Tool, ToolRun
from flowengine.flow.prompting import PromptKind
from flowengine.flow.routing import Assignments
from flowengine.flow.source import Mapping, Scalar, Value, to_plain

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
# The types of JSON Schema, as the short form of an argument.
JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_TOOL_NAME = Pattern(NAME, "must be the name of a tool under `tools`")


class FillerKind(Kind):
    """Words for a wait: a prompt, or `{after, say}`."""

    mapping = Fields(
        (
            Field("after", Duration(), "How long an answer may take before they are said.", default="1.2s"),
            Field("say", Reference("prompt", PromptKind), "The words.", required=True),
        ),
        "must be a prompt, or a mapping such as `{after: 2s, say: One moment.}`",
    )

    def schema(self) -> Schema:
        prompt = {"$ref": "#/$defs/prompt"}
        return by_shape(
            scalar=prompt, sequence=prompt, mapping=self.mapping.schema(), sentence=str(self.mapping.sentence)
        )

    def read(self, value: Value, reading: Reading) -> Filler | None:
        if isinstance(value, Mapping):
            read = self.mapping.read(value, reading)
            return Filler(**read) if "say" in read else None
        prompt = PromptKind().read(value, reading)
        return Filler(prompt) if prompt else None


class Arguments(Kind):
    """`with`: arguments by name; the templates in them are rendered."""

    def schema(self) -> Schema:
        return say({"type": "object"}, "must be a map from arguments to values")

    def read(self, value: Value, reading: Reading) -> MappingType[str, Any]:
        return rendered(value, reading) if isinstance(value, Mapping) else {}


class ToolRunKind(Kind):
    """A tool's name, or `{name, with, filler}`."""

    mapping = Fields(
        (
            Field("name", _TOOL_NAME, "The tool, declared under `tools`.", required=True),
            Field("with", Arguments(), "Its arguments by name."),
            Field("filler", FillerKind(), "What is said while it takes long."),
        ),
        "must be the name of a tool, or a mapping such as `{name: lookup, with: {id: 1}}`",
    )

    def schema(self) -> Schema:
        return by_shape(scalar=_TOOL_NAME.schema(), mapping=self.mapping.schema(), sentence=str(self.mapping.sentence))

    def read(self, value: Value, reading: Reading) -> ToolRun | None:
        if not isinstance(value, Mapping):
            name = _TOOL_NAME.read(value, reading)
            return ToolRun(name, value.span) if name else None
        read = self.mapping.read(value, reading)
        given = value.get("with")
        spans = {key: entry.key.span for key, entry in given.entries.items()} if isinstance(given, Mapping) else {}
        if "name" not in read:
            return None
        return ToolRun(read["name"], value.entries["name"].value.span, read.get("with", {}), spans, read.get("filler"))


class ToolArguments(Kind):
    """A tool's `args`: JSON Schema properties, or the name of a type for short."""

    def schema(self) -> Schema:
        short = say({"enum": list(JSON_TYPES)}, "must be a JSON Schema, or one of its types such as string")
        sentence = "must be a map from arguments to their JSON Schemas"
        one = by_shape(scalar=short, mapping={"type": "object"}, sentence=sentence)
        names = {"pattern": r"^[A-Za-z_][A-Za-z0-9_]*$", "errorMessage": "must be the name of an argument"}
        return say({"type": "object", "propertyNames": names, "additionalProperties": one}, sentence)

    def read(self, value: Value, reading: Reading) -> dict[str, Any] | None:
        if not isinstance(value, Mapping):
            return None
        found: dict[str, Any] = {}
        for name, entry in value.entries.items():
            plain = to_plain(entry.value)
            if isinstance(plain, dict):
                found[name] = plain
            else:
                found[name] = {"type": plain} if plain in JSON_TYPES else {}
        return found


class RetryKind(Kind):
    """How often a failed run is repeated: a number, or `{times, for, backoff}`."""

    times = Whole(0, 5)
    mapping = Fields(
        (
            Field("times", times, "Repetitions after a failure; 1 means two runs.", required=True),
            Field(
                "for",
                ListOf(Pattern(r"^error\.[a-z0-9.]+$", "must be an error such as error.http.5xx"), 1),
                "The errors that are worth another try.",
                default=["error.http.5xx", "error.tool.timeout"],
            ),
            Field("backoff", Duration(), "The wait before the first repetition.", default="300ms"),
        ),
        "must be a number, or a mapping such as `{times: 2, backoff: 300ms}`",
    )

    def schema(self) -> Schema:
        return by_shape(scalar=self.times.schema(), mapping=self.mapping.schema(), sentence=str(self.mapping.sentence))

    def read(self, value: Value, reading: Reading) -> Retry | None:
        if isinstance(value, Mapping):
            read = self.mapping.read(value, reading)
            return Retry(read.get("times", 0), read.get("for", ()), read.get("backoff", 0.3), value.span)
        times = self.times.read(value, reading)
        return Retry(times, span=value.span) if times is not None else None


KINDS = ("http", "python", "mcp")
_PYTHON = r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
_TAKE = r"^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+|\[[0-9]+\])*$"
TOOL_FIELDS = (
    Field("http", Choice(METHODS), "An HTTP request: its method."),
    Field("url", Words(), "The address of an HTTP request; values that are put in are percent-encoded."),
    Field("headers", Arguments(), "Headers of an HTTP request."),
    Field("query", Arguments(), "What follows the `?` of the address, by name."),
    Field("body", Values(), "The JSON body of an HTTP request."),
    Field(
        "take", Pattern(_TAKE, "must be a path such as items[0].name"), "The part of the answer that becomes `result`."
    ),
    Field("python", Pattern(_PYTHON, "must be module:function"), "A Python function, as `module:function`."),
    Field("mcp", Pattern(r"^[^/\s]+/[^/\s]+$", "must be server/tool"), "A tool of an MCP server, as `server/tool`."),
    Field("about", Text(), "What it does, for people and for language models."),
    Field("args", ToolArguments(), "Its arguments as JSON Schema properties; needed for `http` when a model calls it."),
    Field("timeout", Duration(), "How long it may take.", default="8s"),
    Field("retry", RetryKind(), "How often a failed run is repeated; by default once for a GET, else never."),
    Field("idempotent", Flag(), "Running it twice does no harm.", default=False),
    Field("save", Assignments(), "Assigned after each success; the answer is `result`."),
    Field("filler", FillerKind(), "What is said while it takes long."),
    Field(
        "when_interrupted",
        Choice(("keep", "cancel")),
        "Whether it goes on when the caller speaks while a model waits for it.",
        default="keep",
    ),
)
# What stands beside one form alone.
_HTTP_ONLY = ("url", "headers", "query", "body", "take")


class ToolsKind(Kind):
    """`tools`: names to tools."""

    mapping = Fields(TOOL_FIELDS, "must be a tool such as `{http: GET, url: …}`")

    def schema(self) -> Schema:
        names = {"pattern": NAME, "errorMessage": "must be a name such as get-balance"}
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": {"$ref": "#/$defs/tool"},
            "errorMessage": "must be a map from names to tools",
        }

    def read(self, value: Value, reading: Reading) -> dict[str, Tool]:
        found: dict[str, Tool] = {}
        if isinstance(value, Mapping):
            for name, entry in value.entries.items():
                # One that is wrong is told here, and known to those who use it.
                found[name] = Tool(name, entry.key.span, "", "")
                if isinstance(entry.value, Mapping):
                    found[name] = self._tool(name, entry.key, entry.value, reading)
        return found

    def _tool(self, name: str, key: Scalar, value: Mapping, reading: Reading) -> Tool:
        read = self.mapping.read(value, reading)
        kinds = [kind for kind in KINDS if kind in value.entries]
        if len(kinds) != 1:
            if not reading.report.has_error_in(value.span):
                span = value.entries[kinds[1]].key.span if kinds else key.span
                message = f'the tool "{name}" is {" and ".join(kinds)}' if kinds else f'the tool "{name}" does nothing'
                help_ = "a tool has exactly one of http, python or mcp"
                reading.report.error("tool-form", message, span, about=kinds[1] if kinds else name, help=help_)
            return Tool(name, key.span, "", "")
        kind = kinds[0]
        for other in _HTTP_ONLY:
            if kind != "http" and other in value.entries:
                span = value.entries[other].key.span
                help_ = "its arguments go to it by their names"
                reading.report.error("tool-form", f"`{other}` is for http alone", span, about=other, help=help_)
        if kind == "http" and "url" not in value.entries:
            reading.report.error("missing-field", f'`url` is missing in the tool "{name}"', key.span, about="url")
        interrupted = value.entries.get("when_interrupted")
        args = value.get("args")
        plain = (*_HTTP_ONLY, "about", "args", "timeout")
        given = {name: read[name] for name in plain if name in read}
        return Tool(
            name,
            key.span,
            kind,
            read.get(kind, ""),
            **given,
            retry=read.get("retry", Retry(1 if read.get("http") == "GET" else 0)),
            idempotent=read.get("idempotent", False),
            save=read.get("save", ()),
            filler=read.get("filler"),
            args_spans={n: e.key.span for n, e in args.entries.items()} if isinstance(args, Mapping) else {},
            cancelled=interrupted.value.span if interrupted and read.get("when_interrupted") == "cancel" else None,
        )


def tool_schema() -> Schema:
    """Give the schema of one tool."""
    return ToolsKind.mapping.schema()
