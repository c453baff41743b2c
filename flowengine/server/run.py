"""The composition root: settings -> store, voice, flows, doors -> one server; its signals and its drain."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import logging
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from flowengine import plugins
from flowengine.call.calls import Calls
from flowengine.call.engine import Engine
from flowengine.call.lost import watch
from flowengine.call.ports import (
    AudioStore,
    LanguageModel,
    RecordingStore,
    Store,
    Synthesizer,
    ToolRunner,
    Transcriber,
    VoiceDetector,
)
from flowengine.call.prices import Price
from flowengine.call.tokens import LIFETIME, Signer
from flowengine.errors import EnvironmentProblem
from flowengine.flow.diagnostics import Severity
from flowengine.flow.loader import Loaded
from flowengine.runtime import events as fact
from flowengine.server.doors import Doors
from flowengine.server.http import Webhooks
from flowengine.server.library import FlowFolder, load_recordings
from flowengine.server.media import MediaSocket, Receive, Send
from flowengine.server.protocol import LineProtocol
from flowengine.server.tooling import disallowed, import_functions
from flowengine.settings import Settings

log = logging.getLogger("flowengine.server")

MAX_MESSAGE = 64 * 1024
PING = 10.0
APOLOGY_WITHIN = 10.0  # an apology and a goodbye at the end of the drain
STREAM_COMES_WITHIN = 10.0  # a carrier that was handed a document connects within this or never
POLL = 0.05
BLOCKED = 5.0  # a loop that is blocked for so long dumps its stack


@dataclass(frozen=True, slots=True)
class Ports:
    """What a server stands on; tests give their own. ``wall`` is the wall clock in seconds since 1970.

    ``entropy`` gives so many random bytes: ids of calls, and so the seeds of what is said at random, and tokens.
    ``tools`` are who runs tools, by their kind. Without a ``detector`` nobody listens, without a ``transcriber`` nobody
    understands words: a voice then stops a prompt, and keys are the answers.
    """

    store: Store
    synthesizer: Synthesizer
    audio_store: AudioStore | None
    wall: Callable[[], float] = time.time
    tools: Mapping[str, ToolRunner] = field(default_factory=dict)
    entropy: Callable[[int], bytes] = secrets.token_bytes
    detector: VoiceDetector | None = None
    transcriber: Transcriber | None = None
    recordings: RecordingStore | None = None
    models: Mapping[str, LanguageModel] = field(default_factory=dict)


class Application:
    """The ASGI application: Starlette for HTTP, the media socket beneath it."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self.settings = settings
        self.engine = Engine(
            ports.store,
            ports.synthesizer,
            ports.audio_store,
            settings.env,
            ports.wall,
            ports.tools,
            ports.entropy,
            ports.detector,
            ports.transcriber,
            ports.recordings,
            ports.models,
            {name: Price(**fields) for name, fields in settings.prices.items()},
        )
        self.flows = FlowFolder(
            ports.store,
            plugins.node_types(),
            lambda flow: disallowed(flow, settings.tools, settings.env),
            words=ports.transcriber is not None,
            models=ports.models,
        )
        self.findings: list[tuple[Loaded, str]] = []
        self._http: Starlette | None = None
        self._media: MediaSocket | None = None
        self._watch: asyncio.Task[None] | None = None
        self.webhooks: Webhooks | None = None

    async def start(self) -> None:
        """Load flows and voice; afterwards calls are taken. Raises ``EnvironmentProblem`` and ``ProviderError``.

        What is wrong with flows is in ``findings``; flows with errors are not served.
        """
        settings = self.settings
        self.findings = await self.flows.open(Path(settings.flows.folder))
        if any(d.severity is Severity.ERROR for loaded, _ in self.findings for d in loaded.diagnostics):
            return
        if not self.flows.programs:
            raise EnvironmentProblem(f"there is no flow in {settings.flows.folder}")
        secret = settings.server.secret.encode() or await self.engine.store.secret()
        doors = Doors(settings, plugins.dialects(), tuple(self.flows.programs))
        default = doors.default_flow()
        if default not in self.flows.programs:
            known = ", ".join(sorted(self.flows.programs))
            if default:
                raise EnvironmentProblem(f'flows.default is "{default}", which is not among the flows: {known}')
            log.warning(
                "no flow is the default (flows.default): a call that names none is turned away; flows: %s", known
            )
        for program in self.flows.programs.values():
            import_functions(program.flow)
        calls = Calls(self.engine, self.flows, Signer(secret, self.engine.entropy), doors.addresses)
        await self.engine.start()
        for program in self.flows.programs.values():
            self.engine.voice.files.update(load_recordings(program.flow))
            await self.engine.warm(program.flow)
        self.webhooks = Webhooks(calls, doors)
        self._http = self.webhooks.application()
        self._media = MediaSocket(calls, doors)
        self._watch = asyncio.get_running_loop().create_task(watch(calls), name="watch for lost calls")
        self.webhooks.open = True

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Take a request or a WebSocket."""
        if scope["type"] == "websocket" and self._media is not None:
            await self._media(scope, receive, send)
        elif self._http is not None:
            await self._http(scope, receive, send)

    async def drain(self, seconds: float) -> None:
        """Take no new calls; let those that are under way end, then end them with an apology."""
        if self.webhooks is None:
            return
        self.webhooks.open = False
        engine, calls = self.engine, self.webhooks.calls
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until and (engine.busy or self._expected(calls)):
            await asyncio.sleep(POLL)
        for session in list(engine.sessions.values()):
            session.put(fact.CallStopped(session.clock.at(), "engine.drained"))
        until = loop.time() + APOLOGY_WITHIN
        while engine.busy and loop.time() < until:
            await asyncio.sleep(POLL)

    def _expected(self, calls: Calls) -> bool:
        """Whether a stream may still come whose document was handed out."""
        newest = max(calls.offered.values(), default=0.0)
        return newest - LIFETIME + STREAM_COMES_WITHIN > self.engine.wall()

    async def aclose(self) -> None:
        """Release everything but the store."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        await self.engine.aclose()


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: it would close every WebSocket with 1012 at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def uvicorn_config(application: Application, settings: Settings) -> uvicorn.Config:
    """Give uvicorn's configuration for a phone server."""
    return uvicorn.Config(
        application,
        host=settings.server.host,
        port=settings.server.port,
        ws=LineProtocol,
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


def bind(settings: Settings) -> tuple[socket.socket, Settings]:
    """Take the port before anything else; port 0 becomes the one that was given. Raises ``EnvironmentProblem``."""
    family = socket.AF_INET6 if ":" in settings.server.host else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_STREAM)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        raw.bind((settings.server.host, settings.server.port))
    except OSError as error:
        raw.close()
        raise EnvironmentProblem(
            f"{settings.server.host}:{settings.server.port} can not be listened on: {error.strerror}"
        ) from None
    port = int(raw.getsockname()[1])
    return raw, replace(settings, server=replace(settings.server, port=port))


async def serve(application: Application, raw: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the drain."""
    loop = asyncio.get_running_loop()
    server = _Server(uvicorn_config(application, application.settings))
    stop, force = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (force if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    gc.collect()
    gc.freeze()
    watchdog = loop.create_task(_watch(), name="watchdog")
    serving = loop.create_task(server.serve(sockets=[raw]), name="uvicorn")
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if on_ready is not None:
            on_ready()
        waiting = loop.create_task(stop.wait())
        try:
            await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        await _drain(application, force)
    finally:
        server.should_exit = True
        await asyncio.wait({serving}, timeout=10)
        watchdog.cancel()
        faulthandler.cancel_dump_traceback_later()
        await application.aclose()


async def _drain(application: Application, force: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    drained = loop.create_task(application.drain(application.settings.server.drain))
    forced = loop.create_task(force.wait())
    await asyncio.wait({drained, forced}, return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, forced):
        task.cancel()
    if force.is_set():
        await application.drain(0.0)


async def _watch() -> None:
    """Re-arm the watchdog for as long as the loop runs; a loop that is blocked dumps every stack."""
    while True:
        if sys.stderr is not None:
            with contextlib.suppress(ValueError, OSError, AttributeError):
                faulthandler.dump_traceback_later(BLOCKED, exit=False)
        await asyncio.sleep(1.0)
