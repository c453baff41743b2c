"""Chat completions, and speech, as OpenAI has them; and the ways in which servers of one's own differ.

The chunks and errors are those of the vendor's API reference and the types of its SDK 3.57; speech is what
`/v1/audio/speech` answers with `response_format` `pcm`: 16 bits at 24000 Hz.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tests.doubles.vendor_http import Asked, Call, Ends, Fails, Garbage, VendorServer, sse

SPEECH = "/v1/audio/speech"
_ROLES = ("system", "user", "assistant", "tool")


@dataclass
class OpenAIServer(VendorServer):
    """As ``VendorServer``. ``manner``: what the server is like.

    `openai` itself; `vllm` sends no usage; `ollama` sends calls whole, and all with the index 0, and ends
    with `stop`; `llama` gives neither index nor id. For speech answers are bytes and faults.
    """

    manner: str = "openai"
    path = "/v1/chat/completions"

    def problem(self, asked: Asked) -> str:
        """As ``VendorServer.problem``."""
        body = asked.body
        if self.path == SPEECH:
            unknown = body.keys() - {"model", "input", "voice", "response_format", "speed"}
            return "" if not unknown and body["response_format"] == "pcm" and body["input"] else "speech: it is wrong"
        if self.manner != "openai" and "max_completion_tokens" in body:
            return "max_completion_tokens is not known here"
        owed: list[str] = []
        for number, message in enumerate(body["messages"]):
            if message["role"] not in _ROLES or (message["role"] == "system" and number):
                return "messages: a role is wrong"
            if message["role"] == "tool":
                if message["tool_call_id"] not in owed:
                    return "messages: a result without its call"
                owed.remove(message["tool_call_id"])
                continue
            if owed:
                return "messages: a call without its result"
            owed = [call["id"] for call in message.get("tool_calls", ())]
            for call in message.get("tool_calls", ()):
                json.loads(call["function"]["arguments"])
            if not owed and not message["content"]:
                return "messages: contents must not be empty"
        return "messages: a call without its result" if owed else ""

    def refusal(self, status: int, why: str) -> dict[str, Any]:
        """As ``VendorServer.refusal``."""
        return {"error": {"message": why, "type": "invalid_request_error", "code": None, "param": None}}

    def whole(self, asked: Asked, answer: list[Any]) -> bytes:
        """As ``VendorServer.whole``."""
        message = {"role": "assistant", "content": "Y"}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        return json.dumps({**_head("chat.completion"), "choices": [choice]}).encode()

    def streams(self, asked: Asked) -> bool:
        """As ``VendorServer.streams``."""
        return self.path == SPEECH or super().streams(asked)

    async def events(self, asked: Asked, answer: list[Any]) -> AsyncIterator[bytes]:
        """As ``VendorServer.events``."""
        if self.path == SPEECH:
            for step in answer:
                await self.fault(step)
                if isinstance(step, bytes):
                    yield step
            return
        yield _chunk({"role": "assistant", "content": ""})
        reason, calls = "stop", 0
        for step in answer:
            await self.fault(step)
            if isinstance(step, Garbage):
                yield sse("{no json")
            elif isinstance(step, Fails):
                yield sse({"error": {"message": "it says", "type": step.reason, "code": None}})
                return
            elif isinstance(step, Ends):
                if not step.reason:
                    return
                reason = step.reason
            elif isinstance(step, str):
                yield _chunk({"content": step})
            elif isinstance(step, Call):
                for delta in self._call(step, calls):
                    yield _chunk({"tool_calls": [delta]})
                reason = "tool_calls" if self.manner == "openai" else "stop"
                calls += 1
        yield _chunk({}, reason)
        if self.manner == "openai" and asked.body["stream_options"]["include_usage"]:
            details = {"cached_tokens": 128}
            usage = {"prompt_tokens": 150, "completion_tokens": 42, "total_tokens": 192}
            yield sse(
                {**_head("chat.completion.chunk"), "choices": [], "usage": {**usage, "prompt_tokens_details": details}}
            )
        yield sse("[DONE]")

    def _call(self, call: Call, number: int) -> list[dict[str, Any]]:
        if self.manner == "ollama":
            function = {"name": call.name, "arguments": "".join(call.args)}
            return [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]
        if self.manner == "llama":
            first: dict[str, Any] = {"type": "function", "function": {"name": call.name, "arguments": ""}}
            return [first, *({"function": {"arguments": piece}} for piece in call.args)]
        head = {"index": number, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        return [head, *({"index": number, "function": {"arguments": piece}} for piece in call.args)]


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "m"}


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return sse({**_head("chat.completion.chunk"), "choices": [choice]})
