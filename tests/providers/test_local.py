from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from flowengine.audio import level
from flowengine.call.ports import SpeechRequest, Synthesizer
from flowengine.errors import ProviderError
from flowengine.providers.local import LocalSynthesizer
from flowengine.testing.virtual_time import let_pass

T = TypeVar("T")

ENGLISH = "Welcome to the clinic. Press one to book an appointment."
GERMAN = "Willkommen in der Praxis. Drücken Sie die Eins für einen Termin."

READY = "import sys, struct\nhead = struct.Struct('>IIc')\nout = sys.stdout.buffer\n"
READY += "def say(n, kind, data=b''):\n    out.write(head.pack(len(data), n, kind) + data); out.flush()\n"
HUNG = READY + "say(0, b'R', b'1')\nsys.stdin.buffer.read()\n"
MUTE = "import sys\nsys.stdin.buffer.read()\n"
DEAD = "raise SystemExit(1)\n"
GARBAGE = READY + "say(0, b'R', b'1')\nout.write(b'hello, world of garbage'); out.flush()\nsys.stdin.buffer.read()\n"
DIES_EACH_TIME = READY + "say(0, b'R', b'1')\nsys.stdin.buffer.read(9)\n"


@pytest.fixture(autouse=True)
def no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may depend on programs of the machine."""
    monkeypatch.setenv("PATH", "")


def request(text: str = ENGLISH, *, lang: str = "en-US", voice: str = "default", rate: float = 1.0) -> SpeechRequest:
    return SpeechRequest(text=text, voice=voice, lang=lang, rate=rate)


async def spoken(synthesizer: Synthesizer, wanted: SpeechRequest) -> bytes:
    return b"".join([chunk async for chunk in synthesizer.speak(wanted) if isinstance(chunk, bytes)])


def run(what: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(what)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stub(tmp_path: Path, source: str) -> tuple[str, str]:
    script = tmp_path / "worker.py"
    script.write_text(source)
    return sys.executable, str(script)


def one(*requests: SpeechRequest) -> list[bytes]:
    async def scenario() -> list[bytes]:
        synthesizer = LocalSynthesizer()
        await synthesizer.start()
        try:
            return [await spoken(synthesizer, each) for each in requests]
        finally:
            await synthesizer.aclose()

    return run(scenario())


@pytest.mark.parametrize(("lang", "text"), [("en-US", ENGLISH), ("de", GERMAN), ("de-DE", GERMAN), ("en-IN", ENGLISH)])
def test_speaks(lang: str, text: str) -> None:
    (audio,) = one(request(text, lang=lang))
    assert 2.0 < len(audio) / 8000 < 7.0
    assert -35.0 < level.mulaw_dbfs(audio) < -12.0
    # Silence at the ends is at most 60 ms, and a word is there soon after.
    assert level.mulaw_dbfs(audio[:1600]) > -45.0
    assert level.mulaw_dbfs(audio[-1600:]) > -45.0


def test_rate_and_voice() -> None:
    normal, fast, slow, woman = one(request(), request(rate=1.6), request(rate=0.6), request(voice="f3"))
    assert len(fast) < len(normal) * 0.8 < len(normal) < len(slow) * 0.8
    assert woman != normal


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "\x01"])
def test_nothing_to_say_is_no_audio(text: str) -> None:
    assert one(request(text)) == [b""]


def test_text_is_data() -> None:
    phonemes, tags, command, plain = one(
        request("[[h@l'oU h@l'oU h@l'oU]]"),
        request("<prosody rate='x-fast'>Hello</prosody>"),
        request("\x01400SHello, how are you today?"),
        request("Hello, how are you today?"),
    )
    assert len(phonemes) > 16000  # read out character by character, not sung
    assert len(tags) > len(plain) / 2
    assert len(command) > len(plain)  # the number is read; the rate has not changed


@pytest.mark.parametrize(
    ("wanted", "detail"),
    [
        (request(lang="xx"), "espeak-ng does not speak 'xx'"),
        (request(lang="../../etc"), "'../../etc' is no language tag"),
        (request(voice="rachel"), "espeak-ng has no voice 'rachel'"),
    ],
)
def test_refuses_what_it_cannot_speak(wanted: SpeechRequest, detail: str) -> None:
    with pytest.raises(ProviderError) as caught:
        one(wanted)
    assert str(caught.value) == f"local: rejected ({detail})"
    assert (caught.value.kind, caught.value.retryable) == ("rejected", False)


def test_many_at_once_each_get_their_own() -> None:
    async def scenario() -> tuple[list[bytes], list[bytes]]:
        synthesizer = LocalSynthesizer()
        texts = [f"This is number {number}" + " and so on" * number for number in range(8)]
        together = await asyncio.gather(*(spoken(synthesizer, request(text)) for text in texts))
        alone = [await spoken(synthesizer, request(text)) for text in texts]
        await synthesizer.aclose()
        return list(together), alone

    together, alone = run(scenario())
    # espeak's breath noise differs from time to time, the length hardly.
    assert all(abs(len(left) - len(right)) < 800 for left, right in zip(together, alone, strict=True))
    assert sorted(map(len, together)) == [len(audio) for audio in together]


def test_after_a_crash_the_next_request_works() -> None:
    async def scenario() -> tuple[int, int]:
        synthesizer = LocalSynthesizer()
        await synthesizer.start()
        first = synthesizer.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        audio = await spoken(synthesizer, request())
        second = synthesizer.pid
        assert second is not None
        assert len(audio) > 16000
        await synthesizer.aclose()
        return first, second

    first, second = run(scenario())
    assert first != second
    assert not is_alive(first)
    assert not is_alive(second)


def test_a_crash_in_the_middle_of_requests_is_made_good() -> None:
    async def scenario() -> list[bytes]:
        synthesizer = LocalSynthesizer()
        await synthesizer.start()
        tasks = [asyncio.create_task(spoken(synthesizer, request())) for _ in range(5)]
        await let_pass(0)  # lets the tasks send their requests
        assert synthesizer.pid is not None
        os.kill(synthesizer.pid, signal.SIGKILL)
        results = await asyncio.gather(*tasks)
        await synthesizer.aclose()
        return results

    assert all(len(audio) > 16000 for audio in run(scenario()))


@pytest.mark.parametrize(
    ("source", "kind", "detail"),
    [
        (HUNG, "timeout", "no answer in 0.5 s"),
        (MUTE, "timeout", "no answer in 0.5 s"),
        (DEAD, "unavailable", "the worker exited"),
        (GARBAGE, "unavailable", "the worker wrote what is no message"),
        (DIES_EACH_TIME, "unavailable", "the worker exited"),
    ],
)
def test_a_broken_worker(tmp_path: Path, source: str, kind: str, detail: str) -> None:
    async def scenario() -> ProviderError:
        synthesizer = LocalSynthesizer(deadline=0.5, command=stub(tmp_path, source))
        with pytest.raises(ProviderError) as caught:
            await spoken(synthesizer, request())
        assert synthesizer.pid is None
        await synthesizer.aclose()
        return caught.value

    before = descriptors()
    error = run(scenario())
    assert str(error) == f"local: {kind} ({detail})"
    assert (error.kind, error.retryable) == (kind, True)
    assert descriptors() == before


def test_restarts_are_bounded(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        synthesizer = LocalSynthesizer(command=stub(tmp_path, DEAD))
        errors = []
        for _ in range(8):
            with pytest.raises(ProviderError) as caught:
                await synthesizer.start()
            errors.append(str(caught.value))
        await synthesizer.aclose()
        return errors

    errors = run(scenario())
    assert errors[:6] == ["local: unavailable (the worker exited)"] * 6
    assert errors[6:] == ["local: unavailable (the worker was restarted 5 times in a minute)"] * 2


def test_a_command_that_is_not_there() -> None:
    async def scenario() -> None:
        synthesizer = LocalSynthesizer(command=("/nowhere/espeak",))
        with pytest.raises(ProviderError, match="/nowhere/espeak does not start"):
            await synthesizer.start()
        await synthesizer.aclose()

    run(scenario())


def test_system_library_speaks_or_says_what_is_missing() -> None:
    async def scenario() -> None:
        synthesizer = LocalSynthesizer(library="system")
        try:
            assert len(await spoken(synthesizer, request())) > 16000
            assert synthesizer.version.startswith("espeak-ng-system-1.")
        except ProviderError as error:
            assert "the system has no libespeak-ng" in str(error)  # noqa: PT017 - either outcome is right
        finally:
            await synthesizer.aclose()

    run(scenario())


def test_closing_the_iterator_cancels() -> None:
    async def scenario() -> bytes:
        synthesizer = LocalSynthesizer()
        stream = synthesizer.speak(request("A long story. " * 40))
        first = await anext(stream)
        await stream.aclose()
        audio = await spoken(synthesizer, request())
        await synthesizer.aclose()
        return first + audio

    assert 3 * 8000 < len(run(scenario())) < 6 * 8000


def test_a_full_queue_is_said_at_once(tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        synthesizer = LocalSynthesizer(deadline=0.5, command=stub(tmp_path, HUNG))
        await synthesizer.start()
        tasks = (asyncio.ensure_future(spoken(synthesizer, request())) for _ in range(70))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await synthesizer.aclose()
        return [str(result) for result in results]

    assert run(scenario()).count("local: unavailable (64 requests are waiting)") >= 6


def test_closing_ends_open_requests_and_leaves_nothing(tmp_path: Path) -> None:
    async def scenario() -> int:
        synthesizer = LocalSynthesizer(command=stub(tmp_path, HUNG))
        await synthesizer.start()
        pid = synthesizer.pid
        assert pid is not None
        task = asyncio.create_task(spoken(synthesizer, request()))
        await let_pass(0)  # lets the task send its request
        await synthesizer.aclose()
        await synthesizer.aclose()
        with pytest.raises(ProviderError, match="closed"):
            await task
        with pytest.raises(ProviderError, match="closed"):
            await synthesizer.start()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return pid

    before = descriptors()
    assert not is_alive(run(scenario()))
    assert descriptors() == before


def test_close_without_start() -> None:
    run(LocalSynthesizer().aclose())
