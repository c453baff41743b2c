"""Several vendors in the place of one, each by script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from flowengine.call.breaker import FAILURES
from flowengine.call.chain import KEPT, OPENING, START_AGAIN, ModelChain, TranscriberChain, VoiceChain
from flowengine.call.ports import (
    Called,
    Expected,
    Heard,
    Metered,
    ModelRequest,
    Said,
    SpeechRequest,
    SpokenWord,
    Substitute,
    Usage,
)
from flowengine.errors import ProviderError
from flowengine.testing.virtual_time import let_pass

REQUEST = ModelRequest("default", "", "Help.", [{"role": "user", "text": "hello"}])
SPEECH = SpeechRequest("one two three four", "default", "en-US", 1.0)
EXPECTED = Expected("en-US")


def broken(kind: str = "unavailable") -> ProviderError:
    return ProviderError("x", kind, retryable=True)


@dataclass
class Vendor:
    """A vendor of any kind: each use gets the next script, which gives, or raises, one thing after another."""

    name: str
    scripts: list[Sequence[Any]]
    starts: bool = True
    ends_turns: bool = False
    version: str = "1"
    asked: list[Any] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    open: int = 0
    bug: bool = False

    async def start(self) -> None:
        if self.bug:
            raise RuntimeError("a bug of the provider's")
        if not self.starts:
            raise broken("rejected")

    async def aclose(self) -> None:
        self.told.append("closed")

    async def warm(self, request: ModelRequest) -> None:
        self.told.append("warm")

    @asynccontextmanager
    async def answer(self, request: ModelRequest) -> AsyncIterator[Script]:
        async with self._use(request) as script:
            yield script

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Script]:
        async with self._use(expected) as script:
            yield script

    @asynccontextmanager
    async def _use(self, asked: Any) -> AsyncIterator[Script]:
        self.asked.append(asked)
        script = self.scripts.pop(0)
        if script and isinstance(script[0], str):
            raise broken(script[0])
        self.open += 1
        try:
            yield Script(script, self.told)
        finally:
            self.open -= 1

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord | Substitute, None]:
        self.asked.append(request)
        for one in self.scripts.pop(0):
            if isinstance(one, Exception):
                raise one
            yield one


class Script:
    """What one use of a vendor gives."""

    def __init__(self, parts: Sequence[Any], told: list[Any]) -> None:
        self.usage = Usage("x")
        self._parts = iter(parts)
        self._told = told

    def send(self, audio: bytes) -> None:
        self._told.append(audio)

    def expect(self, expected: Expected) -> None:
        self._told.append(expected)

    def began(self) -> None:
        self._told.append("began")

    def finish(self) -> None:
        self._told.append("finish")

    def __aiter__(self) -> Script:
        return self

    async def __anext__(self) -> Any:
        for part in self._parts:
            if isinstance(part, Exception):
                raise part
            return part
        raise StopAsyncIteration


async def answered(chain: ModelChain) -> list[Said | Called]:
    async with chain.answer(REQUEST) as answer:
        return [part async for part in answer]


def test_the_next_model_answers_when_the_first_can_not(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [["timeout"], [broken()], [Said("mine")]]), Vendor("b", [[Said("b1")], [Said("b2")]])
    chain = ModelChain([first, second])

    async def story() -> list[list[Any]]:
        return [await answered(chain) for _ in range(3)]

    assert on_virtual_time(story()) == [[Said("b1")], [Said("b2")], [Said("mine")]]
    assert chain.changes == 2
    assert first.open == second.open == 0


def test_nobody_goes_on_in_another_models_sentence(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [[Said("I have"), broken()]]), Vendor("b", [[Said("no")]])
    with pytest.raises(ProviderError):
        on_virtual_time(answered(ModelChain([first, second])))
    assert second.asked == []
    assert first.open == 0


def test_an_answer_of_nothing_is_no_failure(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [[]]), Vendor("b", [[Said("no")]])
    assert on_virtual_time(answered(ModelChain([first, second]))) == []
    assert second.asked == []


def test_when_all_fail_the_last_failure_is_told(on_virtual_time: Callable[..., Any]) -> None:
    chain = ModelChain([Vendor("a", [["timeout"]]), Vendor("b", [["quota"]])])
    with pytest.raises(ProviderError) as raised:
        on_virtual_time(answered(chain))
    assert raised.value.kind == "quota"


def test_who_refused_is_not_asked_first_for_a_while(on_virtual_time: Callable[..., Any]) -> None:
    refused = ProviderError("a", "rejected", retryable=False, lasting=True)
    first, second = Vendor("a", [[refused], [Said("mine")]]), Vendor("b", [[Said("b1")], [Said("b2")]])

    async def story() -> list[list[Any]]:
        chain = ModelChain([first, second])
        return [await answered(chain) for _ in range(2)]

    assert on_virtual_time(story()) == [[Said("b1")], [Said("b2")]]
    assert len(first.asked) == 1


async def spoken(chain: VoiceChain) -> list[Any]:
    return [chunk async for chunk in chain.speak(SPEECH)]


def test_the_next_voice_says_what_was_not_spoken(on_virtual_time: Callable[..., Any]) -> None:
    words = [SpokenWord("one", 0.0, 0.5), SpokenWord("two", 0.5, 1.0)]
    first = Vendor("a", [[*words, b"x" * 8000, broken()]])
    second = Vendor("b", [[SpokenWord("three", 0.0, 0.4), b"y"]])
    chunks = on_virtual_time(spoken(VoiceChain([first, second])))
    assert second.asked[0].text == "three four"
    assert chunks == [*words, b"x" * 8000, Substitute("b", ("a",)), SpokenWord("three", 1.0, 1.4), b"y"]


def test_of_a_voice_that_says_nothing_all_is_said_by_the_next(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [[broken()]]), Vendor("b", [[b"y"]])
    assert on_virtual_time(spoken(VoiceChain([first, second]))) == [Substitute("b", ("a",)), b"y"]
    assert second.asked == [SPEECH]


def test_a_voice_that_a_flow_names_is_the_first_ones(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [[broken()]]), Vendor("b", [[b"y"]])

    async def story() -> list[Any]:
        named = replace(SPEECH, voice="6ccbfb76")
        return [chunk async for chunk in VoiceChain([first, second]).speak(named)]

    on_virtual_time(story())
    assert [request.voice for request in (*first.asked, *second.asked)] == ["6ccbfb76", "default"]


def test_nothing_is_asked_for_what_is_left_without_a_letter(on_virtual_time: Callable[..., Any]) -> None:
    words = [SpokenWord("Really", 0.0, 0.5)]
    first, second = Vendor("a", [[*words, b"x" * 8000, broken()]]), Vendor("b", [])

    async def story() -> list[Any]:
        chain = VoiceChain([first, second])
        return [chunk async for chunk in chain.speak(replace(SPEECH, text="Really ?"))]

    assert on_virtual_time(story()) == [*words, b"x" * 8000]


def test_when_no_voice_is_left_the_failure_is_told(on_virtual_time: Callable[..., Any]) -> None:
    with pytest.raises(ProviderError):
        on_virtual_time(spoken(VoiceChain([Vendor("a", [[broken()]]), Vendor("b", [[b"y", broken()]])])))


def test_the_next_transcriber_hears_the_last_seconds_again(on_virtual_time: Callable[..., Any]) -> None:
    first = Vendor("a", [[Heard("interim", "one", 0.5, 0.9), broken()]])
    second = Vendor("b", [[Heard("final", "two", 0.5, 1.0)]])
    chain = TranscriberChain([first, second])

    async def story() -> list[Heard]:
        found = []
        async with chain.listen("call", EXPECTED) as words:
            for number in range(8):
                words.send(bytes([number]) * 8000)
                if number == 6:
                    words.began()
            events = aiter(words)
            found += [await anext(events) for _ in range(3)]
            words.send(b"\x09")
            words.finish()
            words.began()
        return found

    heard = on_virtual_time(story())
    # Eight seconds were sent; the second vendor's first sample is that of two seconds.
    assert heard == [Heard("interim", "one", 0.5, 0.9), Heard("again"), Heard("final", "two", 2.5, 3.0)]
    # The voice began where it began, for one that takes whole utterances.
    told = [one[0] if isinstance(one, bytes) else one for one in second.told]
    assert told == [2, 3, 4, 5, 6, "began", 7, 9, "finish", "began"]
    assert sum(len(one) for one in second.told if isinstance(one, bytes)) == KEPT + 1
    assert first.open == second.open == 0


def test_what_was_told_for_good_is_not_heard_again(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [[Heard("final", "one", 0.2, 1.0), broken()]]), Vendor("b", [[Heard("final", "two")]])

    used: list[Usage] = []

    async def story() -> list[str]:
        async with TranscriberChain([first, second]).listen("call", EXPECTED) as words:
            assert isinstance(words, Metered)
            for number in range(4):
                words.send(bytes([number]) * 4000)
            events = aiter(words)
            texts = [(await anext(events)).text for _ in range(3)]
            used.extend(replace(one, estimated=True) for one in words.used())
            return texts

    assert on_virtual_time(story()) == ["one", "", "two"]
    assert used == [Usage("a", seconds=2.0), Usage("b", seconds=1.0)]
    assert [one[0] for one in second.told if isinstance(one, bytes)] == [2, 3]


def test_one_that_does_not_open_gives_way_to_the_next(on_virtual_time: Callable[..., Any]) -> None:
    class Deaf(Vendor):
        @asynccontextmanager
        async def listen(self, call: str, expected: Expected) -> AsyncIterator[Script]:
            await let_pass(60.0)
            yield Script([], self.told)

    async def story() -> float:
        begun = asyncio.get_running_loop().time()
        chain = TranscriberChain([Deaf("a", []), Vendor("b", [[Heard("final", "two")]])])
        async with chain.listen("call", EXPECTED) as words:
            assert (await anext(aiter(words))).text == "two"
        return asyncio.get_running_loop().time() - begun

    assert on_virtual_time(story()) == pytest.approx(OPENING)


def test_what_an_old_stream_tells_says_nothing_of_new_ones(on_virtual_time: Callable[..., Any]) -> None:
    """While a vendor takes no new connections, those that it has go on."""
    old = [Heard("interim", "one")] * 20
    first, second = Vendor("a", [old, *[["unavailable"]] * 9]), Vendor("b", [[Heard("final", "two")] for _ in range(9)])

    async def story() -> int:
        chain = TranscriberChain([first, second])
        async with chain.listen("old", EXPECTED) as words:
            events = aiter(words)
            for _ in range(8):
                await anext(events)
                async with chain.listen("new", EXPECTED):
                    pass
        return len(first.asked)

    assert on_virtual_time(story()) == 1 + FAILURES


def test_a_stream_that_nobody_hears_any_more_is_lost(on_virtual_time: Callable[..., Any]) -> None:
    chain = TranscriberChain([Vendor("a", [[broken()]]), Vendor("b", [["quota"]])])

    async def story() -> None:
        async with chain.listen("call", EXPECTED) as words:
            await anext(aiter(words))

    with pytest.raises(ProviderError):
        on_virtual_time(story())


def test_a_chain_starts_when_one_of_it_does(on_virtual_time: Callable[..., Any]) -> None:
    first, second = Vendor("a", [], starts=False), Vendor("b", [[Said("yes")]])

    async def story() -> list[Any]:
        chain = ModelChain([first, second])
        await chain.start()
        found = await answered(chain)
        await chain.aclose()
        return found

    assert on_virtual_time(story()) == [Said("yes")]
    assert first.asked == []
    first = Vendor("a", [], starts=False)
    with pytest.raises(ProviderError):
        on_virtual_time(ModelChain([first]).start())


def test_one_that_did_not_start_is_there_when_it_can(on_virtual_time: Callable[..., Any]) -> None:
    first = Vendor("a", [[Said("first")]], starts=False)
    second = Vendor("b", [[Said("second")], [Said("second")]])

    async def story() -> list[Any]:
        chain = ModelChain([first, second])
        await chain.start()
        found = await answered(chain)
        await let_pass(START_AGAIN + 1)
        found += await answered(chain)
        first.bug = True
        await let_pass(START_AGAIN + 1)
        first.bug, first.starts = False, True
        await let_pass(START_AGAIN + 1)
        found += await answered(chain)
        await chain.aclose()
        return found

    assert on_virtual_time(story()) == [Said("second"), Said("second"), Said("first")]
