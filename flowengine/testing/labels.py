"""What a simulated caller says, with labels: which words, from when to when; and where it stands in what was sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

RATE = 8000

Kind = Literal["speech", "backchannel", "sound"]
"""What a clip is meant as: a turn of the caller, a "mhm" that wants no turn, or a sound such as a cough."""


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word, with begin and end in seconds of its clip."""

    text: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Clip:
    """µ-law audio at 8000 Hz, and what is in it; times are seconds of the clip.

    ``onset`` and ``end`` are its first and its last audible sample: louder than 30 dB below its active level.
    ``words`` is empty where nothing is said, or where it is not known what.
    """

    audio: bytes
    words: tuple[Word, ...] = ()
    onset: float = 0.0
    end: float = 0.0
    kind: Kind = "speech"

    @property
    def text(self) -> str:
        """The words."""
        return " ".join(word.text for word in self.words)

    @property
    def seconds(self) -> float:
        """The length."""
        return len(self.audio) / RATE

    def pauses(self, least: float = 0.1) -> tuple[tuple[float, float], ...]:
        """Give begin and end of each silence of at least so many seconds between two words."""
        pairs = zip(self.words, self.words[1:], strict=False)
        return tuple((one.end, other.begin) for one, other in pairs if other.begin - one.end >= least)


@dataclass(frozen=True, slots=True)
class Said:
    """A clip as it was spoken: ``position`` is the sample of the stream's uplink at which the clip's audio begins.

    It is negative where the clip began on a stream before, which was lost meanwhile.
    """

    position: int
    clip: Clip

    def sample(self, seconds: float) -> int:
        """Give the sample of the uplink at a time of the clip."""
        return self.position + round(seconds * RATE)


@dataclass(slots=True)
class Timeline:
    """What was spoken into one stream, of which ``sent`` samples were sent so far; the first at ``at`` of the call."""

    at: float = 0.0
    said: list[Said] = field(default_factory=list)
    sent: int = 0

    def time(self, said: Said, seconds: float) -> float:
        """Give the time of the call at a time of a clip."""
        return self.at + said.sample(seconds) / RATE
