"""May this sound interrupt this prompt? Pause first, decide, then stay silent or go on.

Theory of operation. A voice over a prompt pauses it at once: to the caller that is the same as stopping, and unlike
stopping it can be taken back. Then somebody has to say that it was meant: the transcriber by words that count (as many
as the flow wants, none of those that it ignores), or, where nobody transcribes, the voice itself by lasting longer than
a cough or an "mhm". A voice without such words is a false alarm: the prompt goes on from where it was heard, once it
is quiet, 600 ms after the pause at the earliest; or when it goes on and on without a word that counts. After such an
alarm a voice must be louder than the one that gave it, for the rest of the prompt: what speaks all the time without a
word, a television in the room, does not make it stutter.

Numbers: case 7 of the call semantics (no words in 600 ms), and what was measured with ``make bench-ears``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

NO_WORDS = 0.6
"""Seconds from the pause in which a word must have come, when it is quiet."""

LATE_WORDS = 0.5
"""Seconds after the voice in which its words may still come: transcribers need a quarter of a second."""

PATIENCE = 2.5
"""Seconds of voice without a word that counts after which the prompt goes on all the same."""

ALONE = 0.9
"""Seconds of voice that are an interruption where nobody transcribes: a cough is shorter, so is nearly every "mhm"."""

LOUDER = 6.0
"""dB above a false alarm from which the next voice counts, in the same prompt."""


class Verdict(Enum):
    """What to do with the prompt."""

    PAUSE = "pause"
    STOP = "stop"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Interruptible:
    """What of the caller's voice may stop a prompt: ``words`` at least; ``transcribed``: somebody tells words."""

    words: int = 1
    transcribed: bool = True


class BargeIn:
    """Decides for one prompt after another. Times are seconds on one clock, levels dBFS."""

    def __init__(self) -> None:
        self.floor = -200.0  # what is not louder gave a false alarm in this prompt
        self.paused_at: float | None = None
        self._policy: Interruptible | None = None
        self._told = False  # what words there were do not count
        self._loudest = -200.0

    def begin(self, policy: Interruptible | None) -> None:
        """A prompt begins; None: no voice may stop it."""
        self._policy = policy
        self.floor = -200.0
        self.paused_at = None

    def end(self) -> None:
        """The prompt is over."""
        self._policy = None
        self.paused_at = None

    @property
    def undecided(self) -> bool:
        """Whether a prompt is paused."""
        return self.paused_at is not None

    def began(self, now: float, level: float) -> Verdict | None:
        """Speech has begun, at this level."""
        if self._policy is None or self.undecided or level <= self.floor:
            return None
        self.paused_at = now
        self._loudest = level
        self._told = False
        return Verdict.PAUSE

    def words(self, count: int, now: float) -> Verdict | None:
        """The transcriber has told words, of which so many count in the present utterance."""
        if self._policy is None:
            return None
        if count < max(1, self._policy.words):
            self._told = count == 0
            return None
        self.end()
        return Verdict.STOP

    def goes_on(self, now: float, *, speaking: bool, voiced: float, last: float, level: float) -> Verdict | None:
        """Time has passed: ``voiced`` seconds of voice so far, ``last`` when it last was on, ``level`` if it is."""
        if self._policy is None or self.paused_at is None:
            return None
        if speaking:
            self._loudest = max(self._loudest, level)
        if not self._policy.transcribed and voiced >= ALONE:
            self.end()
            return Verdict.STOP
        late = LATE_WORDS if self._policy.transcribed and not self._told else 0.0
        quiet = not speaking and now >= max(self.paused_at + NO_WORDS, last + late)
        if quiet or now >= self.paused_at + PATIENCE:
            self.paused_at = None
            self.floor = max(self.floor, self._loudest + LOUDER) if speaking else self.floor
            return Verdict.RESUME
        return None
