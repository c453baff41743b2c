"""Voices of ElevenLabs over its WebSocket: µ-law as the line wants it, and when each word is spoken.

Sockets belong to a voice and a language and are shared by all calls: one takes five utterances at a time, then another
one is opened. The vendor keeps contexts alive, not sockets, and ours end with their text; so a socket that had nothing
to say for 150 s is replaced, before the vendor closes it after 180, for as long as its voice is in use. A context that
the vendor never ends holds nothing up: what counts is whether anybody listens.

The vendor's SDK has no asynchronous socket for speech; the key goes in a header, never in the address.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException

from flowengine.call.ports import SpeechRequest, SpokenWord
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers import sockets
from flowengine.providers.elevenlabs_socket import NAME, Socket, Utterance, problem

# Below this level websockets logs every message, and the headers with the key.
_log = logging.getLogger("flowengine.providers.elevenlabs")
_log.setLevel(logging.WARNING)
_URL = "wss://api.elevenlabs.io"
_MODEL = "eleven_flash_v2_5"  # the vendor's fastest
_VOICE = "JBFqnCBsd6RMkjVDRZzb"  # the one of the vendor's own examples
_INACTIVE = 180  # seconds, the longest that the vendor allows
_CONNECT = 3.0  # seconds
_SOCKETS = 32  # at once
_LARGEST = 4 << 20  # bytes of a message
_SLOWEST, _FASTEST = 0.7, 1.2  # what `speed` may be


@dataclass(slots=True)
class _Line:
    """What one voice says in one language; ``turn`` is whose turn it is to open a socket: it will do for five."""

    voice: str
    lang: str
    used: float = 0.0
    sockets: list[Socket] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def place(self) -> tuple[Socket, Utterance] | None:
        """Take a place on a socket that has one."""
        found = next((socket for socket in self.sockets if socket.takes), None)
        return (found, found.reserve()) if found is not None else None


class ElevenLabs:
    """``Synthesizer`` by ElevenLabs at ``url``; ``voice`` (an id) is what `default` stands for.

    Seconds: ``first`` for the first audio, with one repetition on a new socket; ``gap`` between two pieces; ``idle``
    until a socket is replaced, and ``kept`` after the last use of its voice until it is not.
    """

    name = NAME

    def __init__(
        self,
        key: str,
        *,
        url: str = _URL,
        model: str = _MODEL,
        voice: str = _VOICE,
        first: float = 5.0,
        gap: float = 3.0,
        idle: float = 150.0,
        kept: float = 900.0,
    ) -> None:
        self.version = f"{model} {voice}/1"
        self._key = key
        self._url = sockets.websocket_address("speech.synthesizer.url", url)
        self._model = model
        self._voice = voice
        self._first = first
        self._gap = gap
        self._idle = idle
        self._kept = kept
        self._lines: dict[tuple[str, str], _Line] = {}
        self._ssl: ssl.SSLContext | None = None
        self._tending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the certificates once for all sockets; nothing is asked yet."""
        if self._tending is None:
            if self._url.startswith("wss://"):
                self._ssl = ssl.create_default_context()
            self._tending = asyncio.create_task(self._tend(), name="elevenlabs sockets")

    async def aclose(self) -> None:
        """Close every socket, in 3 s at most. Safe to call twice."""
        tending, self._tending = self._tending, None
        if tending is not None:
            tending.cancel()
            await asyncio.wait([tending])
        sockets = self._sockets()
        self._lines.clear()
        await asyncio.gather(*(socket.close() for socket in sockets))

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:
        """As ``Synthesizer.speak``; a word comes before the audio in which it ends, or right after it."""
        if not request.text.strip():
            return
        socket, utterance, part = await self._begun(request)
        try:
            while part is not None:
                yield part
                try:
                    async with asyncio.timeout(self._gap):
                        part = await utterance.next()
                except TimeoutError:
                    raise problem("timeout", f"nothing more in {self._gap:g} s") from None
        finally:
            socket.leave(utterance)

    async def _begun(self, request: SpeechRequest) -> tuple[Socket, Utterance, bytes | SpokenWord | None]:
        """Send a text, and if need be once more on a new socket, until its first audio or word is there."""
        try:
            async with asyncio.timeout(self._first):
                try:
                    return await self._say(request, fresh=False)
                except ProviderError as error:
                    if not error.retryable or error.kind == "quota":
                        raise
                return await self._say(request, fresh=True)
        except TimeoutError:
            raise problem("timeout", f"no audio in {self._first:g} s") from None

    async def _say(self, request: SpeechRequest, *, fresh: bool) -> tuple[Socket, Utterance, bytes | SpokenWord | None]:
        voice = self._voice if request.voice == "default" else request.voice
        lang = request.lang.lower().replace("_", "-").split("-")[0]
        socket, utterance = await self._place(self._lines.setdefault((voice, lang), _Line(voice, lang)), fresh=fresh)
        try:
            speed = None if request.rate == 1.0 else min(_FASTEST, max(_SLOWEST, request.rate))
            await socket.say(utterance, request.text, speed)
            first = await utterance.next()
            if first is None:
                raise problem("garbage", "no audio")
        except BaseException:
            socket.leave(utterance)
            raise
        return socket, utterance, first

    def _sockets(self) -> list[Socket]:
        return [socket for line in self._lines.values() for socket in line.sockets]

    async def _place(self, line: _Line, *, fresh: bool) -> tuple[Socket, Utterance]:
        """Find a socket that takes another utterance, or open one."""
        line.used = asyncio.get_running_loop().time()
        if not fresh and (found := line.place()) is not None:
            return found
        async with line.turn:
            if not fresh and (found := line.place()) is not None:
                return found  # somebody opened one meanwhile
            socket = await self._opened(line)
            return socket, socket.reserve()

    async def _opened(self, line: _Line) -> Socket:
        self._ready()
        if len(self._sockets()) >= _SOCKETS:
            await self._make_room()
        options = {
            "model_id": self._model,
            "output_format": "ulaw_8000",
            "auto_mode": "true",
            "inactivity_timeout": str(_INACTIVE),
            "sync_alignment": "true",
        }
        if line.lang and "v2_5" in self._model:  # the others take no language
            options["language_code"] = line.lang
        voice, asked = quote(line.voice, safe="", errors="replace"), urlencode(options, errors="replace")
        address = f"{self._url}/v1/text-to-speech/{voice}/multi-stream-input?{asked}"
        socket = Socket(await self._connected(address))
        try:
            self._ready()
        except ProviderError:  # it was closed meanwhile
            await socket.close()
            raise
        line.sockets.append(socket)
        return socket

    def _ready(self) -> None:
        if self._tending is None:
            raise problem("unavailable", "it is not started, or closed", retryable=False)

    async def _connected(self, address: str) -> Any:
        far: dict[str, Any] = {"ssl": self._ssl} if self._ssl is not None else {"proxy": None}
        try:
            async with asyncio.timeout(min(_CONNECT, self._first)):
                return await connect(
                    address,
                    additional_headers={"xi-api-key": self._key},
                    compression=None,
                    max_size=_LARGEST,
                    open_timeout=None,
                    close_timeout=1.0,
                    ping_interval=20.0,
                    ping_timeout=10.0,
                    logger=_log,
                    **far,
                )
        except TimeoutError:
            raise problem("timeout", "no connection in time") from None
        except InvalidStatus as error:
            raise sockets.refusal(NAME, error.response.status_code) from None
        except (InvalidHandshake, EOFError) as error:
            raise problem("garbage", type(error).__name__) from None
        except (OSError, WebSocketException) as error:
            raise problem("unavailable", type(error).__name__) from None
        except ValueError:
            raise problem("rejected", "speech.synthesizer.url or its key can not be used", retryable=False) from None

    async def _make_room(self) -> None:
        """Close a socket that nobody listens to: one that takes no more, or that was not used for longest."""
        idle = [socket for socket in self._sockets() if socket.dead or not socket.heard]
        if not idle:
            raise problem("quota", f"{_SOCKETS} sockets are busy")
        await self._retire(min(idle, key=lambda socket: (not socket.dead, not socket.tired, socket.used)))

    async def _retire(self, socket: Socket) -> None:
        for line in self._lines.values():
            if socket in line.sockets:
                line.sockets.remove(socket)
        await socket.close()

    async def _tend(self) -> None:
        """Close sockets that are over, and replace those of voices in use before the vendor closes them."""
        while True:
            await asyncio.sleep(self._idle / 5)
            now = asyncio.get_running_loop().time()
            for key, line in list(self._lines.items()):
                wanted = now - line.used < self._kept
                for socket in list(line.sockets):
                    stale = now - socket.used > self._idle
                    if socket.dead or (not socket.heard and (socket.tired or stale)):
                        await self._retire(socket)
                        if stale and wanted:
                            await self._renew(line)
                if not line.sockets and not wanted and not line.turn.locked():
                    del self._lines[key]

    async def _renew(self, line: _Line) -> None:
        with suppress(ProviderError):  # who speaks next opens one and learns what is wrong
            async with line.turn:
                if not any(socket.takes for socket in line.sockets):
                    await self._opened(line)


def make(options: Mapping[str, Any]) -> ElevenLabs:
    """Make the voice from its settings: `key`, `url`, `model`, `voice`; raises ``EnvironmentProblem``."""
    if not options.get("key"):
        raise EnvironmentProblem("the voice elevenlabs needs its key, best taken from the environment")
    model, voice = options.get("model") or _MODEL, options.get("voice") or _VOICE
    return ElevenLabs(options["key"], url=options.get("url") or _URL, model=model, voice=voice)
