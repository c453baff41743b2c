"""A circuit breaker: whether a vendor is worth another try now, by how it failed lately. No clock: times are given."""

from __future__ import annotations

from collections import deque

from flowengine.errors import ProviderError

FAILURES, WINDOW = 5, 30.0
"""So many failures within so many seconds open it."""

OPEN = 15.0
"""Seconds for which it stays open; then one try decides."""

BUSY = 5.0
"""Seconds after a request too many: the limit is of a moment."""

REFUSED = 60.0
"""Seconds after the account was refused: a wrong key or an empty account does not mend itself in a moment."""


class Breaker:
    """The state of one vendor, for all calls of a process."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._until = float("-inf")

    def allows(self, now: float) -> bool:
        """Say whether the vendor may be tried now."""
        return now >= self._until

    def failed(self, error: ProviderError, now: float) -> None:
        """It failed. A request that was refused by itself says nothing of the next one."""
        if error.lasting:
            self._until = now + REFUSED
            return
        if error.kind == "rejected":
            return
        self._failures.append(now)
        if error.kind == "quota":
            self._until = max(self._until, now + BUSY)
        if len(self._failures) == FAILURES and now - self._failures[0] <= WINDOW:
            self._until = now + OPEN

    def worked(self) -> None:
        """It answered: what was is forgotten."""
        self._failures.clear()
        self._until = float("-inf")
