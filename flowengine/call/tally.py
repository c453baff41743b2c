"""What a call used, took and met over all of its streams: kept beside its state, so that its record knows of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flowengine.call.ports import Usage
from flowengine.call.prices import summed

TURNS = 200
"""Answers of models that are kept: the last ones."""


@dataclass(slots=True)
class Tally:
    """``usage`` by provider and model; ``turns`` are the seconds by stage of each answer; ``counts`` by kind."""

    usage: list[Usage] = field(default_factory=list)
    turns: list[dict[str, float]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    gaps: int = 0  # how often our audio was late

    def plus(self, other: Tally) -> Tally:
        """Give both together, ``other`` being the later."""
        return Tally(
            summed([*self.usage, *other.usage]),
            [*self.turns, *other.turns][-TURNS:],
            dict(Counter(self.counts) + Counter(other.counts)),
            self.gaps + other.gaps,
        )

    def plain(self) -> dict[str, Any]:
        """Give it as JSON has it; of what was used without what was not."""
        used = [{key: value for key, value in asdict(one).items() if value or key == "provider"} for one in self.usage]
        return {"usage": used, "turns": self.turns, "counts": self.counts, "gaps": self.gaps}

    @classmethod
    def of(cls, plain: Mapping[str, Any] | None) -> Tally:
        """Give it back from ``plain``; of nothing, nothing."""
        if plain is None:
            return cls()
        usage = [Usage(**{"estimated": False, **one}) for one in plain["usage"]]
        return cls(usage, list(plain["turns"]), dict(plain["counts"]), plain["gaps"])
