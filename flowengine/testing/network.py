"""What lies between a simulated phone and a server: real sockets, or an ASGI application called in process."""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote, urlencode, urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

ABNORMAL = 1006
"""What a side is told when the other left without a close frame (RFC 6455, section 7.4.1)."""

_FORM = "application/x-www-form-urlencoded"


class Refused(ConnectionError):
    """A WebSocket could not be opened; ``status`` is the HTTP status of the answer, 0 when there was none."""

    def __init__(self, status: int, detail: str = "") -> None:
        super().__init__(f"WebSocket refused: {status} {detail}".rstrip())
        self.status = status


class Socket(Protocol):
    """An open WebSocket. ``close_code`` is None while it is open, and 1006 after an end without a close frame."""

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed."""

    async def send(self, text: str) -> None:
        """Send a text frame; raises ``ConnectionError`` when the socket is closed, and waits while the peer stalls."""

    async def receive(self) -> str | None:
        """Return the next frame, or None when the socket is closed."""

    async def close(self, code: int = 1000) -> None:
        """Close it properly. Does nothing when it is closed."""

    def abort(self, *, reset: bool = True) -> None:
        """Leave without a close frame: by a TCP reset, or by the mere end of the TCP connection."""

    def pause_reading(self) -> None:
        """Read nothing more, so that the server's writes stall."""


class Network(Protocol):
    """How a phone reaches a server."""

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        """Post a form and return (status, body); raises ``OSError`` when there is no answer."""

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        """Open a WebSocket; raises ``Refused``."""

    async def aclose(self) -> None:
        """Release what is held."""


class SocketNetwork:
    """Real HTTP and WebSockets; proxies of the environment are not used.

    ``receive_buffer`` is the kernel's receive buffer of a WebSocket in bytes (None: the system's choice): small, so
    that a phone that stops reading stalls the server soon. ``timeout`` (seconds) bounds each opening and request.
    """

    def __init__(self, *, receive_buffer: int | None = 8192, timeout: float = 15.0) -> None:
        self._receive_buffer = receive_buffer
        self._timeout = timeout
        self._client = httpx.AsyncClient(timeout=timeout, trust_env=False)

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        """See ``Network``."""
        try:
            answer = await self._client.post(
                url, content=urlencode(form).encode(), headers={**headers, "Content-Type": _FORM}
            )
        except httpx.HTTPError as error:
            raise ConnectionError(f"no answer from {url}: {error!r}") from error
        return answer.status_code, answer.text

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        """See ``Network``."""
        parts = urlsplit(url)
        try:
            raw = await self._open(parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80))
            connection = await connect(
                url,
                sock=raw,
                additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                compression=None,
                max_queue=4,
                ping_interval=None,
                open_timeout=self._timeout,
                close_timeout=2,
                user_agent_header=None,
                proxy=None,
            )
        except InvalidStatus as error:
            raise Refused(error.response.status_code) from error
        except (OSError, InvalidHandshake) as error:
            raise Refused(0, repr(error)) from error
        return _RealSocket(connection)

    async def aclose(self) -> None:
        """See ``Network``."""
        await self._client.aclose()

    async def _open(self, host: str, port: int) -> sockets.socket:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=sockets.SOCK_STREAM)
        failure: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in found:
            raw = sockets.socket(family, kind, protocol)
            raw.setblocking(False)
            if self._receive_buffer is not None:
                # Before connecting: the window that is announced at the start depends on it.
                raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, self._receive_buffer)
            try:
                async with asyncio.timeout(self._timeout):
                    await loop.sock_connect(raw, address)
            except OSError as error:
                raw.close()
                failure = error
            else:
                return raw
        raise failure


class _RealSocket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._paused = False

    @property
    def close_code(self) -> int | None:
        return self._connection.close_code

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise ConnectionResetError(str(error)) from error

    async def receive(self) -> str | None:
        if self._paused:
            await self._connection.wait_closed()
            return None
        try:
            frame = await self._connection.recv()
        except ConnectionClosed:
            return None
        return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")

    async def close(self, code: int = 1000) -> None:
        await self._connection.close(code)

    def abort(self, *, reset: bool = True) -> None:
        transport = self._connection.transport
        if reset:
            raw = transport.get_extra_info("socket")
            if raw is not None:
                # Lingering for no time makes the kernel send RST instead of FIN.
                with suppress(OSError):  # it may be closed by now
                    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    def pause_reading(self) -> None:
        self._paused = True
        self._connection.transport.pause_reading()


class AsgiNetwork:
    """Calls an ASGI application in process, with no socket in between, so that time may be virtual.

    The application's WebSocket scope carries ``extensions["flowengine.transport"] = {"abort": callable}``. What the
    application raises is kept in ``failures``, and looks to the phone like a server's fault: 500, or a broken socket.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        """See ``Network``."""
        body = urlencode(form).encode()
        scope = {
            **_scope("http", url, {**headers, "content-type": _FORM, "content-length": str(len(body))}),
            "method": "POST",
        }
        requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        status, chunks = 500, list[bytes]()

        async def receive() -> Message:
            return requests.pop() if requests else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        try:
            await self._app(scope, receive, send)
        except Exception as error:  # any error of the application is a 500 to its clients
            self.failures.append(error)
            return 500, ""
        return status, b"".join(chunks).decode()

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        """See ``Network``."""
        names = {"sec-websocket-protocol": ", ".join(subprotocols)} if subprotocols else {}
        pair = _AsgiSocket()
        scope = {
            **_scope("websocket", url, {**headers, **names, "upgrade": "websocket", "connection": "Upgrade"}),
            "subprotocols": list(subprotocols),
            "extensions": {"flowengine.transport": {"abort": pair.abort_by_server}, "websocket.http.response": {}},
        }
        task = asyncio.create_task(self._serve(scope, pair), name=f"server of {url}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await pair.opened
        return pair

    async def aclose(self) -> None:
        """Wait for the application's tasks; those that take more than 30 s are cancelled."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=30)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, scope: MutableMapping[str, Any], pair: _AsgiSocket) -> None:
        try:
            await self._app(scope, pair.app_receive, pair.app_send)
        except Exception as error:  # as above
            self.failures.append(error)
        finally:
            pair.app_left()


class _AsgiSocket:
    """Both ends of an in-process WebSocket: the phone's methods, and what the application calls."""

    # What the kernels of both sides and the server's own buffer hold before a send blocks (architecture, "Socket").
    _HOLDS = 180_000

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None
        self.subprotocol: str | None = None
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._to_app.put_nowait({"type": "websocket.connect"})
        self._to_phone: asyncio.Queue[str | None] = asyncio.Queue()
        self._paused = False
        self._held = 0
        self._room = asyncio.Event()
        self._end = asyncio.Event()

    async def send(self, text: str) -> None:
        if self._end.is_set():
            raise ConnectionResetError("the socket is closed")
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(self) -> str | None:
        if self._paused:
            await self._end.wait()
            return None
        if self._end.is_set() and self._to_phone.empty():
            return None
        text = await self._to_phone.get()
        self._held -= len(text or "")
        self._room.set()
        return text

    async def close(self, code: int = 1000) -> None:
        self._finish(code)

    def abort(self, *, reset: bool = True) -> None:
        self._finish(ABNORMAL)

    def pause_reading(self) -> None:
        self._paused = True

    def abort_by_server(self) -> None:
        """What the extension offers to the application."""
        self._finish(ABNORMAL)

    def app_left(self) -> None:
        """The application returned or raised."""
        if not self.opened.done():
            self.opened.set_exception(Refused(500))
        self._finish(ABNORMAL)

    async def app_receive(self) -> Message:
        if self._end.is_set() and self._to_app.empty():
            return {"type": "websocket.disconnect", "code": self.close_code, "reason": ""}
        return await self._to_app.get()

    async def app_send(self, message: Message) -> None:
        kind = message["type"]
        if self._end.is_set():
            raise OSError("the other side has left")
        if kind == "websocket.accept":
            self.subprotocol = message.get("subprotocol")
            self.opened.set_result(None)
        elif kind == "websocket.close" and self.opened.done():
            self._finish(message.get("code") or 1000)
        elif kind == "websocket.close":
            self.opened.set_exception(Refused(403))
            self._finish(ABNORMAL)
        elif kind == "websocket.http.response.start":
            self.opened.set_exception(Refused(message["status"]))
        elif kind == "websocket.http.response.body":
            self._finish(ABNORMAL)
        else:
            await self._deliver(message.get("text") or bytes(message.get("bytes") or b"").decode())

    async def _deliver(self, text: str) -> None:
        while self._held > self._HOLDS and not self._end.is_set():
            self._room.clear()
            await self._room.wait()
        if self._end.is_set():
            raise OSError("the other side has left")
        self._held += len(text)
        self._to_phone.put_nowait(text)

    def _finish(self, code: int) -> None:
        if not self._end.is_set():
            self.close_code = code
            self._end.set()
            self._room.set()
            self._to_phone.put_nowait(None)
            self._to_app.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})


def _scope(kind: str, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    parts = urlsplit(url)
    secure = parts.scheme in ("https", "wss")
    names = {"host": parts.netloc, **{name.lower(): value for name, value in headers.items()}}
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in names.items()],
        "client": ("127.0.0.1", 50000),
        "server": (parts.hostname or "", parts.port or (443 if secure else 80)),
        "extensions": {},
        "state": {},
    }
