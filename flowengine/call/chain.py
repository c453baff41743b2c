"""Several vendors of one kind in the place of one: when the first fails, the next takes over; the caller hears nothing.

A model is changed only before the first part of its answer, because nobody can go on in another's sentence. A voice is
changed in the middle of one: the next says the words that were not spoken yet. A transcriber that is lost is followed
by the next, which hears the last seconds again. Who failed lately is not asked first (``breaker``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Generic, TypeVar

from flowengine.call.breaker import Breaker
from flowengine.call.kept import Kept
from flowengine.call.ports import (
    Answer,
    Called,
    Expected,
    Heard,
    LanguageModel,
    Metered,
    ModelRequest,
    Said,
    SpeechRequest,
    SpokenWord,
    Substitute,
    Synthesizer,
    Transcriber,
    Transcription,
    Usage,
)
from flowengine.call.prices import summed
from flowengine.errors import ProviderError
from flowengine.runtime.clauses import speaks, unspoken

log = logging.getLogger("flowengine.call")

KEPT = 48000
"""Bytes of a stream that the next transcriber hears again at most: 6 s, as one that is dead takes three to be found."""

OPENING = 2.5
"""Seconds that a transcriber may take to be opened, with whatever it tries, before the next one is asked."""

START_AGAIN = 15.0
"""Seconds after which one that did not start is tried again."""

RATE = 8000

One = TypeVar("One", LanguageModel, Synthesizer, Transcriber)


class _Chain(Generic[One]):
    """The vendors in order, each with its breaker."""

    def __init__(self, links: Sequence[One]) -> None:
        if not links:
            raise ValueError("a chain has a link at least")
        self.name = links[0].name  # so what it has said before is found when others are put behind it
        self.changes = 0  # how often another than the first took over
        self._links: list[tuple[One, Breaker]] = [(link, Breaker()) for link in links]
        self._down: dict[int, asyncio.Task[None]] = {}  # places of those that did not start, with who tries again

    async def start(self) -> None:
        """Start all; one that can not is left out until it can. Raises ``ProviderError`` when none can."""
        failures: list[ProviderError] = []
        for place, (link, _) in enumerate(self._links):
            try:
                await link.start()
            except ProviderError as error:
                log.warning("%s does not start: %s", link.name, error.kind)
                failures.append(error)
                self._down[place] = asyncio.create_task(self._start_later(place, link), name=f"start {link.name}")
        if len(failures) == len(self._links):
            await self._give_up()
            raise failures[0]

    async def _start_later(self, place: int, link: One) -> None:
        while True:
            await asyncio.sleep(START_AGAIN)  # `aclose` cancels it
            try:
                await link.start()
                break
            except ProviderError:
                continue
            except Exception:  # a bug of one provider must not keep it away for ever, nor go unseen
                log.exception("%s can not be started", link.name)
        log.warning("%s has started", link.name)
        del self._down[place]

    async def _give_up(self) -> None:
        down, self._down = list(self._down.values()), {}
        for task in down:
            task.cancel()
        await asyncio.gather(*down, return_exceptions=True)

    async def aclose(self) -> None:
        """Close all."""
        await self._give_up()
        for link, _ in self._links:
            await link.aclose()

    def _willing(self) -> list[tuple[One, Breaker]]:
        """Give who may be tried, in order; all when nobody may: better one more failure than silence."""
        now = _now()
        up = [pair for place, pair in enumerate(self._links) if place not in self._down]
        return [pair for pair in up if pair[1].allows(now)] or up

    def _failed(self, link: One, breaker: Breaker, error: ProviderError) -> None:
        breaker.failed(error, _now())
        self.changes += 1
        log.warning("%s failed (%s); the next one is asked", link.name, error.kind)


def _now() -> float:
    return asyncio.get_running_loop().time()


class ModelChain(_Chain[LanguageModel]):
    """The port ``LanguageModel`` over several."""

    @asynccontextmanager
    async def answer(self, request: ModelRequest) -> AsyncIterator[Answer]:
        """Begin an answer with the first that gives a first part."""
        async with AsyncExitStack() as stack:
            yield _ChainedAnswer(self, request, stack)

    async def warm(self, request: ModelRequest) -> None:
        """Warm the one that would be asked."""
        await self._willing()[0][0].warm(request)


class _ChainedAnswer:
    """An answer of whichever vendor gave the first part of it."""

    def __init__(self, chain: ModelChain, request: ModelRequest, stack: AsyncExitStack) -> None:
        self.usage = Usage(chain.name, request.model)
        self._chain = chain
        self._request = request
        self._stack = stack
        self._parts: AsyncIterator[Said | Called] | None = None
        self._before: list[Usage] = []  # of those that failed

    def used(self) -> list[Usage]:
        """As ``Metered.used``."""
        return [*self._before, self.usage]

    def __aiter__(self) -> _ChainedAnswer:
        return self

    async def __anext__(self) -> Said | Called:
        if self._parts is not None:
            return await anext(self._parts)
        willing = self._chain._willing()
        for number, (link, breaker) in enumerate(willing):
            inner = AsyncExitStack()
            try:
                answer = await inner.enter_async_context(link.answer(self._request))
                self.usage = answer.usage
                parts = aiter(answer)
                first = await anext(parts)
            except ProviderError as error:
                await inner.aclose()
                self._chain._failed(link, breaker, error)
                if number == len(willing) - 1:
                    raise
                self._before.append(self.usage)
            except BaseException:
                # An empty answer, or a cancel: neither is a failure.
                await inner.aclose()
                raise
            else:
                breaker.worked()
                self._stack.push_async_exit(inner)
                self._parts = parts
                return first
        raise StopAsyncIteration


class VoiceChain(_Chain[Synthesizer]):
    """The port ``Synthesizer`` over several."""

    def __init__(self, links: Sequence[Synthesizer]) -> None:
        super().__init__(links)
        # What the others say in the place of the first is not kept, so name and version are those of what is.
        self.version = links[0].version

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord | Substitute, None]:
        """Speak with the first that can; when it fails in the middle the next says the rest."""
        willing = self._willing()
        rest, offset = request, 0.0
        failed: tuple[str, ...] = ()
        for number, (link, breaker) in enumerate(willing):
            if link is not self._links[0][0]:
                yield Substitute(link.name, failed)
                # A voice that a flow names is the first one's.
                rest = replace(rest, voice="default")
            samples = 0
            words: list[SpokenWord] = []
            try:
                async with aclosing(link.speak(rest)) as chunks:
                    async for chunk in chunks:
                        if isinstance(chunk, bytes):
                            samples += len(chunk)
                            yield chunk
                        elif isinstance(chunk, SpokenWord):
                            words.append(chunk)
                            yield SpokenWord(chunk.text, chunk.begin + offset, chunk.end + offset)
                breaker.worked()
                return
            except ProviderError as error:
                self._failed(link, breaker, error)
                if number == len(willing) - 1:
                    raise
                told = [(word.text, word.begin, word.end) for word in words]
                rest = replace(rest, text=unspoken(rest.text, told, samples / RATE))
                offset += samples / RATE
                failed = (link.name,)
                if not speaks(rest.text):
                    return


class TranscriberChain(_Chain[Transcriber]):
    """The port ``Transcriber`` over several. It ends turns if the first does: silence ends them, too."""

    def __init__(self, links: Sequence[Transcriber]) -> None:
        super().__init__(links)
        self.ends_turns = links[0].ends_turns

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Transcription]:
        """Open the words of a stream with the first that can."""
        async with AsyncExitStack() as stack:
            stream = _ChainedWords(self, call, expected, stack)
            await stream.open()
            yield stream


class _ChainedWords:
    """The words of one stream, by one vendor after another."""

    def __init__(self, chain: TranscriberChain, call: str, expected: Expected, stack: AsyncExitStack) -> None:
        self._chain = chain
        self._call = call
        self._expected = expected
        self._stack = stack
        self._left = chain._willing()
        self._link: tuple[Transcriber, Breaker] | None = None
        self._words: Transcription | None = None
        self._events: AsyncIterator[Heard] | None = None
        self._inner = AsyncExitStack()
        self._kept = Kept(KEPT)
        self._samples = 0  # of the stream
        self._origin = 0  # the stream's sample that is the present vendor's first
        self._given = 0  # samples that it was given
        self._used: list[Usage] = []  # of those before
        self._worked = False

    async def open(self) -> None:
        """Open the next vendor that can be opened; raises ``ProviderError`` when none is left."""
        self._stack.push_async_callback(self._close)
        await self._next()

    async def _close(self) -> None:
        await self._inner.aclose()

    async def _next(self) -> None:
        while True:
            if not self._left:
                raise ProviderError(self._chain.name, "unavailable", retryable=False)
            self._link = link, breaker = self._left.pop(0)
            self._inner = AsyncExitStack()
            try:
                async with asyncio.timeout(OPENING):
                    words = await self._inner.enter_async_context(link.listen(self._call, self._expected))
            except (ProviderError, TimeoutError) as error:
                await self._inner.aclose()
                late = ProviderError(link.name, "timeout", retryable=True)
                self._chain._failed(link, breaker, error if isinstance(error, ProviderError) else late)
                continue
            self._words, self._events = words, aiter(words)
            self._worked = False
            self._origin = self._samples - self._kept.size
            self._given = self._kept.size
            self._kept.tell(words)
            return

    def send(self, audio: bytes) -> None:
        """Hand on audio, and keep the last of it for the next vendor."""
        self._samples += len(audio)
        self._kept.add(audio)
        if self._words is not None:
            self._given += len(audio)
            self._words.send(audio)

    def used(self) -> list[Usage]:
        """Give what was used of each vendor."""
        found = list(self._used)
        if self._words is not None and self._link is not None:
            found += _used(self._link[0], self._words, self._given)
        return summed(found)

    def expect(self, expected: Expected) -> None:
        """The call waits for something else."""
        self._expected = expected
        if self._words is not None:
            self._words.expect(expected)

    def began(self) -> None:
        """Somebody speaks."""
        self._kept.add(True)
        if self._words is not None:
            self._words.began()

    def finish(self) -> None:
        """It is quiet."""
        self._kept.add(False)
        if self._words is not None:
            self._words.finish()

    def __aiter__(self) -> _ChainedWords:
        return self

    async def __anext__(self) -> Heard:
        if self._events is None or self._link is None:
            raise StopAsyncIteration
        link, breaker = self._link
        try:
            heard = await anext(self._events)
        except ProviderError as error:
            self._used = self.used()
            self._words = self._events = None
            await self._inner.aclose()
            self._chain._failed(link, breaker, error)
            await self._next()
            return Heard("again")
        if not self._worked:  # once: what an old stream tells says nothing of new ones
            self._worked = True
            breaker.worked()
        shift = self._origin / RATE
        began = None if heard.began is None else heard.began + shift
        ended = None if heard.ended is None else heard.ended + shift
        if heard.kind in ("final", "end") and ended is not None:
            self._kept.keep(max(0, self._samples - round(ended * RATE)))  # the next vendor shall not tell it again
        return replace(heard, began=began, ended=ended)


def _used(link: Transcriber, words: Transcription, given: int) -> list[Usage]:
    return words.used() if isinstance(words, Metered) else [Usage(link.name, seconds=round(given / RATE, 3))]
