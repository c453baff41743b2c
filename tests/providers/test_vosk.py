from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import pytest

from flowengine.audio import mulaw
from flowengine.call.ports import Expected, Heard, Transcription
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.vosk import VoskTranscriber, make
from tests.doubles.vosk_server import VoskServer

T = TypeVar("T")
FRAME = bytes([0x80]) * 160
MENU = Expected("en", "choice", ("Balance", "the help"))


def run(what: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(10):
            return await what

    before = len(os.listdir("/proc/self/fd"))
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    return found


def say(stream: Transcription, frames: int) -> None:
    for _ in range(frames):
        stream.send(FRAME)


async def next_final(stream: Transcription) -> Heard:
    async with asyncio.timeout(5):
        async for heard in stream:
            if heard.kind == "final":
                return heard
    raise AssertionError("it ended")


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task() and "vosk" in task.get_name()}


def _has_taken(server: VoskServer, messages: int) -> bool:
    return bool(server.connections) and server.connections[0].messages >= messages


def test_an_utterance_has_its_words_and_its_place() -> None:
    async def scenario() -> None:
        async with VoskServer(says=deque(["balance please", ""])) as server:
            transcriber = make({"url": server.url})
            await transcriber.start()
            async with transcriber.listen("call", MENU) as stream:
                say(stream, 50)
                stream.began()
                say(stream, 25)
                stream.finish()
                heard = await next_final(stream)
                assert (heard.text, heard.confidence) == ("balance please", 0.9)
                # One second was sent, of which the last 400 ms count; the words lie 0 to 0.9 s after that.
                assert heard.began == pytest.approx(0.6)
                assert heard.ended == pytest.approx(1.5)
                told = server.connections[1]
                assert told.configs == [
                    {"sample_rate": 8000, "words": 1, "phrase_list": ["balance", "the help", "[unk]"]}
                ]
                assert bytes(told.audio) == mulaw.decode(FRAME * 45).tobytes()
                assert told.messages == 12  # four frames each
                stream.expect(Expected("en"))
                stream.began()
                say(stream, 10)
                stream.finish()
                assert await next_final(stream) == Heard("final", "", 1.5, 1.7, 0.0)
                assert server.connections[2].configs[0]["phrase_list"] == []
            assert not others()
            await transcriber.aclose()
            await server.until(lambda: server.open == 0)

    run(scenario())


def test_what_the_server_itself_ends_comes_at_once_and_only_once() -> None:
    async def scenario() -> None:
        faults = deque(["result:5"])
        async with (
            VoskServer(says=deque(["my account", "[unk] balance"]), faults=faults) as server,
            VoskTranscriber(server.url).listen("call", MENU) as stream,
        ):
            heard = aiter(stream)
            stream.began()
            say(stream, 8)
            assert await anext(heard) == Heard("interim", "my", 0.0)
            say(stream, 22)
            assert [found.text async for found in until_final(heard)][-1] == "my account"
            stream.finish()
            assert [found.text async for found in until_final(heard)][-1] == "balance"

    run(scenario())


async def until_final(heard: Any) -> Any:
    async for each in heard:
        yield each
        if each.kind == "final":
            return


def test_a_lost_connection_is_replaced_and_hears_again() -> None:
    async def scenario() -> None:
        async with VoskServer(says=deque(["help"]), faults=deque(["close:3", "garbage:2"])) as server:
            async with VoskTranscriber(server.url).listen("call", MENU) as stream:
                stream.began()
                say(stream, 20)
                stream.finish()
                assert (await next_final(stream)).text == "help"
                assert stream.reconnects == 2
                assert bytes(server.connections[2].audio) == mulaw.decode(FRAME * 20).tobytes()
            assert not others()

    run(scenario())


def test_only_three_seconds_are_heard_again() -> None:
    async def scenario() -> None:
        async with (
            VoskServer(says=deque(["help"]), faults=deque(["close:100"])) as server,
            VoskTranscriber(server.url).listen("call", MENU) as stream,
        ):
            stream.began()
            for sent in range(1, 101):
                say(stream, 4)
                await server.until(partial(_has_taken, server, sent))
            stream.finish()
            assert (await next_final(stream)).text == "help"
            assert len(server.connections[1].audio) == 3 * 16000
            assert stream.dropped == 0

    run(scenario())


def test_what_the_server_can_not_take_in_time_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        async with (
            VoskServer(says=deque(["help"])) as server,
            VoskTranscriber(server.url).listen("call", MENU) as stream,
        ):
            stream.began()
            say(stream, 500)  # ten seconds, before anything could be sent
            stream.finish()
            heard = await next_final(stream)
            assert heard.text == "help"
            assert heard.began == pytest.approx(7.0)
            assert len(server.connections[0].audio) == 3 * 16000
            assert stream.dropped == 7 * 8000

    run(scenario())


@pytest.mark.parametrize("fault", ["close:1", "garbage:1", "503"])
def test_it_gives_up(fault: str) -> None:
    async def scenario() -> None:
        async with VoskServer(faults=deque(["", *[fault] * 9])) as server:
            server.faults[0] = fault if fault != "503" else "close:1"
            async with VoskTranscriber(server.url).listen("call", MENU) as stream:
                stream.began()
                say(stream, 20)
                stream.finish()
                with pytest.raises(ProviderError) as caught:
                    await next_final(stream)
                assert caught.value.kind == ("garbage" if "garbage" in fault else "unavailable")
                assert server.tries == 3
                say(stream, 2000)  # what comes then disturbs nobody
            assert not others()

    run(scenario())


def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async def scenario() -> None:
        async with (
            VoskServer(faults=deque(["hang"] * 3)) as server,
            VoskTranscriber(server.url, answer_within=0.15).listen("call", MENU) as stream,
        ):
            stream.began()
            say(stream, 20)
            stream.finish()
            with pytest.raises(ProviderError) as caught:
                await next_final(stream)
            assert caught.value.kind == "timeout"

    run(scenario())


def test_a_quiet_caller_is_no_timeout() -> None:
    async def scenario() -> None:
        async with (
            VoskServer(says=deque(["help"])) as server,
            VoskTranscriber(server.url, answer_within=0.15).listen("call", MENU) as stream,
        ):
            stream.began()
            say(stream, 8)
            await asyncio.to_thread(asyncio.run, server_idle())
            stream.finish()
            assert (await next_final(stream)).text == "help"
            assert stream.reconnects == 0

    async def server_idle() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await asyncio.Event().wait()

    run(scenario())


def test_leaving_does_not_wait_for_a_server_that_hangs() -> None:
    async def scenario() -> float:
        async with VoskServer(faults=deque(["hang"])) as server:
            async with VoskTranscriber(server.url).listen("call", MENU) as stream:
                stream.began()
                say(stream, 20)
                stream.finish()
                await server.until(lambda: server.connections and server.connections[0].ended)
                begun = asyncio.get_running_loop().time()
            assert not others()
            return asyncio.get_running_loop().time() - begun

    assert run(scenario()) < 2.5


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [("401", "rejected", False), ("429", "quota", True), ("503", "unavailable", True), ("mute", "timeout", True)],
)
def test_a_start_that_fails_says_why(fault: str, kind: str, retryable: bool) -> None:
    async def scenario() -> None:
        async with VoskServer(faults=deque([fault])) as server:
            with pytest.raises(ProviderError) as caught:
                await VoskTranscriber(server.url, connect_within=0.3).start()
            assert (caught.value.kind, caught.value.retryable) == (kind, retryable)

    run(scenario())


def test_nobody_listens() -> None:
    async def scenario() -> None:
        with pytest.raises(ProviderError) as caught:
            await VoskTranscriber("ws://127.0.0.1:9").start()
        assert caught.value.kind == "unavailable"

    run(scenario())


def test_an_address_that_is_none() -> None:
    with pytest.raises(EnvironmentProblem, match=r"speech\.transcriber\.url"):
        make({"url": "http://127.0.0.1"})


@pytest.mark.parametrize("url", ["ws://a..b", "wss://127.0.0.1:99999999"])
def test_an_address_that_can_not_be_used(url: str) -> None:
    with pytest.raises(ProviderError, match=r"speech\.transcriber\.url"):
        run(make({"url": url}).start())


def test_what_callers_say_is_not_logged_however_much_is(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with (
            VoskServer(says=deque(["my number is seven"])) as server,
            VoskTranscriber(server.url).listen("call", MENU) as stream,
        ):
            stream.began()
            say(stream, 8)
            stream.finish()
            assert (await next_final(stream)).text == "my number is seven"

    caplog.set_level(logging.WARNING, logger="websockets.server")  # what the double logs is its own affair
    caplog.set_level(logging.DEBUG)
    run(scenario())
    assert caplog.records
    for secret in ("number", "seven", "Balance", "balance"):
        assert secret not in caplog.text
