"""The scripted transcriber, sent audio frame by frame: every event comes with the sample that makes it due."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from flowengine.call.ports import Expected, Heard, Transcriber
from flowengine.testing.labels import RATE, Clip, Said, Timeline, Word
from flowengine.testing.transcriber import QUEUE, Delay, ScriptedTranscriber

FRAME = 160


def clip(*words: tuple[str, float, float]) -> Clip:
    return Clip(bytes(round(words[-1][2] * RATE)), tuple(Word(*word) for word in words))


YES = clip(("yes", 0.1, 0.4))
SALES = clip(("I", 0.0, 0.1), ("want", 0.1, 0.4), ("sales", 0.4, 0.8))
SLOW = clip(("one", 0.0, 0.3), ("two", 1.3, 1.6))


def hear(
    said: Sequence[tuple[float, Clip]], seconds: float, *, finish: Sequence[float] = (), **options: object
) -> list[tuple[float, str, str]]:
    """What is told, as (second of the audio, kind, text); a clip is known when its time comes."""

    async def go() -> list[tuple[float, str, str]]:
        timeline = Timeline()
        transcriber: Transcriber = ScriptedTranscriber(lambda _: timeline, Heard, **options)  # type: ignore[arg-type]
        await transcriber.start()
        told: list[tuple[float, str, str]] = []
        todo, finishes = list(said), list(finish)
        async with transcriber.listen("call", Expected("en")) as words:
            words.expect(Expected("de"))
            words.began()
            events = aiter(words)
            waiting = asyncio.ensure_future(anext(events))
            for number in range(round(seconds * RATE / FRAME)):
                now = number * FRAME / RATE
                if todo and todo[0][0] <= now:
                    timeline.said.append(Said(round(todo[0][0] * RATE), todo.pop(0)[1]))
                if finishes and finishes[0] <= now:
                    finishes.pop(0)
                    words.finish()
                words.send(b"\xff" * FRAME)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                while waiting.done():
                    heard = waiting.result()
                    told.append((round(now + 0.02, 2), heard.kind, heard.text))
                    waiting = asyncio.ensure_future(anext(events))
                    await asyncio.sleep(0)
                    await asyncio.sleep(0)
        with pytest.raises(StopAsyncIteration):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        await transcriber.aclose()
        return told

    return asyncio.run(go())


def test_words_come_250_ms_after_they_were_spoken_and_are_final_when_the_speech_is_over() -> None:
    assert hear([(1.0, SALES)], 3.0, finish=[2.2]) == [
        (1.26, "started", ""),
        (1.36, "interim", "I"),
        (1.66, "interim", "I want"),
        (2.06, "interim", "I want sales"),
        (2.3, "final", "I want sales"),
    ]


def test_final_words_that_are_not_recognized_yet_are_waited_for() -> None:
    told = hear([(1.0, SALES)], 3.0, finish=[1.82])
    assert told[-1] == (2.06, "final", "I want sales")
    assert "I want sales" not in [text for _, kind, text in told if kind == "interim"][:-1]


def test_after_final_words_the_next_ones_begin_anew_and_nothing_is_told_twice() -> None:
    told = hear([(0.0, YES), (2.0, SALES)], 4.0, finish=[0.5, 0.52, 1.5, 3.0])
    assert [(kind, text) for _, kind, text in told if kind == "final"] == [("final", "yes"), ("final", "I want sales")]
    assert [text for _, kind, text in told if kind == "interim"] == ["yes", "I", "I want", "I want sales"]


def test_a_word_that_is_still_being_spoken_is_not_final() -> None:
    told = hear([(1.0, SALES)], 3.0, finish=[1.6, 2.5])
    assert [text for _, kind, text in told if kind == "final"] == ["I want", "sales"]


def test_a_sound_without_words_is_not_told() -> None:
    assert hear([(0.5, Clip(bytes(4000), kind="sound"))], 2.0, finish=[1.0]) == []


def test_a_turn_as_flux_tells_it() -> None:
    told = hear([(1.0, SALES)], 3.0, ends_turns=True)
    assert [event for event in told if event[1] != "interim"] == [
        (1.26, "started", ""),
        (1.92, "likely_end", "I want sales"),
        (2.06, "end", "I want sales"),
    ]
    assert [event for event in told if event[1] == "interim"] == [
        (1.5, "interim", "I"),
        (1.76, "interim", "I want"),
        (2.0, "interim", "I want"),
    ]


def test_a_hesitation_looks_like_an_end_until_the_next_word() -> None:
    told = [event for event in hear([(0.0, SLOW)], 3.0, ends_turns=True) if event[1] != "interim"]
    assert told == [
        (0.26, "started", ""),
        (0.56, "likely_end", "one"),
        (1.56, "resumed", ""),
        (1.72, "likely_end", "one two"),
        (1.86, "end", "one two"),
    ]


def test_a_clip_that_follows_before_the_end_is_the_same_turn() -> None:
    told = [event[1:] for event in hear([(0.0, YES), (0.6, SALES)], 3.0, ends_turns=True) if event[1] != "interim"]
    assert told == [
        ("started", ""),
        ("likely_end", "yes"),
        ("resumed", ""),
        ("likely_end", "yes I want sales"),
        ("end", "yes I want sales"),
    ]


def test_the_beginning_of_a_turn_is_told_even_if_the_next_clip_is_there_at_once() -> None:
    mhm = clip(("mhm", 0.0, 0.2))
    told = [event[1:] for event in hear([(0.0, mhm), (0.2, SALES)], 3.0, ends_turns=True) if event[1] != "interim"]
    assert told[0] == ("started", "")
    assert told[-1] == ("end", "mhm I want sales")


def test_a_clip_after_the_end_is_a_turn_of_its_own_and_finish_changes_nothing() -> None:
    told = hear([(0.0, YES), (1.0, SALES)], 3.0, ends_turns=True, finish=[0.5, 2.5])
    assert [text for _, kind, text in told if kind == "end"] == ["yes", "I want sales"]
    assert [kind for _, kind, _ in told].count("started") == 2


def test_delays_vary_by_seed_and_never_reorder_words() -> None:
    def interims(seed: int) -> list[tuple[float, str, str]]:
        delay = Delay(0.25, 0.8, seed)
        return [event for event in hear([(0.0, SALES)], 6.0, words=delay) if event[1] == "interim"]

    assert interims(1) == interims(1)
    assert interims(1) != interims(2)
    for seed in range(10):
        assert [text for _, _, text in interims(seed)] == ["I", "I want", "I want sales"]


def test_the_ends_of_turns_are_spread_as_those_of_flux() -> None:
    delays = sorted(Delay(0.26, 1.07, 3).samples(place) / RATE for place in range(2000))
    assert 0.23 < delays[1000] < 0.29
    assert 1.2 < delays[1900] < 1.8


@pytest.mark.parametrize("kept", [0.0, 2.0])
def test_one_that_is_opened_late_hears_what_is_said_from_then_on(kept: float) -> None:
    """The phone has sent 10 s; what was kept of it comes at once, what comes then is that of now."""

    async def go() -> list[Heard]:
        timeline = Timeline(said=[Said(11 * RATE, YES)], sent=10 * RATE)
        async with ScriptedTranscriber(lambda _: timeline, Heard).listen("call", None) as words:
            for _ in range(round(kept * RATE / FRAME)):
                words.send(bytes(FRAME))
            while timeline.sent < 12 * RATE:
                timeline.sent += FRAME
                words.send(bytes(FRAME))
                if timeline.sent == 11.64 * RATE:
                    assert words._events.qsize() == 1  # it began, and the word comes 250 ms after its end
        return [heard async for heard in words]

    assert [(heard.kind, heard.text) for heard in asyncio.run(go())] == [("started", ""), ("interim", "yes")]


def test_who_does_not_read_loses_the_oldest() -> None:
    async def go() -> list[Heard]:
        many = clip(*((str(n), n * 0.01, n * 0.01 + 0.01) for n in range(QUEUE + 100)))
        timeline = Timeline(said=[Said(0, many)])
        transcriber = ScriptedTranscriber(lambda _: timeline, Heard)
        async with transcriber.listen("call", None) as words:
            words.send(bytes(30 * RATE))
        return [heard async for heard in words]

    heard = asyncio.run(go())
    assert len(heard) == QUEUE - 1
    assert heard[-1].text.endswith(str(QUEUE + 99))
    assert (heard[-1].began, heard[-1].ended, heard[-1].confidence) == (0.0, (QUEUE + 100) * 0.01, 1.0)
