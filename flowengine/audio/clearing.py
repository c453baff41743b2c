"""The way from deciding to clear the carrier's queue to being allowed to send again."""

from __future__ import annotations

ACK_WAIT = 1.0
"""Seconds to wait for a clear's acknowledgement; Vobiz' own bridge waits as long."""


class ClearGate:
    """With ``acked`` carriers (Vobiz) audio that is sent before a clear's acknowledgement is partly dropped: wait."""

    def __init__(self, *, acked: bool) -> None:
        self._acked = acked
        self._requested: float | None = None
        self._until: float | None = None
        self._unanswered = 0

    @property
    def requested(self) -> bool:
        """A clear was decided and is not yet issued."""
        return self._requested is not None

    @property
    def deadline(self) -> float | None:
        """When the next step is due by time alone."""
        return self._requested if self._requested is not None else self._until

    def request(self, now: float) -> None:
        """Decide to clear; a second time before the first was issued changes nothing."""
        if self._requested is None:
            self._requested = now

    def issue(self, now: float) -> bool:
        """True when a clear is to be written now."""
        if self._requested is None:
            return False
        self._requested = None
        if self._acked:
            self._unanswered += 1
            self._until = now + ACK_WAIT
        return True

    def acknowledge(self) -> None:
        """The carrier has cleared; of several clears in flight the last one's answer opens."""
        if self._unanswered:
            self._unanswered -= 1
        if not self._unanswered:
            self._until = None

    def is_open(self, now: float) -> bool:
        """Whether audio may be sent at ``now``."""
        if self._until is not None and now >= self._until:
            self._until = None
            self._unanswered = 0
        return self._until is None
