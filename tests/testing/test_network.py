from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from flowengine.testing.network import AsgiNetwork, Refused, SocketNetwork
from flowengine.testing.virtual_time import let_pass, run

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")


def bounded(coroutine: Coroutine[Any, Any, T]) -> T:
    async def scene() -> T:
        async with asyncio.timeout(20):
            return await coroutine

    return asyncio.run(scene())


async def echo(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        body = (await receive())["body"]
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        await send({"type": "http.response.start", "status": 201, "headers": []})
        text = json.dumps([scope["path"], scope["query_string"].decode(), headers, body.decode()])
        await send({"type": "http.response.body", "body": text.encode()})
        return
    await receive()
    match scope["path"]:
        case "/closed":
            await send({"type": "websocket.close"})
            return
        case "/busy":
            await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})
            return
        case "/broken":
            raise KeyError("broken")
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None)})
    while (message := await receive())["type"] == "websocket.receive":
        match message["text"]:
            case "close":
                await send({"type": "websocket.close", "code": 4001})
            case "abort":
                scope["extensions"]["flowengine.transport"]["abort"]()
            case text:
                await send({"type": "websocket.send", "text": text})
    ends.append(message["code"])


ends: list[int] = []


def test_an_application_in_process_gets_a_form() -> None:
    async def scene() -> tuple[int, str]:
        form = [("To", "+1"), ("b", ""), ("b", "2")]
        return await AsgiNetwork(echo).post("https://h.example/a%20b?c=d", form, {"X-Some": "v"})

    status, body = run(scene())
    path, query, headers, text = json.loads(body)
    assert (status, path, query, text) == (201, "/a b", "c=d", "To=%2B1&b=&b=2")
    assert headers["x-some"] == "v"
    assert headers["host"] == "h.example"
    assert headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(("path", "status"), [("closed", 403), ("busy", 503), ("broken", 500)])
def test_refusals(path: str, status: int) -> None:
    async def scene() -> None:
        await AsgiNetwork(echo).connect(f"wss://h/{path}", {}, ())

    with pytest.raises(Refused) as caught:
        run(scene())
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("say", "leave", "phone_sees", "app_sees"),
    [
        ("close", None, 4001, 4001),
        ("abort", None, 1006, 1006),
        (None, 1001, 1001, 1001),
        (None, "abort", 1006, 1006),
    ],
)
def test_ends(say: str | None, leave: int | str | None, phone_sees: int, app_sees: int) -> None:
    async def scene() -> int | None:
        network = AsgiNetwork(echo)
        socket = await network.connect("wss://h/", {}, ("one", "two"))
        await socket.send("hello")
        assert await socket.receive() == "hello"
        if say is not None:
            await socket.send(say)
        elif isinstance(leave, int):
            await socket.close(leave)
        else:
            socket.abort()
        assert await socket.receive() is None
        await network.aclose()
        with pytest.raises(ConnectionError):
            await socket.send("late")
        assert network.failures == []
        return socket.close_code

    ends.clear()
    assert run(scene()) == phone_sees
    assert ends == [app_sees]


@pytest.mark.parametrize(
    ("leave", "code"), [(1000, 1000), (1001, 1001), ("reset", 1006), ("abort", 1006), ("silent", 1000)]
)
def test_real_sockets(leave: int | str, code: int) -> None:
    async def scene() -> tuple[int | None, int | None]:
        ended: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def talk(connection: ServerConnection) -> None:
            with suppress(ConnectionClosed):
                async for text in connection:
                    if text == "close":
                        await connection.close(1000)
                    else:
                        await connection.send(text)
            ended.set_result(connection.close_code)

        async with serve(talk, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            network = SocketNetwork()
            socket = await network.connect(f"ws://127.0.0.1:{port}/x", {"X-A": "b"}, ())
            await socket.send("hello")
            assert await socket.receive() == "hello"
            if isinstance(leave, int):
                await socket.close(leave)
            elif leave == "silent":
                await socket.send("close")
            else:
                socket.abort(reset=leave == "reset")
            assert await socket.receive() is None
            await network.aclose()
            return socket.close_code, await ended

    phone, server = bounded(scene())
    assert server == code
    assert phone == code


def test_a_phone_that_stops_reading_stalls_a_real_server() -> None:
    async def scene() -> int:
        stalled: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def talk(connection: ServerConnection) -> None:
            await connection.recv()
            for sent in range(1000):
                try:
                    async with asyncio.timeout(0.5):
                        await connection.send("x" * 10_000)
                except TimeoutError:
                    stalled.set_result(sent)
                    connection.transport.abort()
                    return

        async with serve(talk, "127.0.0.1", 0, compression=None) as server:
            network = SocketNetwork()
            socket = await network.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, ())
            socket.pause_reading()
            await socket.send("go")
            sent = await stalled
            socket.abort()
            await network.aclose()
            return sent

    assert bounded(scene()) < 900


def test_nobody_there() -> None:
    async def scene() -> None:
        network = SocketNetwork()
        with pytest.raises(Refused):
            await network.connect("ws://127.0.0.1:1/", {}, ())
        with pytest.raises(ConnectionError):
            await network.post("http://127.0.0.1:1/", [], {})
        await network.aclose()

    bounded(scene())


def test_a_real_refusal() -> None:
    async def scene() -> int:
        async with serve(
            lambda _: let_pass(0), "127.0.0.1", 0, process_request=lambda c, _: c.respond(403, "no")
        ) as server:
            network = SocketNetwork()
            with pytest.raises(Refused) as caught:
                await network.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, ())
            await network.aclose()
            return caught.value.status

    assert bounded(scene()) == 403


def test_aborting_twice_is_no_error() -> None:
    async def scene() -> int | None:
        async with serve(lambda c: c.wait_closed(), "127.0.0.1", 0) as server:
            network = SocketNetwork()
            socket = await network.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, ())
            socket.abort()
            assert await socket.receive() is None
            socket.abort()
            await socket.close()
            await network.aclose()
            return socket.close_code

    assert bounded(scene()) == 1006
