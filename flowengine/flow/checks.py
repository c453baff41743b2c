"""The rules that a schema can not state, one function each. All of them run; none depends on another's finding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowengine.flow import announced, choosing, names, speech, unset, ways
from flowengine.flow.diagnostics import Label, Span, did_you_mean
from flowengine.flow.expressions import Equalities, Template
from flowengine.flow.graph import RESERVED_TARGETS
from flowengine.flow.handling import EVENTS, is_event
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Case, Catch, Flow, Handler, Node, NodeType, Phrase, parts, targets, walk
from flowengine.flow.values import UnfitValueError, fit

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


def wrong_type(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """A value that is written out fits the type of the variable that gets it or is compared with it."""
    for part in walk(parts(flow)):
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


def unknown_event(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Handlers are for events that there are."""
    for catch in _catches(flow):
        if not is_event(catch.event) and not reading.report.has_error_in(catch.span):
            help_ = did_you_mean(catch.event, EVENTS) or f"known: {', '.join(EVENTS)}"
            reading.report.error(
                "unknown-event", f'unknown event "{catch.event}"', catch.span, about=catch.event, help=help_
            )


def _catches(flow: Flow) -> Iterable[Catch]:
    for catches in (flow.catch, *(node.catch for node in flow.nodes.values())):
        yield from catches.values()


def impossible_handler(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """No handler waits for what can not happen at its place, and none speaks when nobody is there."""
    for node in flow.nodes.values():
        for catch in node.catch.values():
            why = _impossible(catch.event, node, flow)
            if why:
                reading.report.error(
                    "impossible-handler",
                    f"`{catch.event}` can not happen here: {why}",
                    catch.span,
                    about=catch.event,
                    help="move the handler to the node where it can, or to the flow",
                )
    for catch in _catches(flow):
        for handler in catch.handlers if catch.event in ("hangup", "ended") else ():
            place = handler.target.span if handler.target else handler.say.span if handler.say else None
            if place:
                word = "goto" if handler.target else "say"
                reading.report.error(
                    "impossible-handler",
                    f"`{word}` is of no use in `{catch.event}`: nobody is there any more",
                    place,
                    about=word,
                    help="only set, add and tool run after the end",
                )


# What happens only in nodes of certain types, and what these do.
SPECIAL = {
    **dict.fromkeys(("noinput", "nomatch", "invalid", "toomany"), "asks the caller nothing"),
    "invalid": "collects nothing",
    "maxturns": "has no conversation",
    "error.tool": "runs no tool",
    "error.model": "asks no model",
    "error.stt": "does not listen",
    "error.transfer": "transfers nobody",
}


def _impossible(event: str, node: Node, flow: Flow) -> str:
    """Say why an event can not happen in a node; empty where it can."""
    special = "error.tool" if event.startswith(("error.http", "error.tool")) else event
    kind = node.type.key or "step"
    if special in SPECIAL and special not in node.type.events:
        does = SPECIAL[special] if special != "nomatch" or not node.type.asks else "takes what is said as it is"
        return f"a {kind} {does}"
    if event == "maxvisits" and node.max_visits is None:
        return "the node has no `max_visits`"
    if event == "timeout.node" and node.timeouts.node is None:
        return f"a {kind} has no time limit unless `timeouts: {{node: …}}` gives it one"
    if event == "machine" and node.name != flow.start:
        return "only the first node waits for an answering machine"
    return ""


def command_keys(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """No two global commands share a key or a phrase; the names under `always` in nodes are commands."""
    keys: dict[str, Span] = {}
    phrases: dict[tuple[str, str], Phrase] = {}
    for command in flow.always:
        for key in command.keys:
            if key in keys:
                does = "gives two global commands"
                choosing.duplicate_key(key, command.span, keys[key], does, reading.report, "command")
            keys.setdefault(key, command.span)
        for lang, said in command.hear.by_language.items():
            for phrase in said:
                first = phrases.setdefault((lang, choosing.word(phrase.text)), phrase)
                if first is not phrase:
                    reading.report.error(
                        "duplicate-phrase",
                        f'the phrase "{phrase.text}" gives two global commands',
                        phrase.span,
                        about=phrase.text,
                        help="give each command phrases of its own",
                        related=(Label(first.span, "first here"),),
                    )
    known = [command.name for command in flow.always]
    for node in flow.nodes.values():
        for name in node.always if isinstance(node.always, tuple) else ():
            if name not in known:
                help_ = did_you_mean(name, known) or f"known: {', '.join(known) or 'none'}"
                place = reading.locate(node.span, name)
                reading.report.error("unknown-command", f'unknown command "{name}"', place, about=name, help=help_)


def node_rules(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """What each node type knows of itself."""
    for node in flow.nodes.values():
        node.type.check(node, flow, reading)


CHECKS: tuple[Check, ...] = (
    unknown_node,
    names.unknown_text,
    names.unknown_tool,
    names.unknown_variable,
    names.name_clash,
    names.tool_rules,
    unknown_event,
    impossible_handler,
    node_rules,
    ways.way_out,
    ways.silent_cycle,
    command_keys,
    wrong_type,
    ways.idle_back,
    ways.unreachable_node,
    unset.maybe_unset,
    announced.announced_keys,
    speech.long_prompt,
    speech.missing_translation,
    speech.private_in_prompt,
    speech.no_zone,
)
