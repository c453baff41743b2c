"""A call over its streams and processes: two servers on one store, asked as a carrier's balancer would."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from flowengine.testing import virtual_time
from flowengine.testing.carrier import CARRIERS as MAKERS
from flowengine.testing.network import AsgiNetwork
from flowengine.testing.virtual_time import let_pass

CARRIERS = ("twilio", "vobiz")
FLOW = """
flow: test
version: 1
nodes:
  main:
    say: One for this, two for that.
    menu: [{key: 1, goto: bye}, {key: 2, goto: deep}, {key: 3, goto: person}]
  deep:
    say: Two again.
    menu: [{key: 2, goto: deeper}]
  deeper:
    say: And one.
    menu: [{key: 1, goto: bye}]
  person: {transfer: {to: "+15550100"}, goto: {else: bye}}
  bye: {say: Goodbye., hangup: }
"""


class Server:
    """One process behind the balancer."""

    def __init__(self, application: Any) -> None:
        self.engine = application.engine
        self.network = AsgiNetwork(application)

    async def post(self, caller: Any, url: str, *fields: tuple[str, str]) -> str:
        form = [*caller.call_form("", "in-progress"), *fields]
        status, xml = await self.network.post(url, form, {})
        assert status in (200, 204)
        return xml

    async def stream(self, caller: Any, xml: str) -> Any:
        found = re.search(r"wss://[^<\"]+", xml)
        assert found, xml
        socket = await self.network.connect(found[0], {}, ())
        for text in caller.opening(0.0, {}):
            await socket.send(text)
        await let_pass(0.3)
        return socket


def go_on(xml: str) -> str:
    found = re.search(r"https://[^<\"]+/continue/[^<\"]+", xml)
    assert found, xml
    return found[0]


Work = Callable[[Server, Server, Any, str], Coroutine[Any, Any, Any]]


def with_two(world: Any, carrier: str, work: Work) -> Any:
    world.flow(FLOW)
    world.signatures = "off"

    async def go() -> Any:
        one, two = Server(await world.start()), Server(await world.start())
        caller = MAKERS[carrier]("+15550001111", "+15551234567", random.Random(1))
        out = await work(one, two, caller, f"https://voice.test/answer/{carrier}")
        assert one.network.failures == two.network.failures == []
        return out

    return virtual_time.run(go(), limit=600.0)


async def press(caller: Any, socket: Any, keys: str) -> None:
    for key in keys:
        await socket.send(caller.key(key, 1.0))
        await let_pass(0.02)
        if confirmation := caller.cleared():
            await socket.send(confirmation)
        await let_pass(0.3)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_dropped_call_is_taken_up_by_the_other_process(world: Any, carrier: str) -> None:
    """The first one's watcher, whose five seconds end later, writes no record of a call that lives."""

    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        await press(caller, first, "2")
        first.abort()
        await let_pass(1.0)
        second = await two.stream(caller, await two.post(caller, go_on(answer)))
        await let_pass(8.0)
        during = len(await world.store.records())
        await press(caller, second, "2")
        await second.close(1000)
        await let_pass(8.0)
        return during, await world.store.records(), [dict(s.engine.counts) for s in (one, two)]

    during, records, counts = with_two(world, carrier, work)
    assert during == 0
    assert [(r["path"], r["streams"]) for r in records] == [(["main", "deep", "deep", "deeper"], 2)]
    assert all("second_record" not in count for count in counts)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("told", ["hang up", "goodbye"])
def test_what_an_older_stream_still_does_is_fenced_off(world: Any, carrier: str, told: str) -> None:
    """The carrier went on elsewhere while the first process still held its half of a dead socket."""

    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        farewell = caller.farewell() if told == "hang up" else None
        pressed = caller.key("2", 1.0), caller.key("1", 2.0)
        second = await two.stream(caller, await two.post(caller, go_on(answer)))
        # The old half still talks: its snapshot and its end are of a stream that is no longer the call's.
        if told == "hang up":
            await first.send(farewell) if farewell else await first.close(1000)
        else:
            await first.send(pressed[1])
            await let_pass(5.0)
        await let_pass(1.0)
        call = (await world.store.find_call(carrier, caller.call_id)).state
        during = len(await world.store.records())
        await press(caller, second, "22")
        kept = (await world.store.find_call(carrier, caller.call_id)).snapshot["frames"][0]["visit"]["node"]
        await second.close(1000)
        await let_pass(8.0)
        return call, during, kept, await world.store.records(), one.engine.counts["stream.superseded"]

    call, during, kept, records, superseded = with_two(world, carrier, work)
    assert (call, during, kept, superseded) == ("streaming", 0, "deeper", 1)
    assert [r["streams"] for r in records] == [2]


def test_an_older_stream_does_not_say_stop(world: Any) -> None:
    """At Vobiz that message goes on in the call's document: the newer stream's call would be taken from it."""

    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        key = caller.key("1", 1.0)
        await two.stream(caller, await two.post(caller, go_on(answer)))
        await first.send(key)
        sent = []
        while (text := await first.receive()) is not None:
            sent.append(json.loads(text)["event"])
            if sent[-1] == "clearAudio":
                await first.send(caller.cleared())
            elif sent[-1] == "checkpoint":
                await first.send(caller.mark(json.loads(text)["name"]))
        await let_pass(0.5)
        return sent, first.close_code, one.engine.counts["stream.superseded"]

    sent, code, superseded = with_two(world, "vobiz", work)
    assert "stop" not in sent
    assert (code, superseded) == (1000, 1)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_call_left_between_a_transfer_and_its_note_goes_on_as_failed(world: Any, carrier: str) -> None:
    """The process died after the snapshot and before the store knew of the transfer: nobody will ever dial."""

    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        await press(caller, first, "2")
        first.abort()
        await let_pass(0.1)
        known = await world.store.find_call(carrier, caller.call_id)
        left = copy.deepcopy({**known.snapshot, "phase": "transferring"})
        left["frames"][0]["visit"]["node"] = "person"
        await world.store.change_call(known.id, when={"dropped"}, snapshot=left)
        second = await two.stream(caller, await two.post(caller, go_on(answer)))
        await second.close(1000)
        await let_pass(8.0)
        return await world.store.records()

    records = with_two(world, carrier, work)
    assert [r["path"] for r in records] == [["main", "deep", "bye"]]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_first_request_afterwards_waits_for_the_owner_to_notice(world: Any, carrier: str) -> None:
    """A carrier may be quicker with its next request than the process that has to learn that the stream is over."""

    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        await press(caller, first, "1")
        # Asked while the goodbye still plays, and answered when the flow has hung up.
        verbs = re.findall(r"<(\w+)", await two.post(caller, go_on(answer)))
        await let_pass(2.0)
        return verbs, await world.store.records()

    verbs, records = with_two(world, carrier, work)
    assert verbs == ["Response", "Hangup"]
    assert [r["ended_reason"] for r in records] == ["flow.hangup"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_call_dropped_for_good_is_the_callers_end(world: Any, carrier: str) -> None:
    async def work(one: Server, two: Server, caller: Any, url: str) -> Any:
        answer = await one.post(caller, url)
        first = await one.stream(caller, answer)
        first.abort()
        await let_pass(4.5)
        waited = len(await world.store.records())
        await let_pass(1.0)
        # Too late: the record is written, the caller hears no more of us.
        late = re.findall(r"<(\w+)", await two.post(caller, go_on(answer)))
        return waited, [r["ended_reason"] for r in await world.store.records()], late

    assert with_two(world, carrier, work) == (0, ["caller.hangup"], ["Response", "Hangup"])
