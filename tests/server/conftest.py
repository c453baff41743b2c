"""A desk beside the server: the carrier's requests one by one, where a phone would make a whole call of them."""

from __future__ import annotations

import asyncio
import html
import random
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from flowengine.server.run import Application, Ports
from flowengine.settings import Settings
from flowengine.testing import virtual_time
from flowengine.testing.carrier import CARRIERS, Carrier
from flowengine.testing.network import AsgiNetwork, Socket
from flowengine.testing.virtual_time import let_pass

TOKEN = "the-account-token"
PUBLIC = "https://voice.test"
FLOW = """
flow: test
version: 1
args:
  plan: {type: enum, values: [gold, silver], default: silver}
nodes:
  main:
    say: One for this, two for a person, three for any of them.
    menu: [{key: 1, goto: bye}, {key: 2, goto: person}, {key: 3, goto: anyone}]
  person:
    transfer: {to: "+15550100", ring: 20s}
    goto: {else: main}
  anyone:
    transfer: {to: ["+15550101", "+15550102"], ring: 20s}
    goto: {else: main}
  bye: {say: Goodbye., hangup: }
"""


def wall() -> float:
    """The wall clock on virtual time."""
    return 1_800_000_000.0 + asyncio.get_running_loop().time()


@dataclass
class Document:
    """An answer of the server."""

    status: int
    xml: str

    @property
    def verbs(self) -> list[str]:
        """What it tells the carrier to do, in order."""
        return re.findall(r"<(\w+)", self.xml)[1:]

    @property
    def stream(self) -> str:
        """The address of the stream."""
        found = re.search(r"wss?://[^<\"]+", self.xml)
        assert found, self.xml
        return html.unescape(found[0])

    @property
    def go_on(self) -> str:
        """The address to go on at."""
        found = re.search(r"https?://[^<\"]+/continue/[^<\"]+", self.xml)
        assert found, self.xml
        return html.unescape(found[0])


@dataclass
class Desk:
    """One server on a virtual clock, and the means to ask it as a carrier does."""

    application: Application
    network: AsgiNetwork
    client: httpx.AsyncClient
    store: Any

    def caller(self, name: str = "twilio", seed: int = 1) -> Carrier:
        return CARRIERS[name]("+15550001111", "+15551234567", random.Random(seed))

    async def ask(
        self,
        carrier: Carrier,
        url: str,
        form: Sequence[tuple[str, str]] = (),
        *,
        token: str | None = TOKEN,
        method: str = "POST",
        status: str = "in-progress",
    ) -> Document:
        """Make a signed request for this call with the fields that every request has."""
        url = url if url.startswith("http") else PUBLIC + url
        fields = [*carrier.call_form("", status), *form]
        if method == "GET":
            url += ("&" if "?" in url else "?") + urlencode(fields)
            answer = await self.client.get(url, headers=carrier.sign(url, (), token))
        else:
            headers = {**carrier.sign(url, fields, token), "Content-Type": "application/x-www-form-urlencoded"}
            answer = await self.client.post(url, content=urlencode(fields), headers=headers)
        return Document(answer.status_code, answer.text)

    async def answer(self, carrier: Carrier, rest: str = "", **options: Any) -> Document:
        """Ask for a call's first document."""
        name = "twilio" if carrier.marks_survive_clear else "vobiz"
        return await self.ask(carrier, f"/answer/{name}{rest}", **options)

    async def connect(
        self, carrier: Carrier, url: str, *, token: str | None = TOKEN, subprotocols: Sequence[str] = ()
    ) -> Any:
        """Open a media socket and send nothing."""
        return await self.network.connect(url, carrier.sign_upgrade(url, token), subprotocols)

    async def stream(self, carrier: Carrier, url: str, parameters: Mapping[str, str] | None = None) -> Any:
        """Open a media socket as the carrier does, `start` included."""
        socket = await self.connect(carrier, url)
        for text in carrier.opening(0.0, dict(parameters or {})):
            await socket.send(text)
        await let_pass(0.3)
        return socket

    async def closed(self, socket: Socket, within: float = 30.0) -> int | None:
        """Read until the socket is closed; give its code."""
        async with asyncio.timeout(within):
            while await socket.receive() is not None:
                pass
        return socket.close_code

    async def records(self) -> list[dict[str, Any]]:
        """Wait until nothing is on the line; give all records, the newest first."""
        for _ in range(600):
            if not self.application.engine.busy:
                break
            await let_pass(0.05)
        return list(await self.store.records())

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.application.engine.counts)


@asynccontextmanager
async def _desk(world: Any, settings: Settings) -> AsyncIterator[Desk]:
    application = Application(settings, Ports(world.store, world.voice, None, wall))
    await application.start()
    findings = [diagnostic for loaded, _ in application.findings for diagnostic in loaded.diagnostics]
    assert findings == []
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        network = AsgiNetwork(application)
        yield Desk(application, network, client, world.store)
        assert network.failures == []


@pytest.fixture
def at_desk(world: Any) -> Callable[..., Any]:
    """Run a coroutine function with a desk on the virtual clock; ``change`` alters the settings first."""

    def run(
        work: Callable[[Desk], Coroutine[Any, Any, Any]],
        *,
        flow: str = FLOW,
        change: Callable[[Settings], Settings] = lambda settings: settings,
    ) -> Any:
        world.flow(flow)

        async def go() -> Any:
            async with _desk(world, change(world.settings())) as desk:
                return await work(desk)

        return virtual_time.run(go(), limit=3600.0)

    return run
