"""Two `serve` processes on one store: a call goes on in the other one after a transfer, and after a crash."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import pytest

from flowengine.cli._local import LocalServer, local_server
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
from flowengine.testing.network import Socket, SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import Dialled, ExpectEnd, Keys, Script, Silence, Step, WaitAudio
from flowengine.testing.virtual_time import let_pass

CARRIERS: tuple[Literal["twilio"], Literal["vobiz"]] = ("twilio", "vobiz")
FLOW = """
flow: test
version: 1
vars: {number: digits}
nodes:
  main:
    say: One for the number. Two for a person.
    menu: [{key: 1, goto: number}, {key: 2, goto: person}]
  number:
    say: Three digits please. Take all the time that you need for it.
    collect: {into: number, length: 3}
    goto: bye
  person:
    say: Wait.
    transfer: {to: "+15550100", ring: 5s}
    goto: {busy: number, else: bye}
  bye: {say: Bye., hangup: }
"""


class Balancer(SocketNetwork):
    """Sends requests to one server until told otherwise; the address in documents stays the public one."""

    def __init__(self, to: LocalServer) -> None:
        super().__init__(timeout=20)
        self.to = to

    def _rewritten(self, url: str) -> str:
        return urlunsplit(urlsplit(url)._replace(netloc=urlsplit(self.to.url).netloc))

    async def post(self, url: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> tuple[int, str]:
        return await super().post(self._rewritten(url), form, headers)

    async def connect(self, url: str, headers: Mapping[str, str], subprotocols: Sequence[str]) -> Socket:
        return await super().connect(self._rewritten(url), headers, subprotocols)


async def record_of(server: LocalServer, report: CallReport) -> dict[str, Any]:
    store = SqliteStore(server.store, TraceFiles(server.traces))
    await store.start()
    try:
        for _ in range(100):
            found = [r for r in await store.records(10) if r["carrier_call_id"] == report.call_id]
            if found:
                return dict(found[0])
            await let_pass(0.1)
    finally:
        await store.aclose()
    raise AssertionError("there is no record of the call")


async def calls_over_two(
    flow: Path, first: Sequence[Step], then: Sequence[Step], *, crash: bool
) -> list[tuple[CallReport, dict[str, Any]]]:
    """A call of each carrier: its first steps on one server, the others on the other, after a crash if so."""
    async with local_server(flow) as one:
        shared = {
            "STORE__URL": f"sqlite:///{one.store}",
            "STORE__TRACES": str(one.traces),
            "SERVER__PUBLIC_URL": one.url,
            "CARRIERS__TWILIO__TOKEN": one.token,
            "CARRIERS__VOBIZ__TOKEN": one.token,
        }
        async with local_server(flow, shared) as two:
            network = Balancer(one)
            calls = []
            for carrier in CARRIERS:
                url = f"{one.url}/answer/{carrier}"
                phone = Phone(carrier, network, answer_url=url, token=one.token, seed=5)
                script = Script((*first, *then), carrier, transfers=(Dialled("busy"),))
                calls.append(asyncio.create_task(phone.run(script)))
            await let_pass(3.0)
            network.to = two
            if crash:
                os.kill(one.pid, signal.SIGKILL)
            reports = await asyncio.gather(*calls)
            await network.aclose()
            return [(report, await record_of(one, report)) for report in reports]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "test.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return path


def test_a_busy_transfer_goes_on_in_the_other_process(flow: Path) -> None:
    first = (WaitAudio(0.3), Silence(1.9), Keys("2"))
    then = (Silence(3.0), WaitAudio(0.5), Keys("123", gap=0.2), ExpectEnd(30))
    for report, record in asyncio.run(calls_over_two(flow, first, then, crash=False)):
        assert report.failures == []
        assert record["path"] == ["main", "person", "number", "bye"]
        assert (record["streams"], record["ended_reason"]) == (2, "flow.hangup")


def test_a_call_survives_the_crash_of_its_process(flow: Path) -> None:
    """Killed in the middle of a prompt: the carrier asks on, and the other process begins the node once more."""
    first = (WaitAudio(0.3), Keys("1"), Silence(5.0))
    then = (WaitAudio(0.5), Keys("123", gap=0.2), ExpectEnd(30))
    for report, record in asyncio.run(calls_over_two(flow, first, then, crash=True)):
        assert report.failures == []
        assert record["path"] == ["main", "number", "number", "bye"]
        assert (record["streams"], record["ended_reason"]) == (2, "flow.hangup")
