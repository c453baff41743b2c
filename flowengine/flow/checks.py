"""The rules that a schema can not state, one function each. All of them run; none depends on another's finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowengine.flow import document, ways
from flowengine.flow.diagnostics import Label, Span, did_you_mean
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.graph import RESERVED_TARGETS
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Assignment, Case, Flow, Handler, Node, NodeType, targets, walk
from flowengine.flow.values import UnfitValueError, fit

NAMESPACE = ("call", "env", "args", "shared", "node", "result", "now", "today", "it")
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
RESERVED_WORDS = (
    "and",
    "or",
    "not",
    "in",
    "is",
    "if",
    "else",
    "elif",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
)
# Reserved for what comes; nothing gives them a value yet.
UNGIVEN = ("now", "today", "it")
# Failures happen only where something is asked of the caller.
INPUT_EVENTS = ("noinput", "nomatch", "invalid", "toomany")

Check = Callable[[Flow, Mapping[str, NodeType], Reading], None]


def run(flow: Flow, types: Mapping[str, NodeType], reading: Reading) -> None:
    """Run every check."""
    for check in CHECKS:
        check(flow, types, reading)


def unknown_node(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every target is a node of the flow or a reserved word."""
    for target in targets(flow):
        if target.node not in flow.nodes and target.node not in RESERVED_TARGETS:
            help_ = did_you_mean(target.node, [*flow.nodes, *RESERVED_TARGETS]) or "there is no node of this name"
            reading.report.error(
                "unknown-node", f'unknown node "{target.node}"', target.span, about=target.node, help=help_
            )
    if flow.start and flow.start not in flow.nodes and flow.nodes:
        help_ = did_you_mean(flow.start, flow.nodes)
        reading.report.error("unknown-node", f'unknown node "{flow.start}"', flow.span, about=flow.start, help=help_)


def unknown_variable(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every name that a template, condition or assignment uses is declared."""
    for part in walk((flow.nodes, flow.catch)):
        if isinstance(part, Template | Condition):
            for name in part.names:
                _check_read(name, part.span, flow, reading)
        elif isinstance(part, Equalities):
            for name, (span, _) in part.places.items():
                _check_read(name, span, flow, reading)
        elif isinstance(part, Assignment):
            _check_written(part, flow, reading)


def _check_read(name: str, span: Span, flow: Flow, reading: Reading) -> None:
    root, _, rest = name.partition(".")
    known: Mapping[str, Any] | tuple[str, ...]
    if root in flow.vars or root in ("env", "shared", "result"):
        return
    if root == "args":
        known, word, prefix = flow.args, rest, "args."
    elif root == "call":
        known, word, prefix = CALL_FIELDS, rest, "call."
    elif root == "node":
        known, word, prefix = NODE_FIELDS, rest, "node."
    else:
        given = [word for word in NAMESPACE if word not in UNGIVEN]
        known, word, prefix = {**flow.vars, **dict.fromkeys(given)}, root, ""
    if word in known or not word:
        return
    near = did_you_mean(prefix + word, [prefix + name for name in known])
    help_ = near or (f"known: {', '.join(sorted(known))}" if prefix else "declare it under `vars`")
    if word in UNGIVEN and not prefix:
        help_ = f"`{word}` is reserved, but nothing gives it a value in this version"
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
    if name in flow.vars or name.startswith("shared."):
        return
    root = name.partition(".")[0]
    if root in NAMESPACE:
        message, help_ = f"`{name}` can not be assigned", "assign to a declared variable or to shared.NAME"
        reading.report.error("read-only", message, assignment.span, about=name, help=help_)
        return
    help_ = did_you_mean(name, flow.vars) or "declare it under `vars`"
    reading.report.error("unknown-variable", f'unknown variable "{name}"', assignment.span, about=name, help=help_)


def wrong_type(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """A value that is written out fits the type of the variable that gets it or is compared with it."""
    for part in walk((flow.nodes, flow.catch)):
        if isinstance(part, Case | Handler | Node):
            for assignment in part.set:
                _check_fits(assignment.name, assignment.value, assignment.value_span, flow, reading)
        elif isinstance(part, Equalities):
            places = part.places
            part.convert(lambda name, value: _check_fits(name, value, places[name][1], flow, reading))  # noqa: B023  # called at once


def _check_fits(name: str, value: Any, span: Span, flow: Flow, reading: Reading) -> Any:
    """Give the value as the variable holds it; one that does not fit is reported and stays as it is."""
    variable = flow.vars.get(name)
    if variable is None or reading.report.has_error_in(span) or any(isinstance(part, Template) for part in walk(value)):
        return value
    try:
        return fit(variable.kind, value, variable.choices)
    except UnfitValueError:
        written = str(value).lower() if isinstance(value, bool) else str(value)
        help_ = f"known: {', '.join(variable.choices)}" if variable.choices else ""
        if not isinstance(value, str) and variable.kind in ("text", "digits", "phone"):
            help_ = f'write "{written}"'
        message = f'this does not fit "{name}", which holds {variable.kind}'
        reading.report.error("wrong-type", message, span, about=written, help=help_)
        return value


def name_clash(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Variables do not take the names that the engine gives."""
    for variable in flow.vars.values():
        if variable.name in NAMESPACE or variable.name in RESERVED_WORDS:
            owner = "the engine" if variable.name in NAMESPACE else "the expressions"
            reading.report.error(
                "name-clash",
                f'"{variable.name}" is a word of {owner}',
                variable.span,
                about=variable.name,
                help="choose another name",
            )


def unknown_event(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Handlers are for events that there are."""
    for catches in (flow.catch, *(node.catch for node in flow.nodes.values())):
        for catch in catches.values():
            if not document.is_event(catch.event) and not reading.report.has_error_in(catch.span):
                help_ = did_you_mean(catch.event, document.EVENTS) or f"known: {', '.join(document.EVENTS)}"
                reading.report.error(
                    "unknown-event", f'unknown event "{catch.event}"', catch.span, about=catch.event, help=help_
                )


def impossible_handler(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """No handler waits for what can not happen at its place, and none speaks when nobody is there."""
    for node in flow.nodes.values():
        for catch in node.catch.values():
            if catch.event in INPUT_EVENTS and not node.type.asks:
                kind = node.type.key or "step"
                reading.report.error(
                    "impossible-handler",
                    f"`{catch.event}` can not happen here: a {kind} asks the caller nothing",
                    catch.span,
                    about=catch.event,
                    help="move the handler to the node that asks, or to the flow",
                )
    for catches in (flow.catch, *(node.catch for node in flow.nodes.values())):
        for event in ("hangup", "ended"):
            for handler in catches[event].handlers if event in catches else ():
                place = handler.target.span if handler.target else handler.say.span if handler.say else None
                if place:
                    word = "goto" if handler.target else "say"
                    reading.report.error(
                        "impossible-handler",
                        f"`{word}` is of no use in `{event}`: nobody is there any more",
                        place,
                        about=word,
                        help="only set, add and tool run after the end",
                    )


def command_keys(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """No two global commands share a key; the names under `always` in nodes are commands."""
    first: dict[str, Span] = {}
    for command in flow.always:
        for key in command.keys:
            if key in first:
                reading.report.error(
                    "duplicate-menu-key",
                    f"the key {key} gives two global commands",
                    command.span,
                    about=key,
                    help="give each command a key of its own",
                    related=(Label(first[key], "first here"),),
                )
            first.setdefault(key, command.span)
    names = [command.name for command in flow.always]
    for node in flow.nodes.values():
        for name in node.always if isinstance(node.always, tuple) else ():
            if name not in names:
                help_ = did_you_mean(name, names) or f"known: {', '.join(names) or 'none'}"
                place = reading.locate(node.span, name)
                reading.report.error("unknown-command", f'unknown command "{name}"', place, about=name, help=help_)


def node_rules(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """What each node type knows of itself."""
    for node in flow.nodes.values():
        node.type.check(node, flow, reading.report)


CHECKS: tuple[Check, ...] = (
    unknown_node,
    unknown_variable,
    name_clash,
    unknown_event,
    impossible_handler,
    node_rules,
    ways.way_out,
    ways.silent_cycle,
    command_keys,
    wrong_type,
    ways.idle_back,
    ways.unreachable_node,
)
