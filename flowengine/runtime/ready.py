"""What of a flow a server runs: the language is further than the shell of calls, and says so before a call begins."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import cast

from flowengine.flow.diagnostics import Diagnostic, Severity, Span
from flowengine.flow.model import Assignment, Flow, Segment, parts, walk
from flowengine.runtime import effects as wish
from flowengine.runtime.node import RunningNode

_MODEL = "name it in the settings: `models: {{{}: {{use: anthropic, key: ...}}}}`"
_BY_KEY = "give it a key as well, or name a transcriber in the settings: `speech: {transcriber: {use: …}}`"
_HELP = "`check`, `graph`, `test` and editors know it; a server can not run it yet"


def unready(flow: Flow, *, words: bool, models: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """Give a finding for everything in a checked flow that a server does not run.

    ``words``: it has a transcriber; ``models`` are the names of its language models, of which any stands for `default`.
    """
    found = [
        Diagnostic("not-run-yet", f"a server does not run {what} yet", span, about=what, help=_HELP)
        for what, span in _unready(flow)
    ]
    for node in () if words else flow.nodes.values():
        if alone := cast(RunningNode, node.type).by_voice_alone(node):
            what, span = alone
            message = f"nobody understands {what}: this server has no transcriber"
            found.append(Diagnostic("no-transcriber", message, span, about=what, help=_BY_KEY))
    for node in flow.nodes.values():
        name = node.model.name
        if wish.Ask in cast(RunningNode, node.type).wishes(node.spec) and not _has_model(name, models):
            message = f'this flow is not served: there is no language model "{name}", which the node {node.name} asks'
            found.append(Diagnostic("no-model", message, node.name_span, Severity.WARNING, name, _MODEL.format(name)))
    return tuple(found)


def _has_model(name: str, models: Collection[str]) -> bool:
    return name in models or (name == "default" and bool(models))


def _unready(flow: Flow) -> Iterator[tuple[str, Span]]:
    for node in flow.nodes.values():
        kind = cast(RunningNode, node.type)
        if missing := kind.not_yet(node, flow):
            yield missing
    for command in flow.always:
        if command.do in ("louder", "slower"):
            yield f"`do: {command.do}`", command.span
    for part in walk(parts(flow)):
        if isinstance(part, Segment) and part.barge_in:
            yield "`barge_in` of a part of a prompt", part.span
        elif isinstance(part, Assignment) and part.name == "call.recording":
            yield "`call.recording`", part.span
