"""What the doubles share: a server on loopback with a start and an end, its address, and waiting for what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, ClassVar, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response


@dataclass(kw_only=True)
class Double:
    """``news`` is set when anything happens, ``release`` by a test to let go on what a fault holds."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, what: Callable[[], Any]) -> None:
        """Wait until something is true of it, 5 s at most."""
        async with asyncio.timeout(5):
            while not what():
                self.news.clear()
                await self.news.wait()


@dataclass(kw_only=True)
class SocketDouble(Double):
    """A vendor of WebSockets. ``tries`` counts the handshakes that were begun."""

    scheme: ClassVar[str] = "http"

    tries: int = 0
    _server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, compression=None, process_request=self._greet, close_timeout=0.2
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release.set()
        if self._server is not None:
            self.drop()
            self._server.close()
            async with asyncio.timeout(5):
                await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"{self.scheme}://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    @property
    def open(self) -> int:
        """How many connections there are now."""
        assert self._server is not None
        return len(self._server.connections)

    def drop(self) -> None:
        """Abort every connection."""
        assert self._server is not None
        for connection in self._server.connections:
            connection.transport.abort()

    async def refused(self, fault: str) -> Response | None:
        """Do what a fault says of the handshake: `mute` or `slow` hold it, a status such as `401` refuses it."""
        if fault in ("mute", "slow"):
            await self.release.wait()
        if not fault.isdigit():
            return None
        status = HTTPStatus(int(fault))
        return Response(status.value, status.phrase, Headers({"content-length": "0", "connection": "close"}))

    async def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        """Take a handshake, or refuse it."""
        raise NotImplementedError

    async def _serve(self, socket: ServerConnection) -> None:
        """Take a connection."""
        raise NotImplementedError


@dataclass(kw_only=True)
class HttpDouble(Double):
    """A vendor of HTTP/1.1. ``connections`` counts all of them, ``open`` those that there are now."""

    connections: int = 0
    open: int = 0
    _http: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._http = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=1 << 20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        self._http.close()
        self.release.set()
        for task in self._tasks:
            task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._http is not None
        return f"http://127.0.0.1:{self._http.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.news.set()
        try:
            await self._serve(reader, writer, self.connections)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self.open -= 1
            writer.close()
            self.news.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        """Answer the requests of a connection, the one with this number."""
        raise NotImplementedError
