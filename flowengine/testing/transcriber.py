"""A transcriber that knows what was said: it reads the labels of a simulated phone, as late as real ones are.

It counts the samples that it is sent and tells of a word when so much audio has come after the word's end: no clock, so
it is exact on a virtual clock and true over sockets. Sample 0 of what it is sent is sample 0 of what the phone sent; of
a stream that it hears from later on it takes what is missing for lost when the phone is a second ahead.

It has the methods of ``call.ports.Transcriber`` without importing it; how an event is made is given (``heard``, usually
``ports.Heard``), so the phone stays a stranger to the engine.

Of its two manners one gives words only, `final` after ``finish``; the other also ends turns, in the way of Deepgram
Flux (https://developers.deepgram.com/docs/flux/state): a turn is a clip, or clips that follow before its end is told.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, TypeAlias, TypeVar

from flowengine.testing.labels import RATE, Timeline

T = TypeVar("T")
Kind: TypeAlias = Literal["started", "interim", "final", "likely_end", "resumed", "end"]
MakeHeard: TypeAlias = Callable[[Kind, str, float | None, float | None, float], T]
"""Kind, text, begin and end in seconds of the stream's audio, confidence -> what the engine is told."""

QUEUE = 1000
"""Events that wait for who reads them; then the oldest are dropped."""

_UPDATE = 0.25  # seconds between two updates of a turn (Flux)
_HESITATION = 0.6  # a longer silence between words looks like the end of a turn
_EAGER = 0.15  # seconds by which a likely end comes before the end
_LOST = 1.0  # seconds by which the phone is ahead of what came: that audio is not coming any more
_FINALS = 0.1  # seconds from ``finish`` to the final words, if they were recognized already


@dataclass(frozen=True, slots=True)
class Delay:
    """Seconds from a moment to its being told: lognormal about ``median``, with ``spread`` as sigma of the logarithm.

    The same for the same ``seed`` and the same place in the audio. Flux' ends of turns have a median of 260 ms and
    95 % within 1.5 s, which is a spread of 1.07.
    """

    median: float
    spread: float = 0.0
    seed: int = 0

    def samples(self, place: int) -> int:
        """Give the delay of what happened at a sample."""
        if not self.spread:
            return round(self.median * RATE)
        chance = random.Random(f"{self.seed} {place}")  # noqa: S311  # the same every time, on purpose
        return round(self.median * chance.lognormvariate(0.0, self.spread) * RATE)


WORDS = Delay(0.25)
TURNS = Delay(0.26)


class ScriptedTranscriber(Generic[T]):
    """See the module. ``timeline_of`` gives the timeline of a call's present stream by the engine's id of the call.

    ``words`` is how long after its end a word is recognized, ``turns`` how long after a turn its end is told.
    """

    name = "scripted"

    def __init__(
        self,
        timeline_of: Callable[[str], Timeline],
        heard: MakeHeard[T],
        *,
        ends_turns: bool = False,
        words: Delay = WORDS,
        turns: Delay = TURNS,
    ) -> None:
        self.ends_turns = ends_turns
        self._timeline_of = timeline_of
        self._heard = heard
        self._words = words
        self._turns = turns

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    def listen(self, call: str, expected: object) -> AbstractAsyncContextManager[ScriptedTranscription[T]]:
        """Open the words of a call's present stream."""
        kind = _Turns if self.ends_turns else ScriptedTranscription
        return kind(self._timeline_of(call), self._heard, self._words, self._turns)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    begin: int
    end: int
    recognized: int


@dataclass(frozen=True, slots=True)
class _Coming:
    """Something to be told at sample ``due``: of the words from ``first`` to before ``last``."""

    due: int
    kind: Kind
    first: int
    last: int


class ScriptedTranscription(Generic[T]):
    """The words of one stream: `started`, an `interim` for each word, and `final` after ``finish``.

    ``finish`` with no words since the last final ones tells nothing.
    """

    def __init__(self, timeline: Timeline, heard: MakeHeard[T], words: Delay, turns: Delay) -> None:
        self._timeline = timeline
        self._heard = heard
        self._delay = words
        self._turns = turns
        self._position = 0
        self._ahead = timeline.sent  # what the phone had sent when something came last
        self._taken = 0
        self._final = 0
        self._spoken: list[_Word] = []
        self._coming: list[_Coming] = []
        self._events: asyncio.Queue[T | None] = asyncio.Queue(QUEUE)

    async def __aenter__(self) -> ScriptedTranscription[T]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put(None)

    def __aiter__(self) -> ScriptedTranscription[T]:
        return self

    async def __anext__(self) -> T:
        event = await self._events.get()
        if event is None:
            self._put(None)
            raise StopAsyncIteration
        return event

    def send(self, audio: bytes) -> None:
        """Take µ-law audio, and tell what is due by now."""
        self._position += len(audio)
        self._catch_up()
        new = self._timeline.said[self._taken :]
        self._taken += len(new)
        for said in new:
            first = len(self._spoken)
            for word in said.clip.words:
                begin, end = said.sample(word.begin), said.sample(word.end)
                before = self._spoken[-1].recognized if self._spoken else 0
                recognized = max(before, end + self._delay.samples(end))
                self._spoken.append(_Word(word.text, begin, end, recognized))
            if len(self._spoken) > first:
                self._schedule(first)
        self._tell_due()

    def _catch_up(self) -> None:
        """Skip what was lost, but not while what waited comes all at once: the phone stands still meanwhile."""
        ahead, self._ahead = self._ahead, self._timeline.sent
        if ahead != self._ahead and self._ahead - self._position > _LOST * RATE:
            self._position = self._ahead
        if self._ahead:
            self._position = min(self._position, self._ahead)

    def expect(self, expected: object) -> None:
        """What was said does not depend on it."""

    def began(self) -> None:
        """It knows where words begin."""

    def finish(self) -> None:
        """Give the final words: those whose end was sent."""
        last = self._final + sum(word.end <= self._position for word in self._spoken[self._final :])
        if last > self._final:
            due = max(self._position + round(_FINALS * RATE), self._spoken[last - 1].recognized)
            self._coming.append(_Coming(due, "final", self._final, last))

    def _schedule(self, first: int) -> None:
        """Plan what is told of a clip, whose words begin at ``first``."""
        self._coming.append(self._started(first))
        for last, word in enumerate(self._spoken[first:], first + 1):
            self._coming.append(_Coming(word.recognized, "interim", first, last))

    def _started(self, first: int) -> _Coming:
        word = self._spoken[first]
        due = min(word.recognized, word.begin + self._delay.samples(word.begin))
        return _Coming(due, "started", first, first + 1)

    def _tell_due(self) -> None:
        self._coming.sort(key=lambda coming: coming.due)  # stable: what was planned first comes first
        while self._coming and self._coming[0].due <= self._position:
            self._tell(self._coming.pop(0))

    def _tell(self, coming: _Coming) -> None:
        first = coming.first
        if coming.kind == "interim":
            first = self._final
            if coming.last <= first:
                return  # these words are final already
        elif coming.kind == "final":
            first, self._final = self._final, max(self._final, coming.last)
            if coming.last <= first:
                return  # asked for twice
        self._emit(coming.kind, first, coming.last)

    def _emit(self, kind: Kind, first: int, last: int) -> None:
        words = self._spoken[first:last]
        text = "" if kind in ("started", "resumed") else " ".join(word.text for word in words)
        began, ended = words[0].begin / RATE, words[-1].end / RATE
        self._put(self._heard(kind, text, began, None if kind == "started" else ended, 1.0))

    def _put(self, event: T | None) -> None:
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(event)


class _Turns(ScriptedTranscription[T]):
    """Also tells when a turn is over, as Flux does; nothing is `final`."""

    _turn = 0  # its first word
    _told: Kind | None = None  # the last of likely_end, resumed and end that was told

    def finish(self) -> None:
        """It ends turns by itself."""

    def _schedule(self, first: int) -> None:
        begin = self._spoken[first].begin
        if any(coming.kind == "end" and coming.due > begin for coming in self._coming):
            # The caller goes on before the end was told: it is the same turn.
            over = ("interim", "likely_end", "end")
            self._coming = [coming for coming in self._coming if coming.due <= begin or coming.kind not in over]
            if self._told == "likely_end" or any(coming.kind == "likely_end" for coming in self._coming):
                self._coming.append(self._resumed(first))
        else:
            self._turn = first
            self._coming.append(self._started(first))
        for number in range(first, len(self._spoken) - 1):
            self._hesitate(number)
        self._end(first)

    def _hesitate(self, number: int) -> None:
        """A long silence after a word looks like the end, until the next word is heard."""
        word, following = self._spoken[number], self._spoken[number + 1]
        due = word.end + self._turns.samples(word.end)
        if following.begin - word.end > _HESITATION * RATE and due < following.begin:
            self._coming.append(_Coming(due, "likely_end", self._turn, number + 1))
            self._coming.append(self._resumed(number + 1))

    def _resumed(self, number: int) -> _Coming:
        begin = self._spoken[number].begin
        return _Coming(begin + self._delay.samples(begin), "resumed", self._turn, number + 1)

    def _end(self, first: int) -> None:
        last = len(self._spoken)
        over = self._spoken[-1].end
        end = over + self._turns.samples(over)
        self._coming.append(_Coming(max(over, end - round(_EAGER * RATE)), "likely_end", self._turn, last))
        self._coming.append(_Coming(end, "end", self._turn, last))
        tick = self._spoken[first].begin + self._delay.samples(self._spoken[first].begin)
        while tick < end:
            known = sum(word.recognized <= tick for word in self._spoken[self._turn :])
            if known:
                self._coming.append(_Coming(tick, "interim", self._turn, self._turn + known))
            tick += round(_UPDATE * RATE)

    def _tell(self, coming: _Coming) -> None:
        if coming.kind in ("likely_end", "resumed", "end"):
            self._told = coming.kind
        self._emit(coming.kind, coming.first, coming.last)
