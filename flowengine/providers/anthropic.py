"""Answers from Anthropic's models, by its SDK: streamed, with tools, and with a prompt that the vendor caches.

What its models of this generation want, from the SDK 2.11 and the vendor's migration guide: no sampling parameters, so
a request's temperature is not sent; no message of the model's at the end; thinking is on by default and is disabled
here, for it is silence at the telephone, and because answers with thoughts forbid that the prompt changes with the
node. The cache goes by prefix: tools, persona, then the node's prompt, then what was said. Its parts end with the
persona, which another node finds again, with the node's prompt, and with the last message: the next turn begins with
all of that. A conversation with calls in it is refused where no tool is defined (by the vendor until February 2025,
says anthropic-sdk-python's issue 849; nothing says that of others who serve its models): so those that were used are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from flowengine.call.ports import Called, ModelRequest, ModelTool, Said, Usage
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.answering import Stream, StreamedAnswer
from flowengine.providers.connections import Connections
from flowengine.providers.conversation import Fragments, Halves, Turn, guessed, turns, whole
from flowengine.providers.sockets import http_address

_NAME = "anthropic"
_URL = "https://api.anthropic.com"
_MODEL = "claude-haiku-5-5"  # the vendor's fastest
_WARM = 5.0  # seconds
_GONE = "Not available any more."
_EPHEMERAL = {"type": "ephemeral"}  # kept for five minutes after its last use


class AnthropicModel:
    """``LanguageModel`` by Anthropic's messages at ``url``. Its ``model`` answers, by whatever name a flow calls it."""

    name = _NAME

    def __init__(self, key: str, *, url: str = _URL, model: str = _MODEL) -> None:
        self._key = key
        self._url = url
        self._model = model
        self._connections: Connections | None = None

    async def start(self) -> None:
        """Import the SDK (up to 2 s) and make its clients; nothing is asked yet."""
        if self._connections is not None:
            return
        import anthropic

        def made(http: Any) -> anthropic.AsyncAnthropic:
            return anthropic.AsyncAnthropic(api_key=self._key, base_url=self._url, max_retries=0, http_client=http)

        self._connections = Connections(anthropic, self._url, made)

    async def aclose(self) -> None:
        """Close every connection, in 2 s at most. Safe to call twice."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.aclose()

    def answer(self, request: ModelRequest) -> StreamedAnswer:
        """As ``LanguageModel.answer``; the usage's input counts what was read from the cache, too."""
        return StreamedAnswer(self, request, Usage(_NAME, self._model))

    async def warm(self, request: ModelRequest) -> None:
        """Ask for no words at all: the connection is there then, and the vendor has tools and prompt in its cache."""
        with suppress(Exception):  # as the port wants it: who asks next learns what is wrong
            async with asyncio.timeout(_WARM):
                await self.ready().client.messages.create(**self._asked(request), max_tokens=0)

    def ready(self) -> Connections:
        """As ``Vendor.ready``."""
        if self._connections is None:
            raise ProviderError(_NAME, "unavailable", retryable=False, detail="it is not started, or closed")
        return self._connections

    async def opened(self, request: ModelRequest, *, fresh: bool) -> Stream:
        """As ``Vendor.opened``."""
        connections = self.ready()
        stream: Stream = await (connections.fresh if fresh else connections.client).messages.create(
            **self._asked(request),
            max_tokens=request.most_tokens,
            stream=True,
            timeout=connections.timeout(request.first + request.gap),
        )
        return stream

    def reader(self, usage: Usage) -> _Reader:
        """As ``Vendor.reader``."""
        return _Reader(usage)

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        """Give what a request and its warming have in common: it must be the same to the letter to be found again."""
        said = turns(request.messages)
        asked: dict[str, Any] = {
            "model": self._model,
            "thinking": {"type": "disabled"},
            "messages": _messages(said),
        }
        asked["messages"][-1]["content"][-1]["cache_control"] = _EPHEMERAL
        system = [
            {"type": "text", "text": whole(text), "cache_control": _EPHEMERAL}
            for text in (request.persona, request.system)
            if text.strip()
        ]
        if system:
            asked["system"] = system
        used = dict.fromkeys(call.name for turn in said for call in turn.calls)
        if request.tools:
            # By name: two nodes that have the same ones find them again, in whatever order they name them.
            asked["tools"] = [_tool(tool) for tool in sorted(request.tools, key=lambda tool: tool.name)]
        elif used:
            asked["tools"] = [{"name": name, "description": _GONE, "input_schema": {"type": "object"}} for name in used]
            asked["tool_choice"] = {"type": "none"}
        return asked


def _tool(tool: ModelTool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.about, "input_schema": {"type": "object", **tool.args}}


def _messages(said: Iterable[Turn]) -> list[dict[str, Any]]:
    """Give the messages: results of tools are the user's, and come before what the caller says."""
    messages: list[dict[str, Any]] = []
    owed: list[dict[str, Any]] = []
    for turn in said:
        text = [{"type": "text", "text": turn.text}] if turn.text else []
        if turn.role == "user":
            messages.append({"role": "user", "content": [*owed, *text]})
            owed = []
            continue
        if owed:
            messages.append({"role": "user", "content": owed})
        calls = [{"type": "tool_use", "id": one.id, "name": one.name, "input": one.args} for one in turn.calls]
        messages.append({"role": "assistant", "content": [*text, *calls]})
        owed = [
            {"type": "tool_result", "tool_use_id": one.id, "content": result}
            for one, result in zip(turn.calls, turn.results, strict=True)
        ]
    if owed:
        messages.append({"role": "user", "content": owed})
    return messages


class _Reader:
    """Reads one response's events."""

    def __init__(self, usage: Usage) -> None:
        self.began = False
        self.ended = False
        self._usage = usage
        self._halves = Halves()
        self._calls: dict[int, Fragments] = {}  # by block: one at a time, as the vendor sends them
        self._size = 0
        self._reason: str | None = None

    def take(self, event: Any) -> Iterable[Said | Called]:
        """As ``Reader.take``."""
        kind = event.type
        if kind == "content_block_delta":
            return self._delta(event.index, event.delta)
        if kind == "content_block_start" and event.content_block.type == "tool_use":
            self.began = True
            self._calls[event.index] = Fragments(event.content_block.id, event.content_block.name)
        elif kind == "content_block_stop" and event.index in self._calls:
            return (self._calls.pop(event.index).called(_NAME),)
        elif kind == "message_start":
            self._input(event.message.usage)
        elif kind == "message_delta":
            self._reason = event.delta.stop_reason
            self._usage.output_tokens = event.usage.output_tokens
            self._usage.estimated = False
        elif kind == "message_stop":
            self.ended = True
        return ()

    def finish(self) -> Iterable[Said | Called]:
        """As ``Reader.finish``."""
        if not self.ended:
            raise ProviderError(_NAME, "unavailable", retryable=True, detail="the answer ended early")
        if self._reason == "refusal":
            raise ProviderError(_NAME, "rejected", retryable=False, detail="the model refuses to answer")
        if not self.began and self._reason not in ("end_turn", "stop_sequence"):
            raise ProviderError(_NAME, "garbage", retryable=False, detail="the answer ended before its first word")
        return ()

    def _delta(self, block: int, delta: Any) -> Iterable[Said | Called]:
        if delta.type == "text_delta" and delta.text:
            self.began = True
            self._count(delta.text)
            text = self._halves.whole(delta.text)
            return (Said(text),) if text else ()
        if delta.type == "input_json_delta" and block in self._calls:
            self._count(delta.partial_json)
            self._calls[block].add(_NAME, delta.partial_json)
        return ()

    def _count(self, text: str) -> None:
        """Until the end the vendor does not say how much it wrote, and after a cancel it never does."""
        self._size += len(text)
        self._usage.output_tokens = guessed(self._size)

    def _input(self, used: Any) -> None:
        cached = used.cache_read_input_tokens or 0
        self._usage.cached_tokens = cached
        self._usage.input_tokens = used.input_tokens + cached + (used.cache_creation_input_tokens or 0)


def make(options: Mapping[str, Any]) -> AnthropicModel:
    """Make the model from its settings: `key`, `url`, `model`; raises ``EnvironmentProblem``."""
    if not options.get("key"):
        raise EnvironmentProblem("anthropic needs a key, best taken from the environment: `key: ${ANTHROPIC_API_KEY}`")
    url = http_address("url", options.get("url") or _URL)
    return AnthropicModel(options["key"], url=url, model=options.get("model") or _MODEL)
