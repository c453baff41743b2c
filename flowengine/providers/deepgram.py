"""Words from Deepgram: `flux-general-en` and `flux-general-multi` also tell when a turn is over, `nova-3` does not.

The socket is ours and the SDK's typed clients send over it: the SDK's own connection offers no deadlines, makes a TLS
context for each socket (15 ms of the event loop) and compresses audio. The line's µ-law goes through untouched.

``likely_end`` and ``end`` are Flux's; its other end is ``ForceEndTurn``, for a turn of which it says nothing more. Only
nova-3 can be asked for final words (``Finalize``) and kept with ``KeepAlive``; Flux is sent silence instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection

from flowengine.audio import mulaw
from flowengine.call.ports import Expected
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers import sockets
from flowengine.providers.deepgram_stream import BATCH, DeepgramTranscription, Line
from flowengine.providers.deepgram_wire import NAME, Turns, Words
from flowengine.providers.utterances import RATE

if TYPE_CHECKING:
    from deepgram.listen.v1.socket_client import AsyncV1SocketClient
    from deepgram.listen.v2.socket_client import AsyncV2SocketClient

_URL = "https://api.deepgram.com"
_ENGLISH, _MULTI, _NOVA = "flux-general-en", "flux-general-multi", "nova-3"
_TERMS = 100  # phrases that are favoured: the limit is 500 tokens
_TERMS_LENGTH = 1500  # their bytes: three or four of them are a token, in scripts other than ours, too
# Regional tags that nova-3 has; of any other only the language is said, which is a tag, too.
# fmt: off
_REGIONS = frozenset([
    "en-US", "en-AU", "en-GB", "en-IN", "en-NZ", "de-CH", "es-419", "fr-CA", "nl-BE", "pt-BR", "pt-PT", "zh-CN",
    "zh-HK", "zh-TW",
])
# fmt: on
_SILENCE = bytes([mulaw.SILENCE]) * BATCH


class _FluxLine:
    """``Line`` of Listen v2."""

    idle = 0.4  # it has no other way to be kept than to hear silence, and ends no turn without it

    def __init__(self, socket: ClientConnection, client: AsyncV2SocketClient, address: str) -> None:
        self.socket = socket
        self.model = ""
        self.address = address
        self.terms: tuple[str, ...] = ()
        self._client = client

    async def media(self, audio: bytes) -> None:
        await self._client.send_media(audio)

    async def favour(self, terms: tuple[str, ...]) -> None:
        self.terms = terms
        await self._client.send_configure({"type": "Configure", "keyterms": list(terms)})

    async def finish(self) -> None:
        """It is never asked to: it ends turns itself."""

    async def end(self) -> None:
        await self._client.send_force_end_turn()

    async def quiet(self, fresh: bool) -> int:
        count = round(self.idle * RATE) // BATCH
        for _ in range(count):
            await self._client.send_media(_SILENCE)
        return count * BATCH


class _NovaLine:
    """``Line`` of Listen v1."""

    def __init__(
        self, socket: ClientConnection, client: AsyncV1SocketClient, configure: Any, address: str, idle: float
    ) -> None:
        self.socket = socket
        self.idle = idle  # of 10 s after which it closes
        self.model = ""
        self.address = address
        self.terms: tuple[str, ...] = ()
        self._client = client
        self._configure = configure

    async def media(self, audio: bytes) -> None:
        await self._client.send_media(audio)

    async def favour(self, terms: tuple[str, ...]) -> None:
        self.terms = terms
        await self._client.send_configure(self._configure(keyterms=list(terms)))

    async def finish(self) -> None:
        await self._client.send_finalize()

    async def end(self) -> None:
        await self._client.send_finalize()

    async def quiet(self, fresh: bool) -> int:
        if fresh:  # a connection that never heard anything is not kept by a KeepAlive
            await self._client.send_media(_SILENCE)
            return BATCH
        await self._client.send_keep_alive()
        return 0


class DeepgramTranscriber:
    """``Transcriber`` by Deepgram, or by its software at another ``url`` (http, https, ws or wss).

    ``key`` is the API key. ``end`` is how sure Flux must be that a turn is over (0.5 to 0.9), ``likely`` how sure for a
    likely end (0.3 to 0.9), ``longest_pause`` the seconds of silence that end a turn in any case. ``connect_within`` is
    the deadline for a connection, ``stall`` how long audio may stay without an answer while a turn is open, ``pause``
    the time before the first repetition, which doubles up to 2 s; ``look`` lies between two looks at whether an answer
    is overdue; what is sent must be on its way ``taken_within``; nova-3 is kept by a message after ``idle`` without
    audio; pings go out every ``ping_every`` and are answered within ``ping_within``; all in seconds.
    """

    name = NAME

    def __init__(
        self,
        key: str,
        *,
        url: str = _URL,
        model: str = _ENGLISH,
        end: float = 0.7,
        likely: float = 0.5,
        longest_pause: float = 3.0,
        connect_within: float = 2.0,
        stall: float = 1.5,
        pause: float = 0.1,
        look: float = 0.25,
        idle: float = 4.0,
        taken_within: float = 3.0,
        ping_every: float = 5.0,
        ping_within: float = 10.0,
    ) -> None:
        self.model = model
        self.ends_turns = model != _NOVA
        self._key = key
        self._url = sockets.websocket_address("speech.transcriber.url", url)
        self._turns = {
            "eot_threshold": end,
            "eager_eot_threshold": likely,
            "eot_timeout_ms": round(longest_pause * 1000),
        }
        self._within = connect_within
        self._times = {"stall": stall, "pause": pause, "look": look, "taken_within": taken_within}
        self._idle = idle
        self._pings = {"ping_every": ping_every, "ping_within": ping_within}
        self._clients: tuple[Any, Any, Any] | None = None

    async def start(self) -> None:
        """Import the SDK and open one connection; raises ``ProviderError`` where that fails or takes too long."""
        if self._clients is None:
            self._clients = _clients()
        line = await self._opened(Expected("en"))
        await sockets.closed(line.socket)

    async def aclose(self) -> None:
        """Nothing is shared between streams; theirs are closed by themselves."""

    def listen(self, call: str, expected: Expected) -> DeepgramTranscription:
        """As ``Transcriber.listen``; streams are opened after ``start``."""
        hearing = Turns if self.ends_turns else Words
        return DeepgramTranscription(self._opened, self._wanted, expected, hearing, **self._times)

    async def _opened(self, expected: Expected) -> Line:
        if self._clients is None:
            raise ProviderError(NAME, "unavailable", retryable=False, detail="it is not started")
        v1, v2, configure = self._clients
        address, terms = self._wanted(expected)
        full = address + "".join("&" + urlencode({"keyterm": term}) for term in terms)
        headers = {"Authorization": f"Token {self._key}"} if self._key else {}
        socket = await sockets.opened(NAME, full, headers, within=self._within, **self._pings)
        line: _FluxLine | _NovaLine
        if self.ends_turns:
            line = _FluxLine(socket, v2(websocket=socket), address)
        else:
            line = _NovaLine(socket, v1(websocket=socket), configure, address, self._idle)
        line.terms = terms
        line.model = _NOVA if not self.ends_turns else _MULTI if f"model={_MULTI}&" in address else _ENGLISH
        return line

    def _wanted(self, expected: Expected) -> tuple[str, tuple[str, ...]]:
        """Give the address for what is expected, which has its language in it, and the phrases to favour."""
        base = {"encoding": "mulaw", "sample_rate": RATE}
        language = expected.lang.replace("_", "-") or "en"
        spoken = language.split("-")[0].lower()
        if not self.ends_turns:
            tongue = language if language in _REGIONS else spoken
            query = urlencode({**base, **_NOVA_WISHES, "language": tongue})
            return f"{self._url}/v1/listen?{query}", _terms(expected)
        # The English one knows nothing else: who expects another language is heard by the one that has many.
        model = _ENGLISH if self.model == _ENGLISH and spoken == "en" else _MULTI
        hint = {"language_hint": spoken} if model == _MULTI else {}
        query = urlencode({"model": model, **base, **self._turns, **hint})
        return f"{self._url}/v2/listen?{query}", _terms(expected)


# Without smart_format, which holds words back until it knows how a number goes on.
_NOVA_WISHES = {
    "model": _NOVA,
    "channels": 1,
    "interim_results": "true",
    "punctuate": "true",
    "vad_events": "true",
    "endpointing": 300,
    "utterance_end_ms": 1000,
}


def _terms(expected: Expected) -> tuple[str, ...]:
    terms: list[str] = []
    room = _TERMS_LENGTH
    for phrase in expected.phrases[:_TERMS]:
        room -= len(phrase.encode())
        if room < 0:
            break
        terms.append(phrase)
    return tuple(terms)


def _clients() -> tuple[Any, Any, Any]:
    """Import the SDK, which takes a fifth of a second of the event loop."""
    with warnings.catch_warnings():
        # It imports a part of websockets that is going to go; nothing of ours uses it.
        warnings.simplefilter("ignore", DeprecationWarning)
        from deepgram.listen.v1.socket_client import AsyncV1SocketClient
        from deepgram.listen.v1.types import ListenV1Configure
        from deepgram.listen.v2.socket_client import AsyncV2SocketClient
    return AsyncV1SocketClient, AsyncV2SocketClient, ListenV1Configure


def make(options: Mapping[str, Any]) -> DeepgramTranscriber:
    """Make the transcriber from the settings under `speech.transcriber`; raises ``EnvironmentProblem``."""
    key, url, model = options.get("key") or "", options.get("url") or "", options.get("model") or _ENGLISH
    if not key and not url:
        raise EnvironmentProblem('speech.transcriber.key is empty: deepgram needs one, such as "${DEEPGRAM_API_KEY}"')
    if model not in (_ENGLISH, _MULTI, _NOVA):
        raise EnvironmentProblem(f"speech.transcriber.model must be {_ENGLISH}, {_MULTI} or {_NOVA}")
    return DeepgramTranscriber(key, url=url or _URL, model=model)
