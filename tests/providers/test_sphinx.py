from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flowengine.audio import mulaw
from flowengine.call.ports import Expected, Heard, SpeechRequest, Transcription
from flowengine.errors import EnvironmentProblem, ProviderError
from flowengine.providers.local import LocalSynthesizer
from flowengine.providers.sphinx import SphinxTranscriber, make
from flowengine.providers.sphinx_worker import Evidence
from flowengine.testing.virtual_time import let_pass

T = TypeVar("T")
INSTALLED = importlib.util.find_spec("pocketsphinx") is not None
needs_sphinx = pytest.mark.skipif(
    not INSTALLED, reason="pocketsphinx is not installed: pip install 'flowengine[sphinx]'"
)
QUIET = bytes([mulaw.SILENCE]) * 4000
MENU = Expected("en-US", "choice", ("my account balance", "opening hours", "an operator"))

STUB = """
import json, struct, sys, time
head = struct.Struct(">IIc")
def say(number, kind, data=b""):
    sys.stdout.buffer.write(head.pack(len(data), number, kind) + data); sys.stdout.buffer.flush()
def asked():
    length, number, _ = head.unpack(sys.stdin.buffer.read(9))
    sys.stdin.buffer.read(length)
    return number
def told(number, text="help"):
    say(number, b"T", json.dumps({"text": text, "confidence": 0.9, "missing": 0}).encode())
"""
READY = STUB + 'say(0, b"R")\n'
ECHO = READY + "while True: told(asked())\n"
HUNG = READY + "sys.stdin.buffer.read()\n"
DIES = READY + "asked()\n"
NONSENSE = READY + "asked(); sys.stdout.buffer.write(b'hello, world of garbage'); sys.stdout.buffer.flush(); asked()\n"
NO_JSON = READY + "say(asked(), b'T', b'{'); asked()\n"
SLOW_FIRST = READY + "first = asked(); asked2 = asked(); told(first, 'late'); told(asked2, 'mine')\n"
MUTE = "import sys\nsys.stdin.buffer.read()\n"
LACKING = STUB + 'say(0, b"X", json.dumps({"kind": "unavailable", "detail": "pip install it"}).encode())\n'


def run(what: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(20):
            return await what

    before = len(os.listdir("/proc/self/fd"))
    found = asyncio.run(bounded())
    assert len(os.listdir("/proc/self/fd")) == before
    return found


def stub(tmp_path: Path, source: str) -> tuple[str, str]:
    script = tmp_path / "worker.py"
    script.write_text(source)
    return sys.executable, str(script)


async def said(stream: Transcription, heard: Any, audio: bytes = QUIET) -> Heard:
    stream.began()
    stream.send(audio)
    stream.finish()
    async with asyncio.timeout(10):
        found: Heard = await anext(heard)
    return found


async def spoken(*texts: str, lang: str = "en-US") -> list[bytes]:
    voice = LocalSynthesizer()
    try:
        return [
            QUIET + b"".join([c async for c in voice.speak(SpeechRequest(text, "default", lang, 1.0))]) + QUIET
            for text in texts
        ]
    finally:
        await voice.aclose()


def heard_of(expected: Expected, *texts: str) -> tuple[list[Heard], int]:
    """What is heard of some texts, and how many phrases could not be."""

    async def scenario() -> tuple[list[Heard], int]:
        sounds = await spoken(*texts)
        transcriber = make({})
        await transcriber.start()
        try:
            async with transcriber.listen("call", expected) as stream:
                heard = aiter(stream)
                return [await said(stream, heard, sound) for sound in sounds], transcriber.missing
        finally:
            await transcriber.aclose()
            assert transcriber.pids == []

    return run(scenario())


@needs_sphinx
def test_it_hears_the_phrases_and_nothing_else() -> None:
    texts = (*MENU.phrases, "could you tell me how much it will cost to have it repaired by the end of next week")
    heard, _ = heard_of(MENU, *texts)
    assert [each.text for each in heard] == [*MENU.phrases, ""]
    assert all(each.kind == "final" for each in heard)
    assert [each.confidence > 0.5 for each in heard] == [True, True, True, False]
    assert heard[0].began == 0.0
    assert heard[1].began == heard[0].ended


@needs_sphinx
def test_yes_no_and_digits() -> None:
    assert [each.text for each in heard_of(Expected("en", "yesno"), "yes please", "no thank you")[0]] == [
        "yes please",
        "no thank you",
    ]
    one = Expected("en", "digits", (), 1, 1)
    assert [each.text for each in heard_of(one, "three", "seven")[0]] == ["three", "seven"]


@needs_sphinx
def test_too_few_digits_are_not_guessed() -> None:
    assert [each.text for each in heard_of(Expected("en", "digits", (), 4, 4), "three seven")[0]] == [""]


@needs_sphinx
def test_words_that_it_can_not_pronounce_are_counted() -> None:
    heard, missing = heard_of(Expected("en", "choice", ("help me please", "xyzzyx quux")), "help me please")
    assert ([each.text for each in heard], missing) == (["help me please"], 1)


@needs_sphinx
@pytest.mark.parametrize(
    "expected",
    [Expected("en", "text"), Expected("en", "money"), Expected("en", "choice"), Expected("de", "yesno")],
    ids=lambda expected: f"{expected.lang} {expected.kind}",
)
def test_what_it_can_not_know_is_no_words(expected: Expected) -> None:
    async def scenario() -> Heard:
        transcriber = SphinxTranscriber()
        async with transcriber.listen("call", MENU) as stream:
            stream.expect(expected)
            heard = await said(stream, aiter(stream))
        await transcriber.aclose()
        return heard

    assert run(scenario()) == Heard("final", "", 0.0, 0.5, 0.0)


def test_other_languages_are_refused() -> None:
    async def scenario() -> None:
        async with SphinxTranscriber().listen("call", Expected("de-DE", "choice", ("ja",))):
            raise AssertionError("it was entered")

    with pytest.raises(ProviderError, match="understands English, not 'de-DE'") as caught:
        run(scenario())
    assert (caught.value.kind, caught.value.retryable) == ("rejected", False)


def test_doubt_is_no_words() -> None:
    assert Evidence("").confidence() == 0.0
    assert Evidence("account", -30.0, -30.0, -30.0, 20, 300, 20).confidence() < 0.01
    good = Evidence("account", -2.0, -2.0, -0.5, 60, 60, 58)
    worse = Evidence("account", -2.0, -2.0, -0.5, 60, 200, 58)
    assert good.confidence() > 0.5 > worse.confidence()


def test_without_pocketsphinx_the_start_says_what_to_install(tmp_path: Path) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, LACKING))
        with pytest.raises(EnvironmentProblem, match="pip install it"):
            await transcriber.start()
        await transcriber.aclose()

    run(scenario())


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (HUNG, "timeout"),
        (DIES, "unavailable"),
        (NONSENSE, "garbage"),
        (NO_JSON, "garbage"),
        (MUTE, "timeout"),
        ("exit(1)", "unavailable"),
    ],
)
def test_a_worker_that_fails_three_times_is_lost(tmp_path: Path, source: str, kind: str) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, source), deadline=0.3 if kind == "timeout" else 5.0)
        async with transcriber.listen("call", MENU) as stream:
            heard = aiter(stream)
            for _ in range(2):
                assert (await said(stream, heard)).text == ""
            with pytest.raises(ProviderError) as caught:
                await said(stream, heard)
            assert caught.value.kind == kind
        await transcriber.aclose()

    run(scenario())


def test_it_is_not_restarted_for_ever(tmp_path: Path) -> None:
    async def scenario() -> str:
        transcriber = SphinxTranscriber(command=stub(tmp_path, DIES))
        detail = ""
        for _ in range(3):
            async with transcriber.listen("call", MENU) as stream:
                heard = aiter(stream)
                for _ in range(2):
                    await said(stream, heard)
                with pytest.raises(ProviderError) as caught:
                    await said(stream, heard)
                detail = str(caught.value)
        await transcriber.aclose()
        return detail

    assert "restarted 5 times in a minute" in run(scenario())


def test_after_a_crash_the_next_utterance_works(tmp_path: Path) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, ECHO))
        await transcriber.start()
        (first,) = transcriber.pids
        async with transcriber.listen("call", MENU) as stream:
            heard = aiter(stream)
            assert (await said(stream, heard)).text == "help"
            os.kill(first, signal.SIGKILL)
            texts = [(await said(stream, heard)).text for _ in range(2)]
            assert texts[1] == "help"  # the first may meet the worker while it dies
            assert transcriber.pids != [first]
        await transcriber.aclose()

    run(scenario())


def test_who_hangs_up_takes_nobody_else_along(tmp_path: Path) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, SLOW_FIRST))
        await transcriber.start()
        pids = transcriber.pids
        gone = transcriber.listen("gone", MENU)
        await gone.__aenter__()
        gone.began()
        gone.send(QUIET)
        gone.finish()
        await let_pass(0.0)  # its task begins
        assert transcriber.waiting == 1
        await gone.__aexit__(None, None, None)
        async with transcriber.listen("call", MENU) as stream:
            assert (await said(stream, aiter(stream))).text == "mine"
        assert transcriber.pids == pids
        await transcriber.aclose()

    run(scenario())


def test_no_more_wait_than_may(tmp_path: Path) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, HUNG))
        await transcriber.start()
        async with AsyncExitStack() as streams:
            for number in range(17):
                stream = await streams.enter_async_context(transcriber.listen(str(number), MENU))
                heard = aiter(stream)
                stream.began()
                stream.send(QUIET)
                stream.finish()
            assert (await anext(heard)).text == ""  # the last one is not even asked
            assert transcriber.waiting == 16
        assert transcriber.waiting == 0
        await transcriber.aclose()

    run(scenario())


def test_closing_does_not_wait_for_what_hangs(tmp_path: Path) -> None:
    async def scenario() -> None:
        transcriber = SphinxTranscriber(command=stub(tmp_path, HUNG), deadline=60.0)
        async with transcriber.listen("call", MENU) as stream:
            stream.began()
            stream.send(QUIET)
            stream.finish()
            await let_pass(0.0)  # its task begins
            assert transcriber.waiting == 1
            await transcriber.aclose()
            assert transcriber.pids == []
            with pytest.raises(ProviderError):
                await said(stream, aiter(stream))
        await transcriber.aclose()

    run(scenario())
