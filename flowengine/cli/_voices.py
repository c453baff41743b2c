"""The voices of a simulated caller: espeak-ng, as for prompts; what a script says is made before the call begins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flowengine.call.ports import SpeechRequest
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.local import LocalSynthesizer
from flowengine.testing.phone import prepare
from flowengine.testing.script import Script
from flowengine.testing.voices import Speak, Voices


@asynccontextmanager
async def local_speech() -> AsyncIterator[Speak]:
    """Speak texts; a voice is a language of espeak-ng with a variant: ``en-us+f3``, ``de``.

    Raises ``EnvironmentProblem`` when espeak-ng does not run.
    """
    synthesizer = LocalSynthesizer()

    async def speak(text: str, voice: str) -> bytes:
        lang, _, variant = voice.partition("+")
        request = SpeechRequest(text, variant or "default", lang, 1.0)
        try:
            return b"".join([chunk async for chunk in synthesizer.speak(request)])
        except ProviderError as error:
            if error.kind == "rejected":
                raise ValueError(f"voice {voice!r}: {error}") from error
            raise EnvironmentProblem(str(error)) from error

    try:
        yield speak
    finally:
        await synthesizer.aclose()


async def prepared(script: Script, name: str = "") -> Voices:
    """Make what a script says; the voices keep it, and can say nothing else afterwards.

    ``name`` is the script's file, for what can not be said. Raises ``ValueError`` and ``EnvironmentProblem``.
    """
    async with local_speech() as speak:
        voices = Voices(speak)
        await prepare(script, voices, name)
        return voices
