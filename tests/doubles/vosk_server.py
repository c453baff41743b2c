"""A Vosk server that hears what a script says: the protocol of alphacep's ``asr_server.py``, and its ways to fail."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.doubles.loopback import SocketDouble


@dataclass
class Connection:
    """What one connection was told."""

    configs: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    messages: int = 0
    ended: bool = False


@dataclass
class VoskServer(SocketDouble):
    """Each connection takes the next of ``faults`` (default: none) and each utterance the next of ``says``.

    Faults: `503`, `401` (the handshake is refused), `mute` (no handshake), `hang` (audio is taken, nothing answered),
    `close:N` (the connection breaks after N messages of audio), `garbage:N` (no JSON), `result:N` (what was said so far
    is told as a result after N messages, as the server does where it hears a pause).
    """

    says: deque[str] = field(default_factory=deque)
    faults: deque[str] = field(default_factory=deque)
    connections: list[Connection] = field(default_factory=list)

    scheme: ClassVar[str] = "ws"

    async def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        self.tries += 1
        fault = self.faults.popleft() if self.faults else ""
        socket.fault = fault  # type: ignore[attr-defined]  # carried to the handler of the same connection
        return await self.refused(fault)

    async def _serve(self, socket: ServerConnection) -> None:
        fault, _, after = socket.fault.partition(":")  # type: ignore[attr-defined]  # see above
        told = Connection()
        self.connections.append(told)
        try:
            async for message in socket:
                if isinstance(message, str) and "config" in message:
                    told.configs.append(json.loads(message)["config"])
                elif message == '{"eof" : 1}':
                    told.ended = True
                    if fault == "garbage":
                        await socket.send("<html>")
                    elif fault != "hang":
                        await socket.send(_result(self.says.popleft() if self.says else ""))
                        return
                else:
                    assert isinstance(message, bytes)
                    told.audio += message
                    told.messages += 1
                    due = after.isdigit() and told.messages == int(after)
                    if fault == "close" and due:
                        socket.transport.abort()
                        return
                    if fault != "hang":
                        await socket.send(self._answer(fault if due else ""))
                self.news.set()
        except ConnectionClosed:
            pass
        finally:
            self.news.set()

    def _answer(self, fault: str) -> str:
        if fault == "garbage":
            return "<html>"
        if fault == "result":
            return _result(self.says.popleft())
        return json.dumps({"partial": self.says[0].split()[0] if self.says and self.says[0] else ""})


def _result(text: str) -> str:
    words = [
        {"word": word, "start": 0.5 * at, "end": 0.5 * at + 0.4, "conf": 0.9} for at, word in enumerate(text.split())
    ]
    return json.dumps({"result": words, "text": text} if words else {"text": ""})
