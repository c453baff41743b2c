from __future__ import annotations

import asyncio
import io
import math
import os
import wave
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from flowengine.audio import level, mulaw
from flowengine.audio.tones import sine
from flowengine.call.ports import Expected, Heard, Transcription
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.whisper import WhisperTranscriber, make
from tests.doubles.whisper_server import WhisperServer

T = TypeVar("T")
TONE = mulaw.encode(sine(440.0, 1.0))
MENU = Expected("en-GB", "choice", ("balance", "help"))


def run(what: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(10):
            return await what

    asyncio.run(asyncio.to_thread(int))  # the executor's own descriptors are there before they are counted
    before = len(os.listdir("/proc/self/fd"))
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    return found


async def said(stream: Transcription, heard: Any) -> Heard:
    """Say one second, and wait for what is made of it."""
    stream.began()
    stream.send(TONE)
    stream.finish()
    async with asyncio.timeout(5):
        found: Heard = await anext(heard)
    return found


def test_an_utterance_is_one_request() -> None:
    async def scenario() -> None:
        segments = [{"avg_logprob": -0.2, "no_speech_prob": 0.1}, {"avg_logprob": -0.4, "no_speech_prob": 0.0}]
        script = deque([{"text": ""}, {"text": " Balance, please. ", "segments": segments}])
        async with WhisperServer(script) as server:
            transcriber = make({"url": f"{server.url}/v1", "model": "small", "key": "secret"})
            await transcriber.start()
            async with transcriber.listen("call", MENU) as stream:
                stream.send(TONE * 2)
                heard = await said(stream, aiter(stream))
            await transcriber.aclose()
            await transcriber.aclose()
            assert (heard.kind, heard.text) == ("final", "Balance, please.")
            assert heard.confidence == pytest.approx(math.exp(-0.3))
            assert heard.began == pytest.approx(1.6)
            assert heard.ended == pytest.approx(3.0)
            form = server.requests[1]
            with wave.open(io.BytesIO(form.pop("file"))) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
                assert sound.getnframes() == 22400
                assert len(sound.readframes(22400)) == 44800
            assert form == {
                "model": "small",
                "response_format": "verbose_json",
                "temperature": "0",
                "language": "en",
                "prompt": "balance, help",
                "authorization": "Bearer secret",
            }
            assert server.connections == 1
            await server.until(lambda: server.open == 0)

    assert level.mulaw_dbfs(TONE) > -30
    run(scenario())


def heard_of(*script: Any, plain: bool = False, utterances: int = 1, **options: Any) -> tuple[list[Heard], list[Any]]:
    """What comes of some utterances, and the requests that it took."""

    async def scenario() -> tuple[list[Heard], list[Any]]:
        async with WhisperServer(deque(script), plain=plain) as server:
            transcriber = WhisperTranscriber(server.url, **options)
            try:
                async with transcriber.listen("call", MENU) as stream:
                    heard = aiter(stream)
                    return [await said(stream, heard) for _ in range(utterances)], server.requests
            finally:
                await transcriber.aclose()
                assert {task.get_name() for task in asyncio.all_tasks()} & {"utterances"} == set()

    return run(scenario())


def test_silence_that_it_dreams_about_is_nothing() -> None:
    dream = {"text": "Thanks for watching!", "segments": [{"avg_logprob": -1.4, "no_speech_prob": 0.8}]}
    ((heard,), _) = heard_of(dream)
    assert (heard.text, heard.confidence) == ("", 0.0)


def test_a_server_without_the_long_format_is_asked_for_the_short_one() -> None:
    heard, requests = heard_of({"text": "one"}, {"text": "two"}, plain=True, utterances=2)
    assert [each.text for each in heard] == ["one", "two"]
    assert [each["response_format"] for each in requests] == ["verbose_json", "json", "json"]


def test_a_refusal_of_one_request_is_none_of_the_long_format() -> None:
    async def scenario() -> None:
        async with WhisperServer(deque([400, 400])) as server:
            transcriber = WhisperTranscriber(server.url)
            with pytest.raises(ProviderError, match="rejected"):
                await transcriber.start()
            await transcriber.start()
            await transcriber.aclose()
            assert [each["response_format"] for each in server.requests] == ["verbose_json", "json", "verbose_json"]

    run(scenario())


@pytest.mark.parametrize("fault", [503, b"<html>", b"[]", b'{"text": 7}', "close"])
def test_one_failure_is_repeated_unnoticed(fault: Any) -> None:
    ((heard,), requests) = heard_of(fault, {"text": "help"})
    assert (heard.text, len(requests)) == ("help", 2)


def test_an_utterance_that_fails_has_no_words_and_the_next_one_has() -> None:
    heard, _ = heard_of(500, 500, {"text": "help"}, utterances=2)
    assert [each.text for each in heard] == ["", "help"]


@pytest.mark.parametrize(
    ("script", "utterances", "kind"),
    [
        ([401], 1, "rejected"),
        ([404], 1, "rejected"),
        ([429] * 3, 3, "quota"),
        ([503] * 6, 3, "unavailable"),
        ([b"no"] * 6, 3, "garbage"),
        (["hang"] * 3, 3, "timeout"),
    ],
)
def test_it_is_lost_where_nothing_helps(script: list[Any], utterances: int, kind: str) -> None:
    with pytest.raises(ProviderError) as caught:
        heard_of(*script, utterances=utterances, deadline=0.2 if kind == "timeout" else 5.0)
    assert caught.value.kind == kind
    assert "balance" not in str(caught.value)


def test_only_so_many_requests_are_under_way() -> None:
    async def scenario() -> None:
        async with WhisperServer(deque(["hang"] * 5)) as server:
            transcriber = WhisperTranscriber(server.url, at_once=2)
            streams = [transcriber.listen(str(number), MENU) for number in range(5)]
            for stream in streams:
                await stream.__aenter__()
                stream.began()
                stream.send(TONE)
                stream.finish()
            await server.until(lambda: server.busy == 2)
            assert len(server.requests) == 2
            for stream in streams:  # callers hang up while it hangs
                await stream.__aexit__(None, None, None)
            await transcriber.aclose()
            server.release.set()
            await server.until(lambda: server.open == 0)

    run(scenario())


class Inline(ThreadPoolExecutor):
    """Does at once what is given to it, so that the steps of a task can be counted."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As ``Executor.submit``."""
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_who_is_cancelled_gives_its_turn_back_whenever_that_is() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().set_default_executor(Inline())
        async with WhisperServer() as server:
            transcriber = WhisperTranscriber(server.url, deadline=2.0, at_once=1)
            await transcriber.start()
            for ticks in range(60):
                task = asyncio.create_task(transcriber.start())
                for _ in range(ticks):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            await transcriber.start()
            await transcriber.aclose()
            await server.until(lambda: server.busy == 0)

    run(scenario())


def test_half_of_a_character_is_replaced() -> None:
    async def scenario() -> None:
        async with WhisperServer(deque([{"text": "help"}])) as server:
            transcriber = WhisperTranscriber(server.url)
            async with transcriber.listen("call", Expected("en", "choice", ("help \ud83d",))) as stream:
                assert (await said(stream, aiter(stream))).text == "help"
            await transcriber.aclose()
            assert server.requests[0]["prompt"] == "help ?"

    run(scenario())


def test_who_says_more_than_is_understood_loses_the_oldest() -> None:
    async def scenario() -> None:
        async with WhisperServer(deque(["hang"])) as server:
            transcriber = WhisperTranscriber(server.url)
            async with transcriber.listen("call", MENU) as stream:
                for number in range(7):
                    stream.began()
                    stream.send(TONE)
                    stream.finish()
                    if number == 0:
                        await server.until(lambda: server.busy == 1)
                assert stream.skipped == 2
                heard = aiter(stream)
                assert [(await anext(heard)).ended for _ in range(2)] == [2.0, 3.0]
            await transcriber.aclose()

    run(scenario())


def test_a_very_long_utterance_loses_its_begin() -> None:
    async def scenario() -> None:
        async with WhisperServer(deque([{"text": "and so on"}])) as server:
            transcriber = WhisperTranscriber(server.url)
            async with transcriber.listen("call", MENU) as stream:
                stream.began()
                stream.send(TONE * 40)
                stream.finish()
                found = await anext(aiter(stream))
                assert (found.began, found.ended, stream.dropped) == (10.0, 40.0, 80000)
            await transcriber.aclose()

    run(scenario())


def test_nobody_listens() -> None:
    with pytest.raises(ProviderError) as caught:
        run(WhisperTranscriber("http://127.0.0.1:9").start())
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://[zz]", "http://xn--a", "http://127.0.0.1:99999999"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"speech\.transcriber\.url"):
        make({"url": url})
