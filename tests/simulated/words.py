"""Who listens and thinks in a simulation: loudness is a voice, words and answers are chance, late, lost, or never."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from flowengine.audio.level import mulaw_dbfs
from flowengine.call.ports import Answer, Called, Expected, Heard, ModelRequest, Said, Usage
from flowengine.errors import ProviderError
from flowengine.testing.virtual_time import let_pass
from tests.simulated.plan import Faults

LOUD = -30.0
TEXTS = ("one", "two", "half", "mhm", "uh", "four two", "one two three four", "yes", "no", "somebody please", "", "")


class Ears:
    """The port ``VoiceDetector``: what is loud is a voice."""

    window = 256

    async def start(self) -> None:
        """Nothing to start."""

    def fresh(self) -> None:
        """It remembers nothing."""

    def detect(self, windows: Sequence[bytes], states: Sequence[Any]) -> tuple[list[float], list[Any]]:
        return [float(mulaw_dbfs(window) >= LOUD) for window in windows], list(states)


class Words:
    """The port ``Transcriber``. Some servers have one that ends turns, some one that does not."""

    name = "chance"

    def __init__(self, faults: Faults, chance: random.Random) -> None:
        self.ends_turns = chance.random() < 0.5
        self._faults = faults
        self._chance = chance

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Stream]:
        self._faults.awaited()
        now = asyncio.get_running_loop().time()
        await let_pass(60.0 if self._faults.on("words hang", now) else self._chance.choice([0.0, 0.1]))
        stream = Stream(self._faults, self._chance, turns=self.ends_turns)
        try:
            yield stream
        finally:
            stream.close()


class Stream:
    """The words of one stream."""

    def __init__(self, faults: Faults, chance: random.Random, *, turns: bool) -> None:
        self._faults = faults
        self._chance = chance
        self._turns = turns
        self._samples = 0
        self._told: asyncio.Queue[Heard | None] = asyncio.Queue(100)
        self._timers: list[asyncio.TimerHandle] = []

    def send(self, audio: bytes) -> None:
        self._samples += len(audio)

    def expect(self, expected: Expected) -> None:
        """Chance expects nothing."""

    def began(self) -> None:
        if self._chance.random() < 0.5:
            self._later(0.2, Heard("interim", self._chance.choice(TEXTS)))

    def finish(self) -> None:
        chance, text = self._chance, self._chance.choice(TEXTS)
        ended = chance.choice([None, self._samples / 8000])
        if self._turns:
            self._later(chance.choice([0.05, 0.3, 2.0]), Heard("end", text, None, ended))
        elif chance.random() < 0.9:
            self._later(chance.choice([0.0, 0.1, 0.3, 1.5]), Heard("final", text, None, ended, chance.random()))

    def _later(self, seconds: float, heard: Heard) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self._tell, heard))

    def _tell(self, heard: Heard | None) -> None:
        if not self._told.full():
            self._told.put_nowait(heard)

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._tell(None)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Heard:
        heard = await self._told.get()
        self._faults.awaited()
        if self._faults.on("words fail", asyncio.get_running_loop().time()):
            raise ProviderError("chance", "unavailable", retryable=True)
        if heard is None:
            raise StopAsyncIteration
        return heard


SENTENCES = ("Let me see, ", "that is fine. ", "What else? ", "One, two, three. ", "I do not know. ", "Of course. ")


class Mind:
    """The port ``LanguageModel``."""

    name = "chance"

    def __init__(self, faults: Faults, chance: random.Random) -> None:
        self._faults = faults
        self._chance = chance

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def warm(self, request: ModelRequest) -> None:
        self._faults.awaited()
        await let_pass(self._chance.choice([0.0, 0.3]))

    @asynccontextmanager
    async def answer(self, request: ModelRequest) -> AsyncIterator[Answer]:
        self._faults.awaited()
        await let_pass(self._chance.choice([0.0, 0.1, 1.0]))
        yield Thoughts(self._faults, self._chance, [tool.name for tool in request.tools])


class Thoughts:
    """One answer: a few sentences, and perhaps an exit or two."""

    def __init__(self, faults: Faults, chance: random.Random, names: Sequence[str]) -> None:
        self.usage = Usage("chance")
        self._faults = faults
        self._chance = chance
        parts: list[Said | Called] = [Said(chance.choice(SENTENCES)) for _ in range(chance.choice([0, 1, 1, 2, 5]))]
        for number in range(chance.choice([0, 0, 1, 2])):
            name = chance.choice([*names, "nothing"])
            parts.insert(chance.randint(0, len(parts)), Called(f"c{number}", name, {}))
        self._parts = iter(parts)

    def __aiter__(self) -> Thoughts:
        return self

    async def __anext__(self) -> Said | Called:
        self._faults.awaited()
        now = asyncio.get_running_loop().time()
        if self._faults.on("model hangs", now):
            await let_pass(60.0)
        await let_pass(self._chance.choice([0.0, 0.0, 0.05, 0.5]))
        if self._faults.on("model fails", now):
            raise ProviderError("chance", "unavailable", retryable=True)
        for part in self._parts:
            return part
        raise StopAsyncIteration
