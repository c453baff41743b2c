"""The store in memory, without threads: for simulation and for tests on a virtual clock."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from flowengine.call.ports import StoredCall
from flowengine.errors import Bug
from flowengine.store.rows import ENDED, FORGET_AFTER, LOST, check_changes, encode, from_row, to_row


class MemoryStore:
    """The port ``Store`` with the semantics of ``SqliteStore`` for one process; nothing is lost and nothing waits.

    ``traces`` has the lines of each call. ``key`` is the secret, for runs that must be equal; random if not given.
    """

    def __init__(self, *, key: bytes | None = None) -> None:
        self.traces: dict[str, list[str]] = {}
        self._calls: dict[str, StoredCall] = {}
        self._records: dict[str, str] = {}
        self._tokens: dict[str, float] = {}
        self._flows: dict[str, tuple[str, str]] = {}
        self._key = key or secrets.token_bytes(32)

    async def start(self) -> None:
        """There is nothing to open."""

    async def aclose(self) -> None:
        """There is nothing to close; what is kept stays readable."""

    async def open_call(self, call: StoredCall) -> StoredCall:
        """Insert a call; one with the same carrier and carrier's id that is not ended is given back instead."""
        for known in reversed(self._calls.values()):
            same = (known.carrier, known.carrier_call_id) == (call.carrier, call.carrier_call_id)
            if same and call.carrier_call_id and known.state != ENDED:
                return _copy(known)
        if call.id in self._calls:
            raise Bug(f"the call {call.id} cannot be kept: its id is taken")
        self._calls[call.id] = _copy(call)
        return _copy(call)

    async def load_call(self, call_id: str) -> StoredCall | None:
        """Give a call by our id."""
        call = self._calls.get(call_id)
        return _copy(call) if call else None

    async def find_call(self, carrier: str, carrier_call_id: str) -> StoredCall | None:
        """Give the newest call with the carrier's id."""
        for call in reversed(self._calls.values()):
            if (call.carrier, call.carrier_call_id) == (carrier, carrier_call_id):
                return _copy(call)
        return None

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
        """Change fields if the state is one of ``when`` and ``streams``, if given, is the call's; else None."""
        check_changes(changes)
        call = self._calls.get(call_id)
        if call is None or call.state not in when or streams not in (None, call.streams):
            return None
        changed = replace(call, streams=call.streams + opened, offers=call.offers + offered, **changes)
        self._calls[call_id] = _copy(changed)
        return _copy(self._calls[call_id])

    def save_snapshot(
        self, call_id: str, streams: int, snapshot: dict[str, Any], saved: float, tally: dict[str, Any]
    ) -> None:
        """Keep a snapshot, unless a newer stream of the call has been opened."""
        call = self._calls.get(call_id)
        if call is not None and call.streams == streams:
            self._calls[call_id] = _copy(replace(call, snapshot=snapshot, saved=saved, tally=tally))

    async def finish_call(self, call_id: str, record: Mapping[str, Any]) -> bool:
        """Keep the call's one record and end it; False when it has one already."""
        if call_id in self._records:
            return False
        self._records[call_id] = encode(dict(record))
        if call_id in self._calls:
            self._calls[call_id] = replace(self._calls[call_id], state=ENDED)
        return True

    async def lost_calls(self, now: float) -> list[StoredCall]:
        """Give calls that are not ended and whose ``lost_at`` is over, at most 100, the oldest first."""
        lost = [call for call in self._calls.values() if call.state != ENDED and call.lost_at < now]
        return [_copy(call) for call in sorted(lost, key=lambda call: call.lost_at)[:LOST]]

    async def use_token(self, nonce: str, expires: float, now: float) -> bool:
        """Use a token up; False when it was used before."""
        self._tokens = {known: until for known, until in self._tokens.items() if until >= now - FORGET_AFTER}
        if nonce in self._tokens:
            return False
        self._tokens[nonce] = expires
        return True

    async def keep_flow(self, revision: str, name: str, text: str) -> None:
        """Keep a flow's text by its revision; the first one stays."""
        self._flows.setdefault(revision, (name, text))

    async def flow_text(self, revision: str) -> tuple[str, str] | None:
        """Give the name and text of a revision."""
        return self._flows.get(revision)

    async def secret(self) -> bytes:
        """Give the key of tokens and continue addresses."""
        return self._key

    def trace(self, call_id: str, line: str) -> None:
        """Append a line to the call's trace."""
        self.traces.setdefault(call_id, []).append(line)

    async def records(self, limit: int = 100) -> list[dict[str, Any]]:
        """Give the newest records, the newest first."""
        return [json.loads(text) for text in list(reversed(self._records.values()))[:limit]]

    async def record(self, call_id: str) -> dict[str, Any] | None:
        """Give the record of a call."""
        text = self._records.get(call_id)
        return json.loads(text) if text else None


def _copy(call: StoredCall) -> StoredCall:
    return from_row(to_row(call))
