"""What every call leaves behind: who called, which flow, which way it went, how it ended and whose doing that was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flowengine.call.ports import StoredCall
from flowengine.call.session import CallSession
from flowengine.runtime.interpreter import Interpreter


def facts_of(call: StoredCall) -> dict[str, Any]:
    """Give what is known of a call from its beginning, without its numbers."""
    return {
        "id": call.id,
        "carrier": call.carrier,
        "carrier_call_id": call.carrier_call_id,
        "flow": call.flow,
        "revision": call.revision,
        "direction": call.direction,
    }


def record_of(
    call: StoredCall, interpreter: Interpreter, reason: str, session: CallSession | None, now: float
) -> dict[str, Any]:
    """Give the record of a call that has ended; ``now`` is the wall clock, ``session`` its last stream's."""
    path: list[str] = []
    failures = 0
    if interpreter.begun:
        path, failures = interpreter.state.path, interpreter.state.failures
    return {
        **facts_of(call),
        "from": call.caller,
        "to": call.called,
        "started": datetime.fromtimestamp(call.started, UTC).isoformat(),
        "seconds": round(max(0.0, now - call.started), 3),
        "path": path,
        "failures": failures,
        "streams": call.streams,
        "ended_reason": reason,
        "fault": reason.partition(".")[0],
        "gaps": session.playout.gaps if session else 0,
        "counts": dict(session.hearing.counts) if session else {},
    }
