"""Joins the definitions of the document and of the node types into one JSON Schema, and validates with it.

A finding of the validator becomes a diagnostic with our place and sentence; one place gives one finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from flowengine.flow import document, kinds, prompting, routing
from flowengine.flow.diagnostics import Report, Span, did_you_mean, one_of
from flowengine.flow.kinds import Schema, described
from flowengine.flow.model import RESERVED, NodeType
from flowengine.flow.source import Document, Value, find
from flowengine.flow.source import Mapping as MappingValue

ID = "https://flowengine.dev/schemas/flow.schema.json"
Step = str | int


def flow_schema(types: Mapping[str, NodeType]) -> Schema:
    """Give the JSON Schema (draft 2020-12) of a flow with these node types."""
    node: Schema = {
        "type": "object",
        "properties": {f.name: described(f) for f in document.NODE_FIELDS},
        "additionalProperties": False,
        "errorMessage": "must be a node: a mapping with fields such as say, menu and goto",
    }
    for key, node_type in sorted(types.items()):
        if key:
            node["properties"][key] = {**node_type.schema(), "description": node_type.about}
    node["x-types"] = sorted(key for key in types if key)
    names = {
        "pattern": kinds.NAME,
        "not": {"enum": list(RESERVED)},
        "errorMessage": "must be a name such as main or ask-number, and not again, back, end or else",
    }
    schema: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "A flow of flowengine",
        "type": "object",
        "properties": {f.name: described(f) for f in document.DOCUMENT_FIELDS},
        "required": ["flow", "version", "nodes"],
        "additionalProperties": False,
        "errorMessage": "must be a flow: a mapping with flow, version and nodes",
    }
    schema["properties"]["nodes"] = {
        "type": "object",
        "propertyNames": names,
        "additionalProperties": {"$ref": "#/$defs/node"},
        "minProperties": 1,
        "description": "The nodes of the flow by name; the first one is the start.",
        "errorMessage": "must be a map from names to nodes, with one at least",
    }
    schema["$defs"] = {
        "node": node,
        "segment": prompting.segment_schema(),
        "prompt": prompting.PromptKind().schema(),
        "handler": document.handler_schema(),
        "catch": document.CatchKind().schema(),
        "route": routing.Route().schema(),
        "goto": routing.Goto().schema(),
    }
    return schema


class Checker:
    """A schema made ready to validate documents."""

    def __init__(self, schema: Schema) -> None:
        self._validator = Draft202012Validator(schema)

    def check(self, parsed: Document, plain: Any, report: Report, inside: Span | None = None) -> None:
        """Report what does not fit the schema; with ``inside`` only what stands there."""
        seen: set[tuple[Step, ...]] = set()
        for error in sorted(self._validator.iter_errors(plain), key=_rank):
            path = tuple(error.absolute_path)
            place = find(parsed.root, path)
            if place is None or (inside and not inside.contains(place.span)):
                continue
            if error.validator == "additionalProperties":
                _unknown_fields(error, path, parsed, place, report)
            elif error.validator == "propertyNames" or (error.parent and error.parent.validator == "propertyNames"):
                _bad_name(error, place, report)
            elif path not in seen:
                seen.add(path)
                _wrong_value(error, path, parsed, place, report)


def _schema_of(error: ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _instance(error: ValidationError) -> Mapping[str, Any]:
    return error.instance if isinstance(error.instance, Mapping) else {}


def _rank(error: ValidationError) -> tuple[Any, ...]:
    # A wrong type explains more than a pattern that then does not match either.
    order = {"type": 0, "required": 1}
    return (*[str(step) for step in error.absolute_path], "", order.get(str(error.validator), 2))


def _unknown_fields(
    error: ValidationError, path: tuple[Step, ...], parsed: Document, place: Value, report: Report
) -> None:
    known = list(_schema_of(error).get("properties", {}))
    if not isinstance(place, MappingValue):
        return
    where = _where(path)
    for key, entry in place.entries.items():
        if key in known:
            continue
        # An unquoted `{{` and a comma that splits a text leave strange keys behind; the reader has told the cause.
        if report.has_error_in(entry.key.span) or any(
            d.span.line == entry.key.span.line and d.code in ("comma-splits-text", "unquoted-template")
            for d in report.diagnostics
        ):
            continue
        near = did_you_mean(key, known)
        types = _schema_of(error).get("x-types", [])
        listed = f"a node's type is {one_of(types)}" if types and not near else f"known here: {', '.join(known)}"
        report.error("unknown-field", f'unknown field "{key}" {where}', entry.key.span, about=key, help=near or listed)


def _where(path: tuple[Step, ...]) -> str:
    words = [str(step) for step in path if isinstance(step, str)]
    if not words:
        return "in a flow"
    if len(words) == 2 and words[0] == "nodes":
        return f'in the node "{words[1]}"'
    return f"in {words[-1]}"


def _bad_name(error: ValidationError, place: Value, report: Report) -> None:
    key = str(error.instance)
    entry = place.entries.get(key) if isinstance(place, MappingValue) else None
    sentence = _schema_of(error).get("errorMessage") or "is not a name that can stand here"
    if entry and not report.has_error_in(entry.key.span):
        report.error("bad-name", f'the name "{key}" {sentence}', entry.key.span, about=key)


def _wrong_value(
    error: ValidationError, path: tuple[Step, ...], parsed: Document, place: Value, report: Report
) -> None:
    field = next((str(step) for step in reversed(path) if isinstance(step, str)), "this file")
    if error.validator == "required":
        _missing(error, path, parsed, place, report)
        return
    if report.has_error_in(place.span):
        return
    about = getattr(place, "text", "")
    if error.validator == "enum":
        words = [_word(value) for value in _schema_of(error)["enum"]]
        help_ = did_you_mean(about, words)
        message = _schema_of(error).get("errorMessage") or f"must be {one_of(words)}"
        report.error("wrong-value", f"`{field}` {message}", place.span, about=about, help=help_)
        return
    sentence = _schema_of(error).get("errorMessage")
    if not sentence:
        sentence = "must not be empty" if str(error.validator).startswith("min") else "does not fit here"
    bare = _schema_of(error).get("pattern") == kinds.DURATION and re.match(r"[0-9.]+$", about)
    help_ = f"write {about}s for seconds" if bare else ""
    span = place.span if about else _key_span(path, parsed, place)
    report.error("wrong-value", f"`{field}` {sentence}", span, about=about or field, help=help_)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _missing(error: ValidationError, path: tuple[Step, ...], parsed: Document, place: Value, report: Report) -> None:
    missing = [name for name in _schema_of(error)["required"] if name not in _instance(error)]
    span = _key_span(path, parsed, place)
    if not path:
        span = Span(span.file, 1, 1, 1, 1)
    for name in missing:
        hints = {"version": "write `version: 1`", "flow": "write `flow: NAME`"}
        report.error("missing-field", f"`{name}` is missing {_where(path)}", span, about=name, help=hints.get(name, ""))


def _key_span(path: Iterable[Step], parsed: Document, place: Value) -> Span:
    steps = list(path)
    parent = find(parsed.root, steps[:-1]) if steps else None
    if isinstance(parent, MappingValue) and isinstance(steps[-1], str):
        return parent.entries[steps[-1]].key.span
    return place.span.start() if isinstance(place, MappingValue) else place.span
