"""What transcribers of whole utterances share: cutting a stream into them, and telling in order what was heard."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType

from flowengine.call.ports import Expected, Heard
from flowengine.errors import ProviderError

RATE = 8000  # bytes of µ-law per second
_BEFORE = round(0.4 * RATE)  # of the ring: the detector tells of speech up to 300 ms late, and a word begins softly
_LONGEST = 30 * RATE  # of an utterance; who speaks longer loses its begin
_WAITING = 4  # utterances of one stream that are not recognized yet
_EVENTS = 256  # that nobody has read yet
_FAILURES = 3  # utterances in a row that a transcriber may fail before it counts as lost


@dataclass(frozen=True, slots=True)
class Utterance:
    """One piece of speech: µ-law at 8000 Hz, and where it lies in its stream, in seconds."""

    audio: bytes
    began: float
    ended: float


class Cutter:
    """Cuts a stream into utterances, each with the 400 ms before its begin. ``dropped`` counts bytes that were lost."""

    def __init__(self) -> None:
        self.open = False
        self.dropped = 0
        self._audio = bytearray()
        self._end = 0  # of what was sent, in bytes since the begin of the stream

    @property
    def seconds(self) -> float:
        """How much was sent so far."""
        return self._end / RATE

    def send(self, audio: bytes) -> None:
        """Take the next audio; never waits."""
        self._audio += audio
        self._end += len(audio)
        excess = len(self._audio) - (_LONGEST if self.open else _BEFORE)
        if excess > 0:
            del self._audio[:excess]
            self.dropped += excess if self.open else 0

    def begin(self) -> bytes:
        """Open an utterance; give what lies before now."""
        self.open = True
        return bytes(self._audio)

    def finish(self) -> Utterance | None:
        """Close the utterance that is open, and give it; None when there is none."""
        if not self.open:
            return None
        self.open = False
        cut = Utterance(bytes(self._audio), (self._end - len(self._audio)) / RATE, self._end / RATE)
        # Its end is not the next one's begin: a word that was heard must not be heard twice.
        self._audio.clear()
        return cut


class Events:
    """What was heard, from who hears it to who reads it; bounded, and an interim gives way to what came after it."""

    def __init__(self) -> None:
        self._heard: deque[Heard] = deque(maxlen=_EVENTS)
        self._news = asyncio.Event()
        self._error: ProviderError | None = None
        self._over = False

    def put(self, heard: Heard) -> None:
        """Tell of one thing; never waits."""
        if self._heard and self._heard[-1].kind == "interim" and heard.kind not in ("late", "again"):
            self._heard.pop()
        self._heard.append(heard)
        self._news.set()

    def fail(self, error: ProviderError) -> None:
        """After what was told: the transcriber is lost."""
        self._error = self._error or error
        self._news.set()

    def end(self) -> None:
        """Nothing more is told."""
        self._over = True
        self._news.set()

    async def read(self) -> AsyncIterator[Heard]:
        """Give what is told until the end; raises ``ProviderError`` when the transcriber is lost."""
        while True:
            if self._heard:
                yield self._heard.popleft()
            elif self._error is not None:
                raise self._error
            elif self._over:
                return
            else:
                self._news.clear()
                await self._news.wait()  # `end` is its bound: the stream's context calls it


async def stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end, at most 2 s; raises what it died of."""
    task.cancel()
    await asyncio.wait([task], timeout=2.0)
    if task.done() and not task.cancelled():
        task.result()


Recognize = Callable[[Utterance, Expected], Awaitable[tuple[str, float]]]


class UtteranceTranscription:
    """``Transcription`` by something that takes one utterance at a time and gives its words and its confidence.

    From ``began`` to ``finish`` is one utterance, and gives exactly one `final`; its text is empty where nothing was
    understood. ``skipped`` counts utterances that were given up because others waited, ``failed`` those that the
    transcriber did not manage; after three in a row, or one that is not worth a repetition, it counts as lost.
    """

    def __init__(self, recognize: Recognize, expected: Expected, refusal: ProviderError | None = None) -> None:
        """``refusal`` is raised by entering: this stream can not be understood."""
        self._refusal = refusal
        self.skipped = 0
        self.failed = 0
        self._recognize = recognize
        self._expected = expected
        self._cutter = Cutter()
        self._events = Events()
        self._waiting: deque[tuple[Utterance, Expected]] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """Bytes of audio of which nothing was heard because utterances were too long."""
        return self._cutter.dropped

    async def __aenter__(self) -> UtteranceTranscription:
        if self._refusal is not None:
            raise self._refusal
        self._task = asyncio.create_task(self._work(), name="utterances")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.end()
        if self._task is not None:
            await stopped(self._task)

    def send(self, audio: bytes) -> None:
        """As ``Transcription.send``."""
        self._cutter.send(audio)

    def expect(self, expected: Expected) -> None:
        """As ``Transcription.expect``; an utterance is understood by what was expected when it ended."""
        self._expected = expected

    def began(self) -> None:
        """As ``Transcription.began``."""
        self._cutter.begin()

    def finish(self) -> None:
        """As ``Transcription.finish``."""
        cut = self._cutter.finish()
        if cut is None:
            return
        if len(self._waiting) >= _WAITING:
            lost, _ = self._waiting.popleft()
            self.skipped += 1
            self._tell(lost, "", 0.0)
        self._waiting.append((cut, self._expected))
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Heard]:
        return self._events.read()

    def _tell(self, cut: Utterance, text: str, confidence: float) -> None:
        self._events.put(Heard("final", text, cut.began, cut.ended, confidence))

    async def _work(self) -> None:
        try:
            await self._each()
        finally:
            self._events.end()

    async def _each(self) -> None:
        failures = 0
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()  # `__aexit__` cancels it
            cut, expected = self._waiting.popleft()
            try:
                text, confidence = await self._recognize(cut, expected)
                failures = 0
            except ProviderError as error:
                failures += 1
                self.failed += 1
                if failures >= _FAILURES or not error.retryable:
                    self._events.fail(error)
                    return
                text, confidence = "", 0.0
            self._tell(cut, text, confidence)
