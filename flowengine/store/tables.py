"""The tables of the store's file and what is done in them. Each function that decides is one transaction.

Two servers share the file: whoever reads before it writes holds the write lock from the first line on
(``BEGIN IMMEDIATE``), so no other process can come between.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from flowengine.call.ports import StoredCall
from flowengine.errors import Bug, EnvironmentProblem
from flowengine.store.rows import COLUMNS, ENDED, FORGET_AFTER, LOST, from_row, to_column, to_row

VERSION = 3

_TABLES = """
CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, carrier TEXT NOT NULL,
    carrier_call_id TEXT NOT NULL, flow TEXT NOT NULL, revision TEXT NOT NULL, caller TEXT NOT NULL,
    called TEXT NOT NULL, direction TEXT NOT NULL, started REAL NOT NULL, seed TEXT NOT NULL, args TEXT NOT NULL,
    headers TEXT NOT NULL, state TEXT NOT NULL, streams INTEGER NOT NULL, offers INTEGER NOT NULL,
    document TEXT NOT NULL, snapshot TEXT, saved REAL NOT NULL, pending TEXT, tally TEXT,
    lost_at REAL NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS calls_by_carrier ON calls (carrier, carrier_call_id);
CREATE INDEX IF NOT EXISTS calls_not_ended ON calls (lost_at) WHERE state != 'ended';
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, call TEXT NOT NULL UNIQUE, record TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (nonce TEXT PRIMARY KEY, expires REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_by_expiry ON tokens (expires);
CREATE TABLE IF NOT EXISTS flows (revision TEXT PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""
# What makes a file of each version one of the next.
_NEXT = {
    1: "ALTER TABLE calls ADD COLUMN lost_at REAL NOT NULL DEFAULT 0",  # calls left unfinished are found and ended
    2: "ALTER TABLE calls ADD COLUMN tally TEXT",
}
_LIST = ", ".join(COLUMNS)
# Only names of our own dataclass are put into these texts; every value is a parameter.
_SELECT = f"SELECT {_LIST} FROM calls"  # noqa: S608
_INSERT = f"INSERT INTO calls ({_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


def connect(path: Path, wait: float) -> sqlite3.Connection:
    """Open the file, or make it (mode 0600: it holds personal data and the secret), with its tables.

    ``wait`` is how long, in seconds, a statement waits for another process. Raises ``sqlite3.Error``, ``OSError``, and
    ``EnvironmentProblem`` for a file of a newer version.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made before SQLite opens it, whose files of the journal then take over the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    give_up = time.monotonic() + wait
    while True:
        try:
            return _connect(path, wait)
        except sqlite3.OperationalError as error:
            # Two processes that switch a new file to WAL at once: SQLite says "locked" without waiting.
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _connect(path: Path, wait: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=wait, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # In WAL mode a crash of ours loses nothing; a power cut may lose the last commits, never the file.
        db.execute("PRAGMA synchronous = NORMAL")
        _make_tables(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _make_tables(db: sqlite3.Connection, path: Path) -> None:
    with transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise EnvironmentProblem(f"{path} was written by a newer flowengine (version {version} of its tables)")
        for older in range(version or VERSION, VERSION):
            db.execute(_NEXT[older])
        if version < VERSION:
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock of the file from the first line to the last: all of it happens, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def open_call(db: sqlite3.Connection, call: StoredCall) -> StoredCall:
    """Insert a call, or give the one of the same carrier and carrier's id that is not ended; ``Bug``: the id is taken.

    An empty carrier's id (a call that we place and that the carrier has not named yet) is the same as no other.
    """
    with transaction(db):
        if call.carrier_call_id:
            found = _call(
                db,
                "WHERE carrier = ? AND carrier_call_id = ? AND state != ? ORDER BY seq DESC LIMIT 1",
                (call.carrier, call.carrier_call_id, ENDED),
            )
            if found is not None:
                return found
        try:
            db.execute(_INSERT, to_row(call))
        except sqlite3.IntegrityError as error:
            raise Bug(f"the call {call.id} cannot be kept: {error}") from None
        stored = load_call(db, call.id)
    assert stored is not None  # noqa: S101  # inserted under the same lock
    return stored


def load_call(db: sqlite3.Connection, call_id: str) -> StoredCall | None:
    """Give a call by our id."""
    return _call(db, "WHERE id = ?", (call_id,))


def find_call(db: sqlite3.Connection, carrier: str, carrier_call_id: str) -> StoredCall | None:
    """Give the newest call with the carrier's id."""
    return _call(db, "WHERE carrier = ? AND carrier_call_id = ? ORDER BY seq DESC LIMIT 1", (carrier, carrier_call_id))


def change_call(
    db: sqlite3.Connection,
    call_id: str,
    when: Collection[str],
    streams: int | None,
    added: tuple[int, int],
    columns: Mapping[str, Any],
) -> StoredCall | None:
    """Compare and set: ``added`` is what is added to streams and offers, ``columns`` what is set, in stored form."""
    states = tuple(when)
    sets = [*(f"{name} = ?" for name in columns), "streams = streams + ?", "offers = offers + ?"]
    where = f"id = ? AND state IN ({', '.join('?' * len(states))})"
    values = [*columns.values(), *added, call_id, *states]
    if streams is not None:
        where += " AND streams = ?"
        values.append(streams)
    # The names in ``columns`` were checked to be fields of StoredCall.
    statement = f"UPDATE calls SET {', '.join(sets)} WHERE {where} RETURNING {_LIST}"  # noqa: S608
    with transaction(db):
        rows = db.execute(statement, values).fetchall()
    return from_row(rows[0]) if rows else None


def save_snapshots(db: sqlite3.Connection, snapshots: Iterable[tuple[str, float, str, str, int]]) -> None:
    """Write snapshots, each (JSON, saved, tally, call, streams), in one commit; of an older stream they change nothing.

    Snapshot and tally are JSON.
    """
    with transaction(db):
        db.executemany("UPDATE calls SET snapshot = ?, saved = ?, tally = ? WHERE id = ? AND streams = ?", snapshots)


def finish_call(db: sqlite3.Connection, call_id: str, record: str) -> bool:
    """Write the call's one record (JSON) and end it; False when it has one."""
    with transaction(db):
        written = db.execute(
            "INSERT INTO records (call, record) VALUES (?, ?) ON CONFLICT DO NOTHING", (call_id, record)
        ).rowcount
        if written:
            db.execute("UPDATE calls SET state = ? WHERE id = ?", (ENDED, call_id))
    return bool(written)


def lost_calls(db: sqlite3.Connection, now: float) -> list[StoredCall]:
    """Give calls that are not ended and whose time is over, the oldest first."""
    # The state is a literal, or the index of those that are not ended would not be used.
    statement = f"{_SELECT} WHERE state != 'ended' AND lost_at < ? ORDER BY lost_at LIMIT {LOST}"
    return [from_row(row) for row in _rows(db, statement, (now,))]


def use_token(db: sqlite3.Connection, nonce: str, expires: float, now: float) -> bool:
    """Use a token up; False when it was used before."""
    with transaction(db):
        db.execute("DELETE FROM tokens WHERE expires < ?", (now - FORGET_AFTER,))
        statement = "INSERT INTO tokens (nonce, expires) VALUES (?, ?) ON CONFLICT DO NOTHING"
        return bool(db.execute(statement, (nonce, expires)).rowcount)


def keep_flow(db: sqlite3.Connection, revision: str, name: str, text: str) -> None:
    """Keep a flow's text; the first text of a revision stays."""
    with transaction(db):
        db.execute("INSERT INTO flows VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (revision, name, text))


def flow_text(db: sqlite3.Connection, revision: str) -> tuple[str, str] | None:
    """Give the name and text of a revision."""
    return next(iter(_rows(db, "SELECT name, text FROM flows WHERE revision = ?", (revision,))), None)


def keep_secret(db: sqlite3.Connection, fresh: bytes) -> bytes:
    """Keep ``fresh`` as the secret if there is none, and give the one that is kept."""
    with transaction(db):
        db.execute("INSERT INTO secrets VALUES ('key', ?) ON CONFLICT DO NOTHING", (fresh,))
        return bytes(_rows(db, "SELECT value FROM secrets WHERE name = 'key'", ())[0][0])


def records(db: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """Give the newest records, the newest first."""
    rows = _rows(db, "SELECT record FROM records ORDER BY seq DESC LIMIT ?", (limit,))
    return [json.loads(row[0]) for row in rows]


def record(db: sqlite3.Connection, call_id: str) -> dict[str, Any] | None:
    """Give the record of a call."""
    rows = _rows(db, "SELECT record FROM records WHERE call = ?", (call_id,))
    return json.loads(rows[0][0]) if rows else None


def _call(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> StoredCall | None:
    rows = _rows(db, f"{_SELECT} {where}", values)
    return from_row(rows[0]) if rows else None


def _rows(db: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> list[Any]:
    # Read to the end: a statement left half read would hold its snapshot of the file and keep the journal growing.
    with closing(db.execute(statement, values)) as cursor:
        return cursor.fetchall()


def stored_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give changes of a call in the form of their columns."""
    return {name: to_column(name, value) for name, value in changes.items()}
