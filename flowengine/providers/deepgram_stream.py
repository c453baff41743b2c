"""One stream of a call at Deepgram, over as many connections as it takes.

Theory of operation. Audio is kept for a while (``Sound``). A sender hands it on in messages of 80 ms and a receiver
tells what comes back. When a connection is lost, the next one hears the last 3 s again, as far as their words were not
told for good; so a connection's seconds are not the stream's, and ``Sound`` knows how they differ.

A connection can be open and dead: it takes audio and tells nothing. Where a turn is open the engine is told to wait,
then the connection is asked to end the turn, and given up if it does not. Where none is, it is given up when the
engine's own detector heard a voice and it told nothing of it: both models tell something of silence and noise, too.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from flowengine.call.ports import Expected, Heard, Usage
from flowengine.errors import ProviderError
from flowengine.providers.deepgram_sound import Sound
from flowengine.providers.deepgram_wire import NAME, Hearing, decoded
from flowengine.providers.sockets import closed, failure
from flowengine.providers.utterances import RATE, Events, stopped

BATCH = RATE * 80 // 1000
"""Bytes of a message: what Deepgram recommends, and four frames of the line."""

TRIES = 5
"""Connections in a minute beside the first."""

_MINUTE = 60.0
_LONGEST_PAUSE = 2.0  # seconds between two tries
_ENDED_WITHIN = 0.5  # seconds in which a turn must end that we have ended


class Line(Protocol):
    """One connection, to a ``model``.

    ``address`` says what it was opened for, ``terms`` what it favours; ``idle``: see ``quiet``.
    """

    socket: ClientConnection
    model: str
    address: str
    terms: tuple[str, ...]
    idle: float

    async def media(self, audio: bytes) -> None:
        """Send audio."""

    async def favour(self, terms: tuple[str, ...]) -> None:
        """Change what it favours."""

    async def finish(self) -> None:
        """Ask for the final words of what was sent."""

    async def end(self) -> None:
        """Ask for the end of what is open, because no answer comes."""

    async def quiet(self, fresh: bool) -> int:
        """No audio came for ``idle`` s: keep the connection, to which nothing was sent if ``fresh``.

        Gives the bytes of silence that were sent for it.
        """


class DeepgramTranscription:
    """``Transcription`` of one stream.

    ``reconnects`` counts connections that were lost, ``dropped`` bytes of audio that were never sent, ``ended`` turns
    that had to be ended by us, ``refused`` wishes and warnings of the server, ``unknown`` messages of a new kind.
    """

    def __init__(
        self,
        opened: Callable[[Expected], Awaitable[Line]],
        wanted: Callable[[Expected], tuple[str, tuple[str, ...]]],
        expected: Expected,
        hearing: Callable[[Callable[[float], float]], Hearing],
        *,
        stall: float,
        pause: float,
        look: float,
        taken_within: float,
    ) -> None:
        """``wanted`` gives the address and the terms of what is expected; the others are seconds."""
        self.reconnects = 0
        self.ended = 0
        self.unknown = 0
        self._opened = opened
        self._wanted = wanted
        self._expected = expected
        self._address, self._terms = wanted(expected)
        self._sound = Sound()
        self._sent: Counter[str] = Counter()  # bytes, by model
        self._hearing = hearing(self._sound.when)
        self._stall = stall
        self._pause = pause
        self._look = look
        self._taken_within = taken_within  # in which what is sent must be on its way
        self._failures = 0  # in a row
        self._tries: deque[float] = deque(maxlen=TRIES)
        self._events = Events()
        self._news = asyncio.Event()
        self._finishing = False
        self._ending = False
        self._greeted = False  # this connection has told something
        self._doubted: float | None = None  # since when somebody speaks of whom nothing was told
        self._unheard: float | None = None  # since when audio was sent without an answer
        self._owed = 0  # bytes of audio, since then and since somebody speaks of whom nothing was told
        self._late = False  # that it takes long was told
        self._replayed = 0.0  # seconds of the stream that this connection must have heard to know of an open turn
        self._line: Line | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """As in the class."""
        return self._sound.dropped

    @property
    def refused(self) -> int:
        """As in the class."""
        return self._hearing.refused

    async def __aenter__(self) -> DeepgramTranscription:
        try:
            self._line = await self._opened(self._expected)
        except ProviderError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(self._pause)
            self._line = await self._opened(self._expected)
        self._task = asyncio.create_task(self._work(), name="deepgram")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.end()
        if self._task is not None:
            await stopped(self._task)

    def used(self) -> list[Usage]:
        """As ``Metered.used``: the audio that was sent, what was heard again and silence included."""
        return [Usage(NAME, model, seconds=round(size / RATE, 3)) for model, size in self._sent.items()]

    def send(self, audio: bytes) -> None:
        """As ``Transcription.send``."""
        self._sound.add(audio)
        if self._sound.waiting >= BATCH:
            self._news.set()

    def expect(self, expected: Expected) -> None:
        """As ``Transcription.expect``: phrases are favoured at once, another language has another connection."""
        if expected.kind == "nothing":  # what is favoured does not matter, and is left as it is
            expected = Expected(expected.lang, "nothing", self._expected.phrases)
        self._expected = expected
        self._address, self._terms = self._wanted(expected)
        self._news.set()

    def began(self) -> None:
        """As ``Transcription.began``: Deepgram has its own detector, but one that hears nothing now may be gone."""
        if self._doubted is None:
            self._doubted = asyncio.get_running_loop().time()
            self._owed = 0

    def finish(self) -> None:
        """As ``Transcription.finish``; one that ends turns is left to it."""
        if not self._hearing.turns:
            self._finishing = True
            self._news.set()

    def __aiter__(self) -> AsyncIterator[Heard]:
        return self._events.read()

    # --- connections

    async def _work(self) -> None:
        try:
            while True:
                try:
                    await self._connected()
                except ProviderError as error:
                    await self._lost(error)
        except ProviderError as error:
            self._events.fail(error)
        finally:
            self._events.end()
            await self._leave()

    async def _connected(self) -> None:
        """Live through one connection, until another language is wanted; raises ``ProviderError``."""
        if self._line is None:
            self._line = await self._opened(self._expected)
            began = self._sound.rewind(self._hearing.told)
            self._replayed = began + self._sound.waiting / RATE + self._stall
            self._tell(self._hearing.again(began))
        self._greeted, self._unheard, self._owed, self._ending = False, None, 0, False
        if self._doubted is not None:  # this one has just been told of the voice
            self._doubted = asyncio.get_running_loop().time()
        await self._exchange(self._line)
        self._tell(self._hearing.lost())
        await self._leave()

    async def _lost(self, error: ProviderError) -> None:
        """Wait for the next try; raises the error when there is none."""
        self.reconnects += 1
        self._tell(self._hearing.lost())
        if error.kind == "timeout" and self._line is not None:
            self._line.socket.transport.abort()  # who does not answer would not answer a farewell
        await self._leave()
        now = asyncio.get_running_loop().time()
        if not error.retryable or (len(self._tries) == TRIES and now - self._tries[0] < _MINUTE):
            raise error
        self._tries.append(now)
        self._failures += 1
        self._events.put(Heard("again"))
        await asyncio.sleep(min(_LONGEST_PAUSE, self._pause * 2 ** (self._failures - 1)))

    async def _leave(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await closed(line.socket)

    async def _exchange(self, line: Line) -> None:
        sending = asyncio.create_task(self._send(line), name="deepgram-sender")
        try:
            await self._receive(line)
        except (ConnectionClosed, OSError) as error:
            raise failure(NAME, error) from None
        finally:
            await stopped(sending)

    # --- what goes out

    async def _send(self, line: Line) -> None:
        """Send what there is, until who exchanges cancels it; that a connection is lost is the receiver's to tell."""
        with suppress(ConnectionClosed, OSError):  # of which a TimeoutError is one
            while True:
                self._news.clear()
                await self._taken(line, self._hand_on(line))
                try:
                    async with asyncio.timeout(line.idle):
                        await self._news.wait()
                except TimeoutError:
                    await self._taken(line, self._fill(line))

    async def _taken(self, line: Line, sending: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(self._taken_within):
                await sending
        except TimeoutError:
            line.socket.transport.abort()
            raise

    async def _hand_on(self, line: Line) -> None:
        if self._address != line.address:
            return  # another connection hears it
        if self._terms != line.terms:
            await line.favour(self._terms)
        while self._sound.waiting >= BATCH or (self._finishing and self._sound.waiting):
            await self._media(line)
        if self._finishing:
            self._finishing = False
            await line.finish()
        if self._ending:
            self._ending = False
            await line.end()

    async def _media(self, line: Line) -> None:
        audio = self._sound.take(BATCH)
        await line.media(audio)
        self._waits_for_answer(line, len(audio))

    async def _fill(self, line: Line) -> None:
        if size := await line.quiet(self._sound.fresh):
            self._sound.filled(size)
            self._waits_for_answer(line, size)

    def _waits_for_answer(self, line: Line, size: int) -> None:
        self._sent[line.model] += size
        self._owed += size
        if self._unheard is None:
            self._unheard = asyncio.get_running_loop().time()

    # --- what comes in

    async def _receive(self, line: Line) -> None:
        nudged = self._late = False
        while self._address == line.address:
            try:
                async with asyncio.timeout(self._look):
                    data = await line.socket.recv(decode=False)
            except TimeoutError:
                nudged = self._overdue(nudged)
                self._dead()
                continue
            self._take(data)
            self._settle()
            nudged = self._late = False

    def _settle(self) -> None:
        """Look whether a connection that heard again what is kept must have told of the turn that was open."""
        if self._replayed and self._sound.reached > self._replayed:
            self._replayed = 0.0
            self._tell(self._hearing.nothing())

    def _take(self, data: bytes) -> None:
        message = decoded(data)
        self._greeted, self._unheard, self._owed = True, None, 0
        if message.body is not None:  # more than a greeting
            self._failures, self._doubted = 0, None
        self.unknown += message.type not in _KNOWN
        self._tell(self._hearing.take(message))
        if self._hearing.due:
            self._hearing.due = False
            self.finish()

    def _overdue(self, nudged: bool) -> bool:
        """Look whether an answer is overdue: that is told, the turn is ended by us, the connection counts as lost."""
        self._settle()
        # Flux greets at once; nova-3 says nothing before there is something to say.
        waits = self._hearing.open or (self._hearing.turns and not self._greeted)
        if self._hearing.open and not self._late and self._silent(self._stall / 2):
            self._late = True
            self._tell([Heard("late")])
        if not waits or not self._silent(_ENDED_WITHIN if nudged else self._stall):
            return nudged
        if nudged or not self._greeted:
            raise ProviderError(NAME, "timeout", retryable=True, detail="no answer to audio")
        self.ended += 1
        self._ending, self._unheard = True, None
        self._news.set()
        return True

    def _silent(self, seconds: float) -> bool:
        """Whether audio was sent for so long without an answer."""
        now = asyncio.get_running_loop().time()
        return self._unheard is not None and now - self._unheard >= seconds

    def _dead(self) -> None:
        """Look whether somebody has begun to speak, long ago, and nothing was told; the second time it is lost.

        Flux tells something four times a second of audio, whatever it hears, and nova-3 about once; of nova-3 that is
        not documented, so it is given twice the time. Both answer audio: of a line that sends nothing there is nothing
        to tell. The clock counts as well: what a new connection hears again, it hears at once.
        """
        limit = self._stall if self._hearing.turns else 2 * self._stall
        if self._doubted is None or not self._silent(limit) or self._owed < limit * RATE:
            return
        if asyncio.get_running_loop().time() - self._doubted >= limit:
            raise ProviderError(NAME, "timeout", retryable=not self._failures, detail="nothing told of a voice")

    def _tell(self, found: list[Heard]) -> None:
        for heard in found:
            self._events.put(heard)


# fmt: off
_KNOWN = frozenset([
    "Connected", "TurnInfo", "ConfigureSuccess", "ConfigureFailure", "Warning", "Error", "Results", "SpeechStarted",
    "UtteranceEnd", "Metadata",
])
# fmt: on
