"""What stands in a test for the world that a call asks: tools and a model that answer as the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the model: what it says, and what it wants besides, in that order.

    An act is ``(kind, name, values)``, its kind `tool`, `exit` or `option`.
    """

    text: str = ""
    acts: tuple[tuple[str, str, Mapping[str, Any]], ...] = ()


@dataclass
class Scripted:
    """The answers of a test. ``tools`` maps names to what their runs give; ``model`` is what is left of its answers."""

    tools: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    model: Sequence[Answer] | None = None
    _runs: dict[str, int] = field(default_factory=dict)
    _asked: int = 0

    def tool(self, effect: wish.RunTool, at: float) -> fact.ToolFinished | None:
        """Give how a run of a tool ends; None where it never does, so that its timer runs out.

        The n-th run gets the n-th answer, and the last one repeats; a tool without an answer fails as `error`.
        """
        answers = self.tools.get(effect.tool)
        if not answers:
            return fact.ToolFinished(at, effect.run, error="error")
        number = self._runs.get(effect.tool, 0)
        self._runs[effect.tool] = number + 1
        answer = answers[min(number, len(answers) - 1)]
        if isinstance(answer, Mapping) and set(answer) == {"fails"}:
            how = str(answer["fails"])
            return None if how == "timeout" else fact.ToolFinished(at, effect.run, error=how)
        return fact.ToolFinished(at, effect.run, answer)

    def answer(self) -> Answer | None:
        """Give the model's next answer; None where none is left: the model fails."""
        if self.model is None or self._asked >= len(self.model):
            return None
        self._asked += 1
        return self.model[self._asked - 1]
