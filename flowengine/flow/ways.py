"""The rules about where a flow leads: no dead end, no node that nothing leads to, no round in silence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from flowengine.flow.diagnostics import Span, did_you_mean, one_of
from flowengine.flow.graph import flow_edges, node_edges
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Flow, Node, NodeType, targets

_WORD = re.compile(r"[a-z][a-z0-9_-]*")


def way_out(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """Every node leads somewhere, for each of its outcomes, and has no `goto` that is never taken."""
    for node in flow.nodes.values():
        if reading.report.has_error_in(node.name_span):
            continue
        outcomes = node.type.outcomes(node.spec)
        if node.routes_span is None:
            if not (node.type_span and reading.report.has_error_in(node.type_span)):
                _no_way_out(node, outcomes, reading)
        elif outcomes:
            _unmapped(node, outcomes, node.routes_span, reading)
        elif not reading.report.has_error_in(node.span):
            reading.report.warning(
                "unused-goto",
                "this `goto` is never taken: " + _why_unused(node),
                node.routes_span,
                about="goto",
                help="delete it",
            )


def _no_way_out(node: Node, outcomes: tuple[str, ...], reading: Reading) -> None:
    if not outcomes:
        return
    if node.type.branches(node.spec):
        leads = "outcome {} leads" if len(outcomes) == 1 else "outcomes {} lead"
        message = f'in the node "{node.name}" the {leads.format(_quoted(outcomes))} nowhere'
        help_ = "give the option a `goto`, or the node"
    else:
        message = f'the node "{node.name}" leads nowhere'
        help_ = f"add `goto`{f' for {one_of(outcomes)}' if len(outcomes) > 1 else ''}; `goto: end` hangs up"
    reading.report.error("no-way-out", message, node.name_span, about=node.name, help=help_)


def _unmapped(node: Node, outcomes: tuple[str, ...], span: Span, reading: Reading) -> None:
    if "else" in node.routes:
        return
    # A misspelt outcome is told as such.
    misspelt = [did_you_mean(name, outcomes) for name in node.routes if name not in outcomes]
    missing = [o for o in outcomes if o not in node.routes and not any(f'"{o}"' in near for near in misspelt)]
    if missing:
        reading.report.error(
            "unmapped-outcome",
            f"`goto` says nothing of the outcome{'s' if len(missing) > 1 else ''} {_quoted(missing)}",
            span,
            about=", ".join(missing),
            help=f"add `{missing[0]}: NODE`, or `else: NODE`" if len(missing) == 1 else "add `else: NODE`",
        )


def _why_unused(node: Node) -> str:
    if node.type.branches(node.spec):
        return "every option has one of its own"
    return f"the call leaves the flow in this {node.type.key or 'step'}"


def _quoted(names: Iterable[str]) -> str:
    return one_of([f'"{name}"' for name in names]).replace(" or ", " and ")


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
    lost = [node for node in flow.nodes.values() if node.name not in reached]
    mentions = Counter(word for line in reading.lines for word in _WORD.findall(line)) if lost else Counter[str]()
    near = " ".join(d.help for d in reading.report.diagnostics if d.code == "unknown-node")
    for node in lost:
        # Where there are errors, one of them may have cost the way here: then the name stands elsewhere in the file.
        if reading.report.has_error_in(node.name_span):
            continue
        if reading.report.failed and (mentions[node.name] > 1 or f'"{node.name}"' in near):
            continue
        reading.report.warning(
            "unreachable-node",
            f'nothing leads to the node "{node.name}"',
            node.name_span,
            about=node.name,
            help="delete it, or lead a `goto` to it",
        )


def idle_back(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """`back` leads to what a global command or a handler interrupted: there must be one that can."""
    catches = [c for catch in (flow.catch, *(n.catch for n in flow.nodes.values())) for c in catch.values()]
    if flow.always or any(h.target and h.target.node != "back" for catch in catches for h in catch.handlers):
        return
    for target in targets(flow):
        if target.node == "back":
            reading.report.warning(
                "idle-back",
                "there is nothing to go back to: no global command and no handler leads away from a node",
                target.span,
                about="back",
                help="name the node",
            )
