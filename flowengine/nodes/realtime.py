"""`realtime`: a conversation with a speech-to-speech model, until an exit."""

from __future__ import annotations

from flowengine.flow.diagnostics import Span
from flowengine.flow.model import Flow, Node
from flowengine.nodes.chat import Chat


class Realtime(Chat):
    """As a chat, but one model hears and speaks by itself."""

    key = "realtime"
    realtime = True
    about = "A conversation with a speech-to-speech model, until one of its exits is taken."
    example = """\
help:
  realtime:
    prompt: Help with questions about orders, and with nothing else.
    exits:
      done: {when: the caller needs nothing more, goto: bye}
"""

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """No server speaks with such a model."""
        return "the node type realtime", node.name_span


NODE = Realtime()
