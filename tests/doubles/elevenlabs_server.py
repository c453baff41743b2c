"""ElevenLabs' `multi-stream-input`: speaks what it is sent, a chunk a word, with its rules for contexts.

From the vendor's reference (AsyncAPI) and what its clients report: a text is spoken when it is flushed, or its context
closed; a context ends with `isFinal` only when it was closed, and one that is closed before its first audio may end
without any; the sixth one ends the socket with 1008; one that was closed and is sent to again is a new one.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.doubles.loopback import SocketDouble

CHUNK = 1600  # bytes of a word: 0.2 s
_LIMIT = 5


@dataclass
class Context:
    """What was sent to one context."""

    text: str = ""
    spoken: bool = False  # it speaks, or has spoken
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Spoken:
    """One socket: how it was asked for, and its messages."""

    voice: str
    options: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    contexts: dict[str, Context] = field(default_factory=dict)
    most: int = 0


@dataclass
class ElevenLabsServer(SocketDouble):
    """Each handshake takes the next of ``greetings`` and each context the next of ``faults`` (default: none).

    Greetings: a status, or `mute`. Faults: `hang` (no audio until ``release``), `gap` (none after the first word),
    `final` (all audio, but the end waits for ``release``), `abort` (the connection breaks after the first word),
    `early` (before it), `error` (of the socket), `error:NAME` (of the context), `close:REASON` (with 1008), `garbage`,
    `empty` (an end without audio), `hasty` (the same, if the context is closed before its first audio), `left:NAME` (an
    error of the context after its first word, when it is closed), `late` (audio of nobody before the first word).
    ``ended`` counts sockets that are over.
    """

    greetings: deque[str] = field(default_factory=deque)
    faults: deque[str] = field(default_factory=deque)
    key: str = "the-key"
    sockets: list[Spoken] = field(default_factory=list)
    ended: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    scheme: ClassVar[str] = "ws"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        self.tries += 1
        self.news.set()
        greeting = self.greetings.popleft() if self.greetings else ""
        return await self.refused(greeting if request.headers.get("xi-api-key") == self.key else "401")

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        address = urlsplit(socket.request.path)
        *_, voice, last = address.path.split("/")
        assert last == "multi-stream-input"
        spoken = Spoken(voice, {name: values[0] for name, values in parse_qs(address.query).items()})
        self.sockets.append(spoken)
        try:
            async for raw in socket:
                message = json.loads(raw)
                spoken.messages.append(message)
                await self._message(socket, spoken, message)
                self.news.set()
        except ConnectionClosed:
            pass
        finally:
            self.ended += 1
            self.news.set()

    async def _message(self, socket: ServerConnection, spoken: Spoken, message: dict[str, Any]) -> None:
        name = message["context_id"]
        if name not in spoken.contexts:
            if len(spoken.contexts) == _LIMIT:
                said = "Maximum simultaneous contexts per WebSocket connection exceeded (5)."
                await socket.send(json.dumps({"message": said, "error": "max_active_conversations", "code": 1008}))
                await socket.close(1008, "max_active_conversations")
                return
            spoken.contexts[name] = Context()
            spoken.most = max(spoken.most, len(spoken.contexts))
        context = spoken.contexts[name]
        context.text += message.get("text", "")
        if message.get("close_context"):
            context.closed.set()
        if not context.spoken and (message.get("flush") or message.get("close_context")):
            context.spoken = True
            task = asyncio.create_task(self._speak(socket, spoken, name, context))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _speak(self, socket: ServerConnection, spoken: Spoken, name: str, context: Context) -> None:
        fault, _, detail = (self.faults.popleft() if self.faults else "").partition(":")
        try:
            if fault == "hang":
                await self.release.wait()
            if fault == "late":
                await self._send(socket, {"audio": _audio(CHUNK), "contextId": "of nobody"})
            if fault == "hasty":
                await (await socket.ping())  # what was sent together with the text has come, too
            silent = fault == "empty" or (fault == "hasty" and context.closed.is_set())
            for word in context.text.split() if not silent else ():
                if fault == "early":
                    socket.transport.abort()
                    return
                if fault in ("error", "close", "garbage"):
                    await self._break(socket, name, fault, detail)
                    return
                await self._word(socket, name, word)
                if fault == "abort":
                    socket.transport.abort()
                    return
                if fault == "gap":
                    await self.release.wait()
                if fault == "left":
                    await context.closed.wait()
                    await self._break(socket, name, "error", detail)
                    return
            if fault == "final":
                await self.release.wait()
            if fault != "empty":
                await context.closed.wait()
            del spoken.contexts[name]
            await self._send(socket, {"audio": None, "isFinal": True, "contextId": name})
        except ConnectionClosed:
            pass
        finally:
            self.news.set()

    async def _word(self, socket: ServerConnection, context: str, word: str) -> None:
        """A word is two chunks: the first has its first letter, the second the others and the blank after it."""
        for chars in (word[:1], word[1:] + " "):
            lengths = [100 // len(chars)] * len(chars)
            starts = [sum(lengths[:at]) for at in range(len(lengths))]
            alignment = {"chars": list(chars), "charStartTimesMs": starts, "charDurationsMs": lengths}
            audio = _audio(CHUNK // 2)
            await self._send(socket, {"audio": audio, "alignment": alignment, "contextId": context})

    async def _break(self, socket: ServerConnection, context: str, fault: str, detail: str) -> None:
        if fault == "garbage":
            await socket.send("<html>")
        elif fault == "close":
            await socket.close(1008, detail)
        elif detail:
            await self._send(socket, {"error": detail, "message": "it says", "code": 1, "contextId": context})
        else:
            await self._send(socket, {"error": "system_error", "message": "it says", "code": 1011})

    async def _send(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        await socket.send(json.dumps(message))


def _audio(size: int) -> str:
    return base64.b64encode(bytes([0x55]) * size).decode()
