"""Joins the definitions of the document and of the node types into one JSON Schema, and validates with it.

A finding of the validator becomes a diagnostic with our place and sentence; one place gives one finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flowengine.flow import document, handling, kinds, prompting, routing, source, tooling
from flowengine.flow.diagnostics import Report, Span, did_you_mean, one_of
from flowengine.flow.finding import quoted
from flowengine.flow.kinds import Fields, Schema, described, say, sentence_of, typed
from flowengine.flow.model import NodeType
from flowengine.flow.source import Document, Entry, Scalar, Sequence, Value, find, to_plain
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.validator import Misfit, Path, Validator

ID = "https://flowengine.dev/schemas/flow.schema.json"
INCLUDED_ID = "https://flowengine.dev/schemas/included.schema.json"
_INCLUDED_SENTENCE = f"must be a mapping with {', '.join(document.INCLUDED)}"
# What other YAML readers take for booleans, and people mean so.
_SPOKEN_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def flow_schema(types: Mapping[str, NodeType]) -> Schema:
    """Give the JSON Schema (draft 2020-12) of a flow with these node types."""
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "description": "A flow of flowengine.",
        **Fields(document.DOCUMENT_FIELDS, "must be a flow: a mapping with flow, version and nodes").schema(),
    }
    schema["$defs"] = {
        "node": node_schema(types),
        "segment": prompting.segment_schema(),
        "prompt": prompting.PromptKind().schema(),
        "handler": handling.handler_schema(),
        "catch": handling.CatchKind().schema(),
        "tool": tooling.tool_schema(),
        "route": routing.Route().schema(),
        "goto": routing.Goto().schema(),
    }
    return schema


def included_schema(types: Mapping[str, NodeType]) -> Schema:
    """Give the JSON Schema of a file that flows include."""
    flow = flow_schema(types)
    properties = {name: flow["properties"][name] for name in document.INCLUDED}
    schema = {"properties": properties, "additionalProperties": False, "$defs": flow["$defs"]}
    return {**schema, **typed("object", _INCLUDED_SENTENCE)}


def included_beside_flow() -> Schema:
    """Give the schema of such a file for editors: it refers to that of flows, which stands beside it."""
    beside = ID.rpartition("/")[2]
    fields = {f.name: f.about for f in document.DOCUMENT_FIELDS if f.name in document.INCLUDED}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": INCLUDED_ID,
        "description": "A file that flows include.",
        "properties": {
            name: {"$ref": f"{beside}#/properties/{name}", "description": about} for name, about in fields.items()
        },
        "additionalProperties": False,
        **typed("object", _INCLUDED_SENTENCE),
    }


def node_schema(types: Mapping[str, NodeType]) -> Schema:
    """Give the schema of a node: the fields of all types, and what each type allows beside its key."""
    common = {f.name: described(f) for f in document.NODE_FIELDS}
    keys = sorted(key for key in types if key)
    own = {key: _own(types[key]) for key in keys}
    node: Schema = {
        # In the order in which the fields are best written, the types' keys before what follows them.
        "properties": {**dict(list(common.items())[:3]), **own, **dict(list(common.items())[3:])},
        "additionalProperties": False,
        "x-types": keys,
        **typed("object", "must be a node: a mapping with fields such as say, menu and goto"),
    }
    node["allOf"] = [{"if": {"required": [key]}, "then": _of_type(types[key], keys)} for key in keys]
    return node


def _own(node_type: NodeType) -> Schema:
    """Give the schema of what stands under a type's key; an editor shows the example, and fills it in."""
    schema = node_type.schema()
    if "properties" in schema:
        # An editor that finds fields here would write them instead of the example.
        schema = {"if": {"type": "object"}, "then": schema, "else": schema["else"]}
    shown = {
        "description": node_type.about,
        "markdownDescription": f"{node_type.about}\n\n```yaml\n{node_type.example}```",
    }
    example = source.read("", node_type.example.encode(), Report()).root
    nodes = list(example.entries.values()) if isinstance(example, MappingValue) else []
    body = _snippet(nodes[0].value) if nodes else None
    if isinstance(body, dict) and node_type.key in body:
        schema["defaultSnippets"] = [_example(node_type.key, body[node_type.key])]
    return {**schema, **shown}


def _example(key: str, body: Any) -> Schema:
    # Servers propose it also inside the key's value, where a list would not fit: there it is the last of all.
    return {"label": f"{key}: an example", "body": body, "sortText": "~"}


def _snippet(value: Value | None) -> Any:
    """Give a value of an example as the body of a snippet: a text there is written as it is, with its quotes."""
    if isinstance(value, MappingValue):
        return {key: _snippet(entry.value) for key, entry in value.entries.items()}
    if isinstance(value, Sequence):
        return [_snippet(item) for item in value.items]
    if isinstance(value, Scalar):
        return value.value if value.plain else quoted(value.text)
    return None


def _of_type(node_type: NodeType, keys: list[str]) -> Schema:
    """Say which keys may not stand beside the type's own, and which outcomes its `goto` can map."""
    schema: Schema = {}
    # Of two types the one that comes first says so: one cause, one finding. Not by `not`, whose finding editors tell
    # in words of their own.
    others = "|".join(re.escape(key) for key in keys if key > node_type.key)
    if others:
        sentence = f"must not stand beside {node_type.key}: a node has one type"
        schema["propertyNames"] = say({"pattern": f"^(?!({others})$)", "x-two-types": True}, sentence)
    if node_type.known_outcomes:
        inner = {"$ref": "#/$defs/route"}
        mapped = {name: {**inner, "description": about} for name, about in node_type.known_outcomes.items()}
        mapped["else"] = {**inner, "description": "Every other outcome."}
        about = next(f.about for f in document.NODE_FIELDS if f.name == "goto")
        schema["properties"] = {"goto": {"properties": mapped, "description": about}}
    return schema


class Checker:
    """A schema made ready to validate documents."""

    def __init__(self, schema: Schema, where: str = "in a flow") -> None:
        """Make ready; ``where`` says in which document a field is that stands in no mapping of its own."""
        self._validator = Validator(schema)
        self._document = where

    def check(self, parsed: Document, plain: Any, report: Report, inside: Span | None = None) -> None:
        """Report what does not fit the schema; with ``inside`` only what stands there."""
        seen: set[Path] = set()
        for misfit in self._validator.misfits(plain):
            place = find(parsed.root, misfit.path)
            if place is None or (inside and not inside.contains(place.span)):
                continue
            if misfit.keyword == "additionalProperties":
                _unknown_fields(misfit, parsed, place, report, self._document)
            elif misfit.keyword == "propertyNames":
                _bad_name(misfit, place, report)
            elif misfit.keyword == "required":
                _missing(misfit, parsed, place, report)
            elif misfit.path not in seen:
                seen.add(misfit.path)
                _wrong_value(misfit, parsed, place, report)

    def check_repeated(self, parsed: Document, report: Report) -> None:
        """Check the second value of every repeated key in the place of the first."""
        self._check_repeated(parsed, parsed.root, report)

    def _check_repeated(self, parsed: Document, value: Value | None, report: Report) -> None:
        if isinstance(value, Sequence):
            for item in value.items:
                self._check_repeated(parsed, item, report)
        if not isinstance(value, MappingValue):
            return
        for entry in value.repeated:
            first = value.entries[entry.key.text]
            value.entries[entry.key.text] = entry
            self.check(parsed, to_plain(parsed.root), report, inside=entry.value.span)
            value.entries[entry.key.text] = first
        for entry in value.entries.values():
            self._check_repeated(parsed, entry.value, report)


def _unknown_fields(misfit: Misfit, parsed: Document, place: Value, report: Report, whole: str) -> None:
    known = list(misfit.schema.get("properties", {}))
    if not isinstance(place, MappingValue):
        return
    where = _where(misfit.path) or whole
    for key, entry in place.entries.items():
        if key in known:
            continue
        # An unquoted `{{` and a comma that splits a text leave strange keys behind; the reader has told the cause.
        if report.has_error_in(entry.key.span) or any(
            d.span.line == entry.key.span.line and d.code in ("comma-splits-text", "unquoted-template")
            for d in report.diagnostics
        ):
            continue
        if " " in key and entry.key.plain and not place.flow:
            _text_as_key(parsed, place, entry, report)
            continue
        near = did_you_mean(key, known)
        types = misfit.schema.get("x-types", [])
        listed = f"a node's type is {one_of(types)}" if types and not near else f"known here: {', '.join(known)}"
        report.error("unknown-field", f'unknown field "{key}" {where}', entry.key.span, about=key, help=near or listed)


def _text_as_key(parsed: Document, place: MappingValue, entry: Entry, report: Report) -> None:
    key, value = entry.key, entry.value
    span = Span(key.span.file, key.span.end_line, key.span.end_column, key.span.end_line, key.span.end_column + 1)
    text = f"{key.text}: {value.text}".strip() if isinstance(value, Scalar) else key.text
    line = parsed.lines[key.span.line - 1]
    fix = None
    # An item of a list can be nothing else; as a field of a node the key may be what is wrong.
    if len(place.entries) == 1 and line[: key.span.column - 1].rstrip().endswith("-") and _in_line(key, value):
        start, end = key.span.column - 1, value.span.end_column - 1
        fix = line[:start] + quoted(line[start:end].rstrip()) + line[end:]
    report.error(
        "unquoted-text",
        "a text with `: ` in it needs quotes",
        span,
        about=":",
        help=f"put the text in quotes: {quoted(text)}",
        fix=fix,
    )


def _in_line(key: Scalar, value: Value) -> bool:
    return isinstance(value, Scalar) and bool(value.text) and value.plain and key.span.line == value.span.end_line


def _where(path: Path) -> str:
    words = [str(step) for step in path if isinstance(step, str)]
    if not words:
        return ""
    if len(words) == 2 and words[0] == "nodes":
        return f'in the node "{words[1]}"'
    return f"in {words[-1]}"


def _bad_name(misfit: Misfit, place: Value, report: Report) -> None:
    entry = place.entries.get(misfit.name) if isinstance(place, MappingValue) else None
    sentence = misfit.schema.get("errorMessage", "is not a name that can stand here")
    if "x-two-types" in misfit.schema:
        return  # the loader tells of both at once
    if entry and not report.has_error_in(entry.key.span):
        report.error("bad-name", f'the name "{misfit.name}" {sentence}', entry.key.span, about=misfit.name)


def _wrong_value(misfit: Misfit, parsed: Document, place: Value, report: Report) -> None:
    field = next((str(step) for step in reversed(misfit.path) if isinstance(step, str)), "this file")
    if report.has_error_in(place.span) or _comment_instead(place, report):
        return
    schema = misfit.schema
    about = getattr(place, "text", "")
    sentence, help_, fix = sentence_of(schema), "", None
    if misfit.keyword == "enum":
        words = [_word(value) for value in schema["enum"]]
        sentence = sentence or f"must be {one_of(words)}"
        help_ = did_you_mean(about, words)
    elif not sentence:
        sentence = "must not be empty" if misfit.keyword.startswith("min") else "does not fit here"
    if about.lower() in _SPOKEN_BOOLEANS and ("boolean" in schema.get("type", ()) or True in schema.get("enum", ())):
        word = _SPOKEN_BOOLEANS[about.lower()]
        help_ = f"write {word}"
        line = parsed.lines[place.span.line - 1]
        fix = line[: place.span.column - 1] + word + line[place.span.end_column - 1 :]
    elif "array" in schema.get("type", ()) and _is_text(place) and "string" not in schema.get("type", ()):
        help_ = f"write [{about}]"
        if not re.search(r"[][{}#:\"']", about) and place.span.line == place.span.end_line:
            line = parsed.lines[place.span.line - 1]
            fix = f"{line[: place.span.column - 1]}[{about}]{line[place.span.end_column - 1 :]}"
    elif schema.get("pattern") == kinds.DURATION and re.match(r"[0-9.]+$", about):
        help_ = f"write {about}s for seconds"
    span = place.span if about else _key_span(misfit.path, parsed, place)
    report.error("wrong-value", f"`{field}` {sentence}", span, about=about or field, help=help_, fix=fix)


def _is_text(place: Value) -> bool:
    return isinstance(place, Scalar) and isinstance(place.value, str) and place.plain and bool(place.text)


def _comment_instead(place: Value, report: Report) -> bool:
    """Say whether the reader has told that a comment stands where the value should."""
    return (
        isinstance(place, Scalar)
        and not place.text
        and any(
            d.code in ("comment-not-value", "unquoted-key") and d.span.line == place.span.end_line
            for d in report.diagnostics
        )
    )


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _missing(misfit: Misfit, parsed: Document, place: Value, report: Report) -> None:
    span = _key_span(misfit.path, parsed, place)
    where = f" {_where(misfit.path)}" if misfit.path else ""
    if not misfit.path:
        span = Span(span.file, 1, 1, 1, 1)
    unknown = [key for key in misfit.value if key not in misfit.schema.get("properties", {})]
    hints = {"version": "write `version: 1`", "flow": "write `flow: NAME`", "nodes": "write `nodes:` and a node"}
    for name in misfit.schema["required"]:
        # A misspelt field is told as such.
        if name not in misfit.value and not any(did_you_mean(key, [name]) for key in unknown):
            report.error("missing-field", f"`{name}` is missing{where}", span, about=name, help=hints.get(name, ""))


def _key_span(path: Iterable[str | int], parsed: Document, place: Value) -> Span:
    steps = list(path)
    parent = find(parsed.root, steps[:-1]) if steps else None
    if isinstance(parent, MappingValue) and isinstance(steps[-1], str):
        return parent.entries[steps[-1]].key.span
    return place.span.start() if isinstance(place, MappingValue) else place.span
