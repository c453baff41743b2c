"""The double of Anthropic is checked with the vendor's SDK alone, and refuses what the vendor would."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from email.message import Message
from typing import Any

import anthropic
import httpx2
import pytest

from tests.doubles.anthropic_server import AnthropicServer
from tests.doubles.vendor_http import Abort, Asked, Call, Fails, Hang, Refuse
from tests.providers.leaks import run


def test_the_double_speaks_as_the_sdk_wants_it() -> None:
    async def scenario() -> None:
        script = deque(
            [["Hello ", "you.", Call("toolu_1", "find_order", ('{"number":', ' "7"}'))], [Fails("overloaded_error")]]
        )
        async with AnthropicServer(script, cached=100) as server:
            http = anthropic.DefaultAsyncHttpxClient(mounts={"http://": None})
            async with anthropic.AsyncAnthropic(
                api_key="the-key", base_url=server.url, max_retries=0, http_client=http
            ) as sdk:
                asked: Any = {
                    "model": "claude-haiku-5-5",
                    "max_tokens": 100,
                    "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
                }
                off: Any = {"thinking": {"type": "disabled"}}
                async with sdk.messages.stream(**asked, **off) as stream:
                    message = await stream.get_final_message()
                assert [block.type for block in message.content] == ["text", "tool_use"]
                assert message.content[1].input == {"number": "7"}  # type: ignore[union-attr]  # the second is a call
                assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 42)
                assert message.usage.cache_read_input_tokens == 100

                async def streamed() -> None:
                    async with await sdk.messages.create(stream=True, **asked, **off) as events:
                        async for _ in events:
                            pass

                with pytest.raises(anthropic.APIStatusError) as caught:
                    await streamed()
                assert caught.value.status_code == 200
                with pytest.raises(anthropic.BadRequestError):
                    await sdk.messages.create(**asked)
                with pytest.raises(anthropic.AuthenticationError):
                    await sdk.with_options(api_key="another").messages.create(**asked, **off)
                assert [one.id async for one in sdk.models.list()] == []
                server.script.extend([["Well", Abort()], [Hang()], Refuse(529)])
                with pytest.raises(httpx2.TransportError):
                    await streamed()
                with pytest.raises(anthropic.APITimeoutError):
                    await sdk.messages.create(stream=True, timeout=0.1, **asked, **off)
                with pytest.raises(anthropic.InternalServerError):
                    await sdk.messages.create(stream=True, **asked, **off)

    run(scenario())


def _request(*messages: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    block = [{"role": one["role"], "content": one["content"]} for one in messages]
    return {"max_tokens": 9, "stream": True, "thinking": {"type": "disabled"}, "messages": block, **changes}


USER = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}
MINE = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
EMPTY = {"role": "user", "content": [{"type": "text", "text": " "}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}
TOOLS = [{"name": "b", "input_schema": {"type": "object"}}]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (_request(USER, USE, RESULT, MINE, USER, tools=TOOLS), ""),
        (_request(USER, USE, RESULT, MINE, USER, tools=TOOLS, tool_choice={"type": "none"}), ""),
        (_request(USER, USE, RESULT), "must define tools"),
        (_request(USER, RESULT), "must define tools"),
        (_request(USER, tool_choice={"type": "none"}), "must define tools"),
        (_request(), "first"),
        (_request(MINE, USER), "first"),
        (_request(USER, USER), "alternate"),
        (_request(USER, MINE), "continue"),
        (_request(EMPTY), "empty"),
        (_request(USER, USE, USER, tools=TOOLS), "tool_result"),
        (_request(USER, MINE, RESULT, tools=TOOLS), "tool_result"),
        (_request(USER, USE, RESULT, USE, RESULT, tools=TOOLS), "ids"),
        (_request(USER, temperature=0.5), "sampling"),
        (_request(USER, thinking=None), "thinking"),
        (_request(USER, max_tokens=None), "max_tokens"),
        (_request(USER, max_tokens=0), "streamed"),
        (_request(USER, tools=[{"name": "a b", "input_schema": {"type": "object"}}]), "tools"),
        (_request(USER, system=[{"type": "text", "text": ""}]), "system"),
    ],
)
def test_the_double_refuses_what_the_vendor_refuses(body: dict[str, Any], why: str) -> None:
    head = Message()
    head["anthropic-version"] = "2026-10-21"
    found = AnthropicServer().problem(Asked("/v1/messages", head, body, 1))
    assert (why in found) if why else found == ""
