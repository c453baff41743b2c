"""Keys: the type-ahead buffer, and matching what was pressed against sequences of which one may begin another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

MAX_KEYS = 30
MAX_AGE = 10.0
ALL = "0123456789*#ABCD"


class Match(Enum):
    """What an entry is: complete, complete but longer ones begin with it, the beginning of one, or nothing."""

    COMPLETE = "complete"
    OPEN = "open"
    PREFIX = "prefix"
    NONE = "none"


def match(entry: str, sequences: Iterable[str]) -> Match:
    """Hold an entry against the sequences that would be taken."""
    exact = longer = False
    for sequence in sequences:
        if sequence == entry:
            exact = True
        elif sequence.startswith(entry):
            longer = True
    if exact:
        return Match.OPEN if longer else Match.COMPLETE
    return Match.PREFIX if longer else Match.NONE


@dataclass(slots=True)
class KeyBuffer:
    """Keys that were pressed before anything could take them, with the time of each; bounded by number and age."""

    keys: list[tuple[str, float]]

    def keep(self, key: str, at: float) -> bool:
        """Keep a key; False when the buffer was full and has been flushed, this key included."""
        self.drop_old(at)
        if len(self.keys) >= MAX_KEYS:
            self.keys.clear()
            return False
        self.keys.append((key, at))
        return True

    def drop_old(self, at: float) -> None:
        """Forget keys that are too old to be meant for what is asked now."""
        self.keys[:] = [pair for pair in self.keys if at - pair[1] <= MAX_AGE]

    def take(self, at: float) -> str | None:
        """Give the oldest key that is left."""
        self.drop_old(at)
        return self.keys.pop(0)[0] if self.keys else None
