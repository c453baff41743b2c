from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.call.ports import SpeechRequest
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.openai_speech import OpenAISpeech, make
from tests.doubles.openai_server import SPEECH, OpenAIServer
from tests.doubles.vendor_http import Abort, Asked, Hang, Refuse
from tests.providers.leaks import run

ASKED = SpeechRequest("Your order is on its way.", "default", "en-GB", 1.0)
TONE = (np.sin(np.arange(24000) * 2 * np.pi * 440 / 24000) * 8000).astype("<i2").tobytes()  # a second


@asynccontextmanager
async def voice(*script: Any, **options: Any) -> AsyncIterator[tuple[OpenAISpeech, OpenAIServer]]:
    """A voice that is started, and the server that it asks."""
    async with OpenAIServer(deque(script)) as server:
        server.path = SPEECH
        made = OpenAISpeech("the-key", url=f"{server.url}/v1", **options)
        await made.start()
        await made.start()
        try:
            yield made, server
        finally:
            await made.aclose()
            await made.aclose()
            await server.until(lambda: server.open == 0)


async def sound(made: OpenAISpeech, request: SpeechRequest = ASKED) -> bytes:
    audio = b""
    async for chunk in made.speak(request):
        assert isinstance(chunk, bytes)
        audio += chunk
    return audio


def test_it_speaks_at_the_rate_of_the_line_however_the_stream_is_cut() -> None:
    async def scenario() -> bytes:
        pieces = [TONE[:1], TONE[1:4097], TONE[4097:4098], TONE[4098:]]
        async with voice(pieces, [TONE]) as (made, server):
            audio = await sound(made)
            assert await sound(made, SpeechRequest("Hi", "ash", "en", 9.0)) == audio
            assert server.invalid == []
            assert server.connections == 1
            one, two = (asked.body for asked in server.requests)
            told = {"model": "gpt-4o-mini-tts", "voice": "marin", "response_format": "pcm"}
            assert one == {**told, "input": "Your order is on its way."}
            assert two == {**told, "input": "Hi", "voice": "ash", "speed": 4.0}
            return audio

    resampler = Resampler(24000, 8000)
    pcm = np.frombuffer(TONE, "<i2")
    expected = mulaw.encode(np.concatenate((resampler.process(pcm), resampler.flush())))
    assert run(scenario()) == expected
    assert len(expected) == 8000


@pytest.mark.parametrize("fault", [Refuse(503), Abort(), [b""]])
def test_one_failure_before_the_first_audio_is_mended(fault: Any) -> None:
    async def scenario() -> None:
        async with voice(fault if fault != [b""] else [], [TONE]) as (made, server):
            assert len(await sound(made)) == 8000
            assert len(server.requests) == 2

    run(scenario())


@pytest.mark.parametrize(
    ("script", "kind", "requests"),
    [
        ([Refuse(401)], "rejected", 1),
        ([Refuse(429)], "quota", 1),
        ([Refuse(500)] * 2, "unavailable", 2),
        ([[b"RIFF1234WAVE"]], "garbage", 1),
        ([[Hang()]], "timeout", 1),
        ([[TONE, Hang()]], "timeout", 1),
        ([[TONE, Abort()]], "unavailable", 1),
    ],
)
def test_it_fails_where_nothing_helps(script: list[Any], kind: str, requests: int) -> None:
    async def scenario() -> None:
        async with voice(*script, first=0.3, gap=0.2) as (made, server):
            with pytest.raises(ProviderError) as caught:
                await sound(made)
            assert (caught.value.kind, len(server.requests)) == (kind, requests)
            assert "order" not in str(caught.value)
            server.script.append([TONE])
            assert len(await sound(made)) == 8000

    run(scenario())


def test_who_leaves_closes_the_connection() -> None:
    async def scenario() -> None:
        async with voice([TONE, Hang()]) as (made, server), aclosing(made.speak(ASKED)) as speech:
            assert await anext(speech)
            generator: Any = speech
            held = generator.ag_frame.f_locals["response"]  # so that nothing but leaving closes it
            await speech.aclose()
            await server.until(lambda: server.broken == 1)
            assert held.is_closed

    run(scenario())


def test_a_call_that_ends_while_it_waits_leaves_nothing() -> None:
    async def scenario() -> None:
        async with voice([Hang()]) as (made, server):
            task = asyncio.create_task(sound(made))
            await server.until(lambda: server.requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until(lambda: server.broken == 1)

    run(scenario())


def test_who_is_not_started_says_so() -> None:
    with pytest.raises(ProviderError, match="not started"):
        run(sound(OpenAISpeech("the-key")))


def test_nothing_of_it_is_logged_however_much_is(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with voice([TONE]) as (made, _):
            await sound(made)

    caplog.set_level(logging.DEBUG)
    run(scenario())
    assert caplog.records
    for secret in ("order", "the-key"):
        assert secret not in caplog.text


def test_a_key_is_needed_where_one_is() -> None:
    with pytest.raises(EnvironmentProblem, match="key"):
        make({})
    made = make({"url": "http://127.0.0.1:8880/v1", "model": "kokoro", "voice": "af_sky"})
    assert made.version == "http://127.0.0.1:8880/v1 kokoro af_sky/1"


@pytest.mark.parametrize("first", [0x7B, 0x017B, -133])  # the first byte is that of a brace, or nearly
def test_sound_may_begin_with_any_byte(first: int) -> None:
    async def scenario() -> None:
        async with voice([np.int16(first).tobytes() + TONE[2:]]) as (made, _):
            assert len(await sound(made)) == 8000

    run(scenario())


class Telling(OpenAIServer):
    """Answers with JSON where sound is asked for."""

    def streams(self, asked: Asked) -> bool:
        """As ``VendorServer.streams``."""
        return False

    def whole(self, asked: Asked, answer: list[Any]) -> bytes:
        """As ``VendorServer.whole``."""
        return b" " + json.dumps({"audio": "it says"}).encode()


def test_json_is_no_sound() -> None:
    async def scenario() -> None:
        async with Telling() as server:
            server.path = SPEECH
            made = OpenAISpeech("the-key", url=f"{server.url}/v1")
            await made.start()
            with pytest.raises(ProviderError, match="no audio"):
                await sound(made)
            await made.aclose()

    run(scenario())


@pytest.mark.parametrize("body", [b'{"audio": "it says"}', b"RIFF1234WAVE"])
def test_what_says_to_be_sound_and_is_none(body: bytes) -> None:
    async def scenario() -> None:
        async with voice([body]) as (made, _):
            with pytest.raises(ProviderError, match="no audio"):
                await sound(made)

    run(scenario())


def test_half_of_a_character_is_replaced() -> None:
    async def scenario() -> None:
        async with voice([TONE]) as (made, server):
            await sound(made, SpeechRequest("Great \ud83d news, \ud83d\ude00.", "ann\ud83d", "en", 1.0))
            assert server.requests[0].body["input"] == "Great \ufffd news, \U0001f600."

    run(scenario())


def test_who_is_cancelled_gives_its_turn_back_whenever_that_is() -> None:
    async def scenario() -> None:
        async with voice(at_once=1) as (made, server):
            server.choose = lambda asked: [TONE[:480]]
            assert await sound(made)
            for ticks in range(60):
                task = asyncio.create_task(sound(made))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert await sound(made)

    run(scenario())


def test_so_many_texts_are_spoken_at_a_time() -> None:
    async def scenario() -> None:
        async with voice([TONE, Hang()], first=0.3, at_once=1) as (made, server):
            async with aclosing(made.speak(ASKED)) as speech:
                assert await anext(speech)
                with pytest.raises(ProviderError, match="timeout"):
                    await sound(made)
                assert len(server.requests) == 1
            server.script.append([TONE])
            assert len(await sound(made)) == 8000

    run(scenario())


@pytest.mark.parametrize("url", ["127.0.0.1:8880", "https://", "http://xn--a", "http://127.0.0.1:99999999"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"speech\.synthesizer\.url"):
        make({"url": url})
