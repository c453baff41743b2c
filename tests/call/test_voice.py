"""The voice: what is rendered once, what is kept where, and that callers do not take prompts from each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from flowengine.call.ports import SpeechRequest, SpokenWord, Substitute, Usage
from flowengine.call.voice import MAX_BYTES, Voice
from flowengine.errors import ProviderError
from flowengine.runtime.effects import Part, Pause, Recording, Speech
from flowengine.testing import virtual_time
from flowengine.testing.virtual_time import let_pass

HELLO = Speech("Hello.", "default", "en", 1.0, constant=True)
NAME = Speech("Hello, Ann.", "default", "en", 1.0, constant=False)


class Synthesizer:
    """Takes a second for each text, and gives ``size`` bytes for it."""

    name = "slow"

    def __init__(self, version: str = "1", size: int = 800) -> None:
        self.version = version
        self.size = size
        self.seconds = 1.0
        self.spoken: list[SpeechRequest] = []
        self.broken = False

    async def start(self) -> None: ...

    async def aclose(self) -> None: ...

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        self.spoken.append(request)
        await let_pass(self.seconds / 2)
        yield b"\x01" * (self.size // 2)
        await let_pass(self.seconds / 2)
        if self.broken:
            raise ProviderError(self.name, "unavailable", retryable=True)
        yield b"\x02" * (self.size - self.size // 2)


class Disk:
    """An audio store of which one can see what it was given."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.asked = 0

    async def get(self, key: str) -> bytes | None:
        self.asked += 1
        return self.kept.get(key)

    async def put(self, key: str, audio: bytes) -> None:
        self.kept[key] = audio


def voice(synthesizer: Synthesizer, disk: Disk | None = None) -> Voice:
    tasks: set[Any] = set()

    def spawn(work: Any, name: str) -> asyncio.Task[bytes]:
        task: asyncio.Task[bytes] = asyncio.get_running_loop().create_task(work, name=name)
        tasks.add(task)
        return task

    return Voice(synthesizer, disk, spawn)


async def heard(one: Voice, part: Part) -> bytes:
    return b"".join([chunk async for chunk in one.audio(part, lambda used: None)])


def run(work: Any) -> Any:
    return virtual_time.run(work, limit=600.0)


def test_constant_words_are_rendered_once_for_all_who_wait() -> None:
    async def work() -> None:
        synthesizer = Synthesizer()
        one = voice(synthesizer)
        found = await asyncio.gather(*(heard(one, HELLO) for _ in range(10)))
        assert set(found) == {b"\x01" * 400 + b"\x02" * 400}
        assert synthesizer.spoken == [SpeechRequest("Hello.", "default", "en", 1.0)]
        assert one.ready(HELLO) == found[0]
        await heard(one, HELLO)
        assert len(synthesizer.spoken) == 1

    run(work())


def test_one_callers_hang_up_does_not_take_the_prompt_from_another() -> None:
    async def work() -> None:
        synthesizer = Synthesizer()
        one = voice(synthesizer)
        first = asyncio.create_task(heard(one, HELLO))
        await let_pass(0.2)
        second = asyncio.create_task(heard(one, HELLO))
        await let_pass(0.2)
        first.cancel()
        assert len(await second) == 800
        # Also when nobody is left: the work is done, and the next caller need not wait.
        third = asyncio.create_task(heard(one, Speech("Other.", "default", "en", 1.0, constant=True)))
        await let_pass(0.2)
        third.cancel()
        await let_pass(2.0)
        assert one.ready(Speech("Other.", "default", "en", 1.0, constant=True)) is not None
        assert len(synthesizer.spoken) == 2

    run(work())


def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    async def work() -> None:
        synthesizer = Synthesizer()
        synthesizer.broken = True
        one = voice(synthesizer, disk := Disk())
        outs = await asyncio.gather(*(heard(one, HELLO) for _ in range(3)), return_exceptions=True)
        assert [type(out) for out in outs] == [ProviderError] * 3
        assert disk.kept == {}
        synthesizer.broken = False
        assert len(await heard(one, HELLO)) == 800

    run(work())


def test_a_voice_that_takes_too_long_is_a_timeout() -> None:
    async def work() -> None:
        synthesizer = Synthesizer()
        synthesizer.seconds = 60.0
        began = asyncio.get_running_loop().time()
        with pytest.raises(ProviderError) as caught:
            await voice(synthesizer).render(HELLO)
        assert caught.value.kind == "timeout"
        assert asyncio.get_running_loop().time() - began == pytest.approx(10.0)

    run(work())


def test_what_a_template_said_is_spoken_as_it_comes_and_kept_nowhere() -> None:
    async def work() -> None:
        synthesizer, disk = Synthesizer(), Disk()
        one = voice(synthesizer, disk)
        used: list[Usage] = []
        chunks = [chunk async for chunk in one.audio(NAME, used.append)]
        assert len(chunks) == 2
        assert used == [Usage("slow", characters=11)]
        assert (disk.kept, disk.asked, one.ready(NAME)) == ({}, 0, None)
        await heard(one, NAME)
        assert len(synthesizer.spoken) == 2

    run(work())


def test_rendered_words_outlive_the_process_on_disk() -> None:
    async def work() -> None:
        disk = Disk()
        before = await heard(voice(Synthesizer(), disk), HELLO)
        fresh = Synthesizer()
        assert await heard(voice(fresh, disk), HELLO) == before
        assert fresh.spoken == []
        assert len(disk.kept) == 1

    run(work())


OTHERS = [
    Speech("Hello!", "default", "en", 1.0, constant=True),
    Speech("Hello.", "anna", "en", 1.0, constant=True),
    Speech("Hello.", "default", "de", 1.0, constant=True),
    Speech("Hello.", "default", "en", 1.2, constant=True),
]


@pytest.mark.parametrize("other", OTHERS)
def test_audio_is_of_its_words_voice_language_and_rate(other: Speech) -> None:
    async def work() -> None:
        one = voice(Synthesizer())
        await heard(one, HELLO)
        assert one.ready(HELLO) is not None
        assert one.ready(other) is None

    run(work())


def test_a_new_version_never_plays_an_old_versions_audio() -> None:
    async def work() -> None:
        disk = Disk()
        await heard(voice(Synthesizer("1"), disk), HELLO)
        newer = Synthesizer("2")
        await heard(voice(newer, disk), HELLO)
        assert len(newer.spoken) == 1
        assert len(disk.kept) == 2

    run(work())


def test_the_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    async def work() -> None:
        synthesizer = Synthesizer(size=MAX_BYTES // 3)
        one = voice(synthesizer)
        words = [Speech(f"Text {n}.", "default", "en", 1.0, constant=True) for n in range(4)]
        for speech in words[:3]:
            await one.render(speech)
        assert one.ready(words[0]) is not None  # used again: now the second is the oldest
        await one.render(words[3])
        assert [one.ready(speech) is not None for speech in words] == [True, False, True, True]
        synthesizer.size = MAX_BYTES + 1
        huge = Speech("Huge.", "default", "en", 1.0, constant=True)
        assert len(await one.render(huge)) == MAX_BYTES + 1
        assert one.ready(huge) is None

    run(work())


def test_pauses_and_recordings() -> None:
    async def work() -> None:
        synthesizer = Synthesizer()
        one = voice(synthesizer)
        one.files["hello.wav"] = b"\x05" * 10
        assert await heard(one, Pause(0.5)) == b"\xff" * 4000
        assert await heard(one, Recording("hello.wav", HELLO)) == b"\x05" * 10
        assert synthesizer.spoken == []
        # A file that is not there is spoken, and without words it is nothing at all: no deadlock on a mark.
        assert len(await heard(one, Recording("lost.wav", HELLO))) == 800
        assert await heard(one, Recording("lost.wav", None)) == b""

    run(work())


class Hiccup(Synthesizer):
    """Breaks off in the middle of its first text, or of ``times`` of them; ``fatal`` for good."""

    def __init__(self, *, fatal: bool = False, times: int = 1, tells: bool = True) -> None:
        super().__init__()
        self.fatal = fatal
        self.times = times
        self.tells = tells

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:  # type: ignore[override]  # it tells words
        self.spoken.append(request)
        words = request.text.split()
        for place, word in enumerate(words):
            if self.tells:
                yield SpokenWord(word, place * 0.1, place * 0.1 + 0.1)
        for place, _ in enumerate(words):
            if place == 2 and len(self.spoken) <= self.times:
                raise ProviderError(self.name, "unavailable", retryable=not self.fatal)
            yield bytes([place]) * 800


async def chunks(voice: Voice, text: str, used: list[Usage]) -> list[Any]:
    return [chunk async for chunk in voice.spoken(SpeechRequest(text, "default", "en", 1.0), used.append)]


@pytest.mark.parametrize("tells", [True, False])
def test_a_voice_that_breaks_off_is_asked_for_the_rest(tells: bool) -> None:
    synthesizer = Hiccup(tells=tells)
    used: list[Usage] = []
    found = run(chunks(voice(synthesizer), "a b c d", used))
    assert [request.text for request in synthesizer.spoken] == ["a b c d", "c d"]
    assert b"".join(chunk for chunk in found if isinstance(chunk, bytes))[::800] == b"\x00\x01\x00\x01"
    assert used == [Usage("slow", characters=7), Usage("slow", failed=1), Usage("slow", characters=3)]
    if tells:
        assert found[-4] == SpokenWord("c", 0.2, 0.30000000000000004)


def test_but_only_once_and_not_when_it_can_not_but_fail() -> None:
    for synthesizer in (Hiccup(fatal=True), Hiccup(times=2)):
        with pytest.raises(ProviderError):
            run(chunks(voice(synthesizer), "a b c d e f", []))
        assert len(synthesizer.spoken) == synthesizer.times


def test_what_is_kept_is_spoken_anew_as_a_whole() -> None:
    synthesizer = Hiccup()
    words = Speech("a b c", "default", "en", 1.0, constant=True)
    audio = run(voice(synthesizer).render(words))
    assert [request.text for request in synthesizer.spoken] == ["a b c", "a b c"]
    assert audio[::800] == b"\x00\x01\x02"


def test_who_speaks_in_the_place_of_another_is_paid_for_it() -> None:
    class Replaced(Synthesizer):
        async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | Substitute, None]:  # type: ignore[override]  # it is replaced
            yield b"x" * 1600
            yield Substitute("other")
            yield b"y" * 1600

    used: list[Usage] = []
    run(chunks(voice(Replaced()), "abc defg", used))
    assert used == [Usage("slow", characters=8), Usage("other", characters=4)]
