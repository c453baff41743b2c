"""One socket to ElevenLabs' `multi-stream-input`: up to five utterances at a time, each in a context of its own.

From the vendor's reference and what its clients found out: a context ends with `isFinal` only when it is closed; one
that is closed after its first audio gives the rest of it first, but one that is closed before may end without any
(pipecat#5271); the sixth context of a socket ends all of them (1008); what is sent to a context that is over makes a
new one. So an utterance is three messages: open and text, which is flushed, and a close once its audio begins or nobody
listens any more. It takes its place until `isFinal`, whether anybody still listens or not. The times of characters
count from the begin of the chunk that they come with.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Iterator

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from flowengine.call.ports import SpokenWord
from flowengine.errors import ProviderError
from flowengine.providers.sockets import closed

NAME = "elevenlabs"
CONTEXTS = 5  # of one socket, by the vendor's limit
_RATE = 8000
_UNREAD = 120 * _RATE  # bytes of one utterance that may wait for who listens
_SEND = 2.0  # seconds
_LATE = 10.0  # seconds until a context that was left has to be over: else the socket takes no more
_LIMITS = ("quota", "rate_limit", "max_active", "too_many", "concurren", "system_busy")
_ACCOUNT = ("quota_exceeded", "auth", "api_key", "payment", "permission")  # of them those that no request gets around
_REFUSALS = ("auth", "api_key", "not_found", "invalid", "unsupported", "payment", "permission", "voice", "model")


class Alignment(msgspec.Struct):
    """When characters are spoken: milliseconds from the begin of the chunk that they come with."""

    chars: list[str] = []
    starts: list[float] = msgspec.field(name="charStartTimesMs", default_factory=list)
    lengths: list[float] = msgspec.field(name="charDurationsMs", default_factory=list)
    lengths_too: list[float] = msgspec.field(name="charsDurationsMs", default_factory=list)  # the same, in its examples


class Message(msgspec.Struct):
    """What the vendor sends; ``context`` is the id of an utterance."""

    audio: bytes | None = None  # base64 on the wire
    alignment: Alignment | None = None
    final: bool | None = msgspec.field(name="isFinal", default=None)
    context: str | None = msgspec.field(name="contextId", default=None)
    error: str | None = None


class Utterance:
    """What becomes of one text. It belongs to one socket."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.failure: ProviderError | None = None
        self.final = False
        self.asked = False  # the vendor may have a context of it
        self.closed = False  # and was told to end it
        self._parts: deque[bytes | SpokenWord] = deque()  # bounded by `_UNREAD`
        self._unread = 0
        self._given = 0  # bytes of audio until now
        self._word: SpokenWord | None = None  # that goes on
        self._news = asyncio.Event()

    async def next(self) -> bytes | SpokenWord | None:
        """Give the next audio or word, None at the end; raises ``ProviderError``. Whoever waits has the deadline."""
        while not self._parts and not self.final and self.failure is None:
            self._news.clear()
            await self._news.wait()
        if self._parts:
            part = self._parts.popleft()
            self._unread -= len(part) if isinstance(part, bytes) else 0
            return part
        if self.failure is not None:
            raise self.failure
        return None

    def take(self, message: Message) -> None:
        """Take what the vendor sent for it."""
        if self.failure is not None:
            return
        if message.alignment is not None:
            self._parts.extend(self._words(message.alignment, self._given / _RATE))
        if message.audio:
            self._given += len(message.audio)
            self._unread += len(message.audio)
            self._parts.append(message.audio)
        if message.final:
            self.final = True
            if self._word is not None:
                self._parts.append(self._word)
        if self._unread > _UNREAD:
            self.fail(problem("garbage", "more audio than anybody listens to"))
        self._news.set()

    def fail(self, failure: ProviderError) -> None:
        """It will not be spoken to its end."""
        if not self.final and self.failure is None:
            self.failure = failure
        self._news.set()

    def _words(self, alignment: Alignment, offset: float) -> Iterator[SpokenWord]:
        """Make words of characters; one may go on in the next chunk."""
        lengths = alignment.lengths or alignment.lengths_too
        for char, start, length in zip(alignment.chars, alignment.starts, lengths, strict=False):
            begin = offset + start / 1000
            word = self._word
            if not char.isspace():
                text, since = (word.text, word.begin) if word is not None else ("", begin)
                self._word = SpokenWord(text + char, since, begin + length / 1000)
            elif word is not None:
                self._word = None
                yield word


class Socket:
    """One connection. ``late`` counts messages that came for nobody; ``used`` is when it last had something to say."""

    def __init__(self, connection: ClientConnection) -> None:
        self.dead = False
        self.late = 0
        self.used = _now()
        self._connection = connection
        self._open: dict[str, Utterance] = {}
        self._left: dict[str, float] = {}  # contexts that nobody listens to any more, and since when
        self._tired = False
        self._failure = problem("unavailable", "the socket is closed")
        self._ending: asyncio.Queue[str] = asyncio.Queue()  # contexts to close, no more than the vendor allows
        self._reader = asyncio.create_task(self._read(), name="elevenlabs socket")
        self._closer = asyncio.create_task(self._end(), name="elevenlabs contexts")

    @property
    def contexts(self) -> int:
        """How many places are taken."""
        return len(self._open) + len(self._left)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._open)

    @property
    def takes(self) -> bool:
        """Whether another utterance may be spoken here."""
        return not self.dead and not self.tired and self.contexts < CONTEXTS

    @property
    def tired(self) -> bool:
        """Whether it takes no more: it is not sure any more how many contexts the vendor counts."""
        return self._tired or any(_now() - since > _LATE for since in self._left.values())

    def reserve(self) -> Utterance:
        """Take a place for an utterance; ``say`` comes next, and ``leave`` in any case."""
        utterance = Utterance()
        self._open[utterance.id] = utterance
        self.used = _now()
        return utterance

    async def say(self, utterance: Utterance, text: str, speed: float | None) -> None:
        """Send a text; raises ``ProviderError``."""
        whole = text.strip().encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # no half of a character
        settings = {} if speed is None else {"voice_settings": {"speed": speed}}
        context = {"context_id": utterance.id}
        utterance.asked = True
        try:
            async with asyncio.timeout(_SEND):
                await self._send({"text": " ", **context, **settings})
                await self._send({"text": f"{whole} ", **context, "flush": True})
        except BaseException as error:
            self._tired = True  # there may be a context that nobody closes
            if isinstance(error, TimeoutError):
                raise problem("timeout", "the socket takes nothing") from None
            if isinstance(error, ConnectionClosed):
                raise self._failure from None
            raise
        if not any(char.isalnum() for char in text):
            self._close(utterance)  # there may be no audio that says when

    def leave(self, utterance: Utterance) -> None:
        """Nobody listens to an utterance any more: the vendor is told to end it, and what still comes is dropped."""
        if self._open.pop(utterance.id, None) is not None and utterance.asked:
            self._left[utterance.id] = _now()
            self._close(utterance)

    async def close(self) -> None:
        """Close it, in 2 s at most, whatever the vendor does; who listens learns that it is lost."""
        self.dead = True
        try:
            await closed(self._connection)
        finally:
            for task in (self._reader, self._closer):
                task.cancel()
            await asyncio.wait([self._reader, self._closer])

    async def _send(self, message: dict[str, object]) -> None:
        await self._connection.send(msgspec.json.encode(message).decode())

    def _close(self, utterance: Utterance) -> None:
        """Have the vendor told to end a context, once; never waits."""
        if not utterance.closed:
            utterance.closed = True
            self._ending.put_nowait(utterance.id)

    async def _end(self) -> None:
        """Tell the vendor which contexts to end, for as long as it listens."""
        try:
            while True:
                context = await self._ending.get()  # `close` cancels it
                async with asyncio.timeout(_SEND):
                    await self._send({"context_id": context, "close_context": True})
        except (OSError, WebSocketException):  # and timeouts
            self._tired = True  # there are contexts that nobody closes

    async def _read(self) -> None:
        decode = msgspec.json.Decoder(Message).decode
        try:
            while not self.dead:
                self._take(decode(await self._connection.recv(decode=False)))
        except ConnectionClosed as closed:
            reason = closed.rcvd.reason if closed.rcvd is not None else ""
            self._failure = self._failure if not reason else _named(reason)
        except msgspec.MsgspecError:
            self._failure = problem("garbage", "a message that is none")
        finally:
            self.dead = True
            for utterance in self._open.values():
                utterance.fail(self._failure)
            self._connection.transport.abort()

    def _take(self, message: Message) -> None:
        over = message.final or message.error is not None
        if message.error is not None:
            self._fail(_named(message.error), message.context)
        elif message.context in self._open:
            utterance = self._open[message.context]
            utterance.take(message)
            if message.audio and not over:
                self._close(utterance)
        else:
            self.late += 1
        if over and message.context is not None:
            self._left.pop(message.context, None)
            if self._open.pop(message.context, None) is not None:
                self.used = _now()

    def _fail(self, failure: ProviderError, context: str | None) -> None:
        """One context has failed, or all that there are: which of them still count there is not known any more."""
        self._failure = failure
        self._tired = True
        for name, utterance in self._open.items():
            if context in (None, name):
                utterance.fail(failure)


def _named(reason: str) -> ProviderError:
    """Say what the vendor's name of a failure means; its sentences are not repeated, they may hold what was said."""
    low = reason.lower()
    lasting = any(word in low for word in _ACCOUNT)
    if any(word in low for word in _LIMITS):
        return problem("quota", "a limit of the account or the socket", lasting=lasting)
    if any(word in low for word in _REFUSALS):
        return problem("rejected", "the vendor refuses", retryable=False, lasting=lasting)
    return problem("unavailable", "an error of the vendor's")


def problem(kind: str, detail: str, *, retryable: bool = True, lasting: bool = False) -> ProviderError:
    """Give an error of this provider."""
    return ProviderError(NAME, kind, retryable=retryable, detail=detail, lasting=lasting)


def _now() -> float:
    return asyncio.get_running_loop().time()
