"""Turn taking as a table.

A call is at every moment in one of five turns. *idle*: nothing is asked of the caller and nothing plays (between
nodes, in a transfer, after the end). *prompting*: a prompt is on; keys may cut it. *listening*: the prompt was heard or
cut and the node waits for input; only here does the no-input timer run. A prompt that is cut by a key goes to listening
without starting that timer, because the key has just come. *thinking*: a model was asked and says nothing yet.
*speaking*: its answer is on; it may be cut like a prompt, and begins anew where it used a tool. Leaving a node is
always through idle.
"""

from __future__ import annotations

from transitions import Machine

IDLE, PROMPTING, LISTENING, THINKING, SPEAKING = "idle", "prompting", "listening", "thinking", "speaking"

TABLE = (
    # trigger, from, to
    ("play", IDLE, PROMPTING),
    ("play", LISTENING, PROMPTING),
    ("heard", PROMPTING, LISTENING),
    ("cut", PROMPTING, LISTENING),
    ("listen", IDLE, LISTENING),
    ("listen", LISTENING, LISTENING),
    ("leave", IDLE, IDLE),
    ("leave", PROMPTING, IDLE),
    ("leave", LISTENING, IDLE),
    ("ask", IDLE, THINKING),
    ("ask", LISTENING, THINKING),
    ("speak", THINKING, SPEAKING),
    ("heard", THINKING, LISTENING),
    ("heard", SPEAKING, LISTENING),
    ("cut", THINKING, LISTENING),
    ("cut", SPEAKING, LISTENING),
    ("leave", THINKING, IDLE),
    ("leave", SPEAKING, IDLE),
)


class Turn:
    """One call's turn. It is never registered with the machine."""

    __slots__ = ("turn",)

    def __init__(self, turn: str = IDLE) -> None:
        self.turn = turn

    def take(self, trigger: str) -> None:
        """Follow the table; raises ``transitions.MachineError`` where it has no such row (our bug)."""
        _MACHINE.events[trigger].trigger(self)


_MACHINE = Machine(
    model=None,
    states=[IDLE, PROMPTING, LISTENING, THINKING, SPEAKING],
    initial=None,
    auto_transitions=False,
    model_attribute="turn",
    transitions=[list(row) for row in TABLE],
)
