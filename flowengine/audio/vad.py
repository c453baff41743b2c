"""Voice activity: from the probabilities and levels of single windows to "the caller began to speak, and stopped".

A detector (``call.ports.VoiceDetector``) says of each window of 32 ms how probably it is speech. That alone would hear
a television as a person, for it is one (measured: 99 % of its windows). So a window counts as the caller's voice when
it is speech *and* loud enough beside the caller's own level, which is learnt from what was understood of them: 12 dB
below it, or an absolute level as long as nothing was heard of them. A television 20 dB below the caller stays out; one
within 10 dB of them is a voice for every detector there is.

Levels are in dBFS over a window; times are seconds on whatever clock the windows have.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from flowengine.audio.level import FLOOR

SPEECH = 0.5
"""The probability from which a window is speech; the detector's own threshold, tuned on nothing here."""

UNKNOWN = -37.0
"""The level from which a voice counts before the caller's own is known: 15 dB below the usual one of a telephone line
(-22 dBFS; ITU-T P.56 active level), 5 dB above a television that stands in a room."""

BELOW = 13.0
"""How much quieter than their learnt level a caller may be, in dB."""

ONSET, OF = 3, 4
"""So many of so many windows must be voice before it is speech: 96 of 128 ms."""

HANGOVER = 0.2
"""Seconds without voice after which it has stopped: the pauses inside of words are shorter."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of one window. ``at`` is when it ended, ``seconds`` how long it is, ``level`` without our echo."""

    at: float
    seconds: float
    probability: float
    level: float


class CallerLevel:
    """How loud the caller speaks, in dBFS; None until something was understood of them."""

    def __init__(self) -> None:
        self.known: float | None = None
        self._heard: deque[float] = deque(maxlen=512)  # the voice of this utterance, 16 s of it

    @property
    def gate(self) -> float:
        """The level from which a voice is the caller's."""
        return UNKNOWN if self.known is None else self.known - BELOW

    def voice(self, level: float) -> None:
        """A window of voice in the present utterance."""
        self._heard.append(level)

    def forget(self) -> None:
        """The utterance was none of the caller's, or says nothing about them."""
        self._heard.clear()

    def understood(self) -> None:
        """There were words in it: it was the caller. The loud windows are what the level means."""
        if not self._heard:
            return
        loud = sorted(self._heard)[-max(1, len(self._heard) // 3)]
        self._heard.clear()
        self.known = loud if self.known is None else self.known + 0.4 * (loud - self.known)


class Activity:
    """Whether somebody speaks: ``since`` is when the present speech began, ``last`` when there was voice last."""

    def __init__(self, onset: int = ONSET, of: int = OF, hangover: float = HANGOVER) -> None:
        self.speaking = False
        self.since = 0.0
        self.last = 0.0
        self.voiced = 0.0  # seconds of voice in it
        self.level = FLOOR  # of its onset
        self._onset = onset
        self._recent: deque[Window | None] = deque(maxlen=of)
        self._hangover = hangover

    def feed(self, window: Window, gate: float) -> bool | None:
        """Take a window; True when speech begins with it, False when it has stopped, None when nothing changes."""
        voice = window.probability >= SPEECH and window.level >= gate
        if voice:
            self.last = window.at
        if self.speaking:
            self.voiced += window.seconds * voice
            return self.stopped(window.at)
        self._recent.append(window if voice else None)
        found = [one for one in self._recent if one is not None]
        if len(found) < self._onset:
            return None
        self.speaking = True
        self.since = found[0].at - found[0].seconds
        self.voiced = sum(one.seconds for one in found)
        self.level = max(one.level for one in found)
        self._recent.clear()
        return True

    def stopped(self, now: float) -> bool | None:
        """Say whether speech has stopped by now; also for a line from which nothing comes any more."""
        if self.speaking and now - self.last >= self._hangover:
            self.speaking = False
            return False
        return None
