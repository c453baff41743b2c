from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from flowengine.call.ports import SpeechRequest, SpokenWord
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.elevenlabs import ElevenLabs, make
from flowengine.providers.elevenlabs_socket import Alignment, Message, Utterance
from tests.doubles.elevenlabs_server import CHUNK, ElevenLabsServer
from tests.providers.leaks import run

ASKED = SpeechRequest("Your order left.", "default", "en-GB", 1.0)


@asynccontextmanager
async def voice(*faults: str, **options: Any) -> AsyncIterator[tuple[ElevenLabs, ElevenLabsServer]]:
    """A voice that is started, and the server that it asks."""
    async with ElevenLabsServer(faults=deque(faults)) as server:
        made = ElevenLabs("the-key", url=server.url, **options)
        await made.start()
        await made.start()
        try:
            yield made, server
        finally:
            await made.aclose()
            await made.aclose()
            await server.until(lambda: server.open == 0)


async def heard(made: ElevenLabs, request: SpeechRequest = ASKED) -> tuple[bytes, list[SpokenWord]]:
    """The audio and the words of a text."""
    audio, words = b"", []
    async with aclosing(made.speak(request)) as speech:
        async for part in speech:
            if isinstance(part, bytes):
                audio += part
            else:
                words.append(part)
    return audio, words


def texts(server: ElevenLabsServer) -> list[str]:
    """What was said, socket by socket."""
    return ["".join(m.get("text", "").strip() for m in socket.messages) for socket in server.sockets]


def test_the_double_keeps_the_rules_of_contexts() -> None:
    async def scenario() -> None:
        async with ElevenLabsServer() as server:
            address = f"{server.url}/v1/text-to-speech/v/multi-stream-input?model_id=m"
            async with connect(address, additional_headers={"xi-api-key": "the-key"}, proxy=None) as socket:
                for text in (" ", "Hi there "):
                    await socket.send(json.dumps({"text": text, "context_id": "a"}))
                await socket.send(json.dumps({"context_id": "a", "close_context": True}))
                messages = [json.loads(await socket.recv()) for _ in range(5)]
                assert [len(one.get("alignment", {}).get("chars", ())) for one in messages] == [1, 2, 1, 5, 0]
                assert messages[-1] == {"audio": None, "isFinal": True, "contextId": "a"}
                for context in "bcdefg":
                    await socket.send(json.dumps({"text": " ", "context_id": context}))
                assert json.loads(await socket.recv())["error"] == "max_active_conversations"
                with pytest.raises(ConnectionClosedError):
                    await socket.recv()
            server.faults.append("hasty")
            async with connect(address, additional_headers={"xi-api-key": "the-key"}, proxy=None) as socket:
                await socket.send(json.dumps({"text": "Hi there ", "context_id": "a", "flush": True}))
                await socket.send(json.dumps({"context_id": "a", "close_context": True}))
                assert json.loads(await socket.recv()) == {"audio": None, "isFinal": True, "contextId": "a"}

    run(scenario())


def test_it_speaks_for_the_line_and_tells_its_words() -> None:
    async def scenario() -> None:
        async with voice() as (made, server):
            audio, words = await heard(made)
            assert len(audio) == 3 * CHUNK
            assert [word.text for word in words] == ["Your", "order", "left."]
            assert [(round(word.begin, 3), round(word.end, 2)) for word in words] == [
                (0.0, 0.18),
                (0.2, 0.38),
                (0.4, 0.58),
            ]
            await heard(made, replace(ASKED, rate=2.0))
            (socket,) = server.sockets
            assert socket.voice == "JBFqnCBsd6RMkjVDRZzb"
            assert socket.options == {
                "model_id": "eleven_flash_v2_5",
                "output_format": "ulaw_8000",
                "auto_mode": "true",
                "inactivity_timeout": "180",
                "sync_alignment": "true",
                "language_code": "en",
            }
            one = socket.messages[0]["context_id"]
            assert socket.messages[:3] == [
                {"text": " ", "context_id": one},
                {"text": "Your order left. ", "context_id": one, "flush": True},
                {"context_id": one, "close_context": True},
            ]
            assert socket.messages[3]["voice_settings"] == {"speed": 1.2}

    run(scenario())


def test_a_word_at_the_end_without_a_blank_is_told_too() -> None:
    async def scenario() -> None:
        utterance = Utterance()
        utterance.take(Message(bytes(800), Alignment(["H", "i"], [0, 50], [], [50, 50])))
        utterance.take(Message(final=True))
        assert [await utterance.next() for _ in range(3)] == [bytes(800), SpokenWord("Hi", 0.0, 0.1), None]

    run(scenario())


def test_audio_that_nobody_reads_is_bounded() -> None:
    async def scenario() -> None:
        utterance = Utterance()
        for _ in range(30):
            utterance.take(Message(bytes(100_000)))
        for _ in range(10):
            assert await utterance.next()
        with pytest.raises(ProviderError, match="garbage"):
            await utterance.next()

    run(scenario())


def test_a_voice_and_a_language_have_sockets_of_their_own() -> None:
    async def scenario() -> None:
        async with voice() as (made, server):
            await heard(made)
            await heard(made, replace(ASKED, voice="ann/1"))
            await heard(made, replace(ASKED, lang="de"))
            await heard(made)
            assert [(one.voice, one.options["language_code"]) for one in server.sockets] == [
                ("JBFqnCBsd6RMkjVDRZzb", "en"),
                ("ann%2F1", "en"),
                ("JBFqnCBsd6RMkjVDRZzb", "de"),
            ]

    run(scenario())


def test_twelve_at_once_never_are_six_on_a_socket() -> None:
    async def scenario() -> None:
        async with voice(*["hang"] * 12) as (made, server):
            tasks = [asyncio.create_task(heard(made)) for _ in range(12)]
            await server.until(lambda: sum(len(one.messages) for one in server.sockets) == 24)
            server.release.set()
            found = await asyncio.gather(*tasks)
            assert {len(audio) for audio, _ in found} == {3 * CHUNK}
            assert len(server.sockets) == 3
            assert max(one.most for one in server.sockets) == 5

    run(scenario())


def test_who_leaves_hears_no_more_and_its_place_is_counted_until_its_end() -> None:
    async def scenario() -> None:
        async with voice(*["final"] * 5) as (made, server):
            for _ in range(5):  # five interruptions in a row
                async with aclosing(made.speak(ASKED)) as speech:
                    await anext(speech)
            await heard(made)  # the sixth has a socket of its own
            assert len(server.sockets) == 2
            assert server.sockets[0].most == 5
            server.release.set()
            await server.until(lambda: not server.sockets[0].contexts)
            assert len((await heard(made))[0]) == 3 * CHUNK

    run(scenario())


def test_a_context_is_closed_only_when_its_audio_has_begun() -> None:
    async def scenario() -> None:
        async with voice("hasty") as (made, server):
            assert len((await heard(made))[0]) == 3 * CHUNK
            (socket,) = server.sockets
            assert ["close_context" in message for message in socket.messages] == [False, False, True]

    run(scenario())


def test_a_text_without_a_letter_is_closed_at_once() -> None:
    async def scenario() -> None:
        async with voice("hasty", "hasty") as (made, server):
            with pytest.raises(ProviderError, match="no audio"):
                await heard(made, replace(ASKED, text="... ?"))
            assert [len(socket.messages) for socket in server.sockets] == [3, 3]

    run(scenario())


def test_late_audio_of_nobody_is_dropped() -> None:
    async def scenario() -> None:
        async with voice("late") as (made, server):
            assert len((await heard(made))[0]) == 3 * CHUNK
            assert len(server.sockets) == 1

    run(scenario())


@pytest.mark.parametrize("fault", ["early", "error", "error:generation_failed", "garbage", "empty", "close:internal"])
def test_one_failure_before_the_first_audio_is_mended_on_a_new_socket(fault: str) -> None:
    async def scenario() -> None:
        async with voice("", fault) as (made, server):
            await heard(made)
            assert len((await heard(made))[0]) == 3 * CHUNK
            assert len(server.sockets) == 2
            assert texts(server) == ["Your order left."] * 2 or texts(server)[1] == "Your order left."

    run(scenario())


@pytest.mark.parametrize(
    ("faults", "kind", "sockets"),
    [
        (["early"] * 2, "unavailable", 2),
        (["error"] * 2, "unavailable", 2),
        (["garbage"] * 2, "garbage", 2),
        (["empty"] * 2, "garbage", 2),
        (["error:quota_exceeded"], "quota", 1),
        (["error:voice_not_found"], "rejected", 1),
        (["close:max_active_conversations"], "quota", 1),
        (["close:invalid_api_key"], "rejected", 1),
        (["hang"], "timeout", 1),
        (["gap"], "timeout", 1),
        (["abort"], "unavailable", 1),
    ],
)
def test_it_fails_where_nothing_helps(faults: list[str], kind: str, sockets: int) -> None:
    async def scenario() -> None:
        async with voice(*faults, first=0.3, gap=0.2) as (made, server):
            with pytest.raises(ProviderError) as caught:
                await heard(made)
            assert (caught.value.kind, len(server.sockets)) == (kind, sockets)
            told = "".join(traceback.format_exception(caught.value))
            assert "order left" not in told
            assert "the-key" not in told
            server.release.set()
            assert len((await heard(made))[0]) == 3 * CHUNK

    run(scenario())


def test_after_an_error_a_socket_takes_no_more() -> None:
    async def scenario() -> None:
        async with voice("error:quota_exceeded") as (made, server):
            with pytest.raises(ProviderError):
                await heard(made)
            await heard(made)
            assert len(server.sockets) == 2

    run(scenario())


def test_an_error_of_a_context_that_was_left_is_the_end_of_it_alone() -> None:
    async def scenario() -> None:
        async with voice("gap", "left:generation_failed") as (made, server):
            async with aclosing(made.speak(ASKED)) as first:
                await anext(first)
                async with aclosing(made.speak(ASKED)) as second:
                    await anext(second)
                (socket,) = server.sockets
                left = socket.messages[-2]["context_id"]
                await server.until(lambda: socket.contexts[left].closed.is_set())
                server.release.set()
                assert len([part async for part in first if isinstance(part, bytes)]) >= 4
            await heard(made)
            assert len(server.sockets) == 2  # the first one takes no more

    run(scenario())


@pytest.mark.parametrize("fault", ["error:quota_exceeded", "error", "hang"])
def test_contexts_that_never_end_keep_nobody_from_speaking(fault: str) -> None:
    async def scenario() -> None:
        async with voice(*[fault] * 32) as (made, server):
            asked = [replace(ASKED, voice=f"v{number}") for number in range(32)]
            tasks = [asyncio.create_task(heard(made, each)) for each in asked]
            await server.until(lambda: sum(len(one.messages) >= 2 for one in server.sockets) == 32)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.faults.clear()
            assert len((await heard(made))[0]) == 3 * CHUNK

    run(scenario())


@pytest.mark.parametrize("fault", ["error:quota_exceeded", "hang"])
def test_a_socket_that_nobody_listens_to_is_closed_whatever_the_vendor_owes(fault: str) -> None:
    async def scenario() -> None:
        async with voice(fault, idle=0.05, kept=0.0) as (made, server):
            task = asyncio.create_task(heard(made))
            await server.until(lambda: server.sockets and len(server.sockets[0].messages) >= 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.until(lambda: server.ended == 1)

    run(scenario())


@pytest.mark.parametrize("asked", [replace(ASKED, text="Great \ud83d news."), replace(ASKED, voice="\ud83d")])
def test_half_of_a_character_is_replaced(asked: SpeechRequest) -> None:
    async def scenario() -> None:
        async with voice() as (made, _):
            assert len((await heard(made, asked))[0]) == 3 * CHUNK

    run(scenario())


@pytest.mark.parametrize(
    ("greetings", "kind", "tries"),
    [(["401"], "rejected", 1), (["429"], "quota", 1), (["503"] * 2, "unavailable", 2), (["mute"], "timeout", 1)],
)
def test_a_socket_that_can_not_be_opened(greetings: list[str], kind: str, tries: int) -> None:
    async def scenario() -> None:
        async with voice(first=0.3) as (made, server):
            server.greetings.extend(greetings)
            with pytest.raises(ProviderError) as caught:
                await heard(made)
            assert caught.value.kind == kind
            assert server.tries >= tries
            server.release.set()
            assert len((await heard(made))[0]) == 3 * CHUNK

    run(scenario())


def test_a_socket_that_is_lost_is_lost_for_all_who_listen() -> None:
    async def scenario() -> None:
        async with voice("hang", "hang", "abort") as (made, server):
            found = await asyncio.gather(*(heard(made) for _ in range(3)), return_exceptions=True)
            whole = [len(one[0]) for one in found if not isinstance(one, BaseException)]
            assert whole == [3 * CHUNK] * 2  # they had not begun, and were asked again
            assert [one.kind for one in found if isinstance(one, ProviderError)] == ["unavailable"]
            assert len(server.sockets) >= 2

    run(scenario())


def test_a_call_that_ends_while_it_waits_leaves_nothing() -> None:
    async def scenario() -> None:
        async with voice("hang") as (made, server):
            task = asyncio.create_task(heard(made))
            await server.until(lambda: server.sockets and len(server.sockets[0].messages) == 2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until(lambda: len(server.sockets[0].messages) == 3)
            (socket,) = server.sockets
            assert socket.messages[2] == {"context_id": socket.messages[0]["context_id"], "close_context": True}

    run(scenario())


def test_closing_ends_who_listens() -> None:
    async def scenario() -> None:
        async with voice("gap") as (made, _):
            async with aclosing(made.speak(ASKED)) as speech:
                await anext(speech)
                await made.aclose()
                with pytest.raises(ProviderError) as caught:
                    async for _part in speech:
                        pass
                assert caught.value.kind == "unavailable"
            with pytest.raises(ProviderError, match="not started"):
                await heard(made)

    run(scenario())


def test_an_idle_socket_is_replaced_while_its_voice_is_in_use() -> None:
    async def scenario() -> None:
        async with voice(idle=0.05) as (made, server):
            await heard(made)
            await server.until(lambda: len(server.sockets) == 3 and server.ended == 2)
            assert server.sockets[2].messages == []

    run(scenario())


def test_an_idle_socket_of_a_voice_that_nobody_uses_is_closed() -> None:
    async def scenario() -> None:
        async with voice(idle=0.05, kept=0.0) as (made, server):
            await heard(made)
            await server.until(lambda: server.ended == 1)
            assert server.tries == 1
            await heard(made)
            assert server.tries == 2

    run(scenario())


def test_nothing_to_say_is_nothing() -> None:
    async def scenario() -> None:
        async with voice() as (made, server):
            assert await heard(made, replace(ASKED, text=" ")) == (b"", [])
            assert server.tries == 0

    run(scenario())


def test_nothing_of_it_is_logged_however_much_is(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with voice() as (made, _):
            await heard(made)

    caplog.set_level(logging.WARNING, logger="websockets.server")  # what the double logs is its own affair
    caplog.set_level(logging.DEBUG)
    run(scenario())
    assert caplog.records
    for secret in ("order", "the-key"):
        assert secret not in caplog.text


def test_a_key_is_needed() -> None:
    with pytest.raises(EnvironmentProblem, match="key"):
        make({"voice": "ann"})
    made = make({"key": "k", "url": "https://api.eu.residency.elevenlabs.io", "model": "eleven_v3", "voice": "ann"})
    assert made.version == "eleven_v3 ann/1"


@pytest.mark.parametrize("url", ["127.0.0.1", "https://a..b", "https://127.0.0.1:99999999"])
def test_an_address_that_is_none(url: str) -> None:
    async def scenario() -> None:
        made = make({"key": "k", "url": url})
        await made.start()
        try:
            await heard(made)
        finally:
            await made.aclose()

    with pytest.raises((EnvironmentProblem, ProviderError), match=r"speech\.synthesizer\.url"):
        run(scenario())
