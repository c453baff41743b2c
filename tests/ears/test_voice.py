from __future__ import annotations

import asyncio

import pytest

from flowengine.call.ports import SpeechRequest, Synthesizer
from flowengine.errors import ProviderError
from flowengine.testing import virtual_time
from tests.ears.voice import opened


def test_it_speaks_at_once_on_a_virtual_clock_and_the_same_on_a_real_one() -> None:
    with opened() as voice:
        port: Synthesizer = voice

        async def speak() -> bytes:
            await port.start()
            begin = asyncio.get_running_loop().time()
            chunks = port.speak(SpeechRequest("Hello.", "f3", "en-us", 1.0))
            audio = b"".join([chunk async for chunk in chunks if isinstance(chunk, bytes)])
            await port.aclose()
            assert asyncio.get_running_loop().time() - begin < 5
            return audio

        said = virtual_time.run(voice.say("Hello.", "en-us+f3"))
        assert len(said) > 2000
        assert virtual_time.run(speak()) == asyncio.run(speak()) == said


def test_a_voice_that_is_not_there() -> None:
    with opened() as voice:
        with pytest.raises(ValueError, match="voice 'xx'"):
            asyncio.run(voice.say("Hello.", "xx"))
        with pytest.raises(ProviderError):
            asyncio.run(anext(voice.speak(SpeechRequest("Hello.", "nobody", "en", 1.0))))
