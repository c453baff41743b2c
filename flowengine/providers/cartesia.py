"""A voice from Cartesia: µ-law as the line has it, and when each word is spoken.

Requests share a few sockets (``cartesia_socket``), which are opened before they are needed: an account may have ten
sockets for each request that it may have at a time, and each takes dozens of them. The SDK gives address, headers and
messages; sockets are always opened anew, as its own way to connect again does not work (cartesia 4.2.0).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from websockets.exceptions import WebSocketException

from flowengine.call.ports import SpeechRequest, SpokenWord
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers import sockets
from flowengine.providers.cartesia_socket import NAME, Frame, Socket, Spoken
from flowengine.providers.utterances import RATE, stopped

if TYPE_CHECKING:
    from cartesia import AsyncCartesia

_URL = "https://api.cartesia.ai"
_MODEL = "sonic-3.5"
_SLOWEST, _FASTEST = 0.6, 1.5
_TONGUES = {"nb": "no", "nn": "no", "fil": "tl", "iw": "he", "in": "id"}  # tags that it knows by another name
_SHARED = 8  # requests on one socket before another one is opened for the next
_STOP = 2.0  # seconds in which an opening ends that is cancelled
_FORMAT = {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": RATE}


class _Slot:
    """The place of one socket: who finds it empty or dead begins to open one; all who come meanwhile wait for that."""

    def __init__(self) -> None:
        self.socket: Socket | None = None
        self.opening: asyncio.Task[Socket] | None = None

    @property
    def live(self) -> bool:
        return self.socket is not None and not self.socket.dead

    def tried(self, opening: asyncio.Task[Socket]) -> None:
        """The try is over. Whether it failed is looked at in any case: perhaps nobody waits for it any more."""
        self.opening = None
        if not opening.cancelled():
            opening.exception()

    @property
    def waiting(self) -> int:
        return self.socket.waiting if self.socket is not None else 0


class CartesiaSynthesizer:
    """``Synthesizer`` by Cartesia, or by its software at another ``url`` (http, https, ws or wss).

    ``voice`` is the id of the voice that requests call `default`; a request's ``rate`` is held to 0.6 to 1.5.
    ``first`` is how long the first audio may take, ``gap`` the time between two frames after it, ``connect_within`` the
    deadline for a socket. A socket that was not used for ``idle`` is replaced by a new one (they are closed after five
    minutes), within ``look`` of that; pings go out every ``ping_every`` and are answered within ``ping_within``; all in
    seconds.
    """

    name = NAME

    def __init__(
        self,
        key: str,
        voice: str,
        *,
        url: str = _URL,
        model: str = _MODEL,
        shared: int = 2,
        first: float = 2.0,
        gap: float = 1.5,
        connect_within: float = 3.0,
        idle: float = 200.0,
        look: float = 20.0,
        ping_every: float = 5.0,
        ping_within: float = 10.0,
    ) -> None:
        self.version = f"{model}/{voice}/1"
        self.replaced = 0  # sockets that were idle, or lost
        self._key = key
        self._voice = voice
        self._model = model
        self._url = sockets.websocket_address("speech.synthesizer.url", url)
        self._first = first
        self._gap = gap
        self._within = connect_within
        self._idle = idle
        self._look = look
        self._options = sockets.options(self._url, ping_every=ping_every, ping_within=ping_within)
        self._slots = [_Slot() for _ in range(shared)]
        self._client: AsyncCartesia | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Import the SDK and open the sockets; raises ``ProviderError`` where one fails or takes too long."""
        if self._client is None:
            self._client = _client(self._key, self._url)
        try:
            for found in await asyncio.gather(*(self._ready(slot) for slot in self._slots), return_exceptions=True):
                if isinstance(found, BaseException):
                    raise found
        except BaseException:
            await self._close()
            raise
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="cartesia-keeper")

    async def aclose(self) -> None:
        """Close the sockets; requests that are open end with ``ProviderError``. Safe to call twice."""
        self._closed = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            await stopped(keeper)
        await self._close()

    async def _close(self) -> None:
        async def emptied(slot: _Slot) -> None:
            if slot.opening is not None:
                slot.opening.cancel()
                await asyncio.wait([slot.opening], timeout=_STOP)
            socket, slot.socket = slot.socket, None
            if socket is not None:
                await socket.aclose()

        client, self._client = self._client, None  # from now on none is opened
        await asyncio.gather(*(emptied(slot) for slot in self._slots), *self._closing)
        if client is not None:
            await client.close()

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:
        """As ``Synthesizer.speak``; words come with their audio or before it."""
        if not any(letter.isalnum() for letter in request.text):
            return  # it refuses such texts
        begun = asyncio.get_running_loop().time()
        socket, spoken = await self._asked(request, begun + self._first)
        heard = over = False
        try:
            while not over:
                frame = await self._next(socket, spoken, begun, heard)
                over = frame.type == "done"
                if frame.data:
                    heard = True
                    yield frame.data
                for word in _words(frame):
                    yield word
        finally:
            await socket.leave(spoken, cancel=not over)
        if not heard:
            raise self._error("garbage", "no audio for a text")

    async def _asked(self, request: SpeechRequest, until: float) -> tuple[Socket, Spoken]:
        """Send a request over one of the sockets, by ``until`` of the loop's time.

        One that is found to be closed is replaced once, unnoticed.
        """
        message = self._message(request)
        for _ in range(2):
            slot = self._chosen()
            try:
                async with asyncio.timeout_at(until):
                    socket = await self._ready(slot)
            except TimeoutError:
                raise self._error("timeout", "no connection in time") from None
            try:
                return socket, await socket.ask(message, until)
            except ProviderError as error:
                failed = error
                if error.kind == "timeout":  # another one would have no time left, and would be blamed for it
                    break
        raise failed

    async def _next(self, socket: Socket, spoken: Spoken, begun: float, heard: bool) -> Frame:
        now = asyncio.get_running_loop().time()
        try:
            return await spoken.next(now + self._gap if heard else begun + self._first)
        except TimeoutError:
            if socket.heard <= spoken.asked:
                socket.dead = True  # nothing came for anybody: the next request shall not wait there, too
            raise self._error("timeout", "no audio in time") from None

    def _message(self, request: SpeechRequest) -> dict[str, Any]:
        message: dict[str, Any] = {
            "context_id": uuid.uuid4().hex,
            "model_id": self._model,
            "transcript": request.text,
            "voice": {"mode": "id", "id": self._voice if request.voice == "default" else request.voice},
            "output_format": _FORMAT,
            "continue": False,
            "add_timestamps": True,
            "max_buffer_delay_ms": 0,  # the text is whole: there is nothing to wait for
        }
        if request.lang:
            tongue = request.lang.replace("_", "-").split("-")[0].lower()
            message["language"] = _TONGUES.get(tongue, tongue)
        if request.rate != 1.0:
            message["generation_config"] = {"speed": min(_FASTEST, max(_SLOWEST, request.rate))}
        return message

    # --- sockets

    def _chosen(self) -> _Slot:
        """Give the least used of the open sockets; an empty place only where all of them have much to do."""
        live = min((slot for slot in self._slots if slot.live), key=lambda slot: slot.waiting, default=None)
        if live is not None and live.waiting < _SHARED:
            return live
        return min(self._slots, key=lambda slot: slot.waiting if slot.live else 0)

    async def _ready(self, slot: _Slot) -> Socket:
        if slot.socket is not None and not slot.socket.dead:
            return slot.socket
        if slot.socket is not None:
            self.replaced += 1
            self._retire(slot.socket)
            slot.socket = None
        if slot.opening is None:
            slot.opening = asyncio.create_task(self._fill(slot), name="cartesia-opening")
            slot.opening.add_done_callback(slot.tried)
        opening = slot.opening
        await asyncio.wait([opening])  # who leaves takes it from nobody
        if opening.cancelled():
            raise self._error("unavailable", "it is closed", retryable=False)
        return opening.result()

    async def _fill(self, slot: _Slot) -> Socket:
        slot.socket = await self._opened()
        return slot.socket

    async def _opened(self) -> Socket:
        if self._closed or self._client is None:
            raise self._error("unavailable", "it is not started, or closed", retryable=False)
        # Options of ours that the SDK hands on without naming them in its types.
        opening = self._client.tts.websocket_connect(websocket_connection_options=cast(Any, self._options))
        try:
            async with asyncio.timeout(self._within):
                return Socket(await opening.enter())
        except (OSError, WebSocketException, EOFError) as error:
            raise sockets.failure(NAME, error) from None

    async def _keep(self) -> None:
        """Replace sockets that were idle for long, and those that were lost; ``aclose`` cancels it."""
        while True:
            await asyncio.sleep(self._look)
            for slot in self._slots:
                with suppress(ProviderError):  # the next request tries again, and says so
                    await self._renewed(slot)

    async def _renewed(self, slot: _Slot) -> None:
        old = slot.socket
        idle = old is not None and not old.waiting and asyncio.get_running_loop().time() - old.used > self._idle
        if slot.live and not idle:
            return
        if old is None or old.dead:
            await self._ready(slot)
            return
        new = await self._opened()
        if slot.socket is old and not old.waiting:
            slot.socket, new = new, old
            self.replaced += 1
        self._retire(new)

    def _retire(self, socket: Socket) -> None:
        """Close a socket without waiting for it: a lost one takes its time."""
        closing = asyncio.create_task(socket.aclose(), name="cartesia-closing")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _error(self, kind: str, detail: str, *, retryable: bool = True) -> ProviderError:
        return ProviderError(NAME, kind, retryable=retryable, detail=detail)


def _words(frame: Frame) -> Iterator[SpokenWord]:
    stamps = frame.word_timestamps
    if stamps is not None:
        for text, begin, end in zip(stamps.words, stamps.start, stamps.end, strict=False):
            yield SpokenWord(text, begin, end)


def _client(key: str, url: str) -> AsyncCartesia:
    """Import the SDK and make its client, which takes a fifth of a second of the event loop."""
    from cartesia import AsyncCartesia

    # At its debugging level it writes every message, which says what we say to callers.
    logging.getLogger("cartesia").setLevel(logging.WARNING)
    client = AsyncCartesia(api_key=key or "none", base_url=url.replace("ws", "http", 1), websocket_base_url=url)
    _ = client.tts  # it is imported when it is first touched
    return client


def make(options: Mapping[str, Any]) -> CartesiaSynthesizer:
    """Make the synthesizer from the settings under `speech.synthesizer`; raises ``EnvironmentProblem``."""
    key, url, voice = options.get("key") or "", options.get("url") or "", options.get("voice") or ""
    if not key and not url:
        raise EnvironmentProblem('speech.synthesizer.key is empty: cartesia needs one, such as "${CARTESIA_API_KEY}"')
    if not voice:
        raise EnvironmentProblem("speech.synthesizer.voice is empty: cartesia needs the id of a voice")
    return CartesiaSynthesizer(key, voice, url=url or _URL, model=options.get("model") or _MODEL)
