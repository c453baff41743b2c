"""The port ``Store``, held by both of its implementations; what only a file has is in test_sqlite."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowengine.call.ports import Store, StoredCall
from flowengine.errors import Bug
from flowengine.store.memory import MemoryStore
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
from flowengine.testing.virtual_time import let_pass

AnyStore = MemoryStore | SqliteStore
Run = Callable[[Callable[[AnyStore], Awaitable[None]]], None]


def call(call_id: str = "C1", carrier_call_id: str = "CA1", carrier: str = "twilio") -> StoredCall:
    return StoredCall(
        call_id, carrier, carrier_call_id, "front-desk", "rev", "+1", "+2", "inbound", 1.7e9, 2**64 - 1, {"a": [1, "ü"]}
    )


@pytest.fixture(params=["memory", "sqlite"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Run a scene against an open store."""

    def go(scene: Callable[[AnyStore], Awaitable[None]]) -> None:
        async def whole() -> None:
            memory = request.param == "memory"
            store = MemoryStore() if memory else SqliteStore(tmp_path / "store.db", TraceFiles(tmp_path / "traces"))
            port: Store = store
            assert port is store
            await store.start()
            try:
                await scene(store)
            finally:
                await store.aclose()

        asyncio.run(whole())

    return go


def test_calls_that_are_not_ended_are_lost_when_their_time_is_over(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        for number in range(4):
            await store.open_call(replace(call(f"C{number}", f"CA{number}"), lost_at=100.0 + number))
        await store.finish_call("C1", {})
        await store.change_call("C2", when={"answered"}, lost_at=200.0)
        assert await store.lost_calls(100.0) == []
        assert [one.id for one in await store.lost_calls(150.0)] == ["C0", "C3"]
        assert [one.id for one in await store.lost_calls(300.0)] == ["C0", "C3", "C2"]

    run(scene)


def test_a_call_comes_back_as_it_was(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        assert await store.open_call(call()) == call()
        assert await store.load_call("C1") == call()
        assert await store.find_call("twilio", "CA1") == call()
        assert await store.load_call("C2") is None
        assert await store.find_call("vobiz", "CA1") is None

    run(scene)


def test_a_repeated_answer_gives_the_same_call_until_it_ended(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call("C1"))
        await store.change_call("C1", when={"answered"}, document="<Response/>")
        again = await store.open_call(call("C2"))
        assert (again.id, again.document) == ("C1", "<Response/>")
        assert (await store.open_call(call("C3", carrier="vobiz"))).id == "C3"
        await store.finish_call("C1", {})
        assert (await store.open_call(call("C4"))).id == "C4"
        found = await store.find_call("twilio", "CA1")
        assert found is not None
        assert found.id == "C4"

    run(scene)


def test_calls_without_a_carriers_id_are_not_the_same(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        assert (await store.open_call(call("C1", ""))).id == "C1"
        assert (await store.open_call(call("C2", ""))).id == "C2"
        await store.change_call("C2", when={"answered"}, carrier_call_id="CA9")
        assert (await store.open_call(call("C3", "CA9"))).id == "C2"

    run(scene)


def test_an_id_is_used_once(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call("C1", "CA1"))
        with pytest.raises(Bug, match="C1"):
            await store.open_call(call("C1", "CA2"))

    run(scene)


def test_a_change_needs_the_state_and_the_latest_stream(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        opened = await store.change_call("C1", when={"answered"}, opened=True, state="streaming")
        assert opened is not None
        assert (opened.state, opened.streams, opened.offers) == ("streaming", 1, 1)
        assert await store.change_call("C1", when={"answered", "ended"}, state="hangup") is None
        assert await store.change_call("C1", when=set(), state="hangup") is None
        assert await store.change_call("C1", when={"streaming"}, streams=2, state="hangup") is None
        assert await store.change_call("C2", when={"streaming"}, state="hangup") is None
        assert await store.load_call("C1") == opened
        held = await store.change_call("C1", when=["streaming"], streams=1, offered=True, pending={"say": ("x",)})
        assert held is not None
        assert (held.offers, held.streams, held.pending) == (2, 1, {"say": ["x"]})
        emptied = await store.change_call("C1", when={"streaming"}, pending=None)
        assert emptied is not None
        assert emptied.pending is None

    run(scene)


@pytest.mark.parametrize("name", ["id", "offers", "colour"])
def test_what_is_no_change_is_refused(run: Run, name: str) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        wrong: dict[str, Any] = {name: 1}
        with pytest.raises(TypeError, match=name):
            await store.change_call("C1", when={"answered"}, **wrong)

    run(scene)


def test_a_snapshot_of_an_older_stream_is_dropped(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        await store.change_call("C1", when={"answered"}, opened=True)
        store.save_snapshot("C1", 1, {"node": "greet"}, 1.0, {})
        store.save_snapshot("C1", 1, {"node": "main"}, 2.0, {})
        kept = await store.load_call("C1")
        assert kept is not None
        assert (kept.snapshot, kept.saved) == ({"node": "main"}, 2.0)
        store.save_snapshot("C1", 1, {"node": "hours"}, 3.0, {})
        newer = await store.change_call("C1", when={"answered"}, opened=True)
        assert newer is not None
        assert (newer.snapshot, newer.saved) == ({"node": "hours"}, 3.0)
        store.save_snapshot("C1", 1, {"node": "late"}, 4.0, {})
        store.save_snapshot("C9", 1, {"node": "nobody"}, 4.0, {})
        assert await store.load_call("C1") == newer
        store.save_snapshot("C1", 2, {"node": "bye"}, 5.0, {})
        last = await store.load_call("C1")
        assert last is not None
        assert last.snapshot == {"node": "bye"}

    run(scene)


def test_a_queued_snapshot_does_not_overtake_a_change(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        store.save_snapshot("C1", 0, {"n": 1}, 1.0, {})
        change = asyncio.ensure_future(store.change_call("C1", when={"answered"}, snapshot={"n": 2}, saved=2.0))
        await let_pass(0)
        store.save_snapshot("C1", 0, {"n": 3}, 3.0, {})
        changed, kept = await change, await store.load_call("C1")
        assert changed is not None
        assert kept is not None
        assert (changed.snapshot, kept.snapshot) == ({"n": 2}, {"n": 3})

    run(scene)


def test_nothing_is_shared_with_the_store(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        snapshot = {"keys": ["1"]}
        store.save_snapshot("C1", 0, snapshot, 1.0, {})
        snapshot["keys"].append("2")
        kept = await store.load_call("C1")
        assert kept is not None
        assert kept.snapshot == {"keys": ["1"]}

    run(scene)


def test_a_call_has_one_record(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        assert await store.finish_call("C1", {"ended_reason": "caller.hangup"})
        assert not await store.finish_call("C1", {"ended_reason": "engine.lost"})
        assert await store.record("C1") == {"ended_reason": "caller.hangup"}
        assert await store.record("C2") is None
        ended = await store.load_call("C1")
        assert ended is not None
        assert ended.state == "ended"

    run(scene)


def test_records_come_newest_first(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        for number in range(4):
            await store.finish_call(f"C{number}", {"n": number})
        assert await store.records(3) == [{"n": 3}, {"n": 2}, {"n": 1}]
        assert len(await store.records()) == 4

    run(scene)


def test_a_token_is_used_once_and_forgotten_long_after_it_expired(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        assert await store.use_token("n1", 60.0, 0.0)
        assert not await store.use_token("n1", 60.0, 1.0)
        assert await store.use_token("n2", 60.0, 1.0)
        # The clock of another server may be behind: an expired token is remembered for an hour more.
        assert not await store.use_token("n1", 60.0, 3660.0)
        assert await store.use_token("n1", 60.0, 3661.0)

    run(scene)


def test_the_first_text_of_a_revision_stays(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        assert await store.flow_text("r1") is None
        await store.keep_flow("r1", "front-desk", "flow: front-desk # ü")
        await store.keep_flow("r1", "front-desk", "other comments")
        assert await store.flow_text("r1") == ("front-desk", "flow: front-desk # ü")

    run(scene)


def test_the_secret_is_made_once(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        key = await store.secret()
        assert len(key) == 32
        assert await store.secret() == key

    run(scene)


def test_plain_data_only(run: Run) -> None:
    async def scene(store: AnyStore) -> None:
        await store.open_call(call())
        with pytest.raises(TypeError):
            store.save_snapshot("C1", 0, {"bad": object()}, 1.0, {})
        with pytest.raises(TypeError):
            await store.finish_call("C1", {"bad": object()})
        with pytest.raises(TypeError):
            await store.change_call("C1", when={"answered"}, pending={"bad": object()})

    run(scene)


def test_memory_keeps_the_lines_of_traces_and_a_given_key() -> None:
    store = MemoryStore(key=b"k" * 32)
    store.trace("C1", "one")
    store.trace("C2", "two")
    store.trace("C1", "three")
    assert store.traces == {"C1": ["one", "three"], "C2": ["two"]}
    assert asyncio.run(store.secret()) == b"k" * 32
