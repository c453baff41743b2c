"""The pacing wheel: one timer for the audio of all calls of a process, in 4 slots of 5 ms."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SLOTS = 4
STEP = 0.005


class Wheel:
    """Calls each member every 20 ms. A member belongs to the slot with the fewest."""

    def __init__(self) -> None:
        self._slots: list[dict[int, Callable[[float], None]]] = [{} for _ in range(SLOTS)]
        self._places: dict[int, int] = {}
        self._next_id = 0
        self._handle: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._slot = 0

    def __len__(self) -> int:
        """Give the number of members."""
        return len(self._places)

    def join(self, member: Callable[[float], None]) -> int:
        """Add a member; give the number to leave with."""
        self._next_id += 1
        slot = min(range(SLOTS), key=lambda index: len(self._slots[index]))
        self._slots[slot][self._next_id] = member
        self._places[self._next_id] = slot
        if self._handle is None:
            loop = asyncio.get_running_loop()
            self._due = loop.time() + STEP
            self._handle = loop.call_at(self._due, self._turn, loop)
        return self._next_id

    def leave(self, number: int) -> None:
        """Remove a member; an empty wheel stands still."""
        slot = self._places.pop(number, None)
        if slot is not None:
            del self._slots[slot][number]
        if not self._places and self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        # After a stall each member is called once, not once for each missed turn: the playout catches up by itself.
        turns = min(SLOTS, 1 + int((now - self._due) / STEP))
        for _ in range(turns):
            slot = self._slots[self._slot]
            for number, member in list(slot.items()):
                if number in slot:  # not if one before it made it leave
                    self._call(number, member, now, loop)
            self._slot = (self._slot + 1) % SLOTS
        self._due = max(self._due + turns * STEP, now)
        if self._handle is not None:
            # One that joined an empty wheel in this turn has set it going already.
            self._handle.cancel()
        self._handle = loop.call_at(self._due, self._turn, loop) if self._places else None

    def _call(self, number: int, member: Callable[[float], None], now: float, loop: asyncio.AbstractEventLoop) -> None:
        try:
            member(now)
        except Exception as error:  # a bug in one call must not silence all the others
            self.leave(number)
            loop.call_exception_handler({"message": "a member of the pacing wheel failed", "exception": error})
