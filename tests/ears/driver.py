"""Places the calls of the benchmark, on virtual time in process or over real sockets, several at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flowengine.call.ports import StoredCall
from flowengine.server.run import Application, Ports, bind, serve
from flowengine.settings import CarrierSettings, FlowSettings, ServerSettings, Settings
from flowengine.store.memory import MemoryStore
from flowengine.testing import virtual_time
from flowengine.testing.labels import Timeline
from flowengine.testing.network import AsgiNetwork, Network, SocketNetwork
from flowengine.testing.phone import Phone, prepare
from flowengine.testing.report import CallReport
from flowengine.testing.voices import Voices
from tests.ears.scenarios import Scenario
from tests.ears.voice import ThreadedVoice

TOKEN = "the-account-token"
FLOWS = Path(__file__).parent / "flows"
SIDE_BY_SIDE = 8
LIMIT = 300.0
READY_WITHIN = 30.0
# Calls do not begin at once, so that their windows fall differently among those of the others.
_APART = 0.137

TimelineOf = Callable[[str], Timeline]


class System(Protocol):
    """Makes what is to be measured.

    ``timeline_of`` gives what is being said in a call, by the engine's id of it: for ``ScriptedTranscriber``. The
    application must use the given settings and ports, to which it may add.
    """

    def __call__(self, settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
        """Make an application that is not started."""


def keys_only(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
    """Make an engine without ears: what every other one must be better than, and worse than in false stops only."""
    return Application(settings, ports)


class _Calls(MemoryStore):
    """The store, which also knows the carrier's id of a call at once."""

    def __init__(self) -> None:
        super().__init__(key=b"k" * 32)
        self.carrier_ids: dict[str, str] = {}

    async def open_call(self, call: StoredCall) -> StoredCall:
        opened = await super().open_call(call)
        self.carrier_ids[opened.id] = opened.carrier_call_id
        return opened


@dataclass(frozen=True, slots=True)
class Run:
    """A call that was placed."""

    scenario: Scenario
    report: CallReport


class _World:
    """One application, and the phones that call it."""

    def __init__(self, system: System, voice: ThreadedVoice, voices: Voices, seed: int) -> None:
        self._system = system
        self._voice = voice
        self._voices = voices
        self._store = _Calls()
        self._phones: list[Phone] = []
        self._chance = random.Random(seed)

    def application(self, settings: Settings, wall: Callable[[], float]) -> Application:
        ports = Ports(self._store, self._voice, None, wall, entropy=self._chance.randbytes)
        return self._system(settings, ports, self._timeline_of)

    def _timeline_of(self, call: str) -> Timeline:
        carrier_id = self._store.carrier_ids[call]
        phone = next(phone for phone in self._phones if phone.call_id == carrier_id)
        return phone.report.timelines[-1]

    async def call(self, scenarios: Sequence[Scenario], network: Network, url: str, side_by_side: int) -> list[Run]:
        """Place calls, so many at once at most."""
        lines = asyncio.Semaphore(side_by_side)

        async def one(number: int, scenario: Scenario) -> Run:
            async with lines:
                await virtual_time.let_pass(_APART * (number % side_by_side))
                phone = Phone(
                    "twilio",
                    network,
                    answer_url=f"{url}/answer/twilio/{scenario.flow}",
                    token=TOKEN,
                    seed=scenario.seed * 1000 + number,
                    limit=LIMIT,
                    voices=self._voices,
                )
                self._phones.append(phone)
                report = await phone.run(scenario.script)
                self._phones.remove(phone)
                return Run(scenario, report)

        return list(await asyncio.gather(*(one(number, scenario) for number, scenario in enumerate(scenarios))))


def settings(public_url: str, port: int = 0) -> Settings:
    """Give the settings of a server of the benchmark's flows."""
    return Settings(
        server=ServerSettings(host="127.0.0.1", port=port, public_url=public_url),
        flows=FlowSettings(str(FLOWS), default="ears"),
        carriers={name: CarrierSettings("account", TOKEN, "required", "") for name in ("twilio", "vobiz")},
    )


def on_virtual_time(
    system: System,
    scenarios: Sequence[Scenario],
    voice: ThreadedVoice,
    *,
    seed: int = 1,
    side_by_side: int = SIDE_BY_SIDE,
) -> list[Run]:
    """Place the calls in process, on a clock that jumps: the same seed gives the same report."""
    voices = Voices(voice.say)

    async def all_of_them() -> list[Run]:
        world = _World(system, voice, voices, seed)
        application = world.application(settings("https://voice.test"), _wall)
        await application.start()
        network = AsgiNetwork(application)
        try:
            runs = await world.call(scenarios, network, "https://voice.test", side_by_side)
        finally:
            await network.aclose()
            await application.aclose()
        if network.failures:
            raise network.failures[0]
        return runs

    return virtual_time.run(all_of_them())


def over_sockets(
    system: System,
    scenarios: Sequence[Scenario],
    voice: ThreadedVoice,
    *,
    seed: int = 1,
    side_by_side: int = SIDE_BY_SIDE,
) -> list[Run]:
    """Place the calls over real HTTP and WebSockets to a server in this process, in real time."""
    voices = Voices(voice.say)

    async def all_of_them() -> list[Run]:
        for scenario in scenarios:
            await prepare(scenario.script, voices)  # making noise would hold up calls that are under way
        world = _World(system, voice, voices, seed)
        raw, given = bind(settings("http://127.0.0.1"))
        url = f"http://127.0.0.1:{given.server.port}"
        application = world.application(settings(url, given.server.port), time.time)
        await application.start()
        ready = asyncio.Event()
        serving = asyncio.create_task(serve(application, raw, ready.set), name="server")
        network = SocketNetwork(timeout=60)
        try:
            async with asyncio.timeout(READY_WITHIN):
                await ready.wait()
            return await world.call(scenarios, network, url, side_by_side)
        finally:
            await network.aclose()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    return asyncio.run(all_of_them())


def _wall() -> float:
    return 1_800_000_000.0 + asyncio.get_running_loop().time()
