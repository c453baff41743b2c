"""Anthropic's `/v1/messages`: answers by a script, as events; a request that the vendor would refuse gets a 400.

The events and their order, the errors and the rules for requests are those in the vendor's documentation and the types
of its SDK 2.11 (messages, streaming, migration guide of Haiku 5.5).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.doubles.vendor_http import Asked, Call, Ends, Fails, Garbage, VendorServer, sse

_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_SAMPLING = ("temperature", "top_p", "top_k")
_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")


@dataclass
class AnthropicServer(VendorServer):
    """As ``VendorServer``. ``cached`` is how many tokens it says it has read from its cache."""

    cached: int = 0
    path = "/v1/messages"

    def problem(self, asked: Asked) -> str:
        """As ``VendorServer.problem``."""
        body = asked.body
        if not asked.head.get("anthropic-version"):
            return "anthropic-version is missing"
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 0:
            return "max_tokens must be a number"
        if body["max_tokens"] == 0 and body.get("stream"):
            return "nothing can not be streamed"
        if any(name in body for name in _SAMPLING):
            return "sampling parameters are not supported by this model"
        if body.get("thinking") != {"type": "disabled"}:
            return "thinking is not disabled: the engine never wants it"
        if json.dumps(body).count('"cache_control"') > 4:
            return "at most 4 blocks may have cache_control"
        for block in body.get("system", []):
            if not block["text"].strip():
                return "system: texts must not be empty"
        for tool in body.get("tools", []):
            if not _NAME.match(tool["name"]) or tool["input_schema"].get("type") != "object":
                return "tools: a name or schema is wrong"
        if not body.get("tools") and ("tool_choice" in body or _tools_in(body.get("messages", []))):
            return "requests which include tool_use or tool_result blocks, or a tool_choice, must define tools"
        return _wrong_messages(body.get("messages", []))

    def refusal(self, status: int, why: str) -> dict[str, Any]:
        """As ``VendorServer.refusal``."""
        return {"type": "error", "error": {"type": _ERRORS.get(status, "api_error"), "message": why}}

    def whole(self, asked: Asked, answer: list[Any]) -> bytes:
        """As ``VendorServer.whole``."""
        return json.dumps({**self._message(asked), "stop_reason": "max_tokens"}).encode()

    def _message(self, asked: Asked) -> dict[str, Any]:
        usage = {
            "input_tokens": 20,
            "cache_read_input_tokens": self.cached,
            "cache_creation_input_tokens": 5,
            "output_tokens": 1,
        }
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.body["model"]}
        return {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}

    async def events(self, asked: Asked, answer: list[Any]) -> AsyncIterator[bytes]:
        """As ``VendorServer.events``."""
        yield _event("message_start", message=self._message(asked))
        yield _event("ping")
        index, text, reason = 0, False, "end_turn"
        for step in answer:
            await self.fault(step)
            if isinstance(step, Garbage):
                yield sse("{no json", "content_block_delta")
            elif isinstance(step, Fails):
                yield _event("error", error={"type": step.reason, "message": "it says"})
                return
            elif isinstance(step, Ends):
                if not step.reason:
                    return
                reason = step.reason
            elif isinstance(step, str):
                if not text:
                    yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
                    text = True
                yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": step})
            elif isinstance(step, Call):
                if text:
                    yield _event("content_block_stop", index=index)
                    index, text = index + 1, False
                reason = "tool_use"
                block = {"type": "tool_use", "id": step.id, "name": step.name, "input": {}}
                yield _event("content_block_start", index=index, content_block=block)
                for piece in step.args:
                    delta = {"type": "input_json_delta", "partial_json": piece}
                    yield _event("content_block_delta", index=index, delta=delta)
                yield _event("content_block_stop", index=index)
                index += 1
        if text:
            yield _event("content_block_stop", index=index)
        yield _event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 42})
        yield _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return sse({"type": kind, **fields}, kind)


def _tools_in(messages: list[Any]) -> bool:
    return any(block["type"] in ("tool_use", "tool_result") for message in messages for block in message["content"])


def _wrong_messages(messages: list[Any]) -> str:
    if not messages or messages[0]["role"] != "user":
        return "messages: the first one must be the user's"
    if messages[-1]["role"] != "user":
        return "messages: this model does not continue a message of its own"
    owed: list[str] = []
    seen: set[str] = set()
    for number, message in enumerate(messages):
        if number and message["role"] == messages[number - 1]["role"]:
            return "messages: roles must alternate"
        blocks = message["content"]
        if not blocks or any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return "messages: contents must not be empty"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(owed) or any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            return "messages: every tool_use needs its tool_result in the next message, before its texts"
        owed = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if any(not _NAME.match(one) for one in owed) or len(owed) != len(set(owed)) or seen & set(owed):
            return "messages: ids of tool_use are wrong"
        seen |= set(owed)
    return "messages: a tool_use has no result" if owed else ""
