"""The rules that a schema can not state, one function each. All of them run; none depends on another's finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flowengine.flow import document
from flowengine.flow.diagnostics import Label, Span, did_you_mean, one_of
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.graph import RESERVED_TARGETS, flow_edges, node_edges
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Assignment, Flow, NodeType, Target, walk

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
SETTABLE = ("call.lang", "call.recording")
# Failures happen only where something is asked of the caller.
INPUT_EVENTS = ("noinput", "nomatch", "invalid", "toomany")

Check = Callable[[Flow, Mapping[str, NodeType], Reading], None]


def run(flow: Flow, types: Mapping[str, NodeType], reading: Reading) -> None:
    """Run every check."""
    for check in CHECKS:
        check(flow, types, reading)


def _names_of_targets(flow: Flow) -> Iterator[Target]:
    yield from (part for part in walk((flow.nodes, flow.catch, flow.always)) if isinstance(part, Target))


def unknown_node(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every target is a node of the flow or a reserved word."""
    for target in _names_of_targets(flow):
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
        if isinstance(part, Template | Condition | Equalities):
            for name in part.names:
                _check_read(name, part.span, flow, reading)
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
        known, word, prefix = {**flow.vars, **dict.fromkeys(NAMESPACE)}, root, ""
    if word in known or not word:
        return
    near = did_you_mean(word, known)
    help_ = near or (f"known: {', '.join(sorted(known))}" if prefix else "declare it under `vars`")
    reading.report.error(
        "unknown-variable",
        f'unknown variable "{prefix}{word}"',
        reading.locate(span, word),
        about=f"{prefix}{word}",
        help=help_,
    )


def _check_written(assignment: Assignment, flow: Flow, reading: Reading) -> None:
    name = assignment.name
    if name in flow.vars or name.startswith("shared.") or name in SETTABLE:
        return
    root = name.partition(".")[0]
    if root in NAMESPACE:
        message, help_ = f"`{name}` can not be assigned", f"assign to a declared variable, shared.NAME or {SETTABLE[0]}"
        reading.report.error("read-only", message, assignment.span, about=name, help=help_)
        return
    help_ = did_you_mean(name, flow.vars) or "declare it under `vars`"
    reading.report.error("unknown-variable", f'unknown variable "{name}"', assignment.span, about=name, help=help_)


def name_clash(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Variables do not take the names that the engine gives."""
    for variable in flow.vars.values():
        if variable.name in NAMESPACE:
            reading.report.error(
                "name-clash",
                f'"{variable.name}" is a name of the engine',
                variable.span,
                about=variable.name,
                help="choose another name",
            )


def unknown_event(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Handlers are for events that there are."""
    for catches in (flow.catch, *(node.catch for node in flow.nodes.values())):
        for catch in catches.values():
            if not document.is_event(catch.event):
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


def way_out(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every node leads somewhere, for each of its outcomes."""
    for node in flow.nodes.values():
        outcomes = node.type.outcomes(node.spec)
        if not outcomes or reading.report.has_error_in(node.name_span):
            continue
        if node.routes_span is None:
            if node.type_span and reading.report.has_error_in(node.type_span):
                continue  # an option may have lost its goto to the mistake that is reported there
            reading.report.error(
                "no-way-out",
                f'the node "{node.name}" leads nowhere',
                node.name_span,
                about=node.name,
                help=f"add `goto`{_for(outcomes)}; `goto: end` hangs up",
            )
            continue
        if "else" in node.routes:
            continue
        missing = [outcome for outcome in outcomes if outcome not in node.routes]
        for outcome in missing:
            reading.report.error(
                "unmapped-outcome",
                f'`goto` says nothing of the outcome "{outcome}"',
                node.routes_span,
                about=outcome,
                help=f"add `{outcome}: NODE` or `else: NODE`",
            )


def _for(outcomes: tuple[str, ...]) -> str:
    return f" for {one_of(outcomes)}" if len(outcomes) > 1 else ""


def silent_cycle(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """No round through nodes that neither speak, nor ask, nor wait: a call would spin in it."""
    silent = {n.name: n for n in flow.nodes.values() if n.say is None and not n.type.pauses}
    ways = {name: [e.target for e in node_edges(node) if e.kind == "goto"] for name, node in silent.items()}
    ways = {name: [name if t == "again" else t for t in targets] for name, targets in ways.items()}
    done: set[str] = set()
    for start in silent:
        cycle = _cycle_from(start, ways, done)
        if cycle:
            node = silent[cycle[0]]
            reading.report.error(
                "silent-cycle",
                f"a round without speech or input: {' → '.join([*cycle, cycle[0]])}",
                node.name_span,
                about=node.name,
                help="let one of these nodes speak or ask",
            )


def _cycle_from(start: str, ways: Mapping[str, list[str]], done: set[str]) -> list[str]:
    """Depth first without recursion; nodes in ``done`` are known not to lead into a cycle of their own."""
    path: list[str] = []
    stack: list[tuple[str, Iterator[str]]] = []
    if start not in done:
        stack.append((start, iter(ways[start])))
        path.append(start)
        done.add(start)
    while stack:
        for target in stack[-1][1]:
            if target in path:
                return path[path.index(target) :]
            if target in ways and target not in done:
                done.add(target)
                path.append(target)
                stack.append((target, iter(ways[target])))
                break
        else:
            stack.pop()
            path.pop()
    return []


def unreachable_node(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every node can be reached."""
    if flow.start not in flow.nodes:
        return
    everywhere = [e.target for e in flow_edges(flow)]
    reached: set[str] = set()
    waiting = [flow.start, *everywhere]
    while waiting:
        name = waiting.pop()
        if name in flow.nodes and name not in reached:
            reached.add(name)
            waiting += [edge.target for edge in node_edges(flow.nodes[name])]
    # A target that is mistyped would have reached one of the nodes: only its own error is reported.
    missing = {d.about for d in reading.report.diagnostics if d.code == "unknown-node"}
    for node in flow.nodes.values():
        if node.name not in reached and not missing and not reading.report.failed:
            reading.report.warning(
                "unreachable-node",
                f'nothing leads to the node "{node.name}"',
                node.name_span,
                about=node.name,
                help="delete it, or lead a `goto` to it",
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
    way_out,
    silent_cycle,
    command_keys,
    unreachable_node,
)
