"""A Cartesia that speaks a tone: `/tts/websocket` with its contexts, word timestamps, cancels, and its ways to fail.

Like the vendor it answers 400 to a text without a letter or a digit.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from flowengine.audio import mulaw
from flowengine.audio.tones import sine
from tests.doubles.loopback import SocketDouble

RATE = 8000
WORD = 0.25  # seconds of tone for a word, and
BETWEEN = 0.05  # of silence after it
CHUNK = 800  # bytes of audio in a frame
SPEED = (0.6, 1.5)
_SILENCE = bytes([mulaw.SILENCE])


def tone(text: str, speed: float = 1.0) -> tuple[bytes, list[dict[str, Any]]]:
    """Give the audio of a text, and its words with their places in seconds: the same for the same text and speed."""
    audio, words = b"", []
    for number, word in enumerate(text.split()):
        begin = len(audio) / RATE
        audio += mulaw.encode(sine(300.0 + 40.0 * (number % 8), WORD / speed))
        words.append({"text": word, "start": begin, "end": len(audio) / RATE})
        audio += _SILENCE * round(BETWEEN / speed * RATE)
    return audio, words


@dataclass
class CartesiaServer(SocketDouble):
    """Each handshake takes the next of ``handshakes`` and each request the next of ``faults`` (default: none).

    Handshakes: a status such as `401`, `mute` (no answer). Requests: `error` (500, of its context), `error:CODE`,
    `error-all:CODE` (without a context), `then-all:CODE` (that, after the first frame), `abort` (TCP, after the first
    frame), `close:CODE` (after the first frame), `stall` (nothing after the first frame), `hang` (nothing), `deaf`
    (nothing is read any more, pings neither), `unknown` (first a message that nobody knows), `garbage` (no JSON),
    `late` (audio goes on after a cancel), `empty` (no audio). ``speed`` is how many seconds of audio come in one (0:
    all at once), ``latency`` the seconds to the first.
    """

    speed: float = 0.0
    latency: float = 0.0
    handshakes: deque[str] = field(default_factory=deque)
    faults: deque[str] = field(default_factory=deque)
    requests: list[dict[str, Any]] = field(default_factory=list)
    cancels: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    busy: int = 0  # contexts that are under way
    most: int = 0

    async def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        self.tries += 1
        self.news.set()
        self.headers.append(dict(request.headers.raw_items()))
        fault = self.handshakes.popleft() if self.handshakes else ""
        return await self.refused(fault if urlsplit(request.path).path == "/tts/websocket" else "404")

    async def _serve(self, socket: ServerConnection) -> None:
        contexts: dict[str, _Context] = {}
        try:
            async with asyncio.TaskGroup() as tasks:
                async for message in socket:
                    self._take(socket, json.loads(message), contexts, tasks)
                    self.news.set()
                for context in contexts.values():
                    context.over = True
        except* (ConnectionClosed, ConnectionError):
            pass
        finally:
            self.news.set()

    def _take(
        self,
        socket: ServerConnection,
        said: dict[str, Any],
        contexts: dict[str, _Context],
        tasks: asyncio.TaskGroup,
    ) -> None:
        id_ = said["context_id"]
        if said.get("cancel"):
            self.cancels.append(id_)
            if id_ in contexts:
                contexts[id_].cancelled = True
            return
        self.requests.append(said)
        context = contexts.setdefault(id_, _Context(self, socket, id_))
        context.texts.append(said)
        if not said.get("continue"):
            fault = self.faults.popleft() if self.faults else ""
            speaking = tasks.create_task(context.speak(fault))
            speaking.add_done_callback(lambda _: contexts.pop(id_, None))


@dataclass
class _Context:
    """One request, or several that continue each other."""

    server: CartesiaServer
    socket: ServerConnection
    id: str
    texts: list[dict[str, Any]] = field(default_factory=list)
    cancelled: bool = False
    over: bool = False

    async def tell(self, kind: str, **more: Any) -> None:
        message = {"type": kind, "context_id": self.id, "status_code": 206, "done": False, **more}
        await self.socket.send(json.dumps({key: value for key, value in message.items() if value is not None}))

    async def speak(self, fault: str) -> None:
        self.server.busy += 1
        self.server.most = max(self.server.most, self.server.busy)
        try:
            await self._speak(fault)
        except (ConnectionClosed, ConnectionError):
            self.over = True
        finally:
            self.server.busy -= 1
            self.server.news.set()

    async def _speak(self, fault: str) -> None:
        kind, _, code = fault.partition(":")
        if kind in ("error", "error-all"):
            return await self._refuse(int(code or 500), everybody=kind == "error-all")
        if not any(letter.isalnum() for said in self.texts for letter in said["transcript"]):
            return await self._refuse(400)
        if kind in ("hang", "deaf"):
            if kind == "deaf":
                self.socket.transport.pause_reading()
            return None
        if kind == "garbage":
            return await self.socket.send("<html>")
        if kind == "unknown":
            await self.tell("horoscope", data={"a": 1})
        await asyncio.sleep(self.server.latency)
        await self._audio(kind, int(code or 1011))
        return None

    async def _refuse(self, code: int, *, everybody: bool = False) -> None:
        about = {"title": "No", "message": "none", "status_code": code, "done": True}
        await self.tell("error", **about, **({"context_id": None} if everybody else {}))

    async def _audio(self, fault: str, code: int) -> None:
        text = "".join(said["transcript"] for said in self.texts)
        speed = self.texts[0].get("generation_config", {}).get("speed", 1.0)
        assert SPEED[0] <= speed <= SPEED[1]
        audio, words = tone(text, speed)
        if self.texts[0].get("add_timestamps"):
            stamps = {
                key: [word[name] for word in words]
                for key, name in (("words", "text"), ("start", "start"), ("end", "end"))
            }
            await self.tell("timestamps", word_timestamps=stamps)
        for at in range(0, len(audio) if fault != "empty" else 0, CHUNK):
            if (self.cancelled and fault != "late") or self.over:
                return
            data = base64.b64encode(audio[at : at + CHUNK]).decode()
            await self.tell("chunk", data=data, step_time=1.0)
            if fault == "abort":
                self.socket.transport.abort()
            elif fault == "close":
                await self.socket.close(code)
            elif fault == "then-all":
                await self._refuse(code, everybody=True)
            if fault in ("abort", "close", "stall", "then-all"):
                return
            await asyncio.sleep(CHUNK / RATE / self.server.speed if self.server.speed else 0)
        self.server.done.append(self.id)
        await self.tell("done", done=True, status_code=200)
