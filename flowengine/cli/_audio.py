"""Tests of flows over a real server, real audio and the simulated phone: what `flowengine test --audio` runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flowengine.cli import _live
from flowengine.cli._local import LocalServer, local_server
from flowengine.runtime.replay import BadTraceError, read
from flowengine.testing.audible import audible, only_waited, wrong
from flowengine.testing.network import SocketNetwork
from flowengine.testing.phone import Phone

if TYPE_CHECKING:
    from flowengine.runtime.program import Program
    from flowengine.testing.cases import Case
    from flowengine.testing.script import Script

AT_ONCE = 8
TRACE_WITHIN = 10.0


async def run(file: Path, program: Program, cases: Sequence[Case]) -> list[tuple[Case, str, str]]:
    """Place a call for each test, several at once; give each with why it could not be one, and what was wrong."""
    calls = [(case, audible(case)) for case in cases]
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[int, str] = {}
    if any(call.script for _, call in calls):
        async with local_server(file) as server, asyncio.TaskGroup() as group:
            for number, (case, call) in enumerate(calls):
                if call.script is not None:
                    group.create_task(_one(number, case, call.script, program, server, gate, found))
    return [(case, call.why, found.get(number, "")) for number, (case, call) in enumerate(calls)]


async def _one(
    number: int,
    case: Case,
    script: Script,
    program: Program,
    server: LocalServer,
    gate: asyncio.Semaphore,
    found: dict[int, str],
) -> None:
    async with gate:
        conversation = _live.Conversation(out=lambda _: None)
        network = SocketNetwork()
        url = f"{server.url}/answer/twilio/{program.flow.name}"
        phone = Phone(
            "twilio", network, answer_url=url, caller=case.caller, called=case.called, token=server.token, seed=number
        )
        copy = server.traces.parent / f"test-{number}.jsonl"
        follower = asyncio.create_task(_live.follow(server.traces, lambda: phone.call_id, conversation, str(copy)))
        try:
            report = await phone.run(script)
            with suppress(TimeoutError):
                async with asyncio.timeout(TRACE_WITHIN):
                    await follower
        finally:
            follower.cancel()
            await network.aclose()
        failures = [one for one in report.failures if not only_waited(script, one)]
        found[number] = "; ".join(failures) or _checked(case, program, copy)


def _checked(case: Case, program: Program, trace: Path) -> str:
    if not trace.is_file():
        return "the call left no trace"
    try:
        return wrong(case, program, {}, read(trace.read_text("utf-8").splitlines()))
    except BadTraceError as error:
        return str(error)
