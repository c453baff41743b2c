"""What the doubles of vendors over HTTP share: HTTP/1.1 on loopback, answers by a script, and ways to fail."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any

from tests.doubles.loopback import HttpDouble


@dataclass(frozen=True)
class Refuse:
    """Answer with a status, and headers."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Hang:
    """Take the request and send nothing until ``release``; in the middle of an answer: send nothing more."""


@dataclass(frozen=True)
class Abort:
    """Reset the connection."""


@dataclass(frozen=True)
class Garbage:
    """Send an event whose data is no JSON."""


@dataclass(frozen=True)
class Fails:
    """Send an error in the middle of the answer."""

    reason: str


@dataclass(frozen=True)
class Ends:
    """End the answer here: with a reason, or (empty) with nothing at all, as if it were cut."""

    reason: str = ""


@dataclass(frozen=True)
class Call:
    """A call of a tool; ``args`` is its JSON, in the pieces in which it is sent."""

    id: str
    name: str
    args: tuple[str, ...] = ("{}",)


@dataclass
class Asked:
    """One request as it came."""

    path: str
    head: Message
    body: Any
    connection: int


@dataclass
class VendorServer(HttpDouble):
    """Answers each request with the next of ``script``; an answer is a list of texts, calls, pauses in s and faults.

    With many calls at once ``choose`` gives the answer by the request instead, however their requests come in turn.
    ``requests`` are those of models, ``others`` the paths of the others; ``invalid`` says what was wrong with requests
    that the vendor would refuse; ``broken`` counts answers whose connection was closed before their end.
    """

    script: deque[Any] = field(default_factory=deque)
    choose: Callable[[Asked], Any] | None = None
    key: str = "the-key"
    requests: list[Asked] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    broken: int = 0

    # --- what a vendor's double says by itself

    path = ""  # of models

    def problem(self, asked: Asked) -> str:
        """Say why the vendor would refuse a request; empty where it would not."""
        raise NotImplementedError

    def refusal(self, status: int, why: str) -> dict[str, Any]:
        """Give the body of an error."""
        raise NotImplementedError

    def streams(self, asked: Asked) -> bool:
        """Say whether the answer comes piece by piece."""
        return bool(asked.body.get("stream"))

    def events(self, asked: Asked, answer: list[Any]) -> AsyncIterator[bytes]:
        """Give an answer, event by event; faults are raised by ``fault``."""
        raise NotImplementedError

    def whole(self, asked: Asked, answer: list[Any]) -> bytes:
        """Give an answer that is not streamed."""
        raise NotImplementedError

    async def fault(self, step: Any) -> None:
        """Take what is the same for all vendors: pauses, hanging, a reset."""
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, Hang):
            await self.release.wait()
            raise ConnectionError
        elif isinstance(step, Abort):
            raise ConnectionAbortedError

    # --- HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while await self._request(reader, writer, number):
            pass

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        line, _, head = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
        headers = BytesParser().parsebytes(head)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(line.decode().split()[1], headers, json.loads(body) if body else None, number)
        if asked.path != self.path:
            self.others.append(asked.path)
            return await self._plain(writer, 200, b'{"data": [], "has_more": false, "object": "list"}')
        self.requests.append(asked)
        self.news.set()
        if headers.get("authorization") != f"Bearer {self.key}":
            return await self._refuse(writer, 401, "the key is wrong")
        wrong = self.problem(asked)
        if wrong:
            self.invalid.append(wrong)
            return await self._refuse(writer, 400, wrong)
        if asked.body.get("max_tokens") == 0:
            return await self._plain(writer, 200, self.whole(asked, []))  # a warm-up wants no answer of the script
        answer = self._next(asked)
        if isinstance(answer, Refuse):
            return await self._refuse(writer, answer.status, "so says the script", answer.headers)
        if not isinstance(answer, list):
            answer = [answer]
        if not self.streams(asked):
            return await self._plain(writer, 200, self.whole(asked, answer))
        return await self._watched(reader, writer, self._events(writer, asked, answer))

    def _next(self, asked: Asked) -> Any:
        if self.choose is not None:
            return self.choose(asked)
        return self.script.popleft() if self.script else ["Yes."]

    async def _watched(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, what: Coroutine[Any, Any, None]
    ) -> bool:
        answering = asyncio.ensure_future(what)
        leaving = asyncio.ensure_future(reader.read(1))  # nothing comes while an answer is under way: but its end
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.broken += 1
                raise ConnectionError
            await answering
            return True
        except ConnectionError:
            writer.transport.abort()
            raise
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            self.news.set()

    async def _events(self, writer: asyncio.StreamWriter, asked: Asked, answer: list[Any]) -> None:
        while answer and isinstance(answer[0], Hang | Abort):  # before the head of the answer
            await self.fault(answer.pop(0))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        async for event in self.events(asked, answer):
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _refuse(
        self, writer: asyncio.StreamWriter, status: int, why: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> bool:
        return await self._plain(writer, status, json.dumps(self.refusal(status, why)).encode(), headers)

    async def _plain(
        self, writer: asyncio.StreamWriter, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()
    ) -> bool:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
        head = b"HTTP/1.1 %d Said\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
        writer.write(head + more + b"\r\n" + body)
        await writer.drain()
        self.news.set()
        return True


def sse(data: Any, event: str = "") -> bytes:
    """Give one server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
