"""The vendors' own SDKs talk with our doubles: what they understand, the doubles speak."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.doubles.cartesia_server import CartesiaServer, tone
from tests.doubles.deepgram_server import DeepgramServer

WORDS = {1: "I", 2: "want"}
AUDIO = b"\x01" * 1920 + b"\xff" * 640 + b"\x02" * 1920 + b"\xff" * 9600
# The SDK's own connection is that of a part of websockets that is going to go.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def run(what: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await what

    asyncio.run(bounded())


def deepgram(server: DeepgramServer) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from deepgram import AsyncDeepgramClient
        from deepgram.environment import DeepgramClientEnvironment
    socket = server.url.replace("http", "ws")
    environment = DeepgramClientEnvironment(base=server.url, production=socket, agent=socket, agent_rest=server.url)
    return AsyncDeepgramClient(api_key="k", environment=environment)


async def told(client: Any, done: Callable[[Any], bool]) -> list[Any]:
    found = []
    async for message in client:
        found.append(message)
        if done(message):
            return found
    raise AssertionError("it ended")


def test_deepgrams_sdk_understands_listen_v2() -> None:
    async def scenario() -> None:
        async with DeepgramServer(WORDS) as server:
            options = {"model": "flux-general-en", "encoding": "mulaw", "sample_rate": 8000, "eager_eot_threshold": 0.5}
            async with deepgram(server).listen.v2.connect(**options) as client:
                for at in range(0, len(AUDIO), 640):
                    await client.send_media(AUDIO[at : at + 640])
                await client.send_configure({"type": "Configure", "keyterms": ["x"]})
                found = await told(client, lambda message: message.type == "ConfigureSuccess")
                kinds = {type(message).__name__ for message in found}
                assert kinds == {"ListenV2Connected", "ListenV2TurnInfo", "ListenV2ConfigureSuccess"}
                events = [message.event for message in found if message.type == "TurnInfo"]
                assert [event for event in events if event != "Update"] == [
                    "StartOfTurn",
                    "EagerEndOfTurn",
                    "EndOfTurn",
                ]
                (end,) = [m for m in found if m.type == "TurnInfo" and m.event == "EndOfTurn"]
                assert (end.transcript, end.trigger) == ("I want", "model")
                assert [word.start for word in end.words] == [0.0, 0.32]
                await client.send_close_stream()

    run(scenario())


def test_deepgrams_sdk_understands_listen_v1() -> None:
    async def scenario() -> None:
        async with DeepgramServer(WORDS) as server:
            options = {"model": "nova-3", "encoding": "mulaw", "sample_rate": 8000, "interim_results": True}
            async with deepgram(server).listen.v1.connect(**options) as client:
                await client.send_media(AUDIO)
                found = await told(client, lambda message: message.type == "UtteranceEnd")
                await client.send_finalize()
                await client.send_close_stream()
                found += await told(client, lambda message: message.type == "Metadata")
                kinds = {type(message).__name__ for message in found}
                expected = {"ListenV1Results", "ListenV1SpeechStarted", "ListenV1UtteranceEnd", "ListenV1Metadata"}
                assert kinds == expected
                finals = [message for message in found if message.type == "Results" and message.is_final]
                assert [final.channel.alternatives[0].transcript for final in finals] == ["I want", ""]
                assert [final.from_finalize for final in finals] == [False, True]

    run(scenario())


def test_deepgrams_sdk_is_refused() -> None:
    async def scenario() -> None:
        async with DeepgramServer(WORDS) as server:
            server.faults.append("401")
            from deepgram.core.api_error import ApiError

            with pytest.raises(ApiError) as caught:
                async with deepgram(server).listen.v2.connect(model="flux-general-en"):
                    pass
            assert caught.value.status_code == 401

    run(scenario())


def cartesia(server: CartesiaServer) -> Any:
    from cartesia import AsyncCartesia

    return AsyncCartesia(api_key="k", base_url=server.url, websocket_base_url=server.url.replace("http", "ws"))


def test_cartesias_sdk_understands_contexts() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server:
            client = cartesia(server)
            connection = await client.tts.websocket_connect(websocket_connection_options={"proxy": None}).enter()
            context = connection.context(
                model_id="sonic-3.5",
                voice={"mode": "id", "id": "v"},
                output_format={"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
                add_timestamps=True,
                timeout=5,
            )
            await context.push("Hello there ")
            await context.push("friend. ")
            await context.no_more_inputs()
            found = [event async for event in context.receive()]
            expected, _ = tone("Hello there friend. ")
            assert b"".join(event.audio for event in found if event.type == "chunk") == expected
            assert {type(event).__name__ for event in found} == {"Chunk", "Timestamps", "Done"}
            (stamps,) = [event.word_timestamps for event in found if event.type == "timestamps"]
            assert stamps.words == ["Hello", "there", "friend."]
            await connection.close()
            await client.close()

    run(scenario())


def test_cartesias_sdk_understands_errors_and_refusals() -> None:
    async def scenario() -> None:
        async with CartesiaServer() as server:
            client = cartesia(server)
            connection = await client.tts.websocket_connect(websocket_connection_options={"proxy": None}).enter()
            server.faults.extend(["error:400", "error-all:429"])
            for _ in range(2):
                await connection.send({"context_id": "a", "transcript": "x", "continue": False})
            first, second = await connection.recv(), await connection.recv()
            assert (first.type, first.context_id, first.status_code) == ("error", "a", 400)
            assert (second.type, second.context_id, second.status_code) == ("error", None, 429)
            await connection.close()
            server.handshakes.append("401")
            with pytest.raises(InvalidStatus):
                await client.tts.websocket_connect(websocket_connection_options={"proxy": None}).enter()
            await client.close()

    run(scenario())
