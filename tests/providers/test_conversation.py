"""Whatever history a call has, the vendors take what is made of it: their doubles judge it."""

from __future__ import annotations

import json
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowengine.call.ports import Called, ModelRequest, ModelTool, Usage
from flowengine.errors import ProviderError
from flowengine.providers import anthropic, openai
from flowengine.providers.conversation import Fragments, guessed_input, turns
from tests.doubles.anthropic_server import AnthropicServer
from tests.doubles.openai_server import OpenAIServer
from tests.doubles.vendor_http import Asked

TEXTS = st.sampled_from(["", " ", "yes", "It is on its way…", "[keys: 12]", "ok \ud83d", "\ude00 \ud83d\ude00"])
IDS = st.sampled_from(["a", "a:b", "a_b", "call_0", "x" * 60, "x" * 61, "é", ""])
VALUES = st.sampled_from([{"n": 1}, {"\ud83d": ["\ude00", {"a": "\ud83d"}]}])
CALLS = st.lists(st.builds(lambda id_, values: {"id": id_, "name": "look", "values": values}, IDS, VALUES), max_size=3)
RESULTS = st.sampled_from(["", "ok", None, {"error": "http.404"}, [1, 2], "pending", "\ud83d", {"a": "\ud83d"}])
# The pieces of an answer, and what is said of them.
HALVES = [
    (["Great \ud83d", "\ude00 news"], ["Great ", "\U0001f600 news"]),
    (["\ud83d\ude00"], ["\U0001f600"]),
    (["a\ud83d", "b", "c\ude00d"], ["a", "\ufffdb", "c\ufffdd"]),
    (["Bye \ud83d"], ["Bye "]),
]
MESSAGES = st.one_of(
    st.builds(lambda text: {"role": "user", "text": text}, TEXTS),
    st.builds(lambda text, calls: {"role": "assistant", "text": text, "calls": calls}, TEXTS, CALLS),
    st.builds(lambda text: {"role": "assistant", "text": text}, TEXTS),
    st.builds(lambda id_, result: {"role": "tool", "id": id_, "name": "look", "result": result}, IDS, RESULTS),
)


@given(st.lists(MESSAGES, max_size=12))
def test_every_history_is_made_fit(history: list[dict[str, Any]]) -> None:
    request = ModelRequest("default", "You are \ud83d Ada.", "Help\ude00.", history)
    head = Message()
    head["anthropic-version"] = "2026-10-21"
    body = {**anthropic.AnthropicModel("k")._asked(request), "max_tokens": 9, "stream": True}
    assert AnthropicServer().problem(Asked("/v1/messages", head, body, 1)) == ""
    assert json.dumps(body, ensure_ascii=False).encode()
    body = openai.OpenAIModel("k")._asked(request)
    assert OpenAIServer().problem(Asked("/v1/chat/completions", head, body, 1)) == ""
    assert json.dumps(body, ensure_ascii=False).encode()


def test_a_result_goes_to_the_latest_call_of_its_id() -> None:
    call = {"id": "call_0", "name": "look", "values": {}}
    history: list[dict[str, Any]] = []
    for result in ("one", "two"):
        history += [
            {"role": "user", "text": "and?"},
            {"role": "assistant", "text": "", "calls": [call]},
            {"role": "tool", "id": "call_0", "name": "look", "result": result},
        ]
    found = [(turn.calls[0].id, turn.results) for turn in turns(history) if turn.calls]
    assert found == [("call_0", ["one"]), ("call_0_1", ["two"])]


def test_calls_of_one_answer_have_ids_of_their_own() -> None:
    reader = openai._Reader(Usage("openai"))

    def chunk(pieces: list[dict[str, Any]], reason: str | None) -> Any:
        from openai.types.chat import ChatCompletionChunk

        choice = {"index": 0, "delta": {"tool_calls": pieces}, "finish_reason": reason}
        whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return ChatCompletionChunk.model_validate(whole)

    function = {"name": "look", "arguments": "{}"}
    pieces = [{"index": number, "id": "same", "type": "function", "function": function} for number in range(2)]
    one, two = reader.take(chunk(pieces, "tool_calls"))
    assert isinstance(one, Called)
    assert isinstance(two, Called)
    assert one.id == "same"
    assert two.id not in ("", "same")


def test_halves_of_letters_are_replaced_in_a_call() -> None:
    call = Fragments("a\ud83d", "look\ude00")
    for piece in ('{"a": "\\ud83d', '\\ude00", "\ud83d', '": ["\\ud83d"]}'):
        call.add("x", piece)
    assert call.called("x") == Called("a\ufffd", "look\ufffd", {"a": "\U0001f600", "\ufffd": ["\ufffd"]})


def test_pieces_of_a_call_are_bounded() -> None:
    call = Fragments("a", "look")
    call.add("x", "1" * 65_000)
    with pytest.raises(ProviderError, match="more than"):
        call.add("x", "1" * 1000)


def test_a_request_is_guessed_by_its_letters() -> None:
    tool = ModelTool("look", "Looks.", {})
    request = ModelRequest("default", "1234", "5678", [{"role": "user", "text": "12345678"}], (tool,))
    assert guessed_input(request) == (4 + 4 + 8 + 4 + 6 + 2 + 3) // 4
