"""Real sockets under uvicorn: what a line bounds, and how connections end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from flowengine.server.protocol import EXTENSION, LineProtocol
from flowengine.server.run import Application, Ports, bind, uvicorn_config
from flowengine.settings import FlowSettings, ServerSettings, Settings
from flowengine.store.memory import MemoryStore
from flowengine.testing.carrier import VobizCarrier
from flowengine.testing.virtual_time import let_pass

FLOW = "flow: test\nversion: 1\nnodes:\n  a: {say: Hello., menu: [{key: 1, goto: end}]}\n"


@contextlib.asynccontextmanager
async def serving(application: Any, config: uvicorn.Config, raw: Any) -> AsyncIterator[None]:
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[raw]))
    try:
        async with asyncio.timeout(10):
            while not server.started:
                await let_pass(0.01)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 10)


@contextlib.asynccontextmanager
async def phone_server(world: Any) -> AsyncIterator[tuple[Application, str]]:
    Path(world.folder, "test.yaml").write_text(FLOW)
    raw, settings = bind(Settings(server=ServerSettings(port=0), flows=FlowSettings(str(world.folder))))
    application = Application(settings, Ports(MemoryStore(), world.voice, None))
    await application.start()
    async with serving(application, uvicorn_config(application, settings), raw):
        yield application, settings.public_url
    await application.aclose()


async def opened(url: str, seed: int, subprotocols: list[Subprotocol] | None = None) -> tuple[Any, VobizCarrier]:
    caller = VobizCarrier("+1", "+2", random.Random(seed))
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/answer/vobiz", data=dict(caller.call_form("", "ringing")))
    stream = answer.text.partition("ws://")[2].partition("<")[0]
    return await connect("ws://" + stream, subprotocols=subprotocols, compression=None, proxy=None), caller


async def code_of(connection: Any) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await connection.recv()
    return connection.close_code  # type: ignore[no-any-return]  # websockets' own


def test_a_line_over_real_sockets(world: Any, caplog: Any) -> None:
    async def work() -> None:
        async with phone_server(world) as (application, url):
            # The carrier's subprotocol is echoed.
            socket, caller = await opened(url, 1, [Subprotocol("audio.test"), Subprotocol("b")])
            assert socket.subprotocol == "audio.test"
            for text in caller.opening(0.0, {}):
                await socket.send(text)
            # A message of more than 64 KiB ends the stream, and nothing but it.
            other, its_caller = await opened(url, 2)
            for text in its_caller.opening(0.0, {}):
                await other.send(text)
            await socket.send(json.dumps({"event": "x", "x": "y" * 60_000}))
            await let_pass(0.1)
            assert len(application.engine.sessions) == 2
            await socket.send("y" * 70_000)
            assert await code_of(socket) == 1009
            await let_pass(0.1)
            assert len(application.engine.sessions) == 1
            await other.close(1000)
            # One that leaves before its `start`, politely or not, is no error of ours.
            early, _ = await opened(url, 3)
            await early.close()
            rude, _ = await opened(url, 4)
            rude.transport.abort()
            # Bytes instead of text are no message of a stream.
            binary, _ = await opened(url, 5)
            await binary.send(b"\x00\x01")
            assert await code_of(binary) == 1008
            await let_pass(0.2)

    asyncio.run(work())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_connection_can_be_aborted_and_holds_little_for_a_peer_that_does_not_read() -> None:
    """The application sees it: unread, the server's send blocks long before a minute of audio is gone."""

    async def work() -> tuple[int, bool]:
        sent = 0
        ended = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            nonlocal sent
            await receive()
            await send({"type": "websocket.accept"})
            try:
                async with asyncio.timeout(0.5):
                    for _ in range(20_000):
                        await send({"type": "websocket.send", "text": "x" * 1000})
                        sent += 1000
            except TimeoutError:
                scope["extensions"][EXTENSION]["abort"]()
            ended.set()

        raw, settings = bind(Settings(server=ServerSettings(port=0)))
        config = uvicorn.Config(application, ws=LineProtocol, lifespan="off", log_config=None)
        async with serving(application, config, raw):
            url = settings.public_url.replace("http", "ws")
            connection = await connect(url, compression=None, max_queue=1, proxy=None)
            connection.transport.pause_reading()
            await asyncio.wait_for(ended.wait(), 10)
            connection.transport.resume_reading()
            code = await code_of(connection)
        return sent, code == 1006

    sent, aborted = asyncio.run(work())
    assert 0 < sent < 8_000_000
    assert aborted


@pytest.mark.parametrize("path", ["/stream/vobiz/forged", "/elsewhere"])
def test_a_refused_upgrade_is_403(world: Any, path: str) -> None:
    async def work() -> int:
        async with phone_server(world) as (_, url), httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                url + path,
                headers={
                    "Connection": "Upgrade",
                    "Upgrade": "websocket",
                    "Sec-WebSocket-Version": "13",
                    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                },
            )
            return answer.status_code

    assert asyncio.run(work()) == 403
