"""One espeak-ng for prompts and callers, that answers at once on any clock, virtual ones included.

It lives on a loop of its own in a thread; who asks waits, so that on a virtual clock no time passes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from flowengine.call.ports import SpeechRequest
from flowengine.errors import ProviderError
from flowengine.providers.local import LocalSynthesizer

WITHIN = 30.0


class ThreadedVoice:
    """The port ``Synthesizer``, and ``voices.Speak``; what was spoken once is kept."""

    name = "local"
    version = "threaded"

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._synthesizer = LocalSynthesizer()
        self._kept: dict[SpeechRequest, bytes] = {}

    async def start(self) -> None:
        """It starts when it is needed."""

    async def aclose(self) -> None:
        """Who opened it closes it (``opened``): it serves one application after another."""

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        """See the port."""
        yield self._ask(request)

    async def say(self, text: str, voice: str) -> bytes:
        """Speak as a caller: a voice is a language and a variant, such as ``en-us+f3``."""
        lang, _, variant = voice.partition("+")
        try:
            return self._ask(SpeechRequest(text, variant or "default", lang, 1.0))
        except ProviderError as error:
            raise ValueError(f"voice {voice!r}: {error}") from error

    def _ask(self, request: SpeechRequest) -> bytes:
        if request not in self._kept:
            asked = asyncio.run_coroutine_threadsafe(self._all(request), self._loop)
            self._kept[request] = asked.result(WITHIN)
        return self._kept[request]

    async def _all(self, request: SpeechRequest) -> bytes:
        return b"".join([chunk async for chunk in self._synthesizer.speak(request)])

    def close(self) -> None:
        """End its process."""
        asyncio.run_coroutine_threadsafe(self._synthesizer.aclose(), self._loop).result(WITHIN)


@contextmanager
def opened() -> Iterator[ThreadedVoice]:
    """Have a voice for a while."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="voice", daemon=True)
    thread.start()
    voice = ThreadedVoice(loop)
    try:
        yield voice
    finally:
        voice.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(WITHIN)
        loop.close()
