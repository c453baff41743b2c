from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import openai
import pytest

from flowengine.call.ports import Called, ModelRequest, ModelTool, Said, Usage
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.openai import OpenAIModel, make
from tests.doubles.openai_server import OpenAIServer
from tests.doubles.vendor_http import Abort, Call, Ends, Fails, Garbage, Hang, Refuse
from tests.providers.leaks import run
from tests.providers.test_conversation import HALVES

TOOL = ModelTool("find_order", "Finds an order.", {"type": "object", "properties": {"number": {"type": "string"}}})
ASKED = ModelRequest(
    model="default",
    persona="You are Ada.",
    system="Help with orders.",
    messages=({"role": "user", "text": "Where is my order?"},),
    tools=(TOOL,),
    temperature=0.3,
)


@asynccontextmanager
async def model(*script: Any, **options: Any) -> AsyncIterator[tuple[OpenAIModel, OpenAIServer]]:
    """A model that is started, and the server that it asks."""
    async with OpenAIServer(deque(script), **options) as server:
        made = make({"key": "the-key", "url": f"{server.url}/v1", "model": "small"})
        await made.start()
        await made.start()
        try:
            yield made, server
        finally:
            await made.aclose()
            await made.aclose()
            await server.until(lambda: server.open == 0)


async def parts(made: OpenAIModel, request: ModelRequest = ASKED) -> tuple[list[Said | Called], Usage]:
    """The whole of an answer, and what it used."""
    async with made.answer(request) as answer:
        return [part async for part in answer], answer.usage


def answered(*script: Any, request: ModelRequest = ASKED, **options: Any) -> tuple[list[Said | Called], Usage, int]:
    """As ``parts``, and how many requests it took; every one is as the vendor wants it."""

    async def scenario() -> tuple[list[Said | Called], Usage, int]:
        async with model(*script, **options) as (made, server):
            found, usage = await parts(made, request)
            assert server.invalid == []
            return found, usage, len(server.requests)

    return run(scenario())


def failed(*script: Any, request: ModelRequest = ASKED) -> tuple[ProviderError, str, int]:
    """How an answer fails, what was said until then, and how many requests it took."""

    async def scenario() -> tuple[ProviderError, str, int]:
        async with model(*script) as (made, server):
            said = ""
            with pytest.raises(ProviderError) as caught:  # noqa: PT012  # what was said until then counts
                async with made.answer(request) as answer:
                    async for part in answer:
                        said += part.text if isinstance(part, Said) else ""
            told = "".join(traceback.format_exception(caught.value))
            assert "Where is" not in told
            assert "the-key" not in told
            asked = len(server.requests)
            server.script.clear()  # what a busy machine did not come to ask for
            found, _ = await parts(made)  # the next one has nothing of it
            assert found == [Said("Yes.")]
            assert server.invalid == []
            return caught.value, said, asked

    return run(scenario())


def test_the_double_speaks_as_the_sdk_wants_it() -> None:
    async def scenario() -> None:
        script = deque([["Hello.", Call("c1", "find_order", ('{"number":', '"7"}'))], [Fails("server_error")]])
        async with OpenAIServer(script) as server:
            http = openai.DefaultAsyncHttpxClient(mounts={"http://": None})
            async with openai.AsyncOpenAI(
                api_key="the-key", base_url=f"{server.url}/v1", max_retries=0, http_client=http
            ) as sdk:
                asked: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
                usage: Any = {"stream": True, "stream_options": {"include_usage": True}}
                chunks = [chunk async for chunk in await sdk.chat.completions.create(**asked, **usage)]
                assert chunks[-1].usage.prompt_tokens == 150
                assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "tool_calls"
                with pytest.raises(openai.APIError):
                    _ = [chunk async for chunk in await sdk.chat.completions.create(**asked, **usage)]
                assert (await sdk.chat.completions.create(**asked)).choices[0].message.content == "Y"
                with pytest.raises(openai.AuthenticationError):
                    await sdk.with_options(api_key="another").chat.completions.create(**asked)
                asked["messages"].append({"role": "tool", "tool_call_id": "gone", "content": "x"})
                with pytest.raises(openai.BadRequestError):
                    await sdk.chat.completions.create(**asked)

    run(scenario())


def test_a_whole_answer_and_what_it_used() -> None:
    found, usage, requests = answered(["It is ", "on its way."])
    assert found == [Said("It is "), Said("on its way.")]
    assert usage == Usage("openai", "small", 150, 128, 42, estimated=False)
    assert requests == 1


def test_a_server_that_does_not_tell_usage_is_estimated() -> None:
    _, usage, _ = answered(["It is ", "on its way."], manner="vllm")
    assert (usage.output_tokens, usage.estimated) == (5, True)
    assert usage.input_tokens > 10


@pytest.mark.parametrize("manner", ["openai", "vllm", "ollama", "llama"])
def test_calls_are_complete_whoever_serves(manner: str) -> None:
    calls = [Call("c1", "find_order", ('{"num', 'ber": "7"}')), Call("c2", "find_order", ('{"number": "8"}',))]
    found, _, _ = answered(["One moment.", *calls], manner=manner)
    assert found[0] == Said("One moment.")
    one, two = found[1:]
    assert isinstance(one, Called)
    assert isinstance(two, Called)
    assert (one.name, one.args, two.args) == ("find_order", {"number": "7"}, {"number": "8"})
    assert one.id
    assert one.id != two.id
    if manner == "openai":
        assert (one.id, two.id) == ("c1", "c2")


@pytest.mark.parametrize(("pieces", "said"), HALVES)
def test_halves_of_a_letter_are_joined_or_replaced(pieces: list[str], said: list[str]) -> None:
    assert answered(pieces)[0] == [Said(text) for text in said]


def test_what_is_asked() -> None:
    call = {"id": "c1", "name": "find_order", "values": {"number": "7"}}
    history = [
        *ASKED.messages,
        {"role": "assistant", "text": "", "calls": [call]},
        {"role": "tool", "id": "c1", "name": "find_order", "result": {"state": "sent"}},
    ]

    async def scenario() -> None:
        async with model() as (made, server):
            await made.warm(ASKED)
            await parts(made, replace(ASKED, messages=history, most_tokens=50))
            await parts(made, replace(ASKED, model="help", messages=(), tools=(), temperature=None, persona=""))
            warm, asked, other = (one.body for one in server.requests)
            assert warm["max_tokens"] == 1
            function = {"name": "find_order", "arguments": '{"number": "7"}'}
            assert asked == {
                "model": "small",
                "messages": [
                    {"role": "system", "content": "You are Ada.\n\nHelp with orders."},
                    {"role": "user", "content": "Where is my order?"},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
                    },
                    {"role": "tool", "tool_call_id": "c1", "content": '{"state": "sent"}'},
                ],
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "find_order",
                            "description": "Finds an order.",
                            "parameters": dict(TOOL.args),
                        },
                    }
                ],
                "temperature": 0.3,
                "max_tokens": 50,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
            assert (other["model"], "tools" in other, "temperature" in other) == ("small", False, False)
            assert other["messages"][1] == {"role": "user", "content": "(the call begins)"}
            assert server.connections == 1
            assert server.invalid == []

    run(scenario())


def test_who_leaves_closes_the_connection_and_another_one_is_opened() -> None:
    async def scenario() -> None:
        async with model(["It is ", "on ", Hang()]) as (made, server):
            async with made.answer(ASKED) as answer:
                assert await anext(aiter(answer)) == Said("It is ")
                held = answer._stream  # so that nothing but leaving closes it
            await asyncio.gather(*(one for one in asyncio.all_tasks() if one.get_name() == "spare connection"))
            await server.until(lambda: server.broken == 1)
            assert held is not None
            assert (answer.usage.estimated, answer.usage.output_tokens) == (True, 2)
            assert server.others == ["/v1/models"]
            assert (await parts(made))[0] == [Said("Yes.")]
            assert server.requests[1].connection == 2

    run(scenario())


@pytest.mark.parametrize("fault", [Refuse(503), Abort(), [Fails("server_error")], [Garbage()], [Ends()]])
def test_one_failure_before_the_first_word_is_mended(fault: Any) -> None:
    found, _, requests = answered(fault, ["Yes."])
    assert (found, requests) == ([Said("Yes.")], 2)


@pytest.mark.parametrize(
    ("script", "kind", "requests"),
    [
        ([Refuse(401)], "rejected", 1),
        ([Refuse(404)], "rejected", 1),
        ([Refuse(429)], "quota", 1),
        ([Refuse(500)] * 2, "unavailable", 2),
        ([Abort()] * 2, "unavailable", 2),
        ([[Fails("rate_limit_exceeded")]], "quota", 1),
        ([[Fails("insufficient_quota")]], "rejected", 1),
        ([[Garbage()]] * 2, "garbage", 2),
        ([[Ends()]] * 2, "unavailable", 2),
        ([[Ends("content_filter")]], "rejected", 1),
        ([[Ends("length")]], "garbage", 1),
    ],
)
def test_it_fails_where_nothing_helps(script: list[Any], kind: str, requests: int) -> None:
    error, said, asked = failed(*script)
    assert (error.kind, asked, said) == (kind, requests, "")


def test_a_first_word_that_does_not_come() -> None:
    error, _, _ = failed([Hang()], [Hang()], request=replace(ASKED, first=0.2))
    assert (error.kind, error.retryable) == ("timeout", True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Hang(), "timeout"),
        (Abort(), "unavailable"),
        (Fails("server_error"), "unavailable"),
        (Garbage(), "garbage"),
        (Ends(), "unavailable"),
        (Ends("content_filter"), "rejected"),
        (Call("a", "find_order", ('{"number',)), "garbage"),
        (Call("a", "", ("{}",)), "garbage"),
    ],
)
def test_after_the_first_word_nothing_is_repeated(fault: Any, kind: str) -> None:
    error, said, asked = failed(["It is", fault], request=replace(ASKED, gap=0.1))
    assert (error.kind, said, asked) == (kind, "It is", 1)


def test_more_calls_than_anybody_wants() -> None:
    assert failed([Call(f"c{number}", "find_order") for number in range(33)])[0].kind == "garbage"


def test_a_server_that_says_goodbye_too_late_has_answered() -> None:
    async def scenario() -> None:
        async with model() as (made, server):

            async def slow(*_: Any) -> AsyncIterator[bytes]:
                async for event in OpenAIServer.events(server, server.requests[-1], ["Yes."]):
                    if b"[DONE]" in event:
                        await server.fault(Hang())
                    yield event

            server.events = slow  # type: ignore[method-assign,assignment]  # a server that never closes its answer
            assert (await parts(made, replace(ASKED, gap=0.1)))[0] == [Said("Yes.")]

    run(scenario())


def test_openai_itself_is_told_its_own_bound() -> None:
    made = make({"key": "the-key"})
    assert made._bound == "max_completion_tokens"


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    made = make({"url": "http://127.0.0.1:11434/v1"})
    with pytest.raises(ProviderError, match=r"flowengine\[openai\]"):
        run(made.start())


def test_nothing_of_it_is_logged_however_much_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answered(["Never", " logged"], Refuse(500), ["Never"])
    failed(["Never", Fails("overloaded_error")])
    assert caplog.records
    for secret in ("Where is", "Never", "Ada", "the-key"):
        assert secret not in caplog.text


def test_a_key_is_needed_where_one_is() -> None:
    with pytest.raises(EnvironmentProblem, match="needs a"):
        make({"key": ""})
    assert isinstance(make({"url": "http://127.0.0.1:11434/v1"}), OpenAIModel)


@pytest.mark.parametrize("url", ["https://a..b", "http://host:99999999/v1", "http://[::1", "ftp://host", "host"])
def test_an_address_that_can_not_be(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="url must be the address of a server"):
        make({"url": url})
