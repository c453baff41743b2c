"""When has the caller finished? Voice, words and the transcriber's own opinion become utterances with an end.

Theory of operation. An utterance opens with the voice, or with words where the voice was too soft. It ends by the first
of four: the transcriber says that the turn is over (one that tells turns); it has been quiet for long enough; the words
are complete, so that nothing can follow them; it takes too long. How long is enough depends on the words: the node's
``patience`` gives a factor for `speech_end`, 0 for words that are complete, less than 1 for those that read like a
whole answer, more for an account number that is half said or a sentence that ends in "I would like to, uhm". A
transcriber that tells turns hears more than silence says, so silence gets twice the time beside it; and its end of a
turn does not end an utterance whose words are not all there.

What was voice without words for a second ends as an utterance without words: it was a noise. Words that come after
an utterance of words was ended, and lie in it, belong to nothing any more; after a noise they show that it was none.

Sans-I/O: times are seconds on one clock, given as arguments; ``poll`` must be called every few frames while ``open``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NO_TRANSCRIPT = 1.0
"""Seconds of quiet after which a voice without words was a noise (case 22 of the call semantics)."""

FINAL = 1.0
"""Seconds that the final words may take after they were asked for; then the interim ones count."""

SHORTEST = 0.25
"""Seconds of quiet that every end needs which silence decides: pauses inside of words are up to 200 ms."""

LONGEST = 3.0
"""Seconds of quiet that end every utterance."""

STABLE = 0.25
"""Seconds for which interim words that are complete must not change."""

TURNS = 2.0
"""The factor for silence beside a transcriber that tells turns itself."""

BEYOND = 0.3
"""Seconds by which the end of a word, as the transcriber has it, may lie behind the end of its voice."""

LATE = 1.0
"""Seconds after an end in which words without a voice of their own still belong to it."""


LATE_WORDS = 2.5
"""Seconds that words may take of which the transcriber says that they may come late: its connection is in doubt, or the
next one hears them once more."""


@dataclass(frozen=True, slots=True)
class Began:
    """The caller began to speak, or something sounds as if; an ``Ended`` follows."""

    at: float


@dataclass(frozen=True, slots=True)
class Quiet:
    """The voice has stopped for now: the transcriber shall tell the final words."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An utterance is over. ``began`` and ``ended`` are the voice's, ``why`` is `turn`, `silence`, `complete`, `long`,
    `lost` (the transcriber) or `noise` (no words); ``confidence`` is the lowest of its words."""

    text: str
    began: float
    ended: float
    why: str
    confidence: float = 1.0


Found = Began | Quiet | Ended


@dataclass(frozen=True, slots=True)
class Rules:
    """How an utterance ends here: ``speech_end`` and ``max_speech`` in seconds, ``patience`` a factor for words."""

    speech_end: float = 0.7
    max_speech: float = 20.0
    patience: Callable[[str], float] = lambda text: 1.0  # a field's default, not a name


class Endpointing:
    """The utterances of one stream. ``transcribed``: somebody tells words; ``turns``: and ends of turns."""

    def __init__(self, *, transcribed: bool, turns: bool = False) -> None:
        self.rules = Rules()
        self.transcribed = transcribed
        self.open = False
        self.late = 0  # how often words came after their utterance's end
        self._turns = turns
        self._told = 0  # words of the transcriber's turn that belong to an utterance that was ended
        self._last_end = -1e9
        self._closed_at = -1e9
        self._clear()

    def _clear(self) -> None:
        self.open = False
        self.began = 0.0
        self._quiet: float | None = None  # since when no voice is on
        self._finals: list[str] = []
        self._interim = ""
        self._changed = 0.0
        self._asked: float | None = None  # when the final words were asked for, until they come
        self._over = False  # the transcriber ended the turn
        self._late: float | None = None  # since when words may come late, until some come
        self._confidence = 1.0

    @property
    def before(self) -> str:
        """The words of the open utterance that will not change."""
        return " ".join(self._finals)

    @property
    def said(self) -> str:
        """The words of the open utterance so far."""
        return " ".join(part for part in (*self._finals, self._interim) if part)

    # --- the voice

    def speech(self, now: float, since: float) -> list[Found]:
        """The voice has begun, at ``since``."""
        found = self._start(max(since, self._last_end))
        self._quiet = self._asked = None
        self._over = False
        return found

    def quiet(self, now: float, last: float) -> list[Found]:
        """The voice has stopped; it was last on at ``last``."""
        if not self.open:
            return []
        self._quiet = last
        if not self.transcribed:
            return self.poll(now)
        self._asked = now
        return [Quiet(), *self.poll(now)]

    # --- the words

    def interim(self, text: str, now: float, began: float | None, ended: float | None) -> list[Found]:
        """Words that may still change, since the last final ones."""
        text = self._fresh(text)
        if not text and not self.open:
            return []
        self._late = None
        found = self._words(now, began, ended)
        if self.open and text != self._interim:
            self._interim, self._changed = text, now
        return [*found, *self.poll(now)]

    def final(
        self, text: str, now: float, began: float | None, ended: float | None, confidence: float = 1.0
    ) -> list[Found]:
        """Words that will not change; an empty text says that there were none in what was sent."""
        found = self._words(now, began, ended) if text else []
        if self.open:
            self._interim, self._asked, self._late = "", None, None
            if text:
                self._finals.append(text)
                self._changed = now
                self._confidence = min(self._confidence, confidence)
        return [*found, *self.poll(now)]

    def turn(
        self, text: str, now: float, began: float | None, ended: float | None, confidence: float = 1.0
    ) -> list[Found]:
        """The transcriber says that the turn is over, and what it was in all."""
        text = self._fresh(text)
        self._told = 0
        if not self.open and not text:
            return []
        found = self._words(now, began, ended)
        if self.open:
            # Turns that did not end the utterance stay in front; of this one nothing was final before.
            self._finals, self._interim = [*self._finals, text], ""
            self._over, self._asked, self._late, self._changed = True, None, None, now
            self._confidence = min(self._confidence, confidence)
        return [*found, *self.poll(now)]

    def words_late(self, now: float) -> None:
        """The words of the open utterance may come late."""
        self._late = now if self.open else None

    def lost(self, now: float) -> list[Found]:
        """The transcriber is gone: what was understood is all there is."""
        self.transcribed = self._turns = False
        self._asked = self._late = None
        return [self._end(now, "lost")] if self.open and self.said else self.poll(now)

    # --- time

    def poll(self, now: float) -> list[Found]:
        """Give the end of the utterance if it is due by now."""
        if not self.open:
            return []
        text = self.said
        if now - self.began >= self.rules.max_speech:
            return [self._end(now, "long")]
        waits_for_words = self._late is not None and now - self._late < LATE_WORDS and self._silent(now) < LONGEST
        if not text:
            if waits_for_words:
                return []
            silent = self._silent(now)
            waits = NO_TRANSCRIPT if self.transcribed else self.rules.speech_end
            return [self._end(now, "noise")] if silent >= waits else []
        factor = self.rules.patience(text)
        if factor <= 0 and (not self._interim or now - self._changed >= STABLE):
            return [self._end(now, "complete")]
        if self._over and factor <= 1:
            return [self._end(now, "turn")]
        if waits_for_words or (self._asked is not None and now - self._asked < FINAL and self._interim):
            return []
        enough = self.rules.speech_end * factor * (TURNS if self._turns and not self._over else 1.0)
        if self._silent(now) >= min(max(enough, SHORTEST), LONGEST):
            return [self._end(now, "silence")]
        return []

    # --- inside

    def _fresh(self, text: str) -> str:
        """Leave out what a turn that goes on has in front: words of an utterance that was ended before it."""
        return " ".join(text.split()[self._told :]) if self._told else text

    def _silent(self, now: float) -> float:
        return 0.0 if self._quiet is None else now - self._quiet

    def _start(self, began: float) -> list[Found]:
        if self.open:
            return []
        self._clear()
        self.open = True
        self.began = began
        return [Began(began)]

    def _words(self, now: float, began: float | None, ended: float | None) -> list[Found]:
        """Words have come: they open an utterance, unless they are the rest of one that was ended."""
        if self.open:
            return []
        rest = ended <= self._last_end + BEYOND if ended is not None else now - self._closed_at < LATE
        if rest:
            self.late += 1
            return []
        found = self._start(max(self._last_end, began if began is not None else now))
        # Nothing says that the voice is on: it is quiet since the last word, and nobody has asked for the final ones.
        self._quiet = ended if ended is not None else now
        self._asked = now
        return [*found, Quiet()]

    def _end(self, now: float, why: str) -> Ended:
        ended = now if self._quiet is None else self._quiet
        end = Ended(self.said, self.began, max(self.began, ended), why, self._confidence)
        if why != "noise":
            self._last_end, self._closed_at = end.ended, now
        if self._turns and not self._over:
            # The transcriber's turn goes on, and will be told as a whole.
            self._told += len(self._interim.split())
        self._clear()
        return end
