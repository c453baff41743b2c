from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

import pytest

from flowengine.call.ports import SpeechRequest, SpokenWord, Synthesizer
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.cartesia import CartesiaSynthesizer, make
from tests.doubles.cartesia_server import CartesiaServer, tone

T = TypeVar("T")
VOICE = "6ccbfb76-1fc6-48f7-b71d-91ac6298247b"
PORT: type[Synthesizer] = CartesiaSynthesizer
HELLO = SpeechRequest("Hello there friend.", "default", "en-US", 1.0)


def run(what: Coroutine[Any, Any, T]) -> T:
    """Run a scenario, and see that it leaves nothing behind."""

    async def bounded() -> T:
        async with asyncio.timeout(10):
            found = await what
        left = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        assert not [name for name in left if "cartesia" in name]
        return found

    before, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads
    return found


class Ready:
    """A synthesizer that is started, and closed in the end."""

    def __init__(self, server: CartesiaServer, **options: Any) -> None:
        self.made = CartesiaSynthesizer("secret", VOICE, url=server.url, **options)

    async def __aenter__(self) -> CartesiaSynthesizer:
        await self.made.start()
        return self.made

    async def __aexit__(self, *error: object) -> None:
        await self.made.aclose()


async def spoken(voice: CartesiaSynthesizer, request: SpeechRequest = HELLO) -> tuple[bytes, list[SpokenWord]]:
    """All of a request."""
    audio, words = b"", []
    async with asyncio.timeout(5):
        async for part in voice.speak(request):
            if isinstance(part, bytes):
                audio += part
            else:
                words.append(part)
    return audio, words


async def begun(voice: CartesiaSynthesizer) -> AsyncGenerator[bytes | SpokenWord, None]:
    """A request whose first audio has come."""
    speech = voice.speak(HELLO)
    async with asyncio.timeout(5):
        while not isinstance(await anext(speech), bytes):
            pass
    return speech


async def failed(voice: CartesiaSynthesizer, request: SpeechRequest = HELLO) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await spoken(voice, request)
    assert "secret" not in str(caught.value)
    assert "Hello" not in str(caught.value)
    return caught.value


def named(name: str) -> list[asyncio.Task[Any]]:
    """The tasks of a name."""
    return [task for task in asyncio.all_tasks() if task.get_name() == name]


async def lost(server: CartesiaServer) -> None:
    """Every socket is dropped, and we know it."""
    readers = named("cartesia-reader")
    server.drop()
    await asyncio.wait(readers, timeout=5)


def test_audio_comes_as_the_line_has_it_with_the_places_of_its_words() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server) as voice:
            audio, words = await spoken(voice)
            expected, places = tone("Hello there friend.")
            assert audio == expected
            assert words == [SpokenWord(each["text"], each["start"], each["end"]) for each in places]
            assert [round(word.begin, 2) for word in words] == [0.0, 0.3, 0.6]

    run(scenario())


def test_what_is_asked_for() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server) as voice:
            await spoken(voice)
            await spoken(voice, SpeechRequest("Hei på deg", "other", "nb-NO", 2.0))
            await spoken(voice, SpeechRequest("Hallo", "other", "", 0.1))
            first, second, third = server.requests
            assert first.pop("context_id") != second.pop("context_id")
            assert first == {
                "model_id": "sonic-3.5",
                "transcript": "Hello there friend.",
                "voice": {"mode": "id", "id": VOICE},
                "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
                "continue": False,
                "language": "en",
                "add_timestamps": True,
                "max_buffer_delay_ms": 0,
            }
            assert (second["voice"]["id"], second["language"]) == ("other", "no")
            assert (second["generation_config"], third["generation_config"]) == ({"speed": 1.5}, {"speed": 0.6})
            assert "language" not in third
            (headers, _) = [{name.lower(): value for name, value in each.items()} for each in server.headers]
            assert headers["authorization"] == "Bearer secret"
            assert "cartesia-version" in headers
            assert "sec-websocket-extensions" not in headers
            assert server.cancels == []

    run(scenario())


def test_nothing_to_say_is_nothing_to_ask_for() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server) as voice:
            for text in (" \n", "…", "“?!”", "👍"):
                assert await spoken(voice, SpeechRequest(text, "default", "en", 1.0)) == (b"", [])
            assert server.requests == []

    run(scenario())


def test_requests_share_the_sockets_and_each_gets_its_own_audio() -> None:
    async def scenario() -> None:
        async with CartesiaServer(speed=20.0) as server, Ready(server) as voice:
            texts = [f"one two {'three ' * number}" for number in range(20)]
            found = await asyncio.gather(*(spoken(voice, SpeechRequest(t, "default", "en", 1.0)) for t in texts))
            assert [audio for audio, _ in found] == [tone(text)[0] for text in texts]
            assert server.most == 20
            assert server.tries == 2

    run(scenario())


def test_audio_comes_before_all_of_it_is_spoken() -> None:
    async def scenario() -> None:
        async with CartesiaServer(speed=4.0, latency=0.05) as server, Ready(server) as voice:
            speech = await begun(voice)
            assert server.done == []
            await speech.aclose()

    run(scenario())


# --- leaving


def test_a_request_that_is_left_is_cancelled_and_its_late_audio_is_nobodys() -> None:
    async def scenario() -> None:
        async with CartesiaServer(speed=10.0) as server, Ready(server, shared=1) as voice:
            server.faults.extend(["late", ""])
            speech = await begun(voice)
            await speech.aclose()
            await server.until(lambda: server.cancels == [server.requests[0]["context_id"]])
            audio, _ = await spoken(voice)
            assert audio == tone("Hello there friend.")[0]
            await server.until(lambda: len(server.done) == 2)
            await spoken(voice)
            socket = voice._slots[0].socket
            assert socket is not None
            assert socket.late > 0
            assert socket.waiting == 0

    run(scenario())


def test_a_task_that_is_cancelled_before_its_first_audio_leaves_nothing() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server) as voice:
            server.faults.extend(["hang"] * 10)
            tasks = [asyncio.create_task(spoken(voice)) for _ in range(10)]
            await server.until(lambda: len(server.requests) == 10)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=5)
            assert all(task.cancelled() for task in tasks)
            await server.until(lambda: len(server.cancels) == 10)
            assert sum(slot.waiting for slot in voice._slots) == 0
            await spoken(voice)

    run(scenario())


def test_leaving_does_not_wait_for_a_server_that_does_not_read() -> None:
    async def scenario() -> float:
        async with CartesiaServer() as server:
            voice = CartesiaSynthesizer("k", VOICE, url=server.url)
            await voice.start()
            server.faults.append("deaf")
            task = asyncio.create_task(spoken(voice))
            await server.until(lambda: server.requests)
            begun = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.wait([task], timeout=5)
            left = asyncio.get_running_loop().time() - begun
            await voice.aclose()
            assert asyncio.get_running_loop().time() - begun < 2.5
            return left

    assert run(scenario()) < 0.6


# --- what goes wrong


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        ("error", "unavailable", True),
        ("error:400", "rejected", False),
        ("error:402", "quota", False),
        ("error:429", "quota", True),
        ("garbage", "garbage", True),
        ("abort", "unavailable", True),
        ("close:1001", "unavailable", True),
        ("close:1011", "unavailable", True),
        ("close:1008", "rejected", False),
        ("hang", "timeout", True),
        ("stall", "timeout", True),
        ("empty", "garbage", True),
    ],
)
def test_a_request_that_fails_says_why_and_the_next_one_is_spoken(fault: str, kind: str, retryable: bool) -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, first=0.15, gap=0.15, shared=1) as voice:
            server.faults.append(fault)
            error = await failed(voice)
            assert (error.provider, error.kind, error.retryable) == ("cartesia", kind, retryable)
            assert (await spoken(voice))[0] == tone("Hello there friend.")[0]
            again = kind in ("unavailable", "garbage", "rejected") and "error" not in fault and fault != "empty"
            assert server.tries == (2 if again or fault == "hang" else 1)

    run(scenario())


def test_an_error_without_a_context_is_everybodys() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, shared=1, gap=5.0) as voice:
            server.faults.extend(["stall", "hang", "hang", "error-all:503"])
            speech = await begun(voice)
            errors = await asyncio.gather(*(failed(voice) for _ in range(3)))
            assert [error.kind for error in errors] == ["unavailable"] * 3
            with pytest.raises(ProviderError, match="HTTP 503"):
                await anext(speech)
            await spoken(voice)
            assert server.tries == 1

    run(scenario())


def test_too_much_at_once_without_a_context_is_about_those_that_have_not_begun() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, shared=1, gap=5.0) as voice:
            server.faults.extend(["stall", "hang", "error-all:429", "error:500", "error-all:429"])
            speech = await begun(voice)
            waiting = asyncio.ensure_future(anext(speech))
            errors = await asyncio.gather(*(failed(voice) for _ in range(2)))
            assert [error.kind for error in errors] == ["quota"] * 2
            assert (await failed(voice)).kind == "unavailable"  # whatever came before it on the socket was taken
            assert not waiting.done()
            assert (await failed(voice)).kind == "quota"
            assert not waiting.done()
            server.drop()
            with pytest.raises(ProviderError, match="unavailable"):
                await waiting

    run(scenario())


def test_too_much_at_once_is_everybodys_where_all_have_begun() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, shared=1, gap=5.0) as voice:
            server.faults.extend(["stall", "then-all:429"])
            speech = await begun(voice)
            assert (await failed(voice)).kind == "quota"
            with pytest.raises(ProviderError, match="quota"):
                await anext(speech)

    run(scenario())


def test_a_lost_socket_wakes_everybody_and_the_next_request_opens_a_new_one() -> None:
    async def scenario() -> float:
        async with CartesiaServer() as server, Ready(server) as voice:
            server.faults.extend(["hang"] * 5)
            waiting = [asyncio.create_task(failed(voice)) for _ in range(5)]
            await server.until(lambda: len(server.requests) == 5)
            begun = asyncio.get_running_loop().time()
            server.drop()
            errors = await asyncio.gather(*waiting)
            took = asyncio.get_running_loop().time() - begun
            assert {error.kind for error in errors} == {"unavailable"}
            await spoken(voice)
            assert server.tries == 3
            return took

    assert run(scenario()) < 0.5


def test_a_half_open_socket_is_found_by_its_pings() -> None:
    async def scenario() -> None:
        pings = {"ping_every": 0.1, "ping_within": 0.1}
        async with CartesiaServer() as server, Ready(server, shared=1, first=5.0, **pings) as voice:
            server.faults.append("deaf")
            assert (await failed(voice)).kind == "unavailable"
            await spoken(voice)

    run(scenario())


def test_messages_of_a_new_kind_are_skipped() -> None:
    async def scenario() -> None:
        async with CartesiaServer(faults=deque(["unknown"])) as server, Ready(server, shared=1) as voice:
            assert (await spoken(voice))[0] == tone("Hello there friend.")[0]
            socket = voice._slots[0].socket
            assert socket is not None
            assert socket.unknown == 1

    run(scenario())


def test_a_slow_reader_disturbs_nobody() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, shared=1, gap=0.1) as voice:
            speech = await begun(voice)  # and nobody takes the rest
            await spoken(voice)
            rest = b"".join([part async for part in speech if isinstance(part, bytes)])
            assert tone("Hello there friend.")[0].endswith(rest)
            assert rest

    run(scenario())


def test_too_many_requests_are_told() -> None:
    async def scenario() -> None:
        async with CartesiaServer(faults=deque(["hang"] * 64)) as server, Ready(server, shared=1) as voice:
            waiting = [asyncio.create_task(spoken(voice)) for _ in range(64)]
            await server.until(lambda: len(server.requests) == 64)
            assert (await failed(voice)).kind == "unavailable"
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting, timeout=5)

    run(scenario())


# --- sockets


def test_idle_and_lost_sockets_are_replaced_before_they_are_needed() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, shared=1, idle=0.1, look=0.02) as voice:
            await server.until(lambda: server.tries >= 3)
            assert voice.replaced >= 1
            await spoken(voice)
        async with CartesiaServer() as server, Ready(server, shared=2, look=0.02) as voice:
            server.drop()
            await server.until(lambda: server.tries == 4)
            server.handshakes.extend(["503", "503"])
            server.drop()
            await server.until(lambda: server.tries == 8)
            await spoken(voice)
            assert server.tries == 8

    run(scenario())


def test_a_socket_that_is_used_is_not_replaced() -> None:
    async def scenario() -> None:
        async with CartesiaServer(speed=3.0) as server, Ready(server, shared=1, idle=0.1, look=0.02) as voice:
            tries = server.tries
            assert (await spoken(voice))[0] == tone("Hello there friend.")[0]
            assert server.tries <= tries + 1

    run(scenario())


def test_all_who_need_a_socket_wait_for_one_try_and_learn_how_it_failed() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, first=5.0, connect_within=0.3) as voice:
            server.handshakes.extend(["mute", "503"])
            await lost(server)
            errors = await asyncio.gather(*(failed(voice) for _ in range(6)))
            assert [error.kind for error in errors] == ["timeout"] * 6
            assert server.tries == 3
            errors = await asyncio.gather(*(failed(voice) for _ in range(6)))
            assert [error.kind for error in errors] == ["unavailable"] * 6
            assert server.tries == 4
            found = await asyncio.gather(*(spoken(voice) for _ in range(6)))
            assert {audio for audio, _ in found} == {tone("Hello there friend.")[0]}
            assert server.tries == 5

    run(scenario())


def test_a_socket_that_does_not_open_takes_no_longer_than_the_first_audio_may() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, first=0.3, connect_within=60.0) as voice:
            server.handshakes.append("mute")
            await lost(server)
            assert [(await failed(voice)).kind for _ in range(2)] == ["timeout"] * 2
            server.release.set()
            await asyncio.wait(named("cartesia-opening"), timeout=5)
            await spoken(voice)
            assert server.tries == 3  # over that one

    run(scenario())


def test_a_socket_that_nobody_waits_for_any_more_may_fail() -> None:
    async def scenario() -> None:
        untold: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: untold.append(context))
        async with CartesiaServer() as server, Ready(server, connect_within=0.3) as voice:
            server.handshakes.append("mute")
            await lost(server)
            waiting = asyncio.create_task(spoken(voice))
            await server.until(lambda: server.tries == 3)
            waiting.cancel()
            await asyncio.wait([waiting], timeout=5)
            assert waiting.cancelled()
            await asyncio.wait(named("cartesia-opening"), timeout=5)
            gc.collect()
            await spoken(voice)
        assert untold == []

    run(scenario())


def test_closing_ends_what_is_being_opened() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server, Ready(server, first=60.0, connect_within=60.0) as voice:
            server.handshakes.append("mute")
            await lost(server)
            waiting = [asyncio.create_task(failed(voice)) for _ in range(2)]
            await server.until(lambda: server.tries == 3)
            await voice.aclose()
            assert [error.kind for error in await asyncio.gather(*waiting)] == ["unavailable"] * 2

    run(scenario())


def test_closing_ends_what_is_open() -> None:
    async def scenario() -> None:
        async with CartesiaServer(faults=deque(["hang"])) as server:
            voice = CartesiaSynthesizer("k", VOICE, url=server.url)
            await voice.start()
            waiting = asyncio.create_task(failed(voice))
            await server.until(lambda: server.requests)
            await voice.aclose()
            assert (await waiting).kind == "unavailable"
            assert not (await failed(voice)).retryable
            await voice.aclose()
            await server.until(lambda: server.open == 0)

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        ("401", "rejected", False),
        ("402", "quota", False),
        ("429", "quota", True),
        ("503", "unavailable", True),
        ("mute", "timeout", True),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(fault: str, kind: str, retryable: bool) -> None:
    async def scenario() -> None:
        async with CartesiaServer(handshakes=deque(["", fault])) as server:
            voice = CartesiaSynthesizer("secret", VOICE, url=server.url, connect_within=0.2)
            with pytest.raises(ProviderError) as caught:
                await voice.start()
            assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
            await server.until(lambda: server.open == 0 or fault == "mute")

    run(scenario())


def test_nobody_listens_or_nobody_started_it() -> None:
    async def scenario() -> None:
        with pytest.raises(ProviderError, match="unavailable"):
            await CartesiaSynthesizer("k", VOICE, url="http://127.0.0.1:9").start()
        with pytest.raises(ProviderError, match="not started"):
            await spoken(CartesiaSynthesizer("k", VOICE))

    run(scenario())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"voice": VOICE}, r"speech\.synthesizer\.key is empty"),
        ({"key": "k"}, r"speech\.synthesizer\.voice is empty"),
        ({"key": "k", "voice": VOICE, "url": "nowhere"}, r"speech\.synthesizer\.url must be"),
    ],
)
def test_settings_that_can_not_be(options: dict[str, str], why: str) -> None:
    with pytest.raises(EnvironmentProblem, match=why):
        make(options)


def test_another_model_or_voice_is_another_version() -> None:
    assert make({"key": "k", "voice": VOICE}).version == f"sonic-3.5/{VOICE}/1"
    assert make({"url": "https://c.example", "voice": "v", "model": "sonic-3"}).version == "sonic-3/v/1"
