"""`chat`: a conversation with a language model, until an exit."""

from __future__ import annotations

from typing import Any

from flowengine.flow import conversing
from flowengine.flow.conversing import ChatSpec
from flowengine.flow.kinds import Reading, Schema
from flowengine.flow.model import Branch, Flow, Node
from flowengine.flow.node_type import LanguageHalf
from flowengine.flow.source import Value


class Chat(LanguageHalf):
    """A language model answers, inside a fence: it may use the tools and take the exits that are written here."""

    key = "chat"
    about = "A conversation with a language model, until one of its exits is taken."
    example = """\
help:
  chat:
    prompt: Help with questions about orders, and with nothing else.
    exits:
      done: {when: the caller needs nothing more, goto: bye}
      human: {when: the caller asks for a person, key: 0, goto: agent}
"""
    asks = True
    events = ("noinput", "toomany", "maxturns", "error.model", "error.stt")
    fields = conversing.FIELDS

    def schema(self) -> Schema:
        """Give the schema of the mapping."""
        return conversing.KIND.schema()

    def read(self, value: Value | None, reading: Reading) -> ChatSpec:
        """Read the conversation."""
        return conversing.read_chat(value, reading)

    def outcomes(self, spec: ChatSpec) -> tuple[str, ...]:
        """Name the exits without a `goto` of their own."""
        return conversing.outcomes(spec)

    def branches(self, spec: ChatSpec) -> tuple[Branch, ...]:
        """Give the exits with a `goto` of their own."""
        return conversing.branches(spec)

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """Every exit can be taken, and what the model uses is declared."""
        conversing.check(node, flow, reading)

    def takes(self, spec: ChatSpec) -> tuple[str, ...] | None:
        """Give the keys of the exits."""
        return conversing.takes(spec)

    def gives(self, spec: Any, outcome: str) -> tuple[str, ...]:
        """Name what the exit fills in."""
        return conversing.gives(spec, outcome)

    def shows(self, spec: ChatSpec) -> str:
        """Show the tools that the model may use."""
        return f"with {', '.join(tool.name for tool in spec.tools)}" if spec.tools else ""

    def labels(self, spec: ChatSpec) -> dict[str, str]:
        """Give the exits with their keys."""
        return conversing.labels(spec)


NODE = Chat()
