"""The course of a language model's answer, whoever the vendor is: its deadlines, its one repetition, and its end.

A vendor's module says how a request is opened, what its events mean (``Reader``) and what its errors mean. Until the
first word, or call, nothing was heard of an answer: so long a failure may be mended by asking once more, on a
connection that nobody used before. Later it may not: the words would come twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

from flowengine.call.ports import Called, ModelRequest, Said, Usage
from flowengine.errors import ProviderError
from flowengine.providers.connections import Connections
from flowengine.providers.conversation import guessed_input

_CLOSE = 1.0  # seconds that closing a connection may take
_GOODBYE = 0.5  # seconds that a response may stay open when all was said: read to its end, its connection is kept
_ENOUGH = 0.5  # of the time for the first word: who answers after a pause must have that left
_PATIENCE = 0.5  # of the time for the first word: a connection that is silent so long is given up for a fresh one


class Stream(Protocol):
    """A response under way, as the SDKs give it."""

    def __anext__(self) -> Any:
        """Give the next event."""

    async def close(self) -> None:
        """Close the response, and the connection where it was not read to its end."""


class Reader(Protocol):
    """Makes parts of one response's events. ``began``: a word or a call has begun; ``ended``: all parts have come."""

    began: bool
    ended: bool

    def take(self, event: Any) -> Iterable[Said | Called]:
        """Take the next event; raises ``ProviderError``."""

    def finish(self) -> Iterable[Said | Called]:
        """The response is over: give what is left; raises ``ProviderError`` where something is missing."""


class Vendor(Protocol):
    """Who answers."""

    name: str

    def ready(self) -> Connections:
        """Give the connections; raises ``ProviderError`` when it is not started, or closed."""

    async def opened(self, request: ModelRequest, *, fresh: bool) -> Stream:
        """Send a request; give the response when its head has come. ``fresh``: on a connection of its own."""

    def reader(self, usage: Usage) -> Reader:
        """Begin to read a response; what it tells of usage is put into ``usage``."""


class StreamedAnswer:
    """``Answer`` by a vendor. It asks at the first step of the iteration: so ``usage`` can be read whatever happens."""

    def __init__(self, vendor: Vendor, request: ModelRequest, usage: Usage) -> None:
        self.usage = usage
        self._vendor = vendor
        self._request = request
        self._reader = vendor.reader(usage)
        self._stream: Stream | None = None
        self._parts: deque[Said | Called] = deque()  # of one event, or of the end: a handful
        self._connections: Connections | None = None
        self._asked = False
        self._over = False
        self._pause = 0.0  # seconds until asking again may help

    async def __aenter__(self) -> StreamedAnswer:
        self._connections = self._vendor.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._asked and not self._over
        self._over = True
        self._parts.clear()
        await self._drop()
        if left and self._connections is not None:
            self._connections.open_spare()

    def __aiter__(self) -> AsyncIterator[Said | Called]:
        return self

    async def __anext__(self) -> Said | Called:
        while not self._parts:
            if self._over:
                raise StopAsyncIteration
            try:
                await (self._more() if self._reader.began else self._begin())
            except ProviderError:
                self.usage.failed += 1
                self._over = True
                await self._drop()
                raise
        return self._parts.popleft()

    async def _begin(self) -> None:
        """Ask, and if need be once more, until the first word or call has begun; all within ``first``."""
        limit = self._request.first
        until = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout_at(until):
                try:
                    return await self._ask(fresh=False)
                except ProviderError as error:
                    await self._drop()
                    if not error.retryable or not self._worth_waiting(until):
                        raise
                await asyncio.sleep(self._pause)
                self.usage.failed += 1
                await self._ask(fresh=True)
        except TimeoutError:
            raise ProviderError(
                self._vendor.name, "timeout", retryable=True, detail=f"no word in {limit:g} s"
            ) from None

    def _worth_waiting(self, until: float) -> bool:
        """Say whether a pause that the vendor wants leaves enough of the time for the first word to answer in."""
        left = until - asyncio.get_running_loop().time() - self._pause
        return not self._pause or left >= self._request.first * _ENOUGH

    async def _ask(self, *, fresh: bool) -> None:
        self._asked = True
        self._reader = self._vendor.reader(self.usage)
        # Of a try before this one nothing is left in it.
        self.usage.input_tokens, self.usage.cached_tokens = guessed_input(self._request), 0
        self.usage.output_tokens, self.usage.estimated = 0, True
        try:
            async with asyncio.timeout(None if fresh else self._request.first * _PATIENCE):
                self._stream = await self._vendor.opened(self._request, fresh=fresh)
        except TimeoutError:
            raise ProviderError(self._vendor.name, "timeout", retryable=True, detail="a silent connection") from None
        except Exception as error:
            raise self._explained(error) from None
        while not self._reader.began and not self._over:
            await self._step()

    async def _more(self) -> None:
        limit = min(self._request.gap, _GOODBYE) if self._reader.ended else self._request.gap
        try:
            async with asyncio.timeout(limit):
                await self._step()
        except TimeoutError:
            if not self._reader.ended:
                detail = f"nothing more in {limit:g} s"
                raise ProviderError(self._vendor.name, "timeout", retryable=True, detail=detail) from None
            await self._finish()

    async def _step(self) -> None:
        """Take the next event of the response, or its end."""
        stream = self._stream
        if stream is None:
            self._over = True
            return
        try:
            event = await stream.__anext__()
            self._parts.extend(self._reader.take(event))
        except StopAsyncIteration:
            await self._finish()
        except Exception as error:
            if not self._reader.ended or isinstance(error, ProviderError):
                raise self._explained(error) from None
            await self._finish()  # everything was said before the connection broke

    async def _finish(self) -> None:
        await self._drop()
        self._parts.extend(self._reader.finish())
        self._over = True

    def _explained(self, error: Exception) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        explained, self._pause = self._vendor.ready().explained(self._vendor.name, error)
        return explained

    async def _drop(self) -> None:
        """Close the response: at once, whatever the vendor does."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with suppress(Exception):
                async with asyncio.timeout(_CLOSE):
                    await stream.close()
