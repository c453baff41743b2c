"""The words of one stream: the transcriber's connection, what waits for it, and what is left when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from flowengine.call.kept import Kept
from flowengine.call.ports import Expected, Heard, Metered, Transcriber, Transcription, Usage
from flowengine.errors import Bug, ProviderError

CONNECT = 8.0
"""Seconds that opening a stream's words may take."""

KEPT = 32000
"""Bytes of audio that wait while it is opened: 4 s, so that a connection may be tried twice."""


RATE = 8000


class Transcribing:
    """Opened when the call first expects words. Nothing of it raises: a loss is told once, by ``lost``."""

    def __init__(
        self,
        transcriber: Transcriber,
        call: str,
        heard: Callable[[Heard], None],
        lost: Callable[[str], None],
    ) -> None:
        self.over = False
        self._transcriber = transcriber
        self._call = call
        self._heard = heard
        self._lost = lost
        self._words: Transcription | None = None
        self._waiting = Kept(KEPT)
        self._expected: Expected | None = None
        self._told = 0  # bytes that it was given
        self._meter: Metered | None = None

    @property
    def dropped(self) -> int:
        """Bytes that came before it was open and did not fit."""
        return self._waiting.dropped

    async def run(self) -> None:
        """Take words until the stream ends (then this is cancelled) or the transcriber is lost.

        What is expected must have been said before.
        """
        if self._expected is None:
            raise Bug("nobody said what is expected")
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT):
                    words = await stack.enter_async_context(self._transcriber.listen(self._call, self._expected))
                self._open(words)
                # Bounded by the stream: the session cancels this, and a provider watches its own connection.
                async for heard in words:
                    self._heard(heard)
            self._end("closed")
        except ProviderError as error:
            self._end(error.kind)
        except TimeoutError:
            self._end("timeout")

    def used(self) -> list[Usage]:
        """Give what was used of it so far; of one that does not say, the seconds that it was given."""
        if self._meter is not None:
            return self._meter.used()
        return [Usage(self._transcriber.name, seconds=round(self._told / RATE, 3))] if self._told else []

    def _open(self, words: Transcription) -> None:
        self._words = words
        self._meter = words if isinstance(words, Metered) else None
        self._told += self._waiting.size
        if self._expected is not None:
            words.expect(self._expected)
        self._waiting.tell(words)
        self._waiting.clear()

    def _end(self, why: str) -> None:
        self.over = True
        self._words = None
        self._waiting.clear()
        self._lost(why)

    def send(self, audio: bytes) -> None:
        """Hand on µ-law audio, in order."""
        if self._words is not None:
            self._told += len(audio)
            self._words.send(audio)
        elif not self.over:
            self._waiting.add(audio)

    def expect(self, expected: Expected) -> None:
        """The call waits for something else."""
        self._expected = expected
        if self._words is not None:
            self._words.expect(expected)

    def began(self) -> None:
        """Somebody speaks."""
        if self._words is not None:
            self._words.began()
        elif not self.over:
            self._waiting.add(True)

    def finish(self) -> None:
        """It is quiet."""
        if self._words is not None:
            self._words.finish()
        elif not self.over:
            self._waiting.add(False)
