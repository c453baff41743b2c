"""What a language model is told in a conversation: its prompt, what was said, and what it may do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowengine.flow.conversing import ChatSpec, Exit
from flowengine.flow.model import Flow
from flowengine.runtime.node import Context

# The types of variables as JSON Schema; what is not here is a text.
_TYPES: Mapping[str, Mapping[str, Any]] = {
    "int": {"type": "integer"},
    "number": {"type": "number"},
    "money": {"type": "number"},
    "bool": {"type": "boolean"},
    "yesno": {"type": "boolean"},
    "list": {"type": "array"},
    "map": {"type": "object"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
}


def persona(ctx: Context) -> str:
    """Give who the model is, and how it speaks: the same in every node of a language, so that a vendor may keep it.

    Raises ``EvaluationError``.
    """
    text = ctx.flow.defaults.persona
    who = text.text(ctx.scope()).strip() if text is not None else ""
    how = f"Speak {ctx.lang}, as on the telephone: short sentences, no lists, no markup."
    return f"{who}\n\n{how}".strip()


def system_prompt(ctx: Context, spec: ChatSpec) -> str:
    """Give what the model shall do in this node; raises ``EvaluationError``."""
    return spec.prompt.text(ctx.scope()).strip() if spec.prompt is not None else ""


def told(history: Sequence[Mapping[str, Any]], begin: int, spec: ChatSpec) -> list[Mapping[str, Any]]:
    """Give the messages of the history that the model is told, as the node's `history` wants it.

    A call of a tool and its answer are never torn apart: what begins with an answer begins a little later.
    """
    messages = list(history[begin:])
    if spec.last is not None:
        messages = messages[-spec.last :]
    while messages and messages[0]["role"] == "tool":
        del messages[0]
    return messages


def offered_tools(flow: Flow, spec: ChatSpec) -> list[Mapping[str, Any]]:
    """Give the tools that the model may use: name, what it does, and its arguments as JSON Schema."""
    offered: list[Mapping[str, Any]] = []
    for used in spec.tools:
        tool = flow.tools[used.name]
        schema = {"type": "object", "properties": dict(tool.args or {}), "required": list(tool.args or {})}
        offered.append({"name": tool.name, "about": tool.about, "args": schema})
    return offered


def offered_exits(ctx: Context, exits: Iterable[Exit]) -> list[Mapping[str, Any]]:
    """Give the exits that the model may take: name, when, and what it fills in; commands with `when` are exits, too."""
    scope = ctx.scope()
    offered: list[Mapping[str, Any]] = [
        {
            "name": one.name,
            "when": one.when.text(scope),
            "fill": {name: _filled(ctx.flow, name, about) for name, about in one.fill.items()},
        }
        for one in exits
        if one.when is not None
    ]
    names = {one["name"] for one in offered}
    offered += [
        {"name": command.name, "when": command.when, "fill": {}}
        for command in ctx.awake()
        if command.when and command.name not in names
    ]
    return offered


def _filled(flow: Flow, name: str, about: str) -> dict[str, Any]:
    variable = flow.vars[name]
    schema = (
        {"enum": list(variable.choices)} if variable.choices else dict(_TYPES.get(variable.kind, {"type": "string"}))
    )
    return {**schema, "description": about}
