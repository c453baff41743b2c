"""A server with real vendors' SDKs, whose vendors are doubles on loopback: one process, real sockets, real audio."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flowengine.server.ports import open_ports
from flowengine.server.run import Application, bind, serve
from flowengine.settings import (
    CarrierSettings,
    FlowSettings,
    ModelSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    ToolSettings,
    TranscriberSettings,
    VoiceSettings,
)
from flowengine.store.sqlite import SqliteStore
from flowengine.testing.labels import Clip
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import Script
from flowengine.testing.virtual_time import let_pass
from tests.doubles.anthropic_server import AnthropicServer
from tests.doubles.cartesia_server import CartesiaServer
from tests.doubles.deepgram_server import DeepgramServer, Spoken
from tests.doubles.openai_server import OpenAIServer

ROOT = Path(__file__).parents[2]
TOKEN = "the-account-token"
KEY = "the-key"
READY_WITHIN = 30.0


@dataclass
class Shop:
    """The shop's interface: gives each path its answer, and notes what was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen on loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            self.asked.append(f"{head.split()[0]} {path}")
            body = json.dumps(self.answers.get(path, {})).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@dataclass
class Vendors:
    """The doubles, and a server that knows them by their addresses alone.

    ``behind``: each vendor has another one behind it, which takes over: nova-3 at a second Deepgram, an OpenAI, and
    the voice that needs no network.
    """

    folder: Path
    flows: Path = ROOT / "flows"
    default: str = "orders"
    deepgram: DeepgramServer = field(default_factory=DeepgramServer)
    anthropic: AnthropicServer = field(default_factory=AnthropicServer)
    cartesia: CartesiaServer = field(default_factory=CartesiaServer)
    behind: bool = False
    second: DeepgramServer = field(default_factory=DeepgramServer)
    openai: OpenAIServer = field(default_factory=OpenAIServer)
    shop: Shop = field(default_factory=Shop)
    model: str = "flux-general-en"
    url: str = ""
    application: Application | None = None
    network: SocketNetwork | None = None
    store: SqliteStore | None = None

    @asynccontextmanager
    async def open(self, **changes: Any) -> AsyncIterator[Vendors]:
        """Start the doubles and the server; ``changes`` are those of its settings."""
        async with AsyncExitStack() as stack:
            for double in self.doubles.values():
                await stack.enter_async_context(double)
            await stack.enter_async_context(self.shop.open())
            settings = replace(self._settings(), **changes)
            raw, settings = bind(settings)
            self.url = f"http://127.0.0.1:{settings.server.port}"
            settings = replace(settings, server=replace(settings.server, public_url=self.url))
            self.store, ports = await open_ports(settings)
            stack.push_async_callback(self.store.aclose)
            self.application = Application(settings, ports)
            await self.application.start()
            problems = [d for loaded, _ in self.application.findings for d in loaded.diagnostics]
            if problems:
                raise AssertionError(problems)
            self.network = SocketNetwork(timeout=60)
            stack.push_async_callback(self.network.aclose)
            ready = asyncio.Event()
            serving = asyncio.create_task(serve(self.application, raw, ready.set), name="server")
            stack.push_async_callback(_ended, serving)
            async with asyncio.timeout(READY_WITHIN):
                await ready.wait()
            yield self

    @property
    def doubles(self) -> dict[str, Any]:
        """The vendors' doubles by name."""
        first = {"deepgram": self.deepgram, "anthropic": self.anthropic, "cartesia": self.cartesia}
        return {**first, "second": self.second, "openai": self.openai} if self.behind else first

    def _settings(self) -> Settings:
        transcriber = TranscriberSettings("deepgram", url=self.deepgram.url, model=self.model, key=KEY)
        voice = VoiceSettings("cartesia", url=self.cartesia.url, key=KEY, voice="v")
        models = {"default": ModelSettings("anthropic", url=self.anthropic.url, key=KEY)}
        if self.behind:
            other = TranscriberSettings("deepgram", url=self.second.url, model="nova-3", key=KEY)
            transcriber = replace(transcriber, fallback=other)
            voice = replace(voice, fallback=VoiceSettings("local"))
            models["default"] = replace(models["default"], fallback="openai")
            models["openai"] = ModelSettings("openai", url=f"{self.openai.url}/v1", key=KEY)
        return Settings(
            server=ServerSettings(host="127.0.0.1", port=0, public_url="http://127.0.0.1"),
            flows=FlowSettings(str(self.flows), default=self.default),
            carriers={name: CarrierSettings("account", TOKEN, "required", "") for name in ("twilio", "vobiz")},
            voice=voice,
            transcriber=transcriber,
            models=models,
            tools=ToolSettings(hosts=(f"127.0.0.1:{self.shop.port}",)),
            env={"SHOP_API": f"http://127.0.0.1:{self.shop.port}"},
            store=StoreSettings(
                f"sqlite:///{self.folder / 'calls.db'}", str(self.folder / "traces"), str(self.folder / "cache")
            ),
        )

    def knows(self, *clips: Clip) -> None:
        """Let Deepgram's double understand these clips, wherever they stand in what it hears."""
        for clip in clips:
            words = [Spoken(word.text, word.begin, word.end) for word in clip.words]
            self.deepgram.clips[clip.audio[:HEAD]] = self.second.clips[clip.audio[:HEAD]] = words

    def answers(self, *script: Any) -> None:
        """Say what the model answers, in order."""
        self.anthropic.script = deque(script)

    async def call(self, script: Script, *, seed: int = 0, flow: str = "") -> CallReport:
        """Place a call."""
        assert self.network is not None
        phone = Phone(
            "twilio",
            self.network,
            answer_url=f"{self.url}/answer/twilio/{flow or self.default}",
            token=TOKEN,
            seed=seed,
        )
        return await phone.run(script)

    async def settled(self) -> None:
        """Wait until the server has written what it writes of calls."""
        assert self.application is not None
        async with asyncio.timeout(20):
            while self.application.engine.busy:
                await let_pass(0.05)

    async def record(self, carrier_call_id: str) -> dict[str, Any]:
        """Give the record of a call that is over."""
        assert self.store is not None
        call = await self.store.find_call("twilio", carrier_call_id)
        assert call is not None
        return dict(await self.store.record(call.id) or {})

    async def trace(self, carrier_call_id: str) -> list[dict[str, Any]]:
        """Give the trace of a call."""
        assert self.store is not None
        call = await self.store.find_call("twilio", carrier_call_id)
        assert call is not None
        lines = (self.folder / "traces" / f"{call.id}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]


HEAD = 64
"""Bytes by which a clip is known."""


async def _ended(serving: asyncio.Task[Any]) -> None:
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


def said(trace: Sequence[dict[str, Any]]) -> list[tuple[float, str, str]]:
    """Give who said what, and when, as the trace has it."""
    found: list[tuple[float, str, str]] = []
    for line in trace:
        event = line.get("event", {})
        kind, at = event.get("type"), round(line.get("at", 0.0), 2)
        if kind == "UtteranceEnded" and event["text"]:
            found.append((at, "caller", event["text"]))
        elif kind in ("ReplyFinished", "ReplyInterrupted") and event["text"]:
            found.append((at, "model", event["text"]))
        elif kind == "ReplyFailed":
            found.append((at, "failed", f"({event['kind']}) {event['text']}".strip()))
        for effect in line.get("effects", ()):
            if effect["type"] == "PlayPrompt":
                found.append((at, "bot", " ".join(part.get("text", "") for part in effect["parts"])))
            elif effect["type"] == "RunTool":
                found.append((at, "tool", effect["tool"]))
    return found
