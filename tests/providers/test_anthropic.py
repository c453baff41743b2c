from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from flowengine.call.ports import Called, ModelRequest, ModelTool, Said, Usage
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.anthropic import AnthropicModel, make
from tests.doubles.anthropic_server import AnthropicServer
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
async def model(*script: Any, **options: Any) -> AsyncIterator[tuple[AnthropicModel, AnthropicServer]]:
    """A model that is started, and the server that it asks."""
    async with AnthropicServer(deque(script), **options) as server:
        made = make({"key": "the-key", "url": server.url})
        await made.start()
        await made.start()
        try:
            yield made, server
        finally:
            await made.aclose()
            await made.aclose()
            await server.until(lambda: server.open == 0)


async def parts(made: AnthropicModel, request: ModelRequest = ASKED) -> tuple[list[Said | Called], Usage]:
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


def test_words_come_as_they_are_said() -> None:
    async def scenario() -> None:
        async with model(["It is ", Hang(), "never said"]) as (made, _), made.answer(ASKED) as answer:
            assert await anext(aiter(answer)) == Said("It is ")
            assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.estimated) == (25, 2, True)

    run(scenario())


def test_a_whole_answer_and_what_it_used() -> None:
    found, usage, requests = answered(["It is ", "on its way."], cached=1000)
    assert found == [Said("It is "), Said("on its way.")]
    assert usage == Usage("anthropic", "claude-haiku-5-5", 1025, 1000, 42, estimated=False)
    assert requests == 1


def test_calls_are_complete_and_keep_their_ids() -> None:
    first = Call("toolu_1", "find_order", ('{"num', 'ber": "7', '"}'))
    found, _, _ = answered(["One moment.", first, Call("toolu_2", "find_order", ())])
    assert found == [
        Said("One moment."),
        Called("toolu_1", "find_order", {"number": "7"}),
        Called("toolu_2", "find_order", {}),
    ]


def test_a_request_is_what_the_vendor_caches_best() -> None:
    async def scenario() -> None:
        async with model() as (made, server):
            await made.warm(ASKED)
            await parts(made)
            await parts(made, replace(ASKED, model="help", persona="", tools=(), most_tokens=50))
            warm, asked, other = (one.body for one in server.requests)
            assert warm.pop("max_tokens") == 0
            assert asked.pop("max_tokens") == 400
            assert asked.pop("stream") is True
            assert warm == asked
            assert asked == {
                "model": "claude-haiku-5-5",
                "thinking": {"type": "disabled"},
                "system": [
                    {"type": "text", "text": "You are Ada.", "cache_control": {"type": "ephemeral"}},
                    {"type": "text", "text": "Help with orders.", "cache_control": {"type": "ephemeral"}},
                ],
                "tools": [{"name": "find_order", "description": "Finds an order.", "input_schema": dict(TOOL.args)}],
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "Where is my order?", "cache_control": {"type": "ephemeral"}}
                        ],
                    }
                ],
            }
            assert (other["model"], other["max_tokens"], "tools" in other) == ("claude-haiku-5-5", 50, False)
            assert server.connections == 1  # one connection for all of them
            assert server.invalid == []

    run(scenario())


def test_a_turn_begins_with_all_that_the_turn_before_it_had_cached() -> None:
    call = {"id": "c1", "name": "find_order", "values": {"number": "7"}}
    history: list[dict[str, Any]] = [
        {"role": "user", "text": "Where is my order?"},
        {"role": "assistant", "text": "One moment.", "calls": [call]},
        {"role": "tool", "id": "c1", "name": "find_order", "result": "on its way"},
        {"role": "assistant", "text": "It is on its way."},
        {"role": "user", "text": "Thanks."},
    ]
    another = replace(TOOL, name="cancel_order")

    async def scenario() -> None:
        async with model() as (made, server):
            asked = replace(ASKED, tools=(TOOL, another))
            for turns in (1, 3, 5):
                await made.warm(replace(asked, messages=history[:turns]))
                await parts(made, replace(asked, messages=history[:turns]))
            await parts(made, replace(asked, messages=history, tools=(another, TOOL), system="Now say goodbye."))
            assert server.invalid == []
            found = [cached(one.body) for one in server.requests]
            *turns_, other = found
            for warm, answer in zip(turns_[::2], turns_[1::2], strict=True):
                assert warm == answer
                assert len(answer) == 3
            for before, after in zip(turns_[1::2], turns_[3::2], strict=False):
                assert after[-1].startswith(before[-1])
                assert after[:-1] == before[:-1]
            assert other[0] == found[0][0]  # the next node's tools and persona are there, too
            assert other[1:] != found[-2][1:]

    run(scenario())


def cached(body: dict[str, Any]) -> list[str]:
    """What a request has in the vendor's order up to each block that ends a part to be cached."""
    blocks = [*body.get("tools", []), *body.get("system", [])]
    blocks += [{**block, "role": one["role"]} for one in body["messages"] for block in one["content"]]
    found, prefix = [], ""
    for block in blocks:
        marked = block.pop("cache_control", None) is not None
        prefix += json.dumps(block)
        if marked:
            found.append(prefix)
    return found


def test_every_history_is_made_fit_for_the_vendor() -> None:
    call = {"id": "toolu:1", "name": "find_order", "values": {"number": "7"}}
    histories: list[list[dict[str, Any]]] = [
        [],
        [{"role": "assistant", "text": "Hello, how can I help?"}],
        [{"role": "user", "text": "a"}, {"role": "user", "text": " "}, {"role": "user", "text": "b"}],
        [
            {"role": "assistant", "text": ""},
            {"role": "assistant", "text": "Hi. "},
            {"role": "assistant", "text": "Well?"},
        ],
        [{"role": "user", "text": "a"}, {"role": "assistant", "text": "", "calls": [call]}],
        [{"role": "tool", "id": "gone", "name": "x", "result": 1}, {"role": "user", "text": "a"}],
        [
            {"role": "user", "text": "a"},
            {"role": "assistant", "text": "One moment", "calls": [call, {**call, "id": "b"}]},
            {"role": "tool", "id": "b", "name": "find_order", "result": {"error": "http.404"}},
            {"role": "tool", "id": "toolu:1", "name": "find_order", "result": "on its way"},
            {"role": "assistant", "text": "It is"},
        ],
        [
            {"role": "user", "text": "a"},
            {"role": "assistant", "text": "", "calls": [call]},
            {"role": "user", "text": "hurry"},
            {"role": "tool", "id": "toolu:1", "name": "find_order", "result": None},
        ],
    ]

    async def scenario() -> list[Any]:
        async with model() as (made, server):
            for history in histories:
                await parts(made, replace(ASKED, messages=history))
            assert server.invalid == []
            return [one.body["messages"] for one in server.requests]

    made = run(scenario())
    for messages in made:
        assert messages[-1]["content"][-1].pop("cache_control")
    assert made[0] == [{"role": "user", "content": [{"type": "text", "text": "(the call begins)"}]}]
    assert [one["content"][0]["text"] for one in made[1]] == ["(the call begins)", "Hello, how can I help?", "(go on)"]
    assert made[2] == [{"role": "user", "content": [{"type": "text", "text": "a b"}]}]
    assert made[3][1]["content"] == [{"type": "text", "text": "Hi. Well?"}]
    assert made[4][2]["content"] == [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "pending"}]
    assert made[6][1]["content"][1:] == [
        {"type": "tool_use", "id": "toolu_1", "name": "find_order", "input": {"number": "7"}},
        {"type": "tool_use", "id": "b", "name": "find_order", "input": {"number": "7"}},
    ]
    assert [one["content"] for one in made[6][2]["content"]] == ["on its way", '{"error": "http.404"}']
    assert [one.get("content", one.get("text")) for one in made[7][2]["content"]] == ["null", "hurry"]


def test_a_node_without_tools_goes_on_after_one_with_them() -> None:
    history: list[dict[str, Any]] = [
        {"role": "user", "text": "a"},
        {"role": "assistant", "text": "", "calls": [{"id": str(one), "name": "look", "values": {}} for one in (1, 2)]},
        {"role": "assistant", "text": "", "calls": [{"id": "3", "name": "find_order", "values": {}}]},
        {"role": "user", "text": "and now?"},
    ]

    async def scenario() -> None:
        async with model() as (made, server):
            without = replace(ASKED, messages=history, tools=())
            await made.warm(without)
            await parts(made, without)
            await parts(made, replace(ASKED, messages=history))
            assert server.invalid == []
            warm, asked, other = (one.body for one in server.requests)
            assert [(tool["name"], tool["input_schema"]) for tool in asked["tools"]] == [
                ("look", {"type": "object"}),
                ("find_order", {"type": "object"}),
            ]
            assert asked["tool_choice"] == {"type": "none"}
            assert (warm["tools"], warm["tool_choice"]) == (asked["tools"], asked["tool_choice"])
            assert [tool["name"] for tool in other["tools"]] == ["find_order"]
            assert "tool_choice" not in other

    run(scenario())


@pytest.mark.parametrize(("pieces", "said"), HALVES)
def test_halves_of_a_letter_are_joined_or_replaced(pieces: list[str], said: list[str]) -> None:
    assert answered(pieces)[0] == [Said(text) for text in said]


def test_an_answer_without_words_is_one() -> None:
    assert answered([])[0] == []


# --- leaving


def test_who_leaves_closes_the_connection_and_another_one_is_opened() -> None:
    async def scenario() -> None:
        async with model(["It is ", "on ", Hang()]) as (made, server):
            async with made.answer(ASKED) as answer:
                await anext(aiter(answer))
                held = answer._stream  # so that nothing but leaving closes it
            await asyncio.gather(*(one for one in asyncio.all_tasks() if one.get_name() == "spare connection"))
            await server.until(lambda: server.broken == 1)
            assert held is not None
            assert answer.usage.estimated
            assert server.others == ["/v1/models"]
            assert (await parts(made))[0] == [Said("Yes.")]
            assert server.requests[1].connection == 2  # the spare one
            assert server.connections == 2

    run(scenario())


@pytest.mark.parametrize("answer", [[Hang()], ["It is", Hang()]])
def test_a_call_that_ends_while_it_waits_leaves_nothing(answer: list[Any]) -> None:
    async def scenario() -> None:
        async with model(answer) as (made, server):
            task = asyncio.create_task(parts(made))
            await server.until(lambda: server.requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.until(lambda: server.others)

    run(scenario())


def test_fifty_answers_at_once_half_of_them_left() -> None:
    async def scenario() -> None:
        async with model(*([["Yes, ", 0.01, "of course."]] * 50)) as (made, server):

            async def caller(number: int) -> None:
                async with made.answer(ASKED) as answer:
                    async for _ in answer:
                        if number % 2:
                            break

            async with asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(caller(number))
            assert len(server.requests) == 50

    run(scenario())


def test_closing_breaks_the_answers_that_are_under_way() -> None:
    async def scenario() -> None:
        async with model(["It is ", Hang()]) as (made, _), made.answer(ASKED) as answer:
            await anext(aiter(answer))
            waiting = asyncio.ensure_future(anext(aiter(answer)))
            await asyncio.sleep(0)
            await made.aclose()
            with pytest.raises(ProviderError) as caught:
                await waiting
            assert caught.value.kind == "unavailable"

    run(scenario())


# --- failures


@pytest.mark.parametrize(
    "fault", [Refuse(529), Refuse(500), Abort(), [Fails("overloaded_error")], [Garbage()], [Ends()]]
)
def test_one_failure_before_the_first_word_is_mended_on_a_fresh_connection(fault: Any) -> None:
    async def scenario() -> None:
        async with model(["Good."], fault, ["Yes."]) as (made, server):
            await parts(made)
            assert (await parts(made))[0] == [Said("Yes.")]
            assert [one.connection for one in server.requests] == [1, 1, 2]

    run(scenario())


def test_a_limit_that_is_over_soon_is_waited_for() -> None:
    assert answered(Refuse(429, (("retry-after", "0.05"),)))[2] == 2


@pytest.mark.parametrize(("after", "requests"), [("0.04", 2), ("2.5", 1), ("3.9", 1)])
def test_a_limit_is_waited_for_where_that_leaves_time_to_answer(after: str, requests: int) -> None:
    refused = Refuse(429, (("retry-after", after),))

    async def scenario() -> None:
        async with model(refused, refused) as (made, server):
            with pytest.raises(ProviderError) as caught:
                async with made.answer(replace(ASKED, first=4.0)) as answer:
                    await anext(aiter(answer))
            assert (caught.value.kind, len(server.requests), answer.usage.failed) == ("quota", requests, requests)

    run(scenario())


def test_what_a_first_try_used_is_not_the_second_ones() -> None:
    async def scenario() -> None:
        async with model([Fails("overloaded_error")], Refuse(529), cached=5000) as (made, server):
            with pytest.raises(ProviderError):
                async with made.answer(ASKED) as answer:
                    await anext(aiter(answer))
            assert len(server.requests) == 2
            assert (answer.usage.cached_tokens, answer.usage.output_tokens, answer.usage.estimated) == (0, 0, True)
            assert 0 < answer.usage.input_tokens < 5000

    run(scenario())


def test_a_connection_that_is_silent_is_given_up_for_a_fresh_one() -> None:
    found, _, requests = answered([Hang()], ["Yes."], request=replace(ASKED, first=0.4))
    assert (found, requests) == ([Said("Yes.")], 2)


@pytest.mark.parametrize(
    ("script", "kind", "requests", "retryable"),
    [
        ([Refuse(401)], "rejected", 1, False),
        ([Refuse(400)], "rejected", 1, False),
        ([Refuse(429)], "quota", 1, True),
        ([Refuse(429, (("retry-after", "30"),))], "quota", 1, True),
        ([Refuse(529)] * 2, "unavailable", 2, True),
        ([Abort()] * 2, "unavailable", 2, True),
        ([[Fails("overloaded_error")]] * 2, "unavailable", 2, True),
        ([[Fails("rate_limit_error")]], "quota", 1, True),
        ([[Fails("invalid_request_error")]], "rejected", 1, False),
        ([[Garbage()]] * 2, "garbage", 2, True),
        ([[Ends()]] * 2, "unavailable", 2, True),
        ([[Ends("refusal")]], "rejected", 1, False),
        ([[Ends("max_tokens")]], "garbage", 1, False),
    ],
)
def test_it_fails_where_nothing_helps(script: list[Any], kind: str, requests: int, retryable: bool) -> None:
    error, said, asked = failed(*script)
    assert (error.kind, asked, error.retryable, said) == (kind, requests, retryable, "")


@pytest.mark.parametrize("script", [[[Hang()], [Hang()]], [["", 0.01, Hang()]]])
def test_a_first_word_that_does_not_come(script: list[Any]) -> None:
    error, _, _ = failed(*script, request=replace(ASKED, first=0.2))
    assert (error.kind, error.retryable) == ("timeout", True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Hang(), "timeout"),
        (Abort(), "unavailable"),
        (Fails("overloaded_error"), "unavailable"),
        (Garbage(), "garbage"),
        (Ends(), "unavailable"),
        (Ends("refusal"), "rejected"),
        (Call("a", "find_order", ('{"number',)), "garbage"),
        (Call("a", "find_order", ("[1]",)), "garbage"),
        (Call("a", "find_order", ('{"number": "', "7" * 70_000, '"}')), "garbage"),
    ],
)
def test_after_the_first_word_nothing_is_repeated(fault: Any, kind: str) -> None:
    error, said, asked = failed(["It is", fault], request=replace(ASKED, gap=0.1))
    assert (error.kind, said, asked) == (kind, "It is", 1)


def test_a_gap_that_is_allowed_is_waited_for() -> None:
    assert answered(["It ", 0.6, "is."], request=replace(ASKED, gap=3.0))[0] == [Said("It "), Said("is.")]


def test_an_answer_that_is_too_long_ends() -> None:
    assert answered(["It is", Ends("max_tokens")])[0] == [Said("It is")]


def test_a_failure_to_warm_is_none() -> None:
    async def scenario() -> None:
        async with model(Refuse(529)) as (made, server):
            await made.warm(ASKED)
            assert len(server.requests) == 1

    run(scenario())


def test_who_is_not_started_says_so() -> None:
    async def scenario() -> None:
        made = make({"key": "the-key"})
        await made.warm(ASKED)
        with pytest.raises(ProviderError) as caught:
            async with made.answer(ASKED):
                pass
        assert (caught.value.kind, caught.value.retryable) == ("unavailable", False)

    run(scenario())


def test_nobody_listens() -> None:
    async def scenario() -> None:
        made = make({"key": "the-key", "url": "http://127.0.0.1:9"})
        await made.start()
        with pytest.raises(ProviderError) as caught:
            await parts(made)
        assert caught.value.kind == "unavailable"
        await made.aclose()

    run(scenario())


def test_nothing_of_it_is_logged_however_much_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answered(["Never", " logged"], Refuse(500), ["Never"])
    failed(["Never", Fails("overloaded_error")])
    assert caplog.records
    for secret in ("Where is", "Never", "Ada", "the-key"):
        assert secret not in caplog.text


def test_a_key_is_needed() -> None:
    with pytest.raises(EnvironmentProblem, match="needs a"):
        make({"key": ""})


@pytest.mark.parametrize("url", ["https://a..b", "http://host:99999999/v1", "http://[::1", "ftp://host", "host"])
def test_an_address_that_can_not_be(url: str) -> None:
    with pytest.raises(EnvironmentProblem, match="url must be the address of a server"):
        make({"key": "the-key", "url": url})
