"""What the carrier's next request shall find: a stream that ends writes to the store what is to become of the call."""

from __future__ import annotations

import logging
from typing import Any

from flowengine.call.clock import CallClock
from flowengine.call.engine import Engine
from flowengine.call.lost import lost_at
from flowengine.call.ports import StoredCall
from flowengine.call.tally import Tally
from flowengine.errors import RemoteError
from flowengine.runtime import effects as wish
from flowengine.runtime.interpreter import Interpreter

log = logging.getLogger("flowengine.call")


def dial(effect: wish.Transfer) -> tuple[str, str | None, dict[str, Any]]:
    """Give the call's state, the reason of its end if it is one, and what is pending, for a transfer."""
    blind = effect.mode == "blind"
    pending = {
        "blind": blind,
        "number": effect.number,
        "ring": effect.ring,
        "caller_id": effect.caller_id,
        "max": effect.max,
    }
    return ("blind", "flow.transfer", pending) if blind else ("transferring", None, pending)


async def settle(
    engine: Engine,
    call: StoredCall,
    interpreter: Interpreter,
    clock: CallClock,
    state: str,
    pending: dict[str, Any] | None,
    tally: Tally,
) -> bool:
    """Write it down; False when the call went on with a newer stream, so that nobody asks for it.

    A store that does not answer is counted: what it should have been told is found later (`lost.py`).
    """
    try:
        changed = await engine.store.change_call(
            call.id,
            when={"streaming"},
            streams=call.streams,
            state=state,
            pending=pending,
            lost_at=lost_at(state, engine.wall(), pending),
            snapshot=interpreter.snapshot(),
            saved=clock.at(),
            tally=tally.plain(),
        )
    except RemoteError as error:
        log.error("the store did not take the end of call %s: %s", call.id, error)
        engine.counts["store.failed"] += 1
        return True
    return changed is not None
