"""Hearing: the carrier's messages become facts. What is repeated, unknown or broken is counted, never fatal."""

from __future__ import annotations

from collections import Counter

from flowengine.errors import ProtocolError
from flowengine.telephony.dialect import Dialect
from flowengine.telephony.messages import DigitReceived, Ignored, Incoming, MediaReceived, StreamStarted

# Beyond so many broken messages the carrier does not speak our language (`carrier.failed`).
MAX_ERRORS = 20


class Hearing:
    """Decodes one stream. ``carrier_time`` is the timestamp of the last media message: the carrier's clock."""

    def __init__(self, dialect: Dialect) -> None:
        self.carrier_time: float | None = None
        self.media = 0
        self.counts: Counter[str] = Counter()
        self._dialect = dialect
        self._digits: set[int] = set()

    def take(self, text: str) -> Incoming | None:
        """Decode one text frame; None for what changes nothing."""
        try:
            message = self._dialect.decode(text)
        except ProtocolError:
            self.counts["protocol_error"] += 1
            return None
        if isinstance(message, MediaReceived):
            self.media += 1
            if message.timestamp is not None:
                self.carrier_time = message.timestamp
            return message
        if isinstance(message, DigitReceived):
            # Only the carrier's sequence number tells a repetition: a typed "11" may arrive in one millisecond.
            if message.sequence is not None:
                if message.sequence in self._digits:
                    self.counts["repeated_digit"] += 1
                    return None
                self._digits.add(message.sequence)
            return message
        if isinstance(message, Ignored):
            self.counts[f"ignored.{message.event}"] += 1
            return None
        if isinstance(message, StreamStarted):
            self.counts["second_start"] += 1
            return None
        return message

    @property
    def broken(self) -> bool:
        """Whether the carrier sent more nonsense than a line may."""
        return self.counts["protocol_error"] > MAX_ERRORS
