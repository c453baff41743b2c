"""Words -> audio for all calls of a process: the prompt cache in memory and on disk, and what is shared in flight.

A voice that fails in a text, and might not the next time, is asked once more: for what it has not said, where somebody
hears it already; for all of it, where it is to be kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from flowengine.audio import mulaw
from flowengine.call.ports import AudioStore, SpeechRequest, SpokenWord, Substitute, Synthesizer, Usage
from flowengine.errors import ProviderError
from flowengine.runtime.clauses import speaks, unspoken
from flowengine.runtime.effects import Part, Pause, Recording, Speech

log = logging.getLogger("flowengine.call")

RATE = 8000
MAX_BYTES = 64 << 20
DEADLINE = 10.0

Spawn = Callable[[Coroutine[Any, Any, bytes], str], asyncio.Task[bytes]]
Meter = Callable[[Usage], None]
"""Is told what a call uses of a voice."""


class Voice:
    """Gives the audio of prompts. Constant words are rendered once; words out of a template never go to disk."""

    def __init__(self, synthesizer: Synthesizer, store: AudioStore | None, spawn: Spawn) -> None:
        self.synthesizer = synthesizer
        self.files: dict[str, bytes] = {}
        self._store = store
        self._spawn = spawn
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._flight: dict[str, asyncio.Task[bytes]] = {}

    def ready(self, part: Part) -> bytes | None:
        """Give a part's audio if it is at hand without waiting."""
        if isinstance(part, Pause):
            return bytes([mulaw.SILENCE]) * round(part.seconds * RATE)
        if isinstance(part, Recording):
            audio = self.files.get(part.file)
            if audio is not None:
                return audio
            return self.ready(part.words) if part.words else b""
        return self._remembered(self._key(part)) if part.constant else None

    async def audio(self, part: Part, meter: Meter) -> AsyncGenerator[bytes, None]:
        """Yield a part's audio as it comes; raises ``ProviderError``. ``meter`` is told what is spoken for it alone."""
        audio = self.ready(part)
        if audio is not None:
            yield audio
            return
        words = part.words if isinstance(part, Recording) else part
        if not isinstance(words, Speech):
            return
        if words.constant:
            yield await self.render(words)
            return
        # Closed by hand: a prompt that is cut cancels its request now, not when the collector comes by.
        async with aclosing(self.spoken(_request(words), meter)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, bytes):
                    yield chunk

    async def spoken(
        self, request: SpeechRequest, meter: Meter
    ) -> AsyncGenerator[bytes | SpokenWord | Substitute, None]:
        """As ``Synthesizer.speak``; raises ``ProviderError`` when it fails twice, or can not but fail."""
        progress = _Progress(request.text, self.synthesizer.name, meter)
        for last in (False, True):
            try:
                async with aclosing(self.synthesizer.speak(replace(request, text=progress.rest()))) as chunks:
                    async for chunk in chunks:
                        yield progress.take(chunk)
                return
            except ProviderError as error:
                progress.failed()
                self._again(error, last=last)
            if not speaks(progress.rest()):
                return

    def _again(self, error: ProviderError, *, last: bool) -> None:
        if last or not error.retryable:
            raise error
        log.warning("%s failed (%s) and is asked once more", self.synthesizer.name, error.kind)

    async def render(self, words: Speech) -> bytes:
        """Give the whole audio of constant words: from memory, from disk, or rendered once for all who wait."""
        key = self._key(words)
        audio = self._remembered(key)
        if audio is not None:
            return audio
        task = self._flight.get(key)
        if task is None:
            task = self._spawn(self._fetch(key, words), f"render {key[:8]}")
            self._flight[key] = task
            task.add_done_callback(lambda _: self._flight.pop(key, None))
        # Shielded: the hang-up of one call must not take the prompt from another that waits for the same words.
        return await asyncio.shield(task)

    async def _fetch(self, key: str, words: Speech) -> bytes:
        stored = await self._store.get(key) if self._store else None
        if stored is not None:
            self._remember(key, stored)
            return stored
        try:
            async with asyncio.timeout(DEADLINE):
                try:
                    chunks = [chunk async for chunk in self.synthesizer.speak(_request(words))]
                except ProviderError as error:
                    self._again(error, last=False)
                    chunks = [chunk async for chunk in self.synthesizer.speak(_request(words))]
        except TimeoutError:
            raise ProviderError(self.synthesizer.name, "timeout", retryable=True) from None
        audio = b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
        if any(isinstance(chunk, Substitute) for chunk in chunks):
            return audio
        self._remember(key, audio)
        if self._store:
            await self._store.put(key, audio)
        return audio

    def _key(self, words: Speech) -> str:
        parts = (self.synthesizer.name, self.synthesizer.version, words.voice, words.lang, str(words.rate), "ulaw8000")
        return hashlib.sha256("\0".join((*parts, words.text)).encode()).hexdigest()

    def _remembered(self, key: str) -> bytes | None:
        audio = self._memory.get(key)
        if audio is not None:
            self._memory.move_to_end(key)
        return audio

    def _remember(self, key: str, audio: bytes) -> None:
        if key in self._memory:
            return
        self._memory[key] = audio
        self._bytes += len(audio)
        while self._bytes > MAX_BYTES:
            _, oldest = self._memory.popitem(last=False)
            self._bytes -= len(oldest)


class _Progress:
    """How far a text is spoken, and by whom."""

    def __init__(self, text: str, by: str, meter: Meter) -> None:
        self._text = text
        self._first = self._by = by
        self._meter = meter
        self._metered = False  # what is spoken now
        self._samples = 0
        self._begun = 0.0  # seconds of which the present request is the rest
        self._words: list[tuple[str, float, float]] = []

    def rest(self) -> str:
        """Give what is not spoken yet."""
        return unspoken(self._text, self._words, self._samples / RATE) if self._samples else self._text

    def take(self, chunk: bytes | SpokenWord | Substitute) -> bytes | SpokenWord | Substitute:
        """Take what comes, and give it with its time in the whole text."""
        if isinstance(chunk, Substitute):
            for name in chunk.failed:
                self._meter(Usage(name, failed=1))
            self._by, self._metered = chunk.name, False
            return chunk
        if not self._metered:
            self._metered = True
            self._meter(Usage(self._by, characters=len(self.rest())))
        if isinstance(chunk, bytes):
            self._samples += len(chunk)
            return chunk
        word = SpokenWord(chunk.text, self._begun + chunk.begin, self._begun + chunk.end)
        self._words.append((word.text, word.begin, word.end))
        return word

    def failed(self) -> None:
        """The request failed: the next one is for the rest."""
        self._meter(Usage(self._by, failed=1))
        self._by, self._metered = self._first, False
        self._begun = self._samples / RATE
        self._words = [word for word in self._words if word[1] < self._begun]


def _request(words: Speech) -> SpeechRequest:
    return SpeechRequest(words.text, words.voice, words.lang, words.rate)
