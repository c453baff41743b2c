"""The rules about names: what templates, assignments and nodes refer to is declared, once, and by a name of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowengine.flow.diagnostics import Label, Span, did_you_mean
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.handling import is_event
from flowengine.flow.kinds import Reading
from flowengine.flow.model import (
    Assignment,
    Flow,
    Named,
    NodeType,
    Segment,
    Tool,
    ToolRun,
    parts,
    scoped,
    walk,
)

CALL_FIELDS = (
    "id",
    "from",
    "to",
    "direction",
    "carrier",
    "started",
    "headers",
    "revision",
    "failures",
    "answered_by",
    "ended",
    "lang",
    "recording",
)
NODE_FIELDS = ("visits", "failures", "turns", "event")
DATE_FIELDS = ("year", "month", "day", "weekday")
# What the engine gives, and what can be read of it; None: whatever is there.
GIVEN: Mapping[str, tuple[str, ...] | None] = {
    "call": CALL_FIELDS,
    "env": None,
    "args": None,
    "shared": None,
    "node": NODE_FIELDS,
    "result": None,
    "now": (*DATE_FIELDS, "hour", "minute"),
    "today": DATE_FIELDS,
    "it": None,
}
HOURS_FIELDS = ("opens",)
WRITABLE = ("call.lang", "call.recording")
RESERVED_WORDS = (
    *("and", "or", "not", "in", "is", "if", "else", "elif", "for"),
    *("true", "false", "none", "True", "False", "None"),
)


def unknown_variable(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every name that a template, condition or assignment uses is declared."""
    runs: dict[str, set[str]] = {}
    for part in walk(parts(flow)):
        if isinstance(part, ToolRun):
            runs.setdefault(part.name, set()).update(part.values)
    for value in parts(flow):
        if value is not flow.tools:
            _check_names(value, frozenset(), flow, reading)
    for tool in flow.tools.values():
        # In a tool its arguments hide the variables of their names.
        _check_names(tool, frozenset(tool.args or ()) | frozenset(runs.get(tool.name, ())), flow, reading)


def _check_names(value: Any, more: frozenset[str], flow: Flow, reading: Reading) -> None:
    for part, here in scoped(value, more):
        if isinstance(part, Template | Condition):
            for name in part.names:
                _check_read(name, part.span, flow, here, reading)
        elif isinstance(part, Equalities):
            for name, (span, _) in part.places.items():
                _check_read(name, span, flow, here, reading)
        elif isinstance(part, Assignment):
            _check_written(part, flow, reading)


def _check_read(name: str, span: Span, flow: Flow, here: frozenset[str], reading: Reading) -> None:
    root, _, rest = name.partition(".")
    if root in flow.vars or root in here:
        return
    known: Mapping[str, Any] | tuple[str, ...]
    if root in flow.hours:
        known, word, prefix = HOURS_FIELDS, rest, f"{root}."
    elif root == "args":
        known, word, prefix = flow.args, rest, "args."
    elif root in GIVEN and root != "it":
        fields = GIVEN[root]
        if fields is None:
            return
        known, word, prefix = fields, rest, f"{root}."
    else:
        given = [word for word in GIVEN if word != "it"]
        known, word, prefix = {**flow.vars, **flow.hours, **dict.fromkeys((*given, *here))}, root, ""
    if word in known or not word:
        return
    near = did_you_mean(prefix + word, [prefix + name for name in known])
    help_ = near or (f"known: {', '.join(sorted(known)) or 'none'}" if prefix else "declare it under `vars`")
    if word == "it" and not prefix:
        help_ = "`it` is the entry of a list, inside `show` alone"
    if word == "null" and not prefix:
        help_ = "test with `is set`, or write `none`"
    reading.report.error(
        "unknown-variable",
        f'unknown variable "{prefix}{word}"',
        reading.locate(span, word),
        about=f"{prefix}{word}",
        help=help_,
    )


def _check_written(assignment: Assignment, flow: Flow, reading: Reading) -> None:
    name = assignment.name
    if reading.report.has_error_in(assignment.span):
        return
    if name in flow.vars or name in WRITABLE or name.startswith("shared."):
        return
    root = name.partition(".")[0]
    if root in GIVEN or root in flow.hours:
        message, help_ = f"`{name}` can not be assigned", "assign to a declared variable or to shared.NAME"
        if root == "call":
            help_ = f"of the call only {' and '.join(WRITABLE)} can be"
        reading.report.error("read-only", message, assignment.span, about=name, help=help_)
        return
    help_ = did_you_mean(name, flow.vars) or "declare it under `vars`"
    reading.report.error("unknown-variable", f'unknown variable "{name}"', assignment.span, about=name, help=help_)


def name_clash(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Variables and hours share one namespace with the names that the engine gives."""
    places = {name: hours.span or flow.span for name, hours in flow.hours.items()}
    declared = [*((v.name, v.span) for v in flow.vars.values()), *places.items()]
    for name, span in declared:
        if name in GIVEN or name in RESERVED_WORDS:
            owner = "the engine" if name in GIVEN else "the expressions"
            help_ = "choose another name"
            reading.report.error("name-clash", f'"{name}" is a word of {owner}', span, about=name, help=help_)
    for name, span in places.items():
        variable = flow.vars.get(name)
        if variable is not None:
            reading.report.error(
                "name-clash",
                f'"{name}" is a variable already',
                span,
                about=name,
                help="choose another name",
                related=(Label(variable.span, "the variable"),),
            )


def unknown_text(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every named text is declared."""
    for part in walk(parts(flow)):
        if isinstance(part, Segment) and part.named and part.named.name not in flow.texts:
            _unknown("unknown-text", part.named.name, part.named.span, flow.texts, "texts", reading)


def unknown_tool(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every tool that is run is declared and gets the arguments that it has."""
    for part in walk(parts(flow)):
        if not isinstance(part, ToolRun):
            continue
        tool = flow.tools.get(part.name)
        if tool is None:
            if not reading.report.has_error_in(part.span):
                _unknown("unknown-tool", part.name, part.span, flow.tools, "tools", reading)
            continue
        args = tool.args if tool.args is not None else part.values
        for name in part.values:
            if name not in args:
                known = f"it takes: {', '.join(args) or 'nothing'}"
                reading.report.error(
                    "unknown-argument",
                    f'the tool "{tool.name}" has no argument "{name}"',
                    part.spans.get(name, part.span),
                    about=name,
                    help=did_you_mean(name, args) or known,
                    related=(Label(tool.span, "declared here"),),
                )


def used_tools(tools: tuple[Named, ...], flow: Flow, reading: Reading) -> None:
    """Report the tools in a list that are not declared."""
    for used in tools:
        if used.name not in flow.tools:
            _unknown("unknown-tool", used.name, used.span, flow.tools, "tools", reading)


def _unknown(code: str, name: str, span: Span, declared: Mapping[str, object], section: str, reading: Reading) -> None:
    help_ = did_you_mean(name, declared) or f"declare it under `{section}`"
    message = f'unknown {section.removesuffix("s")} "{name}"'
    reading.report.error(code, message, span, about=name, help=help_)


def tool_rules(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """What is done twice or cut off does no harm, and what a model reads of a tool is right."""
    for tool in flow.tools.values():
        _retry(tool, reading)
        if tool.cancelled and not tool.safe:
            reading.report.warning(
                "cancelled-side-effect",
                f'when the caller speaks, "{tool.name}" is cut off half done',
                tool.cancelled,
                about=tool.name,
                help="write `when_interrupted: keep`, or `idempotent: true` if that does no harm",
            )
        for name, schema in (tool.args or {}).items():
            problem = _json_schema_problem(schema)
            if problem:
                message = f'the argument "{name}" is no JSON Schema: {problem}'
                help_ = "write for example `{type: string, description: …}`"
                span = tool.args_spans.get(name, tool.span)
                reading.report.error("bad-json-schema", message, span, about=name, help=help_)


def _retry(tool: Tool, reading: Reading) -> None:
    span = tool.retry.span
    if span is None or reading.report.has_error_in(span):
        return
    if tool.retry.times and not tool.safe:
        reading.report.error(
            "unsafe-retry",
            f'"{tool.name}" could be done twice: it is repeated, and more than a GET',
            span,
            about=tool.name,
            help="write `idempotent: true` if twice does no harm, else `retry: 0`",
        )
    for name in tool.retry.errors:
        if not is_event(name):
            help_ = did_you_mean(name, ("error.http.5xx", "error.http", "error.tool.timeout", "error.tool"))
            reading.report.error(
                "unknown-event", f'unknown event "{name}"', reading.locate(span, name), about=name, help=help_
            )


def _json_schema_problem(schema: Any) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)
    return ""
