"""What of a flow a server runs: the language is further than the shell of calls, and says so before a call begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from flowengine.flow.diagnostics import Diagnostic, Span
from flowengine.flow.model import Assignment, Flow, Segment, parts, walk
from flowengine.runtime import effects as wish
from flowengine.runtime.node import RunningNode

# What the shell of calls does not carry out yet (`call/session.py`).
MISSING: frozenset[type[wish.Effect]] = frozenset({wish.Ask})
_BY_KEY = "give it a key as well, or name a transcriber in the settings: `speech: {transcriber: {use: …}}`"
_HELP = "`check`, `graph`, `test` and editors know it; a server can not run it yet"


def unready(flow: Flow, *, words: bool) -> tuple[Diagnostic, ...]:
    """Give a finding for everything in a checked flow that a server does not run; ``words``: it has a transcriber."""
    found = [
        Diagnostic("not-run-yet", f"a server does not run {what} yet", span, about=what, help=_HELP)
        for what, span in _unready(flow)
    ]
    for node in () if words else flow.nodes.values():
        if alone := cast(RunningNode, node.type).by_voice_alone(node):
            what, span = alone
            message = f"nobody understands {what}: this server has no transcriber"
            found.append(Diagnostic("no-transcriber", message, span, about=what, help=_BY_KEY))
    return tuple(found)


def _unready(flow: Flow) -> Iterator[tuple[str, Span]]:
    for node in flow.nodes.values():
        kind = cast(RunningNode, node.type)
        if MISSING.intersection(kind.wishes(node.spec)):
            yield f"the node type {node.type.key}", node.name_span
        elif missing := kind.not_yet(node, flow):
            yield missing
    for command in flow.always:
        if command.do in ("louder", "slower"):
            yield f"`do: {command.do}`", command.span
    for part in walk(parts(flow)):
        if isinstance(part, Segment) and part.barge_in:
            yield "`barge_in` of a part of a prompt", part.span
        elif isinstance(part, Assignment) and part.name == "call.recording":
            yield "`call.recording`", part.span
