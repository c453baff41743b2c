"""A voice from OpenAI's `/v1/audio/speech`, and from servers of one's own that speak it.

Plain HTTP rather than the SDK: it would be imported in a second file for one request, and servers of one's own need
none of it. The vendor gives 16 bits at 24000 Hz (`pcm`), which are made µ-law at 8000 Hz as they come. It does not tell
when its words are spoken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import httpx
import numpy as np

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.call.ports import SpeechRequest, SpokenWord
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.sockets import refusal

_NAME = "openai_speech"
_URL = "https://api.openai.com/v1"
_PATH = "/audio/speech"
_MODEL = "gpt-4o-mini-tts"
_VOICE = "marin"
_RATE = 24000  # what `pcm` is
_KEPT = 60.0  # seconds that an idle connection is kept: longer than most answers of callers
_CLOSE = 1.0
_SLOWEST, _FASTEST = 0.25, 4.0  # what `speed` may be


class OpenAISpeech:
    """``Synthesizer`` by the speech at ``url``; ``voice`` is what `default` stands for.

    ``first`` is how many seconds the first audio may take, with one repetition; ``gap`` the time between two pieces;
    ``at_once`` texts are spoken at a time, others wait for their turn within ``first``.
    """

    name = _NAME

    def __init__(
        self,
        key: str,
        *,
        url: str = _URL,
        model: str = _MODEL,
        voice: str = _VOICE,
        first: float = 5.0,
        gap: float = 3.0,
        at_once: int = 64,  # a vendor's own limit is lower
    ) -> None:
        self.version = f"{url} {model} {voice}/1"
        self._url = str(server_address("speech.synthesizer.url", url)).rstrip("/") + _PATH
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._model = model
        self._voice = voice
        self._first = first
        self._gap = gap
        self._turn = asyncio.Semaphore(at_once)
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Make the client; nothing is asked yet."""
        if self._client is None:
            # Its pool loses a place for good when a request is cancelled in one certain moment: places are ours.
            limits = httpx.Limits(keepalive_expiry=_KEPT)
            # The deadlines are ours. What listens on plain HTTP is near: it is asked without a proxy.
            far = self._url.startswith("https://")
            self._client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=far)  # noqa: S113

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE):
                    await client.aclose()

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:
        """As ``Synthesizer.speak``: chunks as they come, no words."""
        response, chunks, chunk = await self._begun(request)
        try:
            sound = _Sound()
            while chunk:
                if made := sound.process(chunk):
                    yield made
                chunk = await self._next(chunks)
            if made := sound.flush():
                yield made
        finally:
            self._turn.release()
            await _close(response)

    async def _begun(self, request: SpeechRequest) -> tuple[httpx.Response, AsyncIterator[bytes], bytes]:
        """Take a turn, which who speaks gives back, and ask, if need be once more, until the first audio is there."""
        try:
            async with asyncio.timeout(self._first):
                await self._turn.acquire()
                try:
                    return await self._ask_twice(request)
                except BaseException:
                    self._turn.release()
                    raise
        except TimeoutError:
            raise _error("timeout", f"no audio in {self._first:g} s") from None

    async def _ask_twice(self, request: SpeechRequest) -> tuple[httpx.Response, AsyncIterator[bytes], bytes]:
        try:
            return await self._ask(request)
        except ProviderError as error:
            if not error.retryable or error.kind == "quota":
                raise
        return await self._ask(request)

    async def _ask(self, request: SpeechRequest) -> tuple[httpx.Response, AsyncIterator[bytes], bytes]:
        if self._client is None:
            raise _error("unavailable", "it is not started, or closed", retryable=False)
        voice = self._voice if request.voice == "default" else _whole(request.voice)
        asked = {"model": self._model, "input": _whole(request.text), "voice": voice, "response_format": "pcm"}
        if request.rate != 1.0:
            asked["speed"] = min(_FASTEST, max(_SLOWEST, request.rate))  # type: ignore[assignment]  # the only number
        response: httpx.Response | None = None
        try:
            sent = self._client.build_request("POST", self._url, json=asked, headers=self._headers)
            response = await self._client.send(sent, stream=True)
            if response.status_code != 200:
                raise refusal(_NAME, response.status_code)
            chunks = response.aiter_bytes()
            first = await anext(chunks, b"")
            if not first or _no_pcm(response.headers.get("content-type", ""), first):
                raise _error("garbage", "no audio", retryable=not first)
        except BaseException as error:
            if response is not None:
                await _close(response)
            if isinstance(error, httpx.HTTPError | httpx.InvalidURL | OSError) and not isinstance(error, TimeoutError):
                raise _error("unavailable", type(error).__name__) from None
            raise
        return response, chunks, first

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        """Give the next audio; empty at its end."""
        try:
            async with asyncio.timeout(self._gap):
                return await anext(chunks, b"")
        except TimeoutError:
            raise _error("timeout", f"nothing more in {self._gap:g} s") from None
        except (httpx.HTTPError, OSError) as error:
            raise _error("unavailable", type(error).__name__) from None


class _Sound:
    """Makes µ-law of a stream of PCM that may be cut anywhere, in the middle of a sample too."""

    def __init__(self) -> None:
        self._resampler = Resampler(_RATE, 8000)
        self._rest = b""

    def process(self, data: bytes) -> bytes:
        data = self._rest + data
        whole = len(data) // 2 * 2
        self._rest = data[whole:]
        return mulaw.encode(self._resampler.process(np.frombuffer(data[:whole], "<i2")))

    def flush(self) -> bytes:
        return mulaw.encode(self._resampler.flush())


async def _close(response: httpx.Response) -> None:
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE):
            await response.aclose()


def _no_pcm(kind: str, first: bytes) -> bool:
    """Whether an answer is JSON, or a WAV, by its content type and its begin: one byte of sound may be anything."""
    return "json" in kind.lower() or first.startswith((b"RIFF", b'{"'))


def _whole(text: str) -> str:
    """Give a text without halves of characters, which have no bytes in UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def server_address(setting: str, url: str) -> httpx.URL:
    """Read the address of a server; raises ``EnvironmentProblem`` with the name of the ``setting``."""
    with suppress(httpx.InvalidURL, ValueError):
        address = httpx.URL(url)
        if address.scheme in ("http", "https") and address.host and 0 <= (address.port or 0) < 1 << 16:
            return address
    raise EnvironmentProblem(f"{setting} must be the address of a server: http://127.0.0.1:8000")


def _error(kind: str, detail: str, *, retryable: bool = True) -> ProviderError:
    return ProviderError(_NAME, kind, retryable=retryable, detail=detail)


def make(options: Mapping[str, Any]) -> OpenAISpeech:
    """Make the voice from its settings: `key`, `url`, `model`, `voice`; raises ``EnvironmentProblem``."""
    url = options.get("url") or _URL
    if not options.get("key") and url.startswith(_URL):
        raise EnvironmentProblem("the voice openai_speech needs its key, or the url of a server of your own")
    model, voice = options.get("model") or _MODEL, options.get("voice") or _VOICE
    return OpenAISpeech(options.get("key") or "", url=url, model=model, voice=voice)
