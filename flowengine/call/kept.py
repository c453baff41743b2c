"""The last seconds of a stream as a transcriber is told them, to be told to one that comes late, or to the next one."""

from __future__ import annotations

from collections import deque

from flowengine.call.ports import Transcription


class Kept:
    """µ-law audio at 8000 Hz, ``room`` bytes at most, and where in it voices began and stopped.

    ``size`` is how many bytes are kept, ``dropped`` how many were not.
    """

    def __init__(self, room: int) -> None:
        self.size = 0
        self.dropped = 0
        self._room = room
        self._told: deque[bytes | bool] = deque()  # audio, and whether from there on somebody speaks
        self._speech = False  # before the first of it

    def add(self, told: bytes | bool) -> None:
        """Keep audio, or that a voice began (True) or stopped (False)."""
        self._told.append(told)
        self.size += len(told) if isinstance(told, bytes) else 0
        before = self.size
        while self.size > self._room or (self._told and isinstance(self._told[0], bool)):
            self._forget()
        self.dropped += before - self.size

    def keep(self, size: int) -> None:
        """Keep so many bytes, or a piece of audio more: the words of the rest are told."""
        while self._told and (isinstance(self._told[0], bool) or self.size - len(self._told[0]) >= size):
            self._forget()

    def _forget(self) -> None:
        gone = self._told.popleft()
        if isinstance(gone, bool):
            self._speech = gone
        else:
            self.size -= len(gone)

    def tell(self, words: Transcription) -> None:
        """Tell all of it, in order."""
        if self._speech:
            words.began()
        for told in self._told:
            if isinstance(told, bytes):
                words.send(told)
            elif told:
                words.began()
            else:
                words.finish()

    def clear(self) -> None:
        """Nothing of it is needed any more."""
        self._told.clear()
        self.size, self._speech = 0, False
