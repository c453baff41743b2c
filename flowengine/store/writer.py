"""The store's one thread: it owns the connection and the trace files, and works off one queue in order.

Nothing of a call waits for the disk: what has an answer is a ``Job`` with a future, the rest (snapshots, trace lines)
is queued and gathered until the next job, so that a burst of it costs one commit. A job whose asker has gone is left
out if it has not begun.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flowengine.errors import EnvironmentProblem, FlowengineError, RemoteError
from flowengine.store import tables
from flowengine.store.traces import TraceFiles

log = logging.getLogger(__name__)

BATCH = 512
LINES_PER_ENTRY = 16
"""How many trace lines may wait for each entry that the queue may hold."""


@dataclass(slots=True, eq=False)
class Job:
    """Work with an answer. ``writes`` is the call that it changes, ``ends`` says that its trace is complete."""

    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    writes: str = ""
    ends: bool = False
    abandoned: bool = False


@dataclass(slots=True, eq=False)
class _Snapshot:
    call_id: str
    streams: int
    saved: float
    text: str
    tally: str


@dataclass(slots=True, eq=False)
class _Line:
    call_id: str
    text: str


class Writer:
    """A thread, its queue and its bounds. Its methods are called by the loop's thread only.

    ``counts`` has ``snapshots.replaced`` (by a newer one, before they were written), ``snapshots.dropped`` (the queue
    was full), ``snapshots.failed``, ``lines.refused`` (too many waited) and ``lines.failed`` (the disk took them not).
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], traces: TraceFiles, *, entries: int) -> None:
        self.counts: Counter[str] = Counter()
        self._connect = connect
        self._traces = traces
        self._entries = entries
        self._problem: FlowengineError | None = None
        self._changed = threading.Condition()
        self._queue: deque[Job | _Snapshot | _Line] = deque()
        self._lines = 0
        self._latest: dict[str, _Snapshot] = {}
        self._state = "new"
        self._leaving: list[asyncio.Future[Any]] = []
        self._thread = threading.Thread(target=self._run, name="flowengine-store", daemon=True)

    def start(self) -> None:
        """Start the thread, once; ``RemoteError`` when it was closed."""
        with self._changed:
            if self._state == "closed":
                raise RemoteError("the store is closed")
            if self._state == "new":
                self._state = "open"
                self._thread.start()

    def put(self, job: Job) -> None:
        """Queue work; ``RemoteError`` when the queue is full or the store is not open."""
        with self._changed:
            self._check_open()
            if len(self._queue) - self._lines >= self._entries:
                raise RemoteError("the store is too slow: its queue is full")
            # A later snapshot must not move before this change, which may set the snapshot itself.
            self._latest.pop(job.writes, None)
            self._queue.append(job)
            self._changed.notify()

    def put_snapshot(self, call_id: str, streams: int, saved: float, text: str, tally: str) -> None:
        """Queue a snapshot, in the place of one of the same stream that still waits; dropped when the queue is full."""
        with self._changed:
            self._check_open()
            waiting = self._latest.get(call_id)
            if waiting is not None and waiting.streams == streams:
                waiting.saved, waiting.text, waiting.tally = saved, text, tally
                self.counts["snapshots.replaced"] += 1
                return
            if len(self._queue) - self._lines >= self._entries:
                self.counts["snapshots.dropped"] += 1
                return
            self._latest[call_id] = entry = _Snapshot(call_id, streams, saved, text, tally)
            self._queue.append(entry)
            self._changed.notify()

    def put_line(self, call_id: str, text: str) -> None:
        """Queue a trace line; ``RemoteError`` when too many wait: a trace with a hole would replay another call."""
        with self._changed:
            self._check_open()
            if self._lines >= self._entries * LINES_PER_ENTRY:
                self.counts["lines.refused"] += 1
                raise RemoteError("the store is too slow: too many trace lines wait")
            self._lines += 1
            self._queue.append(_Line(call_id, text))
            self._changed.notify()

    async def aclose(self, deadline: float) -> None:
        """Write what is queued, close the files, end the thread; ``RemoteError`` after ``deadline`` seconds."""
        left: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._state == "new":
                self._state = "closed"
            running = self._thread.is_alive() and self._state != "closed"
            if running:
                self._state = "closing"
                self._leaving.append(left)
                self._changed.notify()
        if running:
            try:
                async with asyncio.timeout(deadline):
                    await left
            except TimeoutError:
                raise RemoteError(f"the store did not close: {len(self._queue)} entries are not written") from None
        if self._thread.ident is not None:
            # It has said that it leaves; this only waits for its last instructions.
            self._thread.join(deadline)

    def _check_open(self) -> None:
        if self._state != "open":
            raise self._problem or RemoteError("the store is not open")

    # The thread.

    def _run(self) -> None:
        problem: FlowengineError | None = None
        try:
            db = self._connect()
        except (sqlite3.Error, OSError) as error:
            problem = EnvironmentProblem(f"the store cannot be opened: {error}")
        except EnvironmentProblem as error:
            problem = error
        else:
            while batch := self._take():
                self._work_off(db, batch)
            self._traces.close()
            with suppress(sqlite3.Error):
                db.close()
        with self._changed:
            self._state, self._problem = "closed", problem
            rest = [entry for entry in self._queue if isinstance(entry, Job)]
            self._queue.clear()
            leaving = list(self._leaving)
        for job in rest:
            _answer(job.future, None, problem or RemoteError("the store is closed"))
        for future in leaving:
            _answer(future, None, None)

    def _take(self) -> list[Job | _Snapshot | _Line]:
        with self._changed:
            while not self._queue and self._state == "open":
                self._changed.wait()
            batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
            for entry in batch:
                if isinstance(entry, _Line):
                    self._lines -= 1
                elif isinstance(entry, _Snapshot) and self._latest.get(entry.call_id) is entry:
                    del self._latest[entry.call_id]
            return batch

    def _work_off(self, db: sqlite3.Connection, batch: list[Job | _Snapshot | _Line]) -> None:
        snapshots: list[_Snapshot] = []
        lines: dict[str, list[str]] = {}
        for entry in batch:
            if isinstance(entry, _Snapshot):
                snapshots.append(entry)
            elif isinstance(entry, _Line):
                lines.setdefault(entry.call_id, []).append(entry.text)
            else:
                self._gathered(db, snapshots, lines)
                self._do(db, entry)
        self._gathered(db, snapshots, lines)

    def _gathered(self, db: sqlite3.Connection, snapshots: list[_Snapshot], lines: dict[str, list[str]]) -> None:
        if snapshots:
            try:
                tables.save_snapshots(db, [(s.text, s.saved, s.tally, s.call_id, s.streams) for s in snapshots])
            except sqlite3.Error as error:
                self.counts["snapshots.failed"] += len(snapshots)
                log.error("%d snapshots are not written: %s", len(snapshots), error)
            snapshots.clear()
        for call_id, texts in lines.items():
            try:
                self._traces.append(call_id, texts)
            except OSError as error:
                self.counts["lines.failed"] += len(texts)
                log.error("%d trace lines of call %s are not written: %s", len(texts), call_id, error)
        lines.clear()

    def _do(self, db: sqlite3.Connection, job: Job) -> None:
        if job.abandoned:
            return
        try:
            result = job.work(db)
        except sqlite3.Error as error:
            _answer(job.future, None, RemoteError(f"the store failed: {error}"))
        except Exception as error:  # it belongs to who asked; the thread serves all calls
            _answer(job.future, None, error)
        else:
            if job.ends:
                self._traces.release(job.writes)
            _answer(job.future, result, None)


def _answer(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    # The loop may be closed by now; then nobody waits.
    with suppress(RuntimeError):
        future.get_loop().call_soon_threadsafe(settle)
