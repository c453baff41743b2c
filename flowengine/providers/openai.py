"""Answers from OpenAI's chat completions, by its SDK, and from every server that speaks them.

A server of one's own (Ollama, vLLM, llama.cpp) is reached by its address and needs no key. They differ in small things,
which are all taken: usage may be missing, calls of tools may come whole or in pieces, with or without an index or an
id, and after calls `finish_reason` may be `stop`. OpenAI's own models are told the bound of an answer as
`max_completion_tokens`, the others as `max_tokens`, which all of them know.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from flowengine.call.ports import Called, ModelRequest, ModelTool, Said, Usage
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.answering import Stream, StreamedAnswer
from flowengine.providers.connections import Connections
from flowengine.providers.conversation import Fragments, Halves, Turn, guessed, turns, whole
from flowengine.providers.sockets import http_address

_NAME = "openai"
_URL = "https://api.openai.com/v1"
_MODEL = "gpt-4.1-mini"  # does not think before it speaks, and takes a temperature
_WARM = 5.0  # seconds
_CALLS = 32  # of one answer


class OpenAIModel:
    """``LanguageModel`` by the chat completions at ``url``. Its ``model`` answers, by whatever name a flow calls it."""

    name = _NAME

    def __init__(self, key: str, *, url: str = _URL, model: str = _MODEL) -> None:
        self._key = key
        self._url = url.rstrip("/")
        self._model = model
        self._bound = "max_completion_tokens" if self._url == _URL else "max_tokens"
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Import the SDK (up to 2 s) and make its clients; nothing is asked yet. Raises ``ProviderError``."""
        if self._connections is not None:
            return
        try:
            import openai
        except ModuleNotFoundError:
            detail = "it needs the package openai: install flowengine[openai]"
            raise ProviderError(_NAME, "unavailable", retryable=False, detail=detail) from None

        def made(http: Any) -> openai.AsyncOpenAI:
            # The SDK insists on a key; servers of one's own do not look at it.
            return openai.AsyncOpenAI(api_key=self._key or "none", base_url=self._url, max_retries=0, http_client=http)

        connections = Connections(openai, self._url, made)
        _ = connections.client.chat.completions  # the SDK imports it when it is first looked at: not in a call
        self._connections = connections

    async def aclose(self) -> None:
        """Close every connection, in 2 s at most. Safe to call twice."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.aclose()

    def answer(self, request: ModelRequest) -> StreamedAnswer:
        """As ``LanguageModel.answer``; the usage's input counts what was read from the cache, too."""
        return StreamedAnswer(self, request, Usage(_NAME, self._model))

    async def warm(self, request: ModelRequest) -> None:
        """Ask for one token: the connection is there then, and who caches prompts has this one."""
        with suppress(Exception):  # as the port wants it: who asks next learns what is wrong
            async with asyncio.timeout(_WARM):
                await self.ready().client.chat.completions.create(**self._asked(request), **{self._bound: 1})

    def ready(self) -> Connections:
        """As ``Vendor.ready``."""
        if self._connections is None:
            raise ProviderError(_NAME, "unavailable", retryable=False, detail="it is not started, or closed")
        return self._connections

    async def opened(self, request: ModelRequest, *, fresh: bool) -> Stream:
        """As ``Vendor.opened``."""
        connections = self.ready()
        stream: Stream = await (connections.fresh if fresh else connections.client).chat.completions.create(
            **self._asked(request),
            **{self._bound: request.most_tokens},
            stream=True,
            stream_options={"include_usage": True},
            timeout=connections.timeout(request.first + request.gap),
        )
        return stream

    def reader(self, usage: Usage) -> _Reader:
        """As ``Vendor.reader``."""
        return _Reader(usage)

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        """Give what a request and its warming have in common."""
        system = "\n\n".join(whole(text) for text in (request.persona, request.system) if text.strip())
        asked: dict[str, Any] = {"model": self._model, "messages": _messages(system, turns(request.messages))}
        if request.tools:
            asked["tools"] = [_tool(tool) for tool in request.tools]
        if request.temperature is not None:
            asked["temperature"] = request.temperature
        return asked


def _tool(tool: ModelTool) -> dict[str, Any]:
    parameters = {"type": "object", **tool.args}
    return {"type": "function", "function": {"name": tool.name, "description": tool.about, "parameters": parameters}}


def _messages(system: str, said: Iterable[Turn]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for turn in said:
        message: dict[str, Any] = {"role": turn.role, "content": turn.text or None}
        if turn.calls:
            message["tool_calls"] = [_call(one) for one in turn.calls]
        messages.append(message)
        messages += [
            {"role": "tool", "tool_call_id": one.id, "content": result}
            for one, result in zip(turn.calls, turn.results, strict=True)
        ]
    return messages


def _call(call: Called) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.args, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


class _Reader:
    """Reads one response's chunks."""

    def __init__(self, usage: Usage) -> None:
        self.began = False
        self.ended = False
        self._usage = usage
        self._halves = Halves()
        self._calls: list[tuple[int | None, Fragments]] = []  # with the index that the server gave
        self._size = 0
        self._reason = ""
        self._refused = False

    def take(self, event: Any) -> Iterable[Said | Called]:
        """As ``Reader.take``."""
        if event.usage is not None:
            self._used(event.usage)
        parts: list[Said | Called] = []
        for choice in event.choices or ():
            delta = choice.delta
            if delta is not None:
                self._refused = self._refused or bool(delta.refusal)
                for piece in delta.tool_calls or ():
                    self._piece(piece)
                if delta.content:
                    self._count(delta.content)
                    if text := self._halves.whole(delta.content):
                        parts.append(Said(text))
            if choice.finish_reason and not self.ended:
                self.ended = True
                self._reason = choice.finish_reason
                parts += self._called()
        return parts

    def finish(self) -> Iterable[Said | Called]:
        """As ``Reader.finish``."""
        if not self.ended:
            raise ProviderError(_NAME, "unavailable", retryable=True, detail="the answer ended early")
        if self._reason == "content_filter" or (self._refused and not self.began):
            raise ProviderError(_NAME, "rejected", retryable=False, detail="the model refuses to answer")
        if not self.began and self._reason == "length":
            raise ProviderError(_NAME, "garbage", retryable=False, detail="the answer ended before its first word")
        return ()

    def _called(self) -> Iterable[Called]:
        """Give the calls; one whose id another one has, too, gets its own."""
        seen: set[str] = set()
        for _, call in self._calls:
            call.id = "" if call.id in seen else call.id
            seen.add(call.id)
            yield call.called(_NAME)

    def _piece(self, piece: Any) -> None:
        """Put a piece of a call to the others of its index; a new id under an old index is another call."""
        index, function = piece.index, piece.function
        fitting = [call for at, call in self._calls if at == index]
        call = fitting[-1] if fitting else None
        name, args = (function.name or "", function.arguments or "") if function is not None else ("", "")
        if call is None or (piece.id and call.id and piece.id != call.id) or (index is None and name):
            if len(self._calls) == _CALLS:
                raise ProviderError(_NAME, "garbage", retryable=True, detail=f"more than {_CALLS} calls")
            call = Fragments("", "")
            self._calls.append((index, call))
        call.id = call.id or piece.id or ""
        call.name = call.name or name
        if args:
            call.add(_NAME, args)
        self._count(args)

    def _count(self, text: str) -> None:
        self.began = True
        self._size += len(text)
        if self._usage.estimated:
            self._usage.output_tokens = guessed(self._size)

    def _used(self, used: Any) -> None:
        details = used.prompt_tokens_details
        self._usage.input_tokens = used.prompt_tokens or 0
        self._usage.output_tokens = used.completion_tokens or 0
        self._usage.cached_tokens = (details.cached_tokens or 0) if details is not None else 0
        self._usage.estimated = False


def make(options: Mapping[str, Any]) -> OpenAIModel:
    """Make the model from its settings: `key`, `url`, `model`; raises ``EnvironmentProblem``."""
    url = http_address("url", options.get("url") or _URL)
    if not options.get("key") and url.startswith(_URL):
        raise EnvironmentProblem("openai needs a `key`, or the `url` of a server of your own")
    return OpenAIModel(options.get("key") or "", url=url, model=options.get("model") or _MODEL)
