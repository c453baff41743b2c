"""One item of a playout: its audio, how much of it was sent, and how much was heard before the last clear.

All counts are samples of the item (µ-law: bytes). What is sent is always whole frames, and so is where it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flowengine.audio import mulaw
from flowengine.errors import Bug

_KEPT = 30.0  # seconds of heard audio kept for going back to


@dataclass(frozen=True, slots=True)
class Position:
    """How much of an item was heard, in its samples; ``estimated`` as long as the call had no mark back."""

    samples: int
    estimated: bool


@dataclass(slots=True)
class Item:
    """An open-ended stream of audio. ``origin``: the stream's sample at which its sample 0 was or would have been sent;
    None while nothing of it was sent since the stream began or was cleared."""

    id: str
    rate: int
    audio: bytearray = field(default_factory=bytearray)
    base: int = 0  # the item's sample that audio[0] is: the past is forgotten
    length: int = 0  # samples appended, without padding
    finished: bool = False  # no more will be appended
    sent: int = 0
    origin: int | None = None
    next_mark: int = 0
    ended: bool = False  # its last mark is out
    held: Position | None = None  # heard before the last clear, when that took back audio of it
    reported: tuple[float, int] | None = None  # the last moment asked for and the answer

    @property
    def frame(self) -> int:
        """Samples of 20 ms."""
        return self.rate // 50

    @property
    def total(self) -> int:
        """Samples to be sent in all, as far as known: with padding."""
        return self.base + len(self.audio)

    @property
    def empty(self) -> bool:
        """It ended without any audio: nothing to send, nothing to wait for."""
        return self.finished and not self.length

    @property
    def ready(self) -> int:
        """Samples that can be sent now: whole frames."""
        return self._whole(self.total - self.sent)

    def append(self, audio: bytes) -> None:
        """More audio, any size."""
        if self.finished:
            raise Bug(f"audio for item {self.id} after its end")
        self.audio += audio
        self.length += len(audio)

    def finish(self) -> None:
        """No more audio comes: pad the tail to a whole frame. Twice is the same as once."""
        if self.finished:
            return
        self.finished = True
        pad = -self.total % self.frame
        if not pad and self.length and self.sent == self.total:
            pad = self.frame  # all is sent: the last mark needs audio in front of it
        self.audio += bytes([mulaw.SILENCE]) * pad

    def take(self, samples: int) -> bytes:
        """The next audio to send."""
        begin = self.sent - self.base
        self.sent += samples
        return bytes(self.audio[begin : begin + samples])

    def take_back(self, heard: Position) -> None:
        """A clear: what was not heard is to be sent again."""
        self.held, self.reported = heard, None
        self.origin, self.ended = None, False
        self.go_back(heard.samples)

    def go_back(self, sample: int) -> None:
        """Send again from this sample on, or from the oldest that is kept."""
        # At least a frame is sent again: the last mark needs audio in front of it.
        limit = self.total - self.frame if self.finished else self.total
        self.sent = max(self.base, min(self.sent, self._whole(max(0, sample)), limit))

    def forget(self, heard: int) -> None:
        """Free what lies far behind a sample that was heard."""
        old = self._whole(max(0, heard - round(_KEPT * self.rate) - self.base))
        del self.audio[:old]
        self.base += old

    def _whole(self, samples: int) -> int:
        return samples - samples % self.frame
