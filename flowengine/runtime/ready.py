"""What of a flow this version runs: the language is further than the engine, and says so before a call, not in it."""

from __future__ import annotations

from collections.abc import Iterator

from flowengine.flow.diagnostics import Diagnostic, Span
from flowengine.flow.model import Assignment, Flow, Handler, Segment, parts, walk

_HELP = "`check`, `graph` and editors know it; a server can not run it yet"


def unready(flow: Flow) -> tuple[Diagnostic, ...]:
    """Give a finding for everything in a checked flow that this version does not run."""
    return tuple(
        Diagnostic("not-run-yet", f"this version does not run {what} yet", span, about=what, help=_HELP)
        for what, span in _unready(flow)
    )


def _unready(flow: Flow) -> Iterator[tuple[str, Span]]:
    for node in flow.nodes.values():
        runs = getattr(node.type, "not_yet", None)
        if runs is None:
            yield f"the node type {node.type.key}", node.name_span
        elif missing := runs(node, flow):
            yield missing
    for command in flow.always:
        if command.do:
            yield f"`do: {command.do}`", command.span
    for part in walk(parts(flow)):
        if isinstance(part, Handler) and part.tool:
            yield "a tool in a handler", part.tool.span
        elif isinstance(part, Segment) and part.barge_in:
            yield "`barge_in` of a part of a prompt", part.span
        elif isinstance(part, Assignment) and part.name == "call.recording":
            yield "`call.recording`", part.span
