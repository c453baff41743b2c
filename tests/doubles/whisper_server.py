"""A server of ``/v1/audio/transcriptions`` that answers what a script says: HTTP/1.1 on loopback, and ways to fail."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from tests.doubles.loopback import HttpDouble


@dataclass
class WhisperServer(HttpDouble):
    """Answers each request with the next of ``script``.

    A mapping is JSON, a number is a status without a body, bytes are a body; `hang` waits for ``release``,
    `close` drops the connection in the middle of an answer. ``plain``: it refuses `verbose_json` with a 400.
    ``requests`` are the forms that came (`file` as bytes) with `authorization`; ``busy`` is how many are under way.
    """

    script: deque[Any] = field(default_factory=deque)
    plain: bool = False
    requests: list[dict[str, Any]] = field(default_factory=list)
    busy: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while await self._request(reader, writer):
            pass

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = BytesParser(policy=HTTP).parsebytes((await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[2])
        body = await reader.readexactly(int(head["content-length"]))
        form = _form(head["content-type"], body) | {"authorization": head.get("authorization", "")}
        self.requests.append(form)
        self.busy += 1
        self.news.set()
        try:
            if self.plain and form["response_format"] == "verbose_json":
                answer: Any = 400
            else:
                answer = self.script.popleft() if self.script else {"text": ""}
            if answer == "hang":
                await self.release.wait()
                return False
            if answer == "close":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
                await writer.drain()
                return False
            status = answer if isinstance(answer, int) else 200
            data = (
                b"" if isinstance(answer, int) else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            )
            writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n" % (status, len(data)) + data)
            await writer.drain()
            return True
        finally:
            self.busy -= 1
            self.news.set()


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    parts = BytesParser(policy=HTTP).parsebytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + body)
    form: dict[str, Any] = {}
    for part in parts.iter_parts():
        name, data = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        assert isinstance(data, bytes)
        form[str(name)] = data if name == "file" else data.decode()
    return form
