"""The end of a stream's audio: what a new connection hears again, and what its seconds are in the stream's."""

from __future__ import annotations

from collections import deque

from flowengine.providers.utterances import RATE

KEPT = 3 * RATE
"""Bytes of audio that a new connection hears again."""

ROOM = KEPT + RATE
"""Bytes of audio that are held: while 3 s are said again, the caller speaks on."""


class Sound:
    """The last 4 s of a stream, and what a connection's seconds mean. ``dropped`` counts bytes that never were sent."""

    def __init__(self) -> None:
        self.dropped = 0
        self._audio = bytearray()
        self._end = 0  # of the stream, in bytes, as are the others
        self._next = 0  # what is sent next
        self._sent = 0  # bytes of this connection
        self._marks: deque[tuple[int, int]] = deque([(0, 0)], maxlen=64)  # from here on: byte of connection, of stream

    @property
    def waiting(self) -> int:
        """Bytes that are not sent yet."""
        return self._end - self._next

    @property
    def reached(self) -> float:
        """Seconds of the stream up to which the connection was sent it."""
        return self._next / RATE

    @property
    def fresh(self) -> bool:
        """Whether the connection has not been sent anything yet."""
        return self._sent == 0

    def add(self, audio: bytes) -> None:
        """Take the next audio."""
        self._audio += audio
        self._end += len(audio)
        if len(self._audio) > ROOM:
            del self._audio[:-ROOM]
        first = self._end - len(self._audio)
        if self._next < first:
            self.dropped += first - self._next
            self._next = first
            self._mark()

    def _mark(self) -> None:
        if self._marks and self._marks[-1][0] == self._sent:
            self._marks.pop()
        self._marks.append((self._sent, self._next))

    def take(self, size: int) -> bytes:
        """Give the next audio, at most ``size`` bytes."""
        first = self._end - len(self._audio)
        audio = bytes(self._audio[self._next - first : self._next - first + size])
        self._next += len(audio)
        self._sent += len(audio)
        return audio

    def filled(self, size: int) -> None:
        """The connection was sent silence that is none of the stream's."""
        self._sent += size
        self._mark()

    def rewind(self, told: float) -> float:
        """A new connection: it hears again what is kept, from ``told`` seconds on; give where that begins."""
        first = max(0, self._end - KEPT)
        self.dropped += max(0, first - self._next)
        self._next = max(first, min(self._next, round(told * RATE)))
        self._sent = 0
        self._marks.clear()
        self._mark()
        return self._next / RATE

    def when(self, seconds: float) -> float:
        """Give the stream's seconds of a connection's."""
        place, after = round(seconds * RATE), self._end
        for at, began in reversed(self._marks):
            if at <= place:
                return max(0, min(began + place - at, after)) / RATE
            after = began
        return max(0, after) / RATE
