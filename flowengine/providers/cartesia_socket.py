"""One socket to Cartesia that many requests share: who gets which frame, and who learns that it is lost.

The SDK's contexts are not used: their waiters are not woken by a lost connection, by an error without a context, or by
their own cancel. A request has an id that is never used again; a frame whose request was left is dropped by it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from websockets.exceptions import WebSocketException

from flowengine.errors import ProviderError
from flowengine.providers.sockets import failure, refusal
from flowengine.providers.utterances import stopped

NAME = "cartesia"
_WAITING = 64  # requests on one socket
_LONGEST = 600 * 8000  # bytes of audio of one request that nobody has taken yet
_FRAMES = 20_000  # and its frames
_LEAVE = 0.5  # seconds in which the server is told of a cancel
_TOO_MANY = 429  # requests at a time, says the status of an error
_CLOSE = 1.5  # seconds for a closing; the socket itself waits 1 s for the other side


class Connection(Protocol):
    """What we need of the SDK's connection."""

    async def send(self, event: Any) -> None:
        """Send one event."""

    async def recv_bytes(self) -> bytes:
        """Receive one message."""

    async def close(self) -> None:
        """Close it."""


class Stamps(msgspec.Struct):
    """Words and where they are in a request's audio, in seconds."""

    words: list[str] = []
    start: list[float] = []
    end: list[float] = []


class Frame(msgspec.Struct):
    """One message of the server; ``data`` is audio, which comes as base64."""

    type: str
    context_id: str | None = None
    data: bytes | None = None
    word_timestamps: Stamps | None = None
    status_code: int | None = None


class _Kind(msgspec.Struct):
    type: str


_FRAME = msgspec.json.Decoder(Frame)
_KIND = msgspec.json.Decoder(_Kind)
_KNOWN = frozenset({"chunk", "timestamps", "done", "error"})


class Spoken:
    """What comes back for one request, which was ``asked`` at that time of the loop; ``begun``: a frame has come."""

    def __init__(self, id: str, asked: float) -> None:  # noqa: A002 - it is one
        self.id = id
        self.asked = asked
        self.begun = False
        self._frames: deque[Frame] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._error: ProviderError | None = None

    @property
    def failed(self) -> bool:
        """Whether the request is over by an error."""
        return self._error is not None

    def put(self, frame: Frame) -> None:
        """Take the next frame; one that says more than any text can fails the request."""
        self.begun = True
        self._frames.append(frame)
        self._size += len(frame.data or b"")
        if self._size > _LONGEST or len(self._frames) > _FRAMES:
            self._frames.clear()
            self.fail(ProviderError(NAME, "garbage", retryable=True, detail="more audio than a text can have"))
        self._news.set()

    def fail(self, error: ProviderError) -> None:
        """After what has come: nothing more will."""
        self._error = self._error or error
        self._news.set()

    async def next(self, until: float) -> Frame:
        """Give the next frame; raises ``ProviderError``, and ``TimeoutError`` at ``until`` of the loop's time."""
        while not self._frames:
            if self._error is not None:
                raise self._error
            self._news.clear()
            async with asyncio.timeout_at(until):
                await self._news.wait()
        frame = self._frames.popleft()
        self._size -= len(frame.data or b"")
        return frame


class Socket:
    """See the module. ``heard`` is when the last frame came, ``used`` when it was last of use, both in loop time.

    ``late`` counts frames of requests that were left, ``unknown`` messages of a new kind.
    """

    def __init__(self, connection: Connection) -> None:
        self.dead = False
        self.late = 0
        self.unknown = 0
        self.heard = self.used = asyncio.get_running_loop().time()
        self._connection = connection
        self._open: dict[str, Spoken] = {}
        self._reader = asyncio.create_task(self._read(), name="cartesia-reader")

    @property
    def waiting(self) -> int:
        """Requests that are under way."""
        return len(self._open)

    async def ask(self, request: dict[str, Any], until: float) -> Spoken:
        """Send a request; raises ``ProviderError`` when it can not be sent by ``until`` of the loop's time."""
        if self.waiting >= _WAITING:
            raise ProviderError(NAME, "unavailable", retryable=True, detail=f"{_WAITING} requests are waiting")
        self.used = asyncio.get_running_loop().time()
        spoken = Spoken(request["context_id"], self.used)
        self._open[spoken.id] = spoken
        try:
            async with asyncio.timeout_at(until):
                await self._connection.send(request)
        except BaseException as error:
            self._open.pop(spoken.id, None)
            if not isinstance(error, OSError | WebSocketException):
                raise
            self.dead = True
            raise failure(NAME, error) from None
        return spoken

    async def leave(self, spoken: Spoken, *, cancel: bool) -> None:
        """Give a request up: from now on nothing of it is taken; then the server is told, if it still works on it."""
        self._open.pop(spoken.id, None)
        self.used = asyncio.get_running_loop().time()
        if cancel and not self.dead and not spoken.failed:
            with suppress(OSError, WebSocketException):
                async with asyncio.timeout(_LEAVE):
                    await self._connection.send({"context_id": spoken.id, "cancel": True})

    async def aclose(self) -> None:
        """Close it, in 1.5 s at most; who still waits gets a ``ProviderError``. Safe to call twice."""
        self.dead = True
        await stopped(self._reader)
        await self._close()

    async def _close(self) -> None:
        with suppress(OSError, WebSocketException):
            async with asyncio.timeout(_CLOSE):
                await self._connection.close()

    async def _read(self) -> None:
        error = ProviderError(NAME, "unavailable", retryable=True, detail="the socket was closed")
        try:
            while True:
                self._deliver(await self._connection.recv_bytes())
        except ProviderError as found:
            error = found
        except (OSError, WebSocketException) as found:
            error = failure(NAME, found)
        finally:
            self.dead = True
            for spoken in self._open.values():
                spoken.fail(error)
        await self._close()

    def _deliver(self, data: bytes) -> None:
        frame = _decoded(data)
        self.heard = asyncio.get_running_loop().time()
        if frame is None:
            self.unknown += 1
        elif frame.type == "error":
            error = refusal(NAME, frame.status_code or 500)
            for one in self._meant(frame):
                one.fail(error)
        elif (spoken := self._open.get(frame.context_id or "")) is not None:
            spoken.put(frame)
        else:
            self.late += 1

    def _meant(self, error: Frame) -> list[Spoken]:
        """Give whom an error is about: one without an id may be about any of them."""
        everybody = list(self._open.values())
        if error.context_id is not None:
            return [spoken for spoken in everybody if spoken.id == error.context_id]
        if error.status_code == _TOO_MANY:  # what is being spoken was let in
            return [spoken for spoken in everybody if not spoken.begun] or everybody
        return everybody


def _decoded(data: bytes) -> Frame | None:
    """Read a message; None for one of a new kind. Raises ``ProviderError`` (``garbage``)."""
    try:
        if _KIND.decode(data).type not in _KNOWN:
            return None
        return _FRAME.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProviderError(NAME, "garbage", retryable=True, detail="a message that is none") from None
