"""The server of a simulation: one process after another on one store, each of which may die at any moment."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Mapping, MutableMapping
from contextvars import ContextVar, copy_context
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from zlib import crc32

from flowengine import plugins
from flowengine.call.ports import SpeechRequest, StoredCall
from flowengine.errors import ProviderError, RemoteError
from flowengine.flow.loader import Loaded
from flowengine.runtime.program import Program
from flowengine.server.library import FlowFolder
from flowengine.server.run import Application, Ports
from flowengine.settings import CarrierSettings, FlowSettings, ServerSettings, Settings
from flowengine.store.memory import MemoryStore
from flowengine.testing.virtual_time import let_pass
from tests.simulated.plan import FILES, Faults
from tests.simulated.words import Ears, Mind, Words

TOKEN = "the-account-token"
FRAME = 160
SECONDS_PER_CHARACTER = 0.02
Message = MutableMapping[str, Any]
T = TypeVar("T")

PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Process:
    """One life of the server: its tasks, and whether it may still touch the world."""

    def __init__(self) -> None:
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something as this process; what it starts belongs to it, too."""
        return asyncio.get_running_loop().create_task(work, context=self._context)


def task_factory(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """Make a task, and let its process know it."""
    task = asyncio.Task(work, loop=loop, **options)
    context = options.get("context") or copy_context()
    process: Process | None = context.get(PROCESS)
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None))
    return task


class Store:
    """The port ``Store`` as one process reaches it: slow or failing as planned, and dead with the process."""

    def __init__(self, kept: MemoryStore, process: Process, faults: Faults, chance: random.Random) -> None:
        self._kept = kept
        self._process = process
        self._faults = faults
        self._chance = chance

    async def _ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Ask the store: it may be slow, fail before it has done the work, or fail to say that it has."""
        now = asyncio.get_running_loop().time()
        self._faults.awaited()
        if self._faults.on("store slow", now):
            await let_pass(self._chance.choice([0.01, 0.3, 3.0]))
        else:
            await let_pass(self._chance.choice([0.0, 0.0, 0.002]))
        fails = self._faults.on("store fails", now) and self._chance.random() < 0.7
        if fails and self._chance.random() < 0.5:
            raise RemoteError("the store fails")
        self._check()
        result = await work()
        if fails:
            raise RemoteError("the store does not answer")
        return result

    def _check(self) -> None:
        if not self._process.alive:
            raise RemoteError("the process is dead")

    async def open_call(self, call: StoredCall) -> StoredCall:
        return await self._ask(lambda: self._kept.open_call(call))

    async def load_call(self, call_id: str) -> StoredCall | None:
        return await self._ask(lambda: self._kept.load_call(call_id))

    async def find_call(self, carrier: str, carrier_call_id: str) -> StoredCall | None:
        return await self._ask(lambda: self._kept.find_call(carrier, carrier_call_id))

    async def change_call(self, call_id: str, *, when: Collection[str], **changes: Any) -> StoredCall | None:
        return await self._ask(lambda: self._kept.change_call(call_id, when=when, **changes))

    def save_snapshot(
        self, call_id: str, streams: int, snapshot: dict[str, Any], saved: float, tally: dict[str, Any]
    ) -> None:
        self._check()
        self._kept.save_snapshot(call_id, streams, snapshot, saved, tally)

    async def finish_call(self, call_id: str, record: Mapping[str, Any]) -> bool:
        return await self._ask(lambda: self._kept.finish_call(call_id, record))

    async def lost_calls(self, now: float) -> list[StoredCall]:
        return await self._ask(lambda: self._kept.lost_calls(now))

    async def use_token(self, nonce: str, expires: float, now: float) -> bool:
        return await self._ask(lambda: self._kept.use_token(nonce, expires, now))

    async def keep_flow(self, revision: str, name: str, text: str) -> None:
        await self._kept.keep_flow(revision, name, text)

    async def flow_text(self, revision: str) -> tuple[str, str] | None:
        return await self._ask(lambda: self._kept.flow_text(revision))

    async def secret(self) -> bytes:
        return await self._kept.secret()

    def trace(self, call_id: str, line: str) -> None:
        self._check()
        self._kept.trace(call_id, line)


class Voice:
    """A synthesizer each of whose frames says which text it is of, and which frame of it (see ``wire.Heard``)."""

    name = "numbered"
    version = "1"

    def __init__(self, faults: Faults, chance: random.Random) -> None:
        self._faults = faults
        self._chance = chance

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        self._faults.awaited()
        now = asyncio.get_running_loop().time()
        await let_pass(self._chance.choice([0.0, 0.02, 0.1]))
        audio = numbered(request.text)
        if self._faults.on("voice fails", now):
            if self._chance.random() < 0.5:
                yield audio[: len(audio) // 2 // FRAME * FRAME]
            raise ProviderError(self.name, "unavailable", retryable=True)
        if self._faults.on("voice hangs", now):
            await let_pass(60.0)
        for start in range(0, len(audio), 40 * FRAME):
            yield audio[start : start + 40 * FRAME]
            await let_pass(self._chance.choice([0.0, 0.0, 0.05]))


@cache
def numbered(text: str) -> bytes:
    """Give the audio of a text: whole frames that begin with the text's number and their own, 7 bits a byte."""
    number = crc32(text.encode()) & 0x3FFF
    frames = max(1, round(len(text) * SECONDS_PER_CHARACTER * 50))
    heads = (bytes([number >> 7, number & 127, frame >> 7, frame & 127]) for frame in range(frames))
    return b"".join(head + b"\x90" * (FRAME - 4) for head in heads)


class _Flows(FlowFolder):
    """The folder of flows, read from disk once for all simulations of a run: flows never change."""

    _seen: ClassVar[dict[Path, tuple[dict[str, Program], dict[str, Program], list[tuple[str, str, str]]]]] = {}

    async def open(self, folder: Path) -> list[tuple[Loaded, str]]:
        if folder not in self._seen:
            keeper = _Keeper()
            self._store = keeper
            with tempfile.TemporaryDirectory() as together:
                for file in FILES:
                    shutil.copy(file, together)
                await super().open(Path(together))
            self._seen[folder] = (self.programs, self._revisions, keeper.kept)
        self.programs, self._revisions, kept = self._seen[folder]
        for revision, name, text in kept:
            await self._real.keep_flow(revision, name, text)
        return []

    def over(self, store: Any) -> _Flows:
        """Say where the texts are kept."""
        self._real = store
        return self


class _Keeper(MemoryStore):
    """Notes which texts are kept."""

    def __init__(self) -> None:
        super().__init__(key=b"k" * 32)
        self.kept: list[tuple[str, str, str]] = []

    async def keep_flow(self, revision: str, name: str, text: str) -> None:
        self.kept.append((revision, name, text))


class Machine:
    """The server as carriers reach it: an ASGI application, whichever process runs it."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.store = MemoryStore(key=b"k" * 32)
        self.process: Process | None = None
        self.application: Application | None = None
        self.applications: list[Application] = []
        self.problems: list[str] = []
        self._faults = faults
        self._chance = random.Random(f"machine {seed}")

    async def start(self) -> None:
        """Start a new process on what is kept, as a supervisor does: until it starts."""
        while True:
            try:
                return await self._start()
            except (ProviderError, RemoteError):
                await let_pass(1.0)

    async def _start(self) -> None:
        process = Process()
        store = Store(self.store, process, self._faults, self._chance)
        names = ("twilio", "vobiz")
        settings = Settings(
            server=ServerSettings(public_url="https://voice.test"),
            flows=FlowSettings("flows", default="soak"),
            carriers={name: CarrierSettings("account", TOKEN, "required", "") for name in names},
        )
        voice = Voice(self._faults, self._chance)
        ears, words = Ears(), Words(self._faults, self._chance)
        ports = Ports(
            store,
            voice,
            None,
            wall,
            entropy=self._chance.randbytes,
            detector=ears,
            transcriber=words,
            models={"default": Mind(self._faults, self._chance)},
        )
        application = Application(settings, ports)
        application.flows = _Flows(store, plugins.node_types(), words=True, models=("default",)).over(store)
        try:
            await process.spawn(application.start())
        except (ProviderError, RemoteError):
            await process.spawn(application.aclose())
            raise
        # A heartbeat each 10 ms of hours that nobody waits for; it is the measure of real loops.
        application.engine.lag.stop()
        self.applications.append(application)
        self.process, self.application = process, application

    async def crash(self) -> None:
        """End the process as `kill -9` does: nothing of it touches the world any more; peers see their sockets end."""
        process, application = self.process, self.application
        if process is None or application is None:
            return
        self.process = self.application = None
        process.alive = False
        closing = process.spawn(application.aclose())
        while process.tasks:
            for task in process.tasks:
                if task is not closing:
                    task.cancel()
            await asyncio.wait(list(process.tasks), timeout=1.0)

    async def stop(self, drain: float) -> None:
        """End the process as SIGTERM does."""
        process, application = self.process, self.application
        if process is None or application is None:
            return
        await asyncio.wait([process.spawn(application.drain(drain))])
        if self.process is process:
            await self.crash()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        process, application = self.process, self.application
        if process is None or application is None:
            raise ConnectionRefusedError("no process is running")
        closed = ""

        async def guarded_send(message: Message) -> None:
            nonlocal closed
            if not process.alive:
                raise OSError("the process is dead")
            if message["type"] == "websocket.send" and closed:
                self.problems.append(f"sent after {closed}: {message.get('text', '')[:80]}")
            if message["type"] == "websocket.close":
                closed = closed or "its own close"
            self._faults.awaited()
            await send(message)

        async def guarded_receive() -> Message:
            nonlocal closed
            message = await receive()
            if message["type"] == "websocket.disconnect":
                closed = closed or "the other side's close"
            return message

        task = process.spawn(application(scope, guarded_receive, guarded_send))
        await asyncio.wait([task])
        if not process.alive:
            if not task.cancelled():
                task.exception()
            raise ConnectionResetError("the process died")
        task.result()


def wall() -> float:
    """The wall clock on virtual time."""
    return 1_800_000_000.0 + asyncio.get_running_loop().time()
