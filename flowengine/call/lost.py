"""Calls that nobody has in hand any more: their server died, or the carrier never came back. They get their record.

Every call says in the store until when something must happen to it (``lost_at``); the process that holds its stream
puts that off. Whoever finds a call whose time is over ends it, so one server writes what another could not.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from flowengine.call.ports import StoredCall
from flowengine.errors import RemoteError

if TYPE_CHECKING:
    from flowengine.call.calls import Calls

log = logging.getLogger("flowengine.call")

LOOK: Final = 20.0  # how often a process puts off the time of its calls, and looks for those of others
# How long a call may stay in a state; several looks for what a living process does.
WITHIN: Final = {
    "answered": 90.0,  # the document's token is good for 60 s, and a stream has 5 s for its start
    "resuming": 90.0,
    "streaming": 4 * LOOK,
    "dropped": 30.0,
    "transferring": 30.0,
    "blind": 30.0,
    "hangup": 30.0,
}
LONGEST_DIAL: Final = 4 * 3600.0  # what carriers allow where the flow says nothing


def lost_at(state: str, now: float, pending: dict[str, Any] | None) -> float:
    """Give when a call that comes into a state now counts as lost."""
    if state != "dialling":
        return now + WITHIN[state]
    dial = pending or {}
    return now + float(dial.get("ring") or 60.0) + float(dial.get("max") or LONGEST_DIAL) + LOOK


async def watch(calls: Calls) -> None:
    """Keep this process's calls, and end those that nobody keeps; until cancelled."""
    while True:
        try:
            await _look(calls)
        except RemoteError as error:
            log.warning("the store did not say which calls are lost: %s", error)
            calls.engine.counts["store.failed"] += 1
        await asyncio.sleep(LOOK)


async def _look(calls: Calls) -> None:
    engine = calls.engine
    calls.forget_expired()
    for session in list(engine.sessions.values()):
        call = session.call
        until = lost_at("streaming", engine.wall(), None)
        await engine.store.change_call(call.id, when={"streaming"}, streams=call.streams, lost_at=until)
    for call in await engine.store.lost_calls(engine.wall()):
        if call.id not in engine.sessions:
            await _end(calls, call)


async def _end(calls: Calls, call: StoredCall) -> None:
    reason = reason_of(call)
    now = calls.engine.wall()
    changes: dict[str, Any] = {
        "pending": {**(call.pending or {}), "ended": reason},
        "lost_at": lost_at("hangup", now, None),
    }
    taken = await calls.engine.store.change_call(
        call.id, when={call.state}, streams=call.streams, state="hangup", **changes
    )
    if taken is not None:
        calls.engine.counts["lost"] += 1
        log.warning("the call %s was found %s without an owner; it ended as %s", call.id, call.state, reason)
        await calls.ended(taken, reason)


def reason_of(call: StoredCall) -> str:
    """Give the reason for which a lost call ended."""
    pending = call.pending or {}
    if call.state == "hangup":
        return str(pending.get("ended", "engine.lost"))
    if call.state == "blind":
        return "flow.transfer"
    # Where it was the carrier's turn the caller has left, and nobody told.
    return "engine.lost" if call.state == "streaming" else "caller.hangup"
