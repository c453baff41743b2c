"""Words from a Vosk server of one's own, over its WebSocket: any language that it has a model of; no key, no vendor.

The protocol, from ``websocket/asr_server.py`` of alphacep/vosk-server: ``{"config": {…}}`` counts until the first audio
of a connection; every binary message (PCM, 16 bit) is answered by one text, ``{"partial": …}`` or, where the server
itself found an end, ``{"result": [words], "text": …}``; ``{"eof" : 1}``, in exactly this spelling, is answered by the
last result, and the connection ends. So an utterance has a connection of its own, which is opened before it is needed.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from flowengine.audio import mulaw
from flowengine.call.ports import Expected, Heard
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers import sockets
from flowengine.providers.utterances import RATE, Cutter, Events, stopped

_NAME = "vosk"
_BATCH = RATE * 80 // 1000  # bytes of µ-law in a message: four frames of the line
_KEPT = 3 * RATE  # what a new connection hears again, and what may wait for a server that takes nothing
_WAITING = 4  # utterances behind the one that is under way
_LOOK = 0.1  # seconds between two looks at whether an answer is overdue
_ATTEMPTS = 3  # connections for one utterance
_PING = 20.0  # seconds, between two and until one has to be answered
_EOF = '{"eof" : 1}'
_UNKNOWN = "[unk]"


class VoskTranscriber:
    """``Transcriber`` by a Vosk server at ``url``; ``connect_within`` and ``answer_within`` are its deadlines in s."""

    name = _NAME
    ends_turns = False

    def __init__(self, url: str, *, connect_within: float = 3.0, answer_within: float = 3.0) -> None:
        self.url = url
        self.connect_within = connect_within
        self.answer_within = answer_within

    async def start(self) -> None:
        """Try the server once; raises ``ProviderError`` (``unavailable``, ``timeout``, ``rejected``)."""
        await sockets.closed(await self.opened())

    async def aclose(self) -> None:
        """Nothing is shared between streams; theirs are closed by themselves."""

    def listen(self, call: str, expected: Expected) -> VoskTranscription:
        """As ``Transcriber.listen``."""
        return VoskTranscription(self, expected)

    async def opened(self) -> ClientConnection:
        """Open a connection; raises ``ProviderError``."""
        try:
            return await sockets.opened(
                _NAME, self.url, {}, within=self.connect_within, ping_every=_PING, ping_within=_PING
            )
        except ValueError:  # it has the begin of an address
            detail = "speech.transcriber.url can not be used"
            raise ProviderError(_NAME, "rejected", retryable=False, detail=detail) from None


class _Utterance:
    """The audio of one utterance, as far as it may still be needed; ``dropped`` counts bytes that never were sent."""

    def __init__(self, expected: Expected, began: float) -> None:
        self.expected = expected
        self.began = began
        self.ended: float | None = None  # in seconds of the stream, as are the others
        self.base = began  # where the audio of the connection begins
        self.told = began  # the end of the last words that were told
        self.owed = 0  # answers of the server
        self.dropped = 0
        self.news = asyncio.Event()
        self._audio = bytearray()
        self._at = began  # where `_audio` begins
        self._sent = 0
        self.over = False  # the end was sent

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return len(self._audio)

    def add(self, audio: bytes) -> None:
        """Take the next audio: at most 3 s that were sent, and 3 s that were not, are kept."""
        self._audio += audio
        waiting = len(self._audio) - self._sent
        if waiting > _KEPT:
            self._cut(len(self._audio) - _KEPT)
        elif self._sent > _KEPT:
            self._cut(self._sent - _KEPT)
        self.news.set()

    def _cut(self, size: int) -> None:
        never = max(0, size - self._sent)
        self.dropped += never
        self.base += never / RATE  # for the server what comes now follows at once
        self._sent = max(0, self._sent - size)
        self._at += size / RATE
        del self._audio[:size]

    def rewind(self) -> None:
        """A new connection: it hears again what is kept, but nothing whose words were told."""
        told = round((self.told - self._at) * RATE)
        self._cut(min(self._sent, max(0, told, self._sent - _KEPT)))
        self._sent = self.owed = 0
        self.over = False
        self.base = self._at

    def next(self) -> bytes | str:
        """Give the next message; empty while less than one is there and more will come, and after the last one."""
        rest = len(self._audio) - self._sent
        if self.over or (rest < _BATCH and self.ended is None):
            return b""
        self.owed += 1
        if rest == 0:
            self.over = True
            return _EOF
        begin = self._sent
        self._sent += min(rest, _BATCH)
        return mulaw.decode(bytes(self._audio[begin : self._sent])).tobytes()


class VoskTranscription:
    """``Transcription`` of one stream. ``reconnects`` counts connections that were lost, ``dropped`` bytes of audio."""

    def __init__(self, server: VoskTranscriber, expected: Expected) -> None:
        self.reconnects = 0
        self._server = server
        self._expected = expected
        self._cutter = Cutter()
        self._events = Events()
        self._open: _Utterance | None = None  # what the caller says now
        self._waiting: deque[_Utterance] = deque()  # with it
        self._dropped = 0
        self._begun = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        """Bytes of audio that the server never got, because it took them too slowly."""
        return self._dropped + sum(each.dropped for each in self._waiting)

    async def __aenter__(self) -> VoskTranscription:
        self._socket = await self._server.opened()
        self._task = asyncio.create_task(self._work(), name="vosk")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.end()
        if self._task is not None:
            await stopped(self._task)

    def send(self, audio: bytes) -> None:
        """As ``Transcription.send``."""
        self._cutter.send(audio)
        if self._open is not None:
            self._open.add(audio)

    def expect(self, expected: Expected) -> None:
        """As ``Transcription.expect``: it counts from the next utterance on, which has a connection of its own."""
        self._expected = expected

    def began(self) -> None:
        """As ``Transcription.began``."""
        if self._open is not None:
            return
        before = self._cutter.begin()
        self._open = _Utterance(self._expected, self._cutter.seconds - len(before) / RATE)
        self._open.add(before)
        if len(self._waiting) > _WAITING:  # the first one is under way
            lost = self._waiting[1]
            del self._waiting[1]
            self._dropped += lost.size
            self._events.put(Heard("final", "", lost.began, lost.ended, 0.0))
        self._waiting.append(self._open)
        self._begun.set()

    def finish(self) -> None:
        """As ``Transcription.finish``."""
        if self._open is not None:
            self._cutter.finish()
            self._open.ended = self._cutter.seconds
            self._open.news.set()
            self._open = None

    def __aiter__(self) -> AsyncIterator[Heard]:
        return self._events.read()

    async def _work(self) -> None:
        try:
            while True:
                while not self._waiting:
                    self._begun.clear()
                    await self._begun.wait()  # `__aexit__` cancels it
                await self._understand(self._waiting[0])
                self._dropped += self._waiting.popleft().dropped
                if not self._waiting:
                    with suppress(ProviderError):  # the next utterance tries again, and says so
                        self._socket = await self._server.opened()
        except ProviderError as error:
            self._events.fail(error)
        finally:
            self._events.end()
            await self._leave()

    async def _leave(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await sockets.closed(socket)

    async def _understand(self, utterance: _Utterance) -> None:
        """Tell the words of one utterance, over as many connections as it takes; raises ``ProviderError``."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if self._socket is None:
                    self._socket = await self._server.opened()
                await self._exchange(self._socket, utterance)
                return
            except ProviderError as error:
                if attempt == _ATTEMPTS or not error.retryable:
                    raise
                self.reconnects += 1
                self._events.put(Heard("again"))
                utterance.rewind()
            finally:
                await self._leave()

    async def _exchange(self, socket: ClientConnection, utterance: _Utterance) -> None:
        sending = asyncio.create_task(self._send(socket, utterance), name="vosk-sender")
        try:
            await self._receive(socket, utterance)
        except ConnectionClosed:
            raise ProviderError(_NAME, "unavailable", retryable=True, detail="the connection was lost") from None
        finally:
            await stopped(sending)

    async def _send(self, socket: ClientConnection, utterance: _Utterance) -> None:
        # A lost connection is the receiver's to tell.
        with suppress(ConnectionClosed):
            await socket.send(json.dumps({"config": _config(utterance.expected)}))
            while True:
                utterance.news.clear()
                while message := utterance.next():
                    await socket.send(message)  # waits for a slow server; the receiver watches for how long
                await utterance.news.wait()  # who exchanges cancels it

    async def _receive(self, socket: ClientConnection, utterance: _Utterance) -> None:
        """Read until the result that follows the end; raises ``ProviderError`` and ``ConnectionClosed``."""
        loop = asyncio.get_running_loop()
        heard = loop.time()
        while True:
            try:
                async with asyncio.timeout(_LOOK):
                    message = await socket.recv()
            except TimeoutError:
                # A server that is given audio answers each message; one that is given none owes nothing.
                if not utterance.owed:
                    heard = loop.time()
                elif loop.time() - heard > self._server.answer_within:
                    raise ProviderError(_NAME, "timeout", retryable=True, detail="no answer in time") from None
                continue
            heard = loop.time()
            utterance.owed -= 1
            said = _parsed(message)
            if "text" in said:
                last = utterance.over and utterance.owed <= 0
                self._tell(utterance, said, last=last)
                if last:
                    return
            elif isinstance(said.get("partial"), str) and (text := _plain(said["partial"])):
                self._events.put(Heard("interim", text, utterance.base))

    def _tell(self, utterance: _Utterance, said: Mapping[str, Any], *, last: bool) -> None:
        text, began, ended, confidence = _words(said)
        if not text and not last:
            return
        begin = utterance.base + began if began is not None else utterance.base
        end = utterance.base + ended if ended is not None else utterance.ended
        utterance.told = end if end is not None else utterance.told
        self._events.put(Heard("final", text, begin, end, confidence if text else 0.0))


def _config(expected: Expected) -> dict[str, Any]:
    phrases = [phrase.lower() for phrase in expected.phrases] if expected.kind == "choice" else []
    # With the word for everything else, so that what is none of the phrases does not become one.
    return {"sample_rate": RATE, "words": 1, "phrase_list": [*phrases, _UNKNOWN] if phrases else []}


def _parsed(message: str | bytes) -> dict[str, Any]:
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("text", ""), str):
        raise ProviderError(_NAME, "garbage", retryable=True, detail="an answer that is none")
    return said


def _plain(text: str) -> str:
    return " ".join(word for word in text.split() if word != _UNKNOWN)


def _words(said: Mapping[str, Any]) -> tuple[str, float | None, float | None, float]:
    """The text of a result, where its words begin and end, and how sure they are; raises ``ProviderError``."""
    text, words = _plain(said["text"]), said.get("result") or []
    try:
        known = [word for word in words if word["word"] != _UNKNOWN]
        if not known:
            return text, None, None, 1.0
        sure = sum(float(word.get("conf", 1.0)) for word in known) / len(known)
        return text, float(known[0]["start"]), float(known[-1]["end"]), min(1.0, max(0.0, sure))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ProviderError(_NAME, "garbage", retryable=True, detail="a result that is none") from None


def make(options: Mapping[str, Any]) -> VoskTranscriber:
    """Make the transcriber from the settings under `speech.transcriber`; raises ``EnvironmentProblem``."""
    url = options.get("url") or "ws://127.0.0.1:2700"
    if not url.startswith(("ws://", "wss://")):
        raise EnvironmentProblem("speech.transcriber.url must be the WebSocket of a Vosk server: ws://127.0.0.1:2700")
    return VoskTranscriber(url)
