"""What the world is to a call: the ports that the shell talks to and that providers, store and server implement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One piece of text to be spoken.

    ``voice`` is the provider's name of a voice (``default`` is its own choice), ``lang`` a BCP 47 tag, ``rate`` a
    factor of the normal speaking rate (1.0 is normal, 1.2 a fifth faster).
    """

    text: str
    voice: str
    lang: str
    rate: float


class Synthesizer(Protocol):
    """Turns text into audio. One object serves all calls of a process.

    ``name`` and ``version`` are part of the prompt cache's key: a new version never plays an old version's audio.
    """

    name: str
    version: str

    async def start(self) -> None:
        """Make ready to speak; raises ``ProviderError`` when that is impossible. Bounded by its own deadline."""

    async def aclose(self) -> None:
        """Release processes and sockets; safe to call twice. Bounded by its own deadline."""

    def speak(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """Yield G.711 µ-law at 8000 Hz, mono, in chunks of any size; raises ``ProviderError``.

        Closing the iterator early cancels the request and discards what was not yielded.
        """
