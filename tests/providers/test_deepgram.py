from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import pytest

from flowengine.call.ports import Expected, Heard, Transcriber, Transcription
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.deepgram import DeepgramTranscriber, make
from flowengine.providers.deepgram_sound import Sound
from flowengine.providers.deepgram_stream import DeepgramTranscription
from tests.doubles.deepgram_server import DeepgramServer, Hearing, Spoken

T = TypeVar("T")
WORDS = {1: "I", 2: "want", 3: "help", 4: "please"}
CODES = {word: code for code, word in WORDS.items()}
HELLO = [Spoken("hello", 0.4, 0.8)]
EN = Expected("en-US")
MENU = Expected("en-US", "choice", ("Balance", "the help & more"))


def run(what: Coroutine[Any, Any, T]) -> T:
    """Run a scenario, and see that it leaves nothing behind."""

    async def bounded() -> T:
        async with asyncio.timeout(10):
            found = await what
        left = {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        assert not [name for name in left if "deepgram" in name]
        return found

    # What the SDK and the TLS context bring along is there before we count.
    DeepgramTranscriber("k")
    before, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads
    return found


def said(*parts: str | float) -> bytes:
    """Audio: a word is 240 ms of its byte and 80 ms of silence, a number seconds of silence."""
    silence = b"\xff"
    return b"".join(
        silence * round(part * 8000) if isinstance(part, float) else bytes([CODES[part]]) * 1920 + silence * 640
        for part in parts
    )


def send(stream: Transcription, audio: bytes) -> None:
    """As the line sends: in frames of 20 ms."""
    for at in range(0, len(audio), 160):
        stream.send(audio[at : at + 160])


async def heard_by(server: DeepgramServer, audio: int, connection: int = -1) -> None:
    await server.until(lambda: server.hearings and len(server.hearings[connection].audio) >= audio)


async def until(heard: AsyncIterator[Heard], kind: str) -> Heard:
    async with asyncio.timeout(5):
        async for each in heard:
            if each.kind == kind:
                return each
    raise AssertionError("it ended")


async def kinds(heard: AsyncIterator[Heard], last: str) -> list[str]:
    """What is heard until an event, without interims, of which one gives way to what comes after it."""
    found: list[str] = []
    async with asyncio.timeout(5):
        async for each in heard:
            if each.kind != "interim":
                found.append(each.kind)
            if each.kind == last:
                return found
    raise AssertionError("it ended")


PORT: type[Transcriber] = DeepgramTranscriber


async def started(server: DeepgramServer, **options: Any) -> DeepgramTranscriber:
    """A transcriber that is ready, without the connection that it was tried with."""
    transcriber = DeepgramTranscriber("secret", url=server.url, **{"pause": 0.01, "look": 0.05, **options})
    faults, server.faults = server.faults, deque()
    await transcriber.start()
    await server.until(lambda: server.open == 0)
    server.faults, server.tries = faults, 0
    server.hearings.clear()
    return transcriber


def double(*faults: str) -> DeepgramServer:
    return DeepgramServer(WORDS, faults=deque(faults))


def place(heard: Heard) -> tuple[float, float]:
    """Where it lies, to the millisecond."""
    assert heard.began is not None
    assert heard.ended is not None
    return round(heard.began, 3), round(heard.ended, 3)


# --- Flux


def test_a_turn_begins_is_likely_over_goes_on_and_ends() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said(0.08, "I", "want", 0.32))
            assert await kinds(heard, "likely_end") == ["started", "likely_end"]
            send(stream, said("help"))
            assert await kinds(heard, "resumed") == ["resumed"]
            send(stream, said(0.4))
            likely = await until(heard, "likely_end")
            send(stream, said(0.4))
            end = await until(heard, "end")
            assert likely.text == end.text == "I want help"
            assert end.confidence == pytest.approx(0.9)
            assert place(end) == (0.08, 1.28)

    run(scenario())


def test_turns_follow_each_other_and_each_has_only_its_own_words() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.8, "help", 0.8))
            assert (await until(heard, "end")).text == "I"
            assert await kinds(heard, "end") == ["started", "likely_end", "end"]

    run(scenario())


def test_the_audio_goes_through_untouched_in_messages_of_80_ms_with_what_was_asked_for() -> None:
    async def scenario() -> Hearing:
        async with double() as server, (await started(server)).listen("call", MENU) as stream:
            audio = bytes(range(256)) * 40
            send(stream, audio)
            await heard_by(server, len(audio))
            assert bytes(server.hearings[0].audio) == audio
            return server.hearings[0]

    hearing = run(scenario())
    assert set(hearing.messages) == {640}
    assert hearing.path == "/v2/listen"
    assert hearing.authorization == "Token secret"
    assert hearing.query == {
        "model": ["flux-general-en"],
        "encoding": ["mulaw"],
        "sample_rate": ["8000"],
        "eot_threshold": ["0.7"],
        "eager_eot_threshold": ["0.5"],
        "eot_timeout_ms": ["3000"],
        "keyterm": ["Balance", "the help & more"],
    }


def test_what_is_expected_is_favoured_at_once() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            stream.expect(EN)  # says nothing new
            stream.expect(MENU)
            await server.until(lambda: server.hearings and server.hearings[0].texts)
            assert server.hearings[0].texts == [{"type": "Configure", "keyterms": ["Balance", "the help & more"]}]
            stream.expect(Expected("en-US", "nothing"))  # leaves it as it is
            stream.expect(EN)
            await server.until(lambda: len(server.hearings[0].texts) > 1)
            assert server.hearings[0].texts[1] == {"type": "Configure", "keyterms": []}
            assert server.tries == 1

    run(scenario())


def test_a_wish_that_is_refused_is_counted() -> None:
    async def scenario() -> None:
        async with double("refuse") as server, (await started(server)).listen("call", EN) as stream:
            stream.expect(MENU)
            await server.until(lambda: server.hearings and server.hearings[0].texts)
            send(stream, said("help", 0.8))
            assert (await until(aiter(stream), "end")).text == "help"
            assert stream.refused == 1

    run(scenario())


def test_only_so_many_phrases_are_favoured() -> None:
    transcriber = DeepgramTranscriber("k")
    many = Expected("en", "choice", tuple(f"option {number}" for number in range(200)))
    assert len(transcriber._wanted(many)[1]) == 100
    assert transcriber._wanted(Expected("en", "choice", ("x" * 1000, "y" * 1000)))[1] == ("x" * 1000,)


def test_another_language_has_another_connection_which_hears_what_was_not_told() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.8, "want"))
            assert (await until(heard, "end")).text == "I"
            stream.expect(Expected("de-DE"))
            await server.until(lambda: len(server.hearings) == 2)
            assert server.hearings[1].query["model"] == ["flux-general-multi"]
            assert server.hearings[1].query["language_hint"] == ["de"]
            send(stream, said("help", 0.8))
            end = await until(heard, "end")
            assert end.text == "want help"
            assert place(end) == (1.12, 1.68)
            assert stream.reconnects == 0
            stream.expect(Expected("de-AT"))  # the same language
            stream.expect(Expected("fr"))
            await server.until(lambda: len(server.hearings) == 3)
            assert server.hearings[2].query["language_hint"] == ["fr"]
            sent = {one.model: one.seconds for one in stream.used()}
            assert sent["flux-general-en"] == len(server.hearings[0].audio) / 8000
            assert sent["flux-general-multi"] >= len(server.hearings[1].audio) / 8000
            await server.until(lambda: server.open == 1)

    run(scenario())


@pytest.mark.parametrize(
    ("model", "lang", "wanted"),
    [
        ("flux-general-en", "en-IN", "model=flux-general-en&"),
        ("flux-general-multi", "en-IN", "language_hint=en"),
        ("flux-general-multi", "", "language_hint=en"),
        ("nova-3", "en-IN", "language=en-IN"),
        ("nova-3", "de_DE", "language=de"),
        ("nova-3", "pt-BR", "language=pt-BR"),
    ],
)
def test_languages(model: str, lang: str, wanted: str) -> None:
    assert wanted in DeepgramTranscriber("k", model=model)._wanted(Expected(lang))[0]


def test_where_no_audio_comes_flux_hears_silence_which_is_none_of_the_stream() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I"))  # and the line falls silent: no frame comes any more
            assert (await until(heard, "end")).text == "I"
            filled = len(server.hearings[0].audio) - 2560
            assert filled >= 3200
            send(stream, said("help", 0.8))
            end = await until(heard, "end")
            assert (end.text, *place(end)) == ("help", 0.32, 0.56)

    run(scenario())


def test_finishing_is_left_to_flux() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            stream.began()
            send(stream, said("I", "want"))
            await until(aiter(stream), "interim")
            stream.finish()
            send(stream, said(0.16))
            await heard_by(server, 6400)
            assert server.hearings[0].texts == []

    run(scenario())


# --- nova-3


def test_nova_gives_interim_and_final_words_and_ends_no_turns() -> None:
    async def scenario() -> Hearing:
        async with double() as server:
            transcriber = await started(server, model="nova-3")
            assert not transcriber.ends_turns
            async with transcriber.listen("call", MENU) as stream:
                heard = aiter(stream)
                send(stream, said(0.08, "I", "want", "help"))
                assert (await until(heard, "started")).began == pytest.approx(0.08)
                interim = await until(heard, "interim")
                assert interim.text.startswith("I")
                send(stream, said(0.4))
                final = await until(heard, "final")
                assert (final.text, final.confidence) == ("I want help", 0.8)
                assert place(final) == (0.08, 0.96)
                send(stream, said("please"))
                stream.finish()
                assert (await until(heard, "final")).text == "please"
                stream.finish()  # nothing was said since
                assert await until(heard, "final") == Heard("final", "", 1.76, 1.76, 0.0)
                stream.expect(EN)
                await server.until(lambda: server.hearings[0].told("Configure"))
                return server.hearings[0]

    hearing = run(scenario())
    assert hearing.path == "/v1/listen"
    assert hearing.query["language"] == ["en-US"]
    assert hearing.query["keyterm"] == ["Balance", "the help & more"]
    assert hearing.told("Finalize") == 2
    assert hearing.texts[-1] == {"type": "Configure", "keyterms": []}


def test_an_utterance_that_ends_in_noise_is_asked_for_its_words() -> None:
    async def scenario() -> None:
        async with double("noisy") as server, (await started(server, model="nova-3")).listen("call", EN) as stream:
            send(stream, said("I", "want", 1.2))
            assert (await until(aiter(stream), "final")).text == "I want"
            assert server.hearings[0].told("Finalize") == 1

    run(scenario())


def test_nova_is_kept_alive() -> None:
    async def scenario() -> None:
        async with double() as server:
            transcriber = await started(server, model="nova-3", idle=0.05)
            async with transcriber.listen("call", EN) as stream:
                await server.until(lambda: server.hearings and server.hearings[0].told("KeepAlive") > 1)
                assert server.hearings[0].messages == [640]  # the first time silence, as nothing was heard before
                send(stream, said("help", 0.4))
                final = await until(aiter(stream), "final")
                assert (final.text, final.began) == ("help", 0.0)

    run(scenario())


# --- what goes wrong


@pytest.mark.parametrize("fault", ["abort:7", "close:7:1011", "close:7:1001", "close:7:1000", "garbage:7", "error:7"])
def test_a_lost_connection_is_replaced_and_hears_again(fault: str) -> None:
    async def scenario() -> None:
        async with double(fault) as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", "want"))
            await server.until(lambda: len(server.hearings) == 2)
            send(stream, said("help", 0.8))
            found = await kinds(heard, "end")
            assert found.count("started") == found.count("again") == 1
            assert stream.reconnects == 1
            # The same audio from the begin on, and the words where they are in the stream.
            assert bytes(server.hearings[1].audio).startswith(said("I", "want", "help"))

    run(scenario())


def test_the_words_of_a_turn_survive_though_they_are_not_heard_again() -> None:
    async def scenario() -> None:
        async with double("abort:68") as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said(0.8, "I", "want", 0.4))
            assert (await until(heard, "likely_end")).text == "I want"
            for _ in range(10):  # a turn that goes on for longer than audio is kept
                send(stream, said("please"))
                await heard_by(server, 1)
                await until(heard, "interim")
            send(stream, said("help", 0.4))
            await server.until(lambda: len(server.hearings) == 2)
            send(stream, said(0.8))
            end = await until(heard, "end")
            assert end.text == "I want " + "please " * 10 + "help"
            assert end.began == pytest.approx(0.8)
            assert len(server.hearings[1].audio) <= 4 * 8000

    run(scenario())


def test_the_words_of_a_turn_survive_two_losses_in_a_row() -> None:
    async def scenario() -> None:
        async with (
            double("abort:13", "abort:1") as server,
            (await started(server, pause=0.02)).listen("call", EN) as stream,
        ):
            heard = aiter(stream)
            send(stream, said("I", "want", 0.24))
            assert (await until(heard, "likely_end")).text == "I want"
            send(stream, said(0.16))
            await server.until(lambda: len(server.hearings) == 2 and server.hearings[1].closed)
            send(stream, said(2.4))  # "I want" was sent again, but not told again
            await server.until(lambda: len(server.hearings) == 3)
            send(stream, said(0.08, "help", 0.8))
            end = await until(heard, "end")
            assert (end.text, end.began) == ("I want help", 0.0)

    run(scenario())


def test_a_likely_end_is_taken_back_when_its_connection_is_lost() -> None:
    async def scenario() -> None:
        async with double("abort:9") as server, (await started(server)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.4))
            assert await kinds(heard, "resumed") == ["started", "likely_end", "resumed"]
            send(stream, said(0.4))
            end = await until(heard, "end")
            assert (end.text, *place(end)) == ("I", 0.0, 0.24)

    run(scenario())


def test_a_turn_that_was_over_while_nobody_heard_it_is_told() -> None:
    async def scenario() -> None:
        async with (
            double("abort:6", "503") as server,
            (await started(server, pause=0.02, stall=0.2)).listen("call", EN) as stream,
        ):
            heard = aiter(stream)
            send(stream, said("I", 0.16))
            assert (await until(heard, "interim")).text == "I"
            await server.until(lambda: server.tries > 1)
            send(stream, said(3.0))  # while there is no connection: of "I" nothing is left
            await server.until(lambda: len(server.hearings) == 2)
            for _ in range(4):
                await asyncio.wait_for(server.until(lambda: server.hearings[1].audio), 5)
                send(stream, said(0.4))
            end = await until(heard, "end")
            assert (end.text, *place(end)) == ("I", 0.0, 0.24)
            send(stream, said("help", 0.8))
            assert (await until(heard, "end")).text == "help"

    run(scenario())


def test_nova_words_that_are_not_heard_again_are_final() -> None:
    async def scenario() -> None:
        async with double("noisy") as server, (await started(server, model="nova-3")).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", "want"))
            await until(heard, "interim")
            for at in range(8):
                send(stream, said("please"))
                await heard_by(server, 2560 * (at + 3))
            send(stream, said(0.8))
            await heard_by(server, 2560 * 10 + 6400)
            server_side = server._server
            assert server_side is not None
            for connection in server_side.connections:
                connection.transport.abort()
            final = await until(heard, "final")
            assert final.text.startswith("I")
            await server.until(lambda: len(server.hearings) == 2)
            send(stream, said(0.4))
            rest = await until(heard, "final")
            together = (final.text + " " + rest.text).split()
            assert together == ["I", "want", *["please"] * 8]

    run(scenario())


def test_a_turn_of_which_nothing_more_is_told_is_ended_by_us() -> None:
    async def scenario() -> None:
        async with double("stall:5") as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.8))
            end = await until(heard, "end")
            assert end.text == "I"
            assert server.hearings[0].told("ForceEndTurn") == 1
            assert (stream.ended, stream.reconnects) == (1, 0)

    run(scenario())


def test_a_server_that_does_not_even_end_a_turn_is_given_up() -> None:
    async def scenario() -> None:
        async with double("hang:5") as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.4))
            await server.until(lambda: server.hearings and server.hearings[0].told("ForceEndTurn"))
            send(stream, said(0.4))
            assert (await until(heard, "end")).text == "I"
            assert (stream.ended, stream.reconnects, len(server.hearings)) == (1, 1, 2)

    run(scenario())


def test_a_connection_that_is_half_open_is_found_by_its_pings() -> None:
    async def scenario() -> None:
        async with double("deaf:1") as server:
            transcriber = await started(server, ping_every=0.1, ping_within=0.1)
            async with transcriber.listen("call", EN) as stream:
                send(stream, said("I"))
                await server.until(lambda: len(server.hearings) == 2)
                send(stream, said("help", 0.8))
                assert (await until(aiter(stream), "end")).text == "I help"
                assert stream.reconnects == 1

    run(scenario())


def test_a_caller_who_speaks_into_a_half_open_connection_is_not_kept_waiting_for_a_ping_that_is_due() -> None:
    async def scenario() -> None:
        async with double("deaf:1") as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            send(stream, said(0.08))
            await heard_by(server, 640)
            stream.began()
            send(stream, said("I"))
            await server.until(lambda: len(server.hearings) == 2)
            send(stream, said("help", 0.8))
            assert (await until(aiter(stream), "end")).text == "I help"
            assert (stream.ended, stream.reconnects) == (0, 1)

    run(scenario())


@pytest.mark.parametrize("model", ["flux-general-en", "nova-3"])
def test_a_voice_that_is_none_for_deepgram_is_no_loss(model: str) -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server, stall=0.1, model=model)).listen("call", EN) as stream:
            stream.began()
            send(stream, said(1.6))
            await heard_by(server, 12800)
            send(stream, said("help", 0.8))
            assert (await until(aiter(stream), "end" if "flux" in model else "final")).text == "help"
            assert stream.reconnects == 0

    run(scenario())


def test_a_line_that_sends_nothing_after_a_voice_began_is_no_loss() -> None:
    async def scenario() -> None:
        async with double() as server:
            transcriber = await started(server, model="nova-3", stall=0.4, idle=0.05)
            async with transcriber.listen("call", EN) as stream:
                send(stream, said(0.08))
                stream.began()
                await server.until(lambda: server.hearings and server.hearings[0].told("KeepAlive") >= 20)
                send(stream, said("help", 0.4))
                assert (await until(aiter(stream), "final")).text == "help"
                assert (stream.reconnects, server.tries) == (0, 1)

    run(scenario())


def test_silence_that_is_sent_in_the_place_of_a_line_counts_as_audio() -> None:
    async def scenario() -> None:
        async with double("hang:1") as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            send(stream, said(0.08))
            stream.began()
            await server.until(lambda: len(server.hearings) == 2)
            assert len(server.hearings[0].audio) > 640
            assert stream.reconnects == 1

    run(scenario())


def test_a_connection_that_takes_no_silence_is_given_up() -> None:
    async def never(fresh: bool) -> int:
        await asyncio.Event().wait()
        return 0

    async def scenario() -> None:
        async with double() as server:
            transcriber = await started(server, taken_within=0.1)
            opened = transcriber._opened

            async def deaf(expected: Expected) -> Any:
                line = await opened(expected)
                if server.tries == 1:  # its buffers are full: too much for a test to fill them
                    line.idle = 0.01
                    line.quiet = never  # type: ignore[method-assign]  # see above
                return line

            transcriber._opened = deaf  # type: ignore[method-assign]  # so does a test become a vendor
            async with transcriber.listen("call", EN) as stream:
                await server.until(lambda: len(server.hearings) == 2)
                send(stream, said("help", 0.8))
                assert (await until(aiter(stream), "end")).text == "help"

    run(scenario())


def test_words_of_a_turn_that_was_told_to_be_over_are_not_heard_again() -> None:
    async def scenario() -> None:
        async with (
            double("", "hang:1") as server,
            (await started(server, stall=0.2)).listen("call", EN) as stream,
        ):
            heard = aiter(stream)
            send(stream, said("I", 0.16))
            assert (await until(heard, "interim")).text == "I"
            server.drop()
            await server.until(lambda: len(server.hearings) == 2)  # which tells nothing of what it hears
            await heard_by(server, 3840)
            send(stream, said(0.32))
            assert (await until(heard, "end")).text == "I"
            server.drop()
            await server.until(lambda: len(server.hearings) == 3)
            send(stream, said("help", 0.8))
            end = await until(heard, "end")
            assert (end.text, *place(end)) == ("help", 0.8, 1.04)

    run(scenario())


@pytest.mark.parametrize("model", ["flux-general-en", "nova-3"])
@pytest.mark.parametrize("fault", ["hang:1", "stall:1"])
def test_a_connection_that_tells_nothing_of_a_voice_is_given_up_and_what_was_said_is_heard_again(
    fault: str, model: str
) -> None:
    async def scenario() -> None:
        async with (
            double(fault) as server,
            (await started(server, stall=0.1, model=model)).listen("call", EN) as stream,
        ):
            heard = aiter(stream)
            stream.began()
            send(stream, said("I", "want", 0.4))
            await server.until(lambda: len(server.hearings) == 2)
            assert (await anext(heard)).kind == "again"
            send(stream, said(0.4))
            assert (await until(heard, "end" if "flux" in model else "final")).text == "I want"
            assert stream.reconnects == 1

    run(scenario())


def test_the_second_such_connection_is_a_loss() -> None:
    async def scenario() -> None:
        async with double(*["hang:1"] * 9) as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            stream.began()
            send(stream, said("I", 0.8))
            with pytest.raises(ProviderError) as caught:
                await until(aiter(stream), "end")
            assert (caught.value.kind, server.tries) == ("timeout", 2)

    run(scenario())


def test_a_voice_in_the_middle_of_a_call_is_waited_for_as_long() -> None:
    async def scenario() -> None:
        async with double("hang:12") as server, (await started(server, stall=0.1)).listen("call", EN) as stream:
            heard = aiter(stream)
            send(stream, said("I", 0.72))
            assert (await until(heard, "end")).text == "I"
            stream.began()
            send(stream, said("want", 0.4))
            assert (await until(heard, "again")).text == ""
            send(stream, said(0.4))
            assert (await until(heard, "end")).text == "want"
            assert (stream.ended, stream.reconnects) == (0, 1)

    run(scenario())


@pytest.mark.parametrize("fault", ["503", "429", "mute"])
def test_a_handshake_that_fails_once_is_tried_again(fault: str) -> None:
    async def scenario() -> None:
        async with double() as server:
            transcriber = await started(server, connect_within=0.2)
            server.faults.append(fault)
            async with transcriber.listen("call", EN) as stream:
                send(stream, said("help", 0.8))
                assert (await until(aiter(stream), "end")).text == "help"
                assert server.tries == 2
            server.faults += [fault, fault]
            with pytest.raises(ProviderError):
                async with transcriber.listen("call", EN):
                    pass

    run(scenario())


def test_messages_of_a_new_kind_are_skipped_and_counted() -> None:
    async def scenario() -> None:
        async with double("unknown:2") as server, (await started(server)).listen("call", EN) as stream:
            send(stream, said("help", 0.8))
            assert (await until(aiter(stream), "end")).text == "help"
            assert (stream.unknown, stream.reconnects) == (1, 0)

    run(scenario())


@pytest.mark.parametrize(
    ("faults", "kind", "tries"),
    [
        (["abort:1"] * 9, "unavailable", 6),
        (["abort:1", *["503"] * 9], "unavailable", 6),
        (["abort:1", *["429"] * 9], "quota", 6),
        (["garbage:1"] * 9, "garbage", 6),
        (["abort:1", "401"], "rejected", 2),
        (["close:1:1008"], "rejected", 1),
    ],
)
def test_it_is_lost_after_five_tries_or_when_it_is_not_worth_one(faults: list[str], kind: str, tries: int) -> None:
    async def scenario() -> None:
        async with double(*faults) as server, (await started(server, pause=0.001)).listen("call", EN) as stream:
            send(stream, said("I"))
            with pytest.raises(ProviderError) as caught:
                await until(aiter(stream), "end")
            assert caught.value.kind == kind
            assert server.tries == tries
            assert "secret" not in str(caught.value)
            send(stream, said("I"))  # what comes then disturbs nobody
            stream.finish()

    run(scenario())


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        ("401", "rejected", False),
        ("400", "rejected", False),
        ("402", "quota", False),
        ("429", "quota", True),
        ("503", "unavailable", True),
        ("mute", "timeout", True),
    ],
)
def test_a_start_that_fails_says_why(fault: str, kind: str, retryable: bool) -> None:
    async def scenario() -> None:
        async with double(fault) as server:
            with pytest.raises(ProviderError) as caught:
                await DeepgramTranscriber("secret", url=server.url, connect_within=0.2).start()
            assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
            assert "secret" not in str(caught.value)

    run(scenario())


def test_a_slow_handshake_is_waited_for() -> None:
    async def scenario() -> None:
        async with double("slow") as server:
            starting = asyncio.create_task(DeepgramTranscriber("k", url=server.url).start())
            await server.until(lambda: server.tries)
            assert not starting.done()
            server.release.set()
            await asyncio.wait_for(starting, 5)

    run(scenario())


def test_nobody_listens_or_nobody_started_it() -> None:
    async def scenario() -> None:
        with pytest.raises(ProviderError, match="unavailable"):
            await DeepgramTranscriber("k", url="http://127.0.0.1:9").start()
        with pytest.raises(ProviderError, match="not started"):
            async with DeepgramTranscriber("k").listen("call", EN):
                pass

    run(scenario())


def test_leaving_does_not_wait_for_a_server_that_hangs() -> None:
    async def scenario() -> float:
        async with double("deaf:1") as server:
            async with (await started(server)).listen("call", EN) as stream:
                send(stream, said("I"))
                await server.until(lambda: server.hearings and server.hearings[0].messages)
                begun = asyncio.get_running_loop().time()
            return asyncio.get_running_loop().time() - begun

    assert run(scenario()) < 2.0


def test_many_streams_leave_nothing_behind_even_when_they_are_cancelled() -> None:
    async def one(transcriber: DeepgramTranscriber, cancelled: bool) -> None:
        async with transcriber.listen("call", EN) as stream:
            send(stream, said("help", 0.8))
            await until(aiter(stream), "end" if not cancelled else "final")

    async def scenario() -> None:
        async with double() as server:
            transcriber = await started(server)
            calls = [asyncio.create_task(one(transcriber, number % 2 == 1)) for number in range(20)]
            await asyncio.wait(calls[::2], timeout=5)
            for call in calls[1::2]:
                call.cancel()
            await asyncio.wait(calls, timeout=5)
            assert all(call.done() for call in calls)
            assert [call.exception() for call in calls[::2]] == [None] * 10
            await transcriber.aclose()
            await transcriber.aclose()
            await server.until(lambda: server.open == 0)

    run(scenario())


# --- the pieces


def test_what_could_not_be_sent_in_time_is_dropped_and_counted() -> None:
    async def scenario() -> None:
        async with double() as server, (await started(server)).listen("call", EN) as stream:
            send(stream, said(9.0, "help", 0.4))  # before anything could be sent
            assert isinstance(stream, DeepgramTranscription)
            assert stream.dropped == round(5.72 * 8000)
            send(stream, said(0.01))
            await heard_by(server, 32000)
            send(stream, said(0.8))
            end = await until(aiter(stream), "end")
            assert (end.text, *place(end)) == ("help", 9.0, 9.24)

    run(scenario())


def test_seconds_of_a_connection_are_seconds_of_the_stream() -> None:
    sound = Sound()
    sound.add(bytes(8000))
    assert len(sound.take(8000)) == 8000
    sound.filled(4000)  # half a second that is not of the stream
    assert sound.when(1.2) == 1.0
    sound.add(bytes(40000))  # of which one second is too old
    assert sound.dropped == 8000
    sound.take(8000)
    assert [sound.when(at) for at in (0.5, 1.0, 1.5, 2.0)] == [0.5, 1.0, 2.0, 2.5]
    assert sound.when(99.0) == 6.0
    assert sound.rewind(3.25) == 3.0  # what comes next can not be later than it was
    assert sound.when(0.5) == 3.5
    assert sound.rewind(0.0) == 3.0
    sound.add(bytes(8000))  # nobody takes it
    assert (sound.rewind(0.0), sound.dropped) == (4.0, 16000)


def test_a_timeline_instead_of_words_in_the_audio() -> None:
    async def scenario() -> None:
        async with (
            DeepgramServer(timeline=[Spoken("hello", 0.4, 0.8)]) as server,
            (await started(server)).listen("call", EN) as stream,
        ):
            send(stream, b"\x20" * 16000)
            assert (await until(aiter(stream), "end")).text == "hello"

    run(scenario())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, r"speech\.transcriber\.key is empty"),
        ({"key": "k", "model": "nova-1"}, r"speech\.transcriber\.model must be flux-general-en"),
        ({"key": "k", "url": "ftp://x"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://key@host"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://a..b"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": f"https://{'a' * 64}.example"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://host:99999999"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://host:port"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://[::1"}, r"speech\.transcriber\.url must be"),
        ({"key": "k", "url": "https://:443"}, r"speech\.transcriber\.url must be"),
    ],
)
def test_settings_that_can_not_be(options: dict[str, str], why: str) -> None:
    with pytest.raises(EnvironmentProblem, match=why):
        make(options)


@pytest.mark.parametrize("url", ["https://dg.example/", "wss://dg.example"])
def test_addresses(url: str) -> None:
    assert make({"url": url})._wanted(EN)[0].startswith("wss://dg.example/v2/listen?model=")
    assert make({"url": "ws://[::1]:8080/dg"})._wanted(EN)[0].startswith("ws://[::1]:8080/dg/v2/listen?model=")
    assert make({"key": "k", "model": "nova-3"})._wanted(EN)[0].startswith("wss://api.deepgram.com/v1/listen?")
