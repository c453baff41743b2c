"""The store in one SQLite file, shared by all servers of a machine; its rules of one call are in ``tables``.

A server that dies loses what was queued in the last milliseconds and nothing that it was answered for.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from flowengine.call.ports import StoredCall
from flowengine.errors import EnvironmentProblem, RemoteError
from flowengine.store import tables
from flowengine.store.rows import check_changes, encode
from flowengine.store.traces import TraceFiles
from flowengine.store.writer import Job, Writer

DEADLINE = 5.0
ENTRIES = 4096
_LOCK_SHARE = 0.8
"""How much of the deadline a statement may wait for another process; the rest is for its work and the answer."""

T = TypeVar("T")


class SqliteStore:
    """The port ``Store`` over a file in WAL mode and a thread of its own, with the traces beside it.

    Every method that is awaited raises ``RemoteError`` when the queue (``entries``) is full, when the answer does not
    come within ``deadline`` seconds (the work is then left out, unless it had begun), or when SQLite fails. It may be
    used from one event loop only. ``counts`` tells what was lost or replaced; see ``Writer``.
    """

    def __init__(
        self, path: Path | str, traces: TraceFiles, *, deadline: float = DEADLINE, entries: int = ENTRIES
    ) -> None:
        self._traces = traces
        self._deadline = deadline
        file = Path(path)
        self._writer = Writer(lambda: tables.connect(file, deadline * _LOCK_SHARE), traces, entries=entries)

    @property
    def counts(self) -> Counter[str]:
        """What was lost or replaced since the start, by name."""
        return self._writer.counts

    async def start(self) -> None:
        """Open the file, made with its folder if need be; safe twice. Raises ``EnvironmentProblem``.

        ``RemoteError`` when it was closed before.
        """
        self._writer.start()
        try:
            await self._ask(lambda db: None)
        except RemoteError as error:
            raise EnvironmentProblem(f"the store cannot be used: {error}") from error

    async def aclose(self) -> None:
        """Write what is queued, close the files, end the thread; safe twice. ``RemoteError`` when it takes too long."""
        await self._writer.aclose(self._deadline)

    async def open_call(self, call: StoredCall) -> StoredCall:
        """Insert a call; one with the same carrier and carrier's id that is not ended is given back instead.

        An empty carrier's id is the same as no other. ``Bug``: another call has this id.
        """
        return await self._ask(lambda db: tables.open_call(db, call))

    async def load_call(self, call_id: str) -> StoredCall | None:
        """Give a call by our id."""
        return await self._ask(lambda db: tables.load_call(db, call_id))

    async def find_call(self, carrier: str, carrier_call_id: str) -> StoredCall | None:
        """Give the newest call with the carrier's id."""
        return await self._ask(lambda db: tables.find_call(db, carrier, carrier_call_id))

    async def change_call(
        self,
        call_id: str,
        *,
        when: Collection[str],
        streams: int | None = None,
        opened: bool = False,
        offered: bool = False,
        **changes: Any,
    ) -> StoredCall | None:
        """Change fields in one step if the state is one of ``when`` (and ``streams`` is the latest); None if not.

        ``opened`` counts one more stream and ``offered`` one more offer; the changed call is given back with the new
        numbers. ``TypeError`` for a field that is not changed by its value (``id``, ``offers``) or that does not exist.
        """
        check_changes(changes)
        columns, states, added = tables.stored_changes(changes), tuple(when), (int(opened), int(offered))
        return await self._ask(
            lambda db: tables.change_call(db, call_id, states, streams, added, columns), writes=call_id
        )

    def save_snapshot(
        self, call_id: str, streams: int, snapshot: dict[str, Any], saved: float, tally: dict[str, Any]
    ) -> None:
        """Queue a snapshot; it is dropped when a newer stream of the call has been opened.

        One that still waits is replaced by a newer one. With a full queue it is dropped and counted: the next one
        makes up for it. ``RemoteError`` only when the store is not open.
        """
        self._writer.put_snapshot(call_id, streams, saved, encode(snapshot), encode(tally))

    async def finish_call(self, call_id: str, record: Mapping[str, Any]) -> bool:
        """Write the call's one record, end the call, close its trace; False when it has a record already."""
        text = encode(dict(record))
        return await self._ask(lambda db: tables.finish_call(db, call_id, text), writes=call_id, ends=True)

    async def lost_calls(self, now: float) -> list[StoredCall]:
        """Give calls that are not ended and whose ``lost_at`` is over, at most 100, the oldest first."""
        return await self._ask(lambda db: tables.lost_calls(db, now))

    async def use_token(self, nonce: str, expires: float, now: float) -> bool:
        """Use a token up; False when it was used before. It is forgotten an hour after it expired."""
        return await self._ask(lambda db: tables.use_token(db, nonce, expires, now))

    async def keep_flow(self, revision: str, name: str, text: str) -> None:
        """Keep a flow's text by its revision; the first one stays."""
        await self._ask(lambda db: tables.keep_flow(db, revision, name, text))

    async def flow_text(self, revision: str) -> tuple[str, str] | None:
        """Give the name and text of a revision."""
        return await self._ask(lambda db: tables.flow_text(db, revision))

    async def secret(self) -> bytes:
        """Give the key of tokens and continue addresses: 32 random bytes, made once and kept."""
        return await self._ask(lambda db: tables.keep_secret(db, secrets.token_bytes(32)))

    def trace(self, call_id: str, line: str) -> None:
        """Append a line (without its line feed) to the call's trace; queued, in order.

        ``RemoteError`` when the store is not open or too many lines wait; ``ValueError`` for what is no id of a call.
        """
        self._traces.path(call_id)
        self._writer.put_line(call_id, line)

    async def records(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest records, the newest first."""
        return await self._ask(lambda db: tables.records(db, limit))

    async def record(self, call_id: str) -> dict[str, Any] | None:
        """Give the record of a call."""
        return await self._ask(lambda db: tables.record(db, call_id))

    async def _ask(self, work: Callable[[sqlite3.Connection], T], *, writes: str = "", ends: bool = False) -> T:
        job = Job(work, asyncio.get_running_loop().create_future(), writes, ends)
        self._writer.put(job)
        try:
            async with asyncio.timeout(self._deadline):
                result: T = await job.future
        except TimeoutError:
            raise RemoteError(f"the store did not answer within {self._deadline:g} s") from None
        finally:
            job.abandoned = True
        return result
