"""The world of the tests: the real application in process, a phone, and a virtual clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from flowengine.audio import mulaw
from flowengine.audio.tones import sine
from flowengine.call.ports import LanguageModel, RecordingStore, SpeechRequest, ToolRunner, Transcriber, VoiceDetector
from flowengine.cli._voices import local_speech
from flowengine.errors import ProviderError
from flowengine.server.run import Application, Ports
from flowengine.settings import CarrierSettings, FlowSettings, ServerSettings, Settings, ToolSettings
from flowengine.store.memory import MemoryStore
from flowengine.testing import virtual_time
from flowengine.testing.labels import Clip
from flowengine.testing.network import AsgiNetwork, Network
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import Script, Step
from flowengine.testing.virtual_time import let_pass
from flowengine.testing.voices import Speech, Voices

TOKEN = "the-account-token"
RATE = 8000


class ToneVoice:
    """A synthesizer on the virtual clock: 60 ms of tone a character, ready after ``delay`` seconds.

    Texts in ``lengths`` take that many seconds instead; texts in ``broken`` fail, after half of their audio where the
    value is True.
    """

    name = "tone"
    version = "1"

    def __init__(self) -> None:
        self.delay = 0.1
        self.lengths: dict[str, float] = {}
        self.broken: dict[str, bool] = {}
        self.spoken: list[str] = []

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        self.spoken.append(request.text)
        await let_pass(self.delay)
        seconds = self.lengths.get(request.text, 0.06 * len(request.text))
        audio = mulaw.encode(sine(440.0, seconds))
        half = self.broken.get(request.text)
        if half is not None:
            if half:
                yield audio[: len(audio) // 2]
            raise ProviderError("tone", "unavailable", retryable=True)
        yield audio


def wall() -> float:
    """The wall clock of a world on virtual time."""
    return 1_800_000_000.0 + asyncio.get_running_loop().time()


@dataclass
class Outcome:
    """What one call left behind."""

    report: CallReport
    record: dict[str, Any] | None
    trace: list[dict[str, Any]]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [line["event"] | {"at": line["at"]} for line in self.trace if "event" in line]

    @property
    def effects(self) -> list[dict[str, Any]]:
        return [effect | {"at": line["at"]} for line in self.trace for effect in line.get("effects", [])]

    def prompts(self) -> list[str]:
        """The words of each prompt, as the trace shows them."""
        return [
            " ".join(part.get("text", "") for part in effect["parts"])
            for effect in self.effects
            if effect["type"] == "PlayPrompt"
        ]


@dataclass
class World:
    """One server on a virtual clock, and phones that call it."""

    folder: Path
    voice: ToneVoice = field(default_factory=ToneVoice)
    store: MemoryStore = field(default_factory=lambda: MemoryStore(key=b"k" * 32))
    signatures: str = "required"
    max_calls: int = 200
    stream_key: str = ""
    detector: VoiceDetector | None = None
    transcriber: Transcriber | None = None
    recordings: RecordingStore | None = None
    models: dict[str, LanguageModel] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    tools: dict[str, ToolRunner] = field(default_factory=dict)

    def settings(self) -> Settings:
        names = ("twilio", "vobiz")
        carriers = {name: CarrierSettings("account", TOKEN, self.signatures, self.stream_key) for name in names}
        return Settings(
            server=ServerSettings(public_url="https://voice.test", max_calls=self.max_calls),
            flows=FlowSettings(str(self.folder)),
            carriers=carriers,
            tools=ToolSettings(hosts=self.hosts),
        )

    def flow(self, text: str, name: str = "test") -> None:
        """Write a flow into the server's folder."""
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    async def start(self) -> Application:
        application = Application(
            self.settings(),
            Ports(
                self.store,
                self.voice,
                None,
                wall,
                detector=self.detector,
                transcriber=self.transcriber,
                recordings=self.recordings,
                models=self.models,
                tools=self.tools,
            ),
        )
        await application.start()
        findings = [d for loaded, _ in application.findings for d in loaded.diagnostics]
        assert not [d for d in findings if d.severity == "error"], findings
        return application

    async def call(
        self,
        application: Application,
        *steps: Step,
        carrier: Literal["twilio", "vobiz"] = "twilio",
        network: Network | None = None,
        query: str = "",
        transfers: Any = (),
        token: str | None = TOKEN,
        **options: Any,
    ) -> Outcome:
        """Place one call and wait for its record."""
        phone = Phone(
            carrier,
            network or AsgiNetwork(application),
            answer_url=f"https://voice.test/answer/{carrier}{query}",
            token=token,
            **options,
        )
        report = await phone.run(Script(tuple(steps), carrier, transfers=tuple(transfers)))
        return await self.outcome(application, report)

    async def outcome(self, application: Application, report: CallReport) -> Outcome:
        """Wait until the server has written what it writes of a call."""
        until = asyncio.get_running_loop().time() + 30
        while application.engine.busy and asyncio.get_running_loop().time() < until:
            await let_pass(0.05)
        ids = [i for i, lines in self.store.traces.items() if report.call_id in lines[0]]
        trace = [json.loads(line) for line in self.store.traces[ids[0]]] if ids else []
        found = await self.store.record(ids[0]) if ids else None
        return Outcome(report, dict(found) if found else None, trace)


SENTENCES = (
    "give me an operator please",
    "I would like to, <1.0s> speak to somebody",
    "four two seven, <0.9s> nine one one",
    "yes",
    "mhm",
    "stop",
)


@pytest.fixture(scope="session")
def spoken() -> dict[str, Clip]:
    """Sentences with the times of their words, spoken before any clock is a virtual one."""

    async def speak() -> dict[str, Clip]:
        async with local_speech() as voice:
            voices = Voices(voice)
            return {text: await voices.clip(Speech(text)) for text in SENTENCES}

    return asyncio.run(speak())


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def on_virtual_time() -> Callable[..., Any]:
    """Run a coroutine on the virtual clock."""
    return virtual_time.run
