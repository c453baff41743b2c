"""The server as users run it: another process, real sockets, real audio, many calls at once, signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import pytest

from flowengine.cli._local import LocalServer, local_server
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import Dialled, ExpectEnd, HangUp, Keys, Script, Silence, Step, WaitAudio
from flowengine.testing.virtual_time import let_pass

FLOW = """
flow: test
version: 1
vars: {number: {type: digits, private: true}}
nodes:
  main:
    say: One for the number. Two for a person.
    menu: [{key: 1, goto: number}, {key: 2, goto: person}]
  number:
    say: Three digits please.
    collect: {into: number, length: 3, confirm: "{{ number | spell }}. Right?"}
    goto: bye
  person:
    say: Wait.
    transfer: {to: "+15550100", ring: 5s}
    goto: {else: bye}
  bye: {say: Bye., hangup: }
"""
T = TypeVar("T")


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "test.yaml"
    path.write_text(FLOW, encoding="utf-8")
    return path


async def place(
    server: LocalServer, network: SocketNetwork, seed: int, *steps: Step, transfers: tuple[Dialled, ...] = ()
) -> CallReport:
    carrier: Literal["twilio", "vobiz"] = "twilio" if seed % 2 else "vobiz"
    url = f"{server.url}/answer/{carrier}"
    phone = Phone(carrier, network, answer_url=url, token=server.token, seed=seed)
    return await phone.run(Script(steps, carrier, transfers=transfers))


def held(pid: int) -> dict[str, int]:
    """What the process holds, as the kernel counts it."""
    status = Path(f"/proc/{pid}/status").read_text().split("Threads:")[1].split()[0]
    files = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    return {
        "threads": int(status),
        "files": len(files),
        "sockets": sum(name.startswith("socket:") for name in files),
        # One file a call stays open until its record is written; none afterwards.
        "traces": sum(name.endswith(".jsonl") for name in files),
    }


async def settled(server: LocalServer, wanted: dict[str, int] | None = None) -> dict[str, int]:
    """Look until the calls are gone (and what is held is as wanted), for 5 s at most."""
    found: dict[str, int] = {}
    async with httpx.AsyncClient(trust_env=False, headers={"Connection": "close"}) as client:
        for _ in range(50):
            ready = (await client.get(f"{server.url}/ready")).json()
            found = {**held(server.pid), "tasks": ready["tasks"], "calls": ready["calls"]}
            if not found["calls"] and (wanted is None or found == wanted):
                break
            await let_pass(0.1)
    return found


async def records(server: LocalServer) -> list[dict[str, Any]]:
    store = SqliteStore(server.store, TraceFiles(server.traces))
    await store.start()
    try:
        return [dict(record) for record in await store.records(1000)]
    finally:
        await store.aclose()


def _story(report: CallReport, server: LocalServer) -> str:
    """What happened in a call that went wrong, for whoever has to find out why."""
    seen = [f"{e.at:.2f} {e.kind} {e.data}" for e in report.events if e.kind not in ("document", "mark_played")]
    texts = [path.read_text() for path in server.traces.glob("*.jsonl")]
    trace = next((text for text in texts if report.call_id in text), "")
    return "\n".join([*seen, trace])


def script(kind: int) -> tuple[Step, ...]:
    """Four ways through the flow."""
    on = (Silence(0.4), WaitAudio(0.2))
    return (
        (WaitAudio(0.3), Keys("1"), *on, Keys("123", gap=0.1), *on, Keys("1"), ExpectEnd(30)),
        (WaitAudio(0.3), Keys("2"), ExpectEnd(30)),
        (WaitAudio(0.3), Keys("11", gap=0.1), HangUp()),
        (Keys("1123", gap=0.0), *on, Keys("1"), ExpectEnd(30)),
    )[kind % 4]


PATHS = (["main", "number", "bye"], ["main", "person", "bye"], ["main", "number"], ["main", "number", "bye"])


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 120))


def test_fifty_calls_at_once_are_all_right_and_leave_nothing(flow: Path) -> None:
    async def go() -> None:
        async with local_server(flow) as server:

            async def many(seeds: Iterable[int]) -> list[tuple[CallReport, int]]:
                """Place calls at once; their HTTP connections are closed with them."""
                network = SocketNetwork(timeout=30)
                busy = (Dialled("busy"),)
                kinds = [(seed, seed // 2 % 4) for seed in seeds]
                reports = await asyncio.gather(
                    *(place(server, network, seed, *script(kind), transfers=busy) for seed, kind in kinds)
                )
                await network.aclose()
                return [(report, kind) for report, (_, kind) in zip(reports, kinds, strict=True)]

            await many(range(1000, 1005))
            await let_pass(1.0)  # closed connections have been seen
            before = await settled(server)
            outs = await many(range(50))
            assert [report.failures for report, _ in outs] == [[]] * 50
            assert [report.of("wrong", "raced") for report, _ in outs] == [[]] * 50
            after = await settled(server, before)
            assert after == before
            written = {record["carrier_call_id"]: record for record in await records(server)}
            assert len(written) == 55
            for report, kind in outs:
                record = written[report.call_id]
                assert record["path"] == PATHS[kind], _story(report, server)
                assert record["ended_reason"] == ("caller.hangup" if kind == 2 else "flow.hangup")

    run(go())


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM]])
def test_sigterm_with_calls_running(flow: Path, signals: list[int]) -> None:
    """One lets the calls end by themselves; a second one ends them with an apology. One record each, nothing left."""

    async def go() -> list[dict[str, Any]]:
        async with local_server(flow) as server:
            network = SocketNetwork(timeout=30)
            calls = [
                asyncio.create_task(
                    place(server, network, n, WaitAudio(0.3), Silence(1.5 * len(signals) ** 2), HangUp())
                )
                for n in range(2)
            ]
            calls += [asyncio.create_task(place(server, network, n, Silence(1), ExpectEnd(30))) for n in (2, 3)]
            await let_pass(1.0)
            for number in signals:
                os.kill(server.pid, number)
                await let_pass(0.3)
            refused = await place(server, network, 99, ExpectEnd(5))
            assert refused.end_reason == "refused 503"
            for task in calls[2:]:
                if len(signals) == 1:
                    task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            await network.aclose()
            for _ in range(150):
                if not Path(f"/proc/{server.pid}/fd").exists() or not os.listdir(f"/proc/{server.pid}/fd"):
                    break
                await let_pass(0.1)
            found = await records(server)
            assert not [line for line in server.log.read_text().splitlines() if " ERROR " in line]
            return found

    found = run(go())
    assert len(found) == 4
    reasons = sorted(record["ended_reason"] for record in found)
    if len(signals) == 1:
        assert reasons == ["caller.hangup"] * 4
    else:
        assert set(reasons) == {"engine.drained"}


def test_what_the_log_and_the_addresses_give_away(flow: Path) -> None:
    """No token, digit or number is in the log, whatever happens."""

    async def go() -> str:
        async with local_server(flow) as server:
            network = SocketNetwork()
            await place(server, network, 1, *script(0))
            forged = Phone("twilio", network, answer_url=f"{server.url}/answer/twilio", token="wrong", seed=3)
            assert (await forged.run(Script((ExpectEnd(3),)))).end_reason == "refused 403"
            await network.aclose()
            text = server.log.read_text()
            traces = [
                json.loads(line) for path in server.traces.glob("*.jsonl") for line in path.read_text().splitlines()
            ]
            assert traces
            return text

    text = run(go())
    assert "/stream/" not in text
    assert "+1555" not in text
    assert "has no valid signature" in text
