"""Words from a server of one's own that offers ``/v1/audio/transcriptions`` as whisper servers do; no vendor.

The address, the form and the answers are those of the OpenAI API (create transcription): multipart with ``file``,
``model``, ``language``, ``prompt``, ``response_format``; ``verbose_json`` also gives, by segment, how probable its
words are (``avg_logprob``) and that there is no speech at all (``no_speech_prob``). A server that refuses this format,
but takes ``json``, is asked for that from then on. One utterance is one request.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import wave
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.call.ports import Expected
from flowengine.errors import ProviderError
from flowengine.providers.openai_speech import server_address
from flowengine.providers.sockets import refusal
from flowengine.providers.utterances import Utterance, UtteranceTranscription

_NAME = "whisper"
_PATH = "/v1/audio/transcriptions"
_RATE = 16000  # what whisper models hear
_LARGEST = 1 << 20  # bytes of an answer
_PROMPT = 400  # characters: a whisper model takes 224 tokens
_SILENCE, _DOUBT = 0.6, -1.0  # both together are no speech, as whisper's own transcribe() has it
_IDLE = 30.0  # seconds that a connection is kept


class WhisperTranscriber:
    """``Transcriber`` by the server at ``url``, such as `http://127.0.0.1:8000`.

    ``model`` is the server's name of a model, ``key`` its API key where it wants one. ``deadline``: seconds for one
    request with its one repetition; ``at_once`` requests run at a time, others wait for their turn within it.
    """

    name = _NAME
    ends_turns = False

    def __init__(
        self, url: str, *, model: str = "whisper-1", key: str = "", deadline: float = 8.0, at_once: int = 4
    ) -> None:
        base = str(server_address("speech.transcriber.url", url))
        self._address = base.rstrip("/").removesuffix("/v1") + _PATH
        self._model = model
        self._key = key
        self._deadline = deadline
        self._turn = asyncio.Semaphore(at_once)
        self._format = "verbose_json"
        self._client: httpx.AsyncClient | None = None
        self._closed = False

    async def start(self) -> None:
        """Send half a second of silence; raises ``ProviderError`` when the server does not take it."""
        await self._recognize(Utterance(bytes([mulaw.SILENCE]) * 4000, 0.0, 0.5), Expected("en"))

    async def aclose(self) -> None:
        """Close every connection. Safe to call twice."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def listen(self, call: str, expected: Expected) -> UtteranceTranscription:
        """As ``Transcriber.listen``."""
        return UtteranceTranscription(self._recognize, expected)

    def _ready(self) -> httpx.AsyncClient:
        if self._closed:
            raise _error("unavailable", "it is closed", retryable=False)
        if self._client is None:
            # Its pool loses a place for good when a request is cancelled in one certain moment: turns are ours.
            limits = httpx.Limits(keepalive_expiry=_IDLE)
            # The deadline is ours. No proxies, no netrc: the server is on this machine or near it.
            self._client = httpx.AsyncClient(limits=limits, timeout=None, trust_env=False)  # noqa: S113
        return self._client

    async def _recognize(self, utterance: Utterance, expected: Expected) -> tuple[str, float]:
        client = self._ready()
        sound = await asyncio.to_thread(_wav, utterance.audio)
        try:
            async with asyncio.timeout(self._deadline), self._turn:
                try:
                    return await self._ask(client, sound, expected)
                except ProviderError as error:
                    if not error.retryable or error.kind == "quota":
                        raise
                return await self._ask(client, sound, expected)
        except TimeoutError:
            raise _error("timeout", f"no answer in {self._deadline:g} s") from None

    async def _ask(self, client: httpx.AsyncClient, sound: bytes, expected: Expected) -> tuple[str, float]:
        status, body = await self._exchange(client, sound, expected, self._format)
        if status in (400, 415, 422) and self._format == "verbose_json":
            status, body = await self._exchange(client, sound, expected, "json")
            if status == 200:  # else it was something else that the server did not like
                self._format = "json"
        if status != 200:
            raise refusal(_NAME, status)
        return _words(body)

    async def _exchange(
        self, client: httpx.AsyncClient, sound: bytes, expected: Expected, layout: str
    ) -> tuple[int, bytes]:
        form = {"model": self._model, "response_format": layout, "temperature": "0"}
        if expected.lang:
            form["language"] = expected.lang.lower().replace("_", "-").split("-")[0]
        if expected.phrases:
            form["prompt"] = ", ".join(expected.phrases)[:_PROMPT].encode(errors="replace").decode()
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        files = {"file": ("speech.wav", sound, "audio/wav")}
        try:
            async with client.stream("POST", self._address, data=form, files=files, headers=headers) as answer:
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise _error("garbage", f"an answer of more than {_LARGEST} bytes")
                return answer.status_code, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            kind = "garbage" if isinstance(error, httpx.DecodingError | httpx.InvalidURL) else "unavailable"
            raise _error(kind, type(error).__name__) from None


def _wav(audio: bytes) -> bytes:
    resampler = Resampler(8000, _RATE)
    pcm = np.concatenate((resampler.process(mulaw.decode(audio)), resampler.flush()))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()


def _words(body: bytes) -> tuple[str, float]:
    """Give the text of an answer and how sure it is; raises ``ProviderError``."""
    try:
        said = json.loads(body)
        text, segments = said["text"].strip(), said.get("segments") or []
        if not segments:
            return text, 1.0 if text else 0.0
        sure = [float(each.get("avg_logprob", 0.0)) for each in segments]
        silent = [float(each.get("no_speech_prob", 0.0)) for each in segments]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _error("garbage", "an answer that is none") from None
    mean = sum(sure) / len(sure)
    if not text or (min(silent) > _SILENCE and mean < _DOUBT):
        return "", 0.0
    return text, min(1.0, math.exp(min(0.0, mean))) * (1.0 - min(1.0, max(0.0, min(silent))))


def _error(kind: str, detail: str, *, retryable: bool = True) -> ProviderError:
    return ProviderError(_NAME, kind, retryable=retryable, detail=detail)


def make(options: Mapping[str, Any]) -> WhisperTranscriber:
    """Make the transcriber from the settings under `speech.transcriber`; raises ``EnvironmentProblem``."""
    url = options.get("url") or "http://127.0.0.1:8000"
    return WhisperTranscriber(url, model=options.get("model") or "whisper-1", key=options.get("key") or "")
