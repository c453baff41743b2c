"""A model that is asked before the turn is surely over: the answer waits, and is thrown away when the caller goes on.

Transcribers that hear ends of turns say first that a turn is likely over, some 150 to 250 ms before they are sure. What
the call would ask then is what it asks in the end, nearly always; an answer that was begun then has a head start.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

from flowengine.call.ports import Answer, Called, LanguageModel, Metered, ModelRequest, Said, Usage
from flowengine.errors import ProviderError

WAITING = 1000  # parts of an answer that wait: then the model has to


def used(answer: Answer) -> list[Usage]:
    """Give what an answer used, so far, of whoever was asked for it."""
    return answer.used() if isinstance(answer, Metered) else [answer.usage]


class Ahead:
    """One answer that is under way and may not be wanted."""

    def __init__(
        self,
        model: LanguageModel,
        request: ModelRequest,
        spawn: Callable[[Coroutine[object, object, None], str], asyncio.Task[None]],
    ) -> None:
        self._model = model
        self._answer: Answer | None = None
        self._request = request
        self._parts: asyncio.Queue[Said | Called | ProviderError | None] = asyncio.Queue(WAITING)
        self._task = spawn(self._read(), "think ahead")

    @property
    def usage(self) -> Usage:
        """What was used of who answers."""
        return self._answer.usage if self._answer is not None else Usage(self._model.name, self._request.model)

    def used(self) -> list[Usage]:
        """As ``Metered.used``."""
        return used(self._answer) if self._answer is not None else []

    def fits(self, model: LanguageModel, request: ModelRequest) -> bool:
        """Say whether this is the answer to what is asked now."""
        return model is self._model and request == self._request

    def drop(self) -> None:
        """Nobody wants it."""
        self._task.cancel()

    async def _read(self) -> None:
        try:
            async with self._model.answer(self._request) as answer:
                self._answer = answer
                async for part in answer:
                    await self._parts.put(part)
        except ProviderError as error:
            await self._parts.put(error)
        except TimeoutError:
            await self._parts.put(ProviderError(self._model.name, "timeout", retryable=True))
        else:
            await self._parts.put(None)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Answer]:
        """Take it over, as if it had been asked for only now; leaving it ends it."""
        try:
            yield self
        finally:
            self.drop()

    def __aiter__(self) -> Ahead:
        return self

    async def __anext__(self) -> Said | Called:
        # Bounded by the deadlines that the provider keeps while it reads.
        part = await self._parts.get()
        if isinstance(part, ProviderError):
            raise part
        if part is None:
            raise StopAsyncIteration
        return part
