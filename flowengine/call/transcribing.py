"""The words of one stream: the transcriber's connection, what waits for it, and what is left when it is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack

from flowengine.call.ports import Expected, Heard, Transcriber, Transcription
from flowengine.errors import Bug, ProviderError

CONNECT = 5.0
"""Seconds that opening a stream's words may take."""

KEPT = 24000
"""Bytes of audio that wait while it is opened: 3 s."""


class Transcribing:
    """Opened when the call first expects words. Nothing of it raises: a loss is told once, by ``lost``."""

    def __init__(
        self,
        transcriber: Transcriber,
        call: str,
        heard: Callable[[Heard], None],
        lost: Callable[[str], None],
    ) -> None:
        self.dropped = 0  # bytes that came before it was open and did not fit
        self.over = False
        self._transcriber = transcriber
        self._call = call
        self._heard = heard
        self._lost = lost
        self._words: Transcription | None = None
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._expected: Expected | None = None
        self._speech: bool | None = None  # the last that the detector said: somebody speaks, or has stopped

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

    def _open(self, words: Transcription) -> None:
        self._words = words
        if self._expected is not None:
            words.expect(self._expected)
        while self._waiting:
            words.send(self._waiting.popleft())
        if self._speech is not None:
            words.began()
        if self._speech is False:
            words.finish()

    def _end(self, why: str) -> None:
        self.over = True
        self._words = None
        self._waiting.clear()
        self._lost(why)

    def send(self, audio: bytes) -> None:
        """Hand on µ-law audio, in order."""
        if self._words is not None:
            self._words.send(audio)
        elif not self.over:
            self._waiting.append(audio)
            self._bytes += len(audio)
            while self._bytes > KEPT:
                gone = len(self._waiting.popleft())
                self._bytes -= gone
                self.dropped += gone

    def expect(self, expected: Expected) -> None:
        """The call waits for something else."""
        self._expected = expected
        if self._words is not None:
            self._words.expect(expected)

    def began(self) -> None:
        """Somebody speaks."""
        self._speech = True
        if self._words is not None:
            self._words.began()

    def finish(self) -> None:
        """It is quiet."""
        self._speech = False
        if self._words is not None:
            self._words.finish()
