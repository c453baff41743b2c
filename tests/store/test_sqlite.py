"""What only the file has: two processes, restarts, deadlines, bounds, modes. The port itself: test_memory."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from flowengine.call.ports import StoredCall
from flowengine.errors import EnvironmentProblem, RemoteError
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
from flowengine.testing.virtual_time import let_pass

T = TypeVar("T")


def call(call_id: str = "C1", carrier_call_id: str = "CA1") -> StoredCall:
    return StoredCall(call_id, "vobiz", carrier_call_id, "front-desk", "rev", "+1", "+2", "inbound", 1.0, 7, {})


def _block(stuck: threading.Event, free: threading.Event) -> None:
    stuck.set()
    free.wait(5)


@asynccontextmanager
async def opened(folder: Path, *, deadline: float = 5.0, entries: int = 4096) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(folder / "s.db", TraceFiles(folder / "traces"), deadline=deadline, entries=entries)
    await store.start()
    try:
        yield store
    finally:
        await store.aclose()


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    async def before() -> bytes:
        async with opened(tmp_path) as store:
            await store.open_call(call("C1"))
            await store.change_call("C1", when={"answered"}, opened=True, state="streaming")
            await store.keep_flow("r", "n", "t")
            await store.use_token("n", 60, 0)
            await store.open_call(call("C2", "CA2"))
            await store.finish_call("C2", {"n": 2})
            store.trace("C1", "one")
            store.save_snapshot("C1", 1, {"node": "main"}, 3.5, {"gaps": 2})
            return await store.secret()

    async def after(secret: bytes) -> None:
        async with opened(tmp_path) as store:
            kept = await store.load_call("C1")
            assert kept is not None
            assert (kept.state, kept.streams, kept.snapshot, kept.saved) == ("streaming", 1, {"node": "main"}, 3.5)
            assert kept.tally == {"gaps": 2}
            assert await store.flow_text("r") == ("n", "t")
            assert not await store.use_token("n", 60, 1)
            assert await store.records() == [{"n": 2}]
            assert await store.secret() == secret
            store.trace("C1", "two")

    asyncio.run(after(asyncio.run(before())))
    assert (tmp_path / "traces/C1.jsonl").read_text() == "one\ntwo\n"


def test_what_was_answered_survives_a_killed_process(tmp_path: Path) -> None:
    script = """
import asyncio, os, sys
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
async def main():
    store = SqliteStore(sys.argv[1] + "/s.db", TraceFiles(sys.argv[1] + "/traces"))
    await store.start()
    store.trace("C1", "one")
    await store.finish_call("C1", {"n": 1})
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -9

    async def after() -> None:
        async with opened(tmp_path) as store:
            assert await store.record("C1") == {"n": 1}

    asyncio.run(after())
    assert (tmp_path / "traces/C1.jsonl").read_text() == "one\n"


def test_of_two_processes_one_wins(tmp_path: Path) -> None:
    async def scene() -> None:
        one = SqliteStore(tmp_path / "s.db", TraceFiles(tmp_path / "traces"))
        two = SqliteStore(tmp_path / "s.db", TraceFiles(tmp_path / "traces"))
        both = (one, two)
        # Opened, and the secret made, at once.
        await asyncio.gather(*(store.start() for store in both))
        keys = await asyncio.gather(*(store.secret() for store in both))
        assert keys[0] == keys[1]
        for n in range(25):
            answers = await asyncio.gather(*(s.open_call(call(f"C{n}{i}", f"CA{n}")) for i, s in enumerate(both)))
            assert answers[0] == answers[1]
            call_id = answers[0].id
            used = await asyncio.gather(*(store.use_token(f"n{n}", 60, 0) for store in both))
            assert sorted(used) == [False, True]
            changed = await asyncio.gather(
                *(s.change_call(call_id, when={"answered"}, opened=True, state="streaming") for s in both)
            )
            assert sorted(c.streams for c in changed if c is not None) == [1]
            finished = await asyncio.gather(*(store.finish_call(call_id, {"n": n}) for store in both))
            assert sorted(finished) == [False, True]
        counted = await asyncio.gather(*(s.change_call(call_id, when={"ended"}, opened=True) for s in both * 10))
        assert sorted(c.streams for c in counted if c is not None) == list(range(2, 22))
        for store in both:
            await store.aclose()

    asyncio.run(scene())


def test_the_trace_is_whole_when_the_call_is_finished(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as store:
            for n in range(3000):
                store.trace("C1", f'{{"n":{n}}}')
                store.trace("C2", f'{{"n":{n}}}')
            await store.finish_call("C1", {})
            for name in ("C1", "C2"):
                lines = (tmp_path / f"traces/{name}.jsonl").read_text().splitlines()
                assert lines == [f'{{"n":{n}}}' for n in range(3000)]

    asyncio.run(scene())


def test_a_name_that_is_no_id_gets_no_trace(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as store:
            with pytest.raises(ValueError, match="not an id"):
                store.trace("../s", "{}")

    asyncio.run(scene())


def test_a_locked_file_ends_in_a_remote_error_and_heals(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, deadline=0.2, entries=3) as store:
            await store.open_call(call())
            other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(RemoteError, match=r"did not answer|locked"):
                await store.use_token("n", 60, 0)
            asked = [asyncio.ensure_future(store.keep_flow(str(n), "", "")) for n in range(10)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(answer, RemoteError) for answer in answers)
            assert sum("queue is full" in str(answer) for answer in answers) >= 6
            other.execute("ROLLBACK")
            other.close()
            await _answers(store)
            assert await store.flow_text("9") is None

    asyncio.run(scene())


async def _answers(store: SqliteStore) -> None:
    """Wait until the thread is past the statement that still waited for the lock."""
    while True:
        try:
            await store.load_call("C1")
        except RemoteError:
            continue
        return


async def _when_there_is_room(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the queue that was full has been worked off."""
    for _ in range(500):
        try:
            return await ask()
        except RemoteError:
            await let_pass(0.01)
    return await ask()


def test_a_burst_behind_a_stuck_disk_is_bounded(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path, entries=2) as store:
            await store.open_call(call())
            stuck, free = threading.Event(), threading.Event()
            blocked = asyncio.ensure_future(store._ask(lambda db: _block(stuck, free)))
            await asyncio.to_thread(stuck.wait, 5)
            for n in range(100):
                store.save_snapshot("C1", 0, {"n": n}, float(n), {})
            store.save_snapshot("C1", 1, {"n": 100}, 100.0, {})
            store.save_snapshot("C2", 0, {}, 0.0, {})
            with pytest.raises(RemoteError, match="queue is full"):
                await store.secret()
            for n in range(32):
                store.trace("C1", str(n))
            with pytest.raises(RemoteError, match="trace lines"):
                store.trace("C1", "32")
            free.set()
            await blocked
            kept = await _when_there_is_room(lambda: store.load_call("C1"))
            assert kept is not None
            assert (kept.snapshot, kept.saved) == ({"n": 99}, 99.0)
            assert store.counts == {"snapshots.replaced": 99, "snapshots.dropped": 1, "lines.refused": 1}
        assert (tmp_path / "traces/C1.jsonl").read_text().split() == [str(n) for n in range(32)]

    asyncio.run(scene())


def test_whoever_gave_up_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as store:
            stuck, free = threading.Event(), threading.Event()
            blocked = asyncio.ensure_future(store._ask(lambda db: _block(stuck, free)))
            await asyncio.to_thread(stuck.wait, 5)
            given_up = asyncio.ensure_future(store.finish_call("C1", {}))
            await let_pass(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)
            free.set()
            await blocked
            assert await store.record("C1") is None

    asyncio.run(scene())


def test_a_store_that_does_not_close_says_what_is_lost(tmp_path: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(tmp_path / "s.db", TraceFiles(tmp_path / "traces"), deadline=0.05)
        await store.start()
        stuck, free = threading.Event(), threading.Event()
        blocked = asyncio.ensure_future(store._ask(lambda db: _block(stuck, free)))
        await asyncio.to_thread(stuck.wait, 5)
        store.trace("C1", "{}")
        with pytest.raises(RemoteError, match="1 entries are not written"):
            await store.aclose()
        free.set()
        await store.aclose()
        await asyncio.gather(blocked, return_exceptions=True)

    asyncio.run(scene())


def test_a_disk_that_takes_no_trace_is_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        (tmp_path / "traces").write_text("a file where the folder should be")
        async with opened(tmp_path) as store:
            store.trace("C1", "{}")
            await store.open_call(call())
            assert store.counts == {"lines.failed": 1}

    asyncio.run(scene())


def test_nothing_leaks_and_closing_is_safe_twice(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as store:
            await store.start()
            store.trace("C1", "{}")
            await store.open_call(call())
        await store.aclose()
        for use in (store.secret, store.records):
            with pytest.raises(RemoteError, match="not open"):
                await use()
        with pytest.raises(RemoteError):
            store.trace("C1", "{}")
        with pytest.raises(RemoteError, match="closed"):
            await store.start()

    asyncio.run(scene())
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(5):
        asyncio.run(_open_and_close(tmp_path))
    assert len(os.listdir("/proc/self/fd")) == files
    assert threading.active_count() == threads


async def _open_and_close(folder: Path) -> None:
    async with opened(folder) as store:
        store.trace("C1", "{}")


def test_a_store_that_was_never_started_closes(tmp_path: Path) -> None:
    async def scene() -> None:
        store = SqliteStore(tmp_path / "s.db", TraceFiles(tmp_path / "traces"))
        with pytest.raises(RemoteError, match="not open"):
            await store.secret()
        await store.aclose()

    asyncio.run(scene())
    assert not (tmp_path / "s.db").exists()


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    old = os.umask(0)
    try:

        async def scene() -> set[int]:
            async with opened(tmp_path / "new") as store:
                store.trace("C1", "{}")
                await store.open_call(call())
                return {path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*") if path.is_file()}

        assert asyncio.run(scene()) == {0o600}
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new/traces").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(old)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    async def start(path: Path) -> None:
        store = SqliteStore(path, TraceFiles(tmp_path / "traces"))
        try:
            await store.start()
        finally:
            await store.aclose()

    (tmp_path / "garbage.db").write_text("not a database" * 100)
    with pytest.raises(EnvironmentProblem, match="not a database"):
        asyncio.run(start(tmp_path / "garbage.db"))
    with pytest.raises(EnvironmentProblem, match="cannot be opened"):
        asyncio.run(start(tmp_path / "garbage.db/under/a/file.db"))
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(EnvironmentProblem, match="newer flowengine"):
        asyncio.run(start(tmp_path / "newer.db"))


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_older_version_goes_on_and_its_unfinished_calls_are_found(tmp_path: Path, version: int) -> None:
    async def before() -> None:
        async with opened(tmp_path) as store:
            await store.open_call(call())

    async def after() -> list[str]:
        async with opened(tmp_path) as store:
            return [one.id for one in await store.lost_calls(1.0)]

    asyncio.run(before())
    with sqlite3.connect(tmp_path / "s.db") as old:
        old.execute("ALTER TABLE calls DROP COLUMN tally")
        if version == 1:
            old.execute("DROP INDEX calls_not_ended")
            old.execute("ALTER TABLE calls DROP COLUMN lost_at")
        old.execute(f"PRAGMA user_version = {version}")
    old.close()
    assert asyncio.run(after()) == ["C1"]
