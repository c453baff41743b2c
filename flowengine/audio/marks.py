"""The marks of one stream: which are out, which a clear has cancelled."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

_REMEMBERED = 32  # cancelled marks that may still come back


@dataclass(frozen=True, slots=True)
class Mark:
    """``offset`` counts samples of the stream, ``within`` samples of the item; ``last``: the item ends here."""

    name: str
    item: str
    offset: int
    within: int
    last: bool


class MarkLedger:
    """Names and keeps marks, in the order in which they were written: the carrier returns them in that order."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._number = 0
        self._out: dict[str, Mark] = {}
        self._cancelled: dict[str, Mark] = {}

    def issue(self, item: str, offset: int, within: int, *, last: bool) -> Mark:
        """A new mark, named ``prefix.n`` with an n that the stream has not had."""
        self._number += 1
        mark = Mark(f"{self._prefix}.{self._number}", item, offset, within, last)
        self._out[mark.name] = mark
        return mark

    def take(self, name: str) -> Mark | None:
        """The mark that came back, if it was out; those written before it are gone: they cannot come any more."""
        mark = self._out.get(name)
        if mark is not None:
            self._out = {each.name: each for each in self._out.values() if each.offset > mark.offset}
        return mark

    def take_cancelled(self, name: str) -> Mark | None:
        """The mark that came back although it was cancelled; asked a second time, none."""
        return self._cancelled.pop(name, None)

    def cancel(self, items: Collection[str] | None = None) -> None:
        """What comes back of these items' marks (None: of all) from now on says nothing about what was heard."""
        for mark in list(self._out.values()):
            if items is None or mark.item in items:
                self._cancelled[mark.name] = self._out.pop(mark.name)
        while len(self._cancelled) > _REMEMBERED:
            del self._cancelled[next(iter(self._cancelled))]

    @property
    def out(self) -> Iterable[Mark]:
        """The marks that are out, oldest first."""
        return self._out.values()
