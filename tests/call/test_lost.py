"""Calls that nobody has in hand any more, and a store that does not answer when a call ends."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from flowengine.call.lost import LOOK, WITHIN, lost_at
from flowengine.call.ports import StoredCall
from flowengine.errors import RemoteError
from flowengine.store.memory import MemoryStore
from flowengine.testing import virtual_time
from flowengine.testing.carrier import CARRIERS
from flowengine.testing.network import AsgiNetwork
from flowengine.testing.script import HangUp, Silence, WaitAudio
from flowengine.testing.virtual_time import let_pass
from tests.call.test_calls import Server, go_on

FLOW = """
flow: test
version: 1
nodes:
  main: {say: Please hold., wait: {for: 5m}, goto: {timeout: end}}
"""


def alone(world: Any, work: Any) -> Any:
    world.flow(FLOW)
    world.signatures = "off"

    async def go() -> Any:
        application = await world.start()
        try:
            return await work(application)
        finally:
            await application.aclose()

    return virtual_time.run(go(), limit=3600.0)


@pytest.mark.parametrize(
    ("state", "pending", "reason"),
    [
        ("answered", None, "caller.hangup"),
        ("resuming", None, "caller.hangup"),
        ("dropped", None, "caller.hangup"),
        ("transferring", {"number": "+1"}, "caller.hangup"),
        ("dialling", {"number": "+1", "ring": 5.0, "max": None}, "caller.hangup"),
        ("streaming", None, "engine.lost"),
        ("blind", {"blind": True, "number": "+1"}, "flow.transfer"),
        ("hangup", {"ended": "flow.error"}, "flow.error"),
        ("hangup", None, "engine.lost"),
    ],
)
def test_what_a_dead_process_left_behind_gets_its_record(world: Any, state: str, pending: Any, reason: str) -> None:
    async def work(application: Any) -> Any:
        revision = application.flows.programs["test"].revision
        call = StoredCall("C1", "twilio", "CA1", "test", revision, "+1", "+2", "inbound", 1.8e9, 1, {})
        await world.store.open_call(replace(call, state=state, pending=pending, lost_at=application.engine.wall() + 50))
        await let_pass(40.0)
        early = await world.store.records()
        await let_pass(10.0 + 2 * LOOK)
        return early, await world.store.records(), dict(application.engine.counts)

    early, records, counts = alone(world, work)
    assert early == []
    assert [record["ended_reason"] for record in records] == [reason]
    assert counts == {"lost": 1}


def test_a_call_that_lives_is_not_lost(world: Any) -> None:
    """Two processes look for lost calls; the one that holds the stream puts off its time."""

    async def work(application: Any) -> Any:
        other = await world.start()
        outcome = await world.call(application, WaitAudio(0.3), Silence(250.0), HangUp())
        await other.aclose()
        return outcome.record, application.engine.counts["lost"], other.engine.counts["lost"]

    record, *lost = alone(world, work)
    assert lost == [0, 0]
    assert record["ended_reason"] == "caller.hangup"
    assert record["seconds"] > 3 * WITHIN["streaming"]


def test_a_dial_may_take_as_long_as_the_flow_lets_it() -> None:
    assert lost_at("dialling", 100.0, {"ring": 20.0, "max": 60.0}) == 180.0 + LOOK
    assert lost_at("dialling", 0.0, None) > 4 * 3600.0


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_carrier_says_that_a_call_is_over_whose_process_died(world: Any, carrier: str) -> None:
    async def work(application: Any) -> Any:
        caller = CARRIERS[carrier]("+15550001111", "+15551234567", random.Random(1))
        server = Server(application)
        await server.post(caller, f"https://voice.test/answer/{carrier}")
        call = await world.store.find_call(carrier, caller.call_id)
        await world.store.change_call(call.id, when={"answered"}, opened=True, state="streaming")
        await server.network.post(f"https://voice.test/status/{carrier}", caller.call_form("Hangup", "completed"), {})
        return await world.store.records()

    assert [record["ended_reason"] for record in alone(world, work)] == ["caller.hangup"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_request_that_comes_twice_takes_no_call_from_its_stream(world: Any, carrier: str) -> None:
    """Case 30: what follows a stream may be asked again, seconds later, while the next stream is on already."""

    async def work(application: Any) -> Any:
        caller = CARRIERS[carrier]("+15550001111", "+15551234567", random.Random(1))
        server = Server(application)
        answer = await server.post(caller, f"https://voice.test/answer/{carrier}")
        (await server.stream(caller, answer)).abort()
        await let_pass(0.1)
        asked = go_on(answer)
        second = await server.stream(caller, await server.post(caller, asked))
        again = await server.post(caller, asked)
        await let_pass(8.0)
        state = (await world.store.find_call(carrier, caller.call_id)).state
        await second.close(1000)
        await let_pass(8.0)
        return asked, again, state, await world.store.records(), application.engine.counts["stream.superseded"]

    asked, again, state, records, superseded = alone(world, work)
    assert asked.endswith("?stream=1")
    assert re.search(r"\?stream=2\b", again)
    assert (state, superseded) == ("streaming", 0)
    assert [(record["streams"], record["ended_reason"]) for record in records] == [(2, "caller.hangup")]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_of_two_requests_at_once_the_second_takes_nothing_from_the_first(world: Any, carrier: str) -> None:
    """The second one has read the call before the first one's stream began."""
    world.store = SlowStore()

    async def work(application: Any) -> Any:
        caller = CARRIERS[carrier]("+15550001111", "+15551234567", random.Random(1))
        server = Server(application)
        answer = await server.post(caller, f"https://voice.test/answer/{carrier}")
        (await server.stream(caller, answer)).abort()
        await let_pass(0.1)
        world.store.slow = 1
        late = asyncio.ensure_future(server.post(caller, go_on(answer)))
        await let_pass(0.1)
        second = await server.stream(caller, await server.post(caller, go_on(answer)))
        await late
        state = (await world.store.find_call(carrier, caller.call_id)).state
        await second.close(1000)
        await let_pass(8.0)
        return state, application.engine.counts["stream.superseded"]

    assert alone(world, work) == ("streaming", 0)


class SlowStore(MemoryStore):
    """Changes the next so many calls late."""

    slow = 0

    async def change_call(self, call_id: str, **changes: Any) -> StoredCall | None:
        if self.slow:
            self.slow -= 1
            await let_pass(1.0)
        return await super().change_call(call_id, **changes)


class FailingStore(MemoryStore):
    """Fails so many times at what is named."""

    def __init__(self) -> None:
        super().__init__(key=b"k" * 32)
        self.fails: dict[str, int] = {}

    def _check(self, name: str) -> None:
        if self.fails.get(name, 0) > 0:
            self.fails[name] -= 1
            raise RemoteError("the store fails")

    async def finish_call(self, call_id: str, record: Any) -> bool:
        self._check("finish_call")
        return await super().finish_call(call_id, record)

    async def find_call(self, carrier: str, carrier_call_id: str) -> StoredCall | None:
        self._check("find_call")
        return await super().find_call(carrier, carrier_call_id)

    def trace(self, call_id: str, line: str) -> None:
        self._check("trace")
        super().trace(call_id, line)


@pytest.mark.parametrize("fails", [1, 3, 4])
def test_a_record_is_written_once_the_store_is_back(world: Any, fails: int) -> None:
    """In moments by the process that held the stream; after longer by whoever finds the call."""
    world.store = FailingStore()

    async def work(application: Any) -> Any:
        world.store.fails["finish_call"] = fails
        await world.call(application, WaitAudio(0.3), HangUp())
        await let_pass(2 * WITHIN["hangup"] + LOOK)
        return await world.store.records(), dict(application.engine.counts)

    records, counts = alone(world, work)
    assert [record["ended_reason"] for record in records] == ["caller.hangup"]
    assert counts["store.failed"] == fails
    assert counts.get("lost", 0) == (fails == 4)


def test_a_request_that_the_store_does_not_answer_may_come_again(world: Any, caplog: Any) -> None:
    world.store = FailingStore()

    async def work(application: Any) -> Any:
        world.store.fails["find_call"] = 1
        network = AsgiNetwork(application)
        form = CARRIERS["twilio"]("+1", "+2", random.Random(1)).call_form("", "ringing")
        asked = [await network.post("https://voice.test/answer/twilio", form, {}) for _ in range(2)]
        return [status for status, _ in asked], network.failures

    assert alone(world, work) == ([503, 200], [])
    assert not [record for record in caplog.records if record.exc_info]


def test_a_stream_whose_first_line_can_not_be_kept_is_closed_and_its_call_goes_on(world: Any) -> None:
    world.store = FailingStore()

    async def work(application: Any) -> Any:
        world.store.fails["trace"] = 1
        return (await world.call(application, WaitAudio(0.3), HangUp())).report, await world.store.records()

    report, records = alone(world, work)
    assert next(event.data["code"] for event in report.of("stream_closed")) == 1011
    assert [record["streams"] for record in records] == [2]
