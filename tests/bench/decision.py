"""How long it takes from the decision to interrupt to the clear on the wire, over real sockets, with calls at once.

    .venv/bin/python tests/bench/decision.py [--calls 4] [--lines 20]

Callers speak into a prompt (the interruptions of ``make bench-ears``). The clock is started where the engine decides to
fall silent, and stopped when its WebSocket server has taken the clear for writing. Server and phones share the process.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.call.speaking import Speaking
from flowengine.server.media import Receive, Send
from flowengine.server.run import Application, Ports
from flowengine.settings import Settings
from tests.ears.driver import TimelineOf, over_sockets
from tests.ears.scenarios import scenarios
from tests.ears.scoring import quantile
from tests.ears.systems import with_words
from tests.ears.voice import opened


@dataclass
class Watch:
    """When decisions were made, and how long each took to the wire."""

    decided: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)

    def system(self, settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
        """Make our engine, and look at what it sends."""
        return _Watched(settings, with_words(ports, timeline_of), self)

    def over(self, send: Send) -> Send:
        """Note when a clear was taken for writing."""

        async def watched(message: MutableMapping[str, Any]) -> None:
            await send(message)
            if '"clear"' in (message.get("text") or "") and self.decided:
                self.taken.append(asyncio.get_running_loop().time() - self.decided.pop(0))

        return watched


class _Watched(Application):
    def __init__(self, settings: Settings, ports: Ports, watch: Watch) -> None:
        super().__init__(settings, ports)
        self._over = watch.over

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, self._over(send))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=4, help="of each of the cells")
    parser.add_argument("--lines", type=int, default=20, help="calls at once")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    watch = Watch()
    pause = Speaking.pause

    def timed(self: Speaking, now: float, carrier_time: float | None) -> None:
        watch.decided.append(asyncio.get_running_loop().time())
        pause(self, now, carrier_time)

    Speaking.pause = timed  # type: ignore[method-assign]  # to look at the moment, in this process alone
    with opened() as voice:
        over_sockets(
            watch.system,
            scenarios(chosen.seed, chosen.calls, ("interruption",)),
            voice,
            seed=chosen.seed,
            side_by_side=chosen.lines,
        )
    middle, high, most = (1000 * (quantile(watch.taken, q) or 0.0) for q in (0.5, 0.99, 1.0))
    print(f"decisions {len(watch.taken)}, lines {chosen.lines}")  # noqa: T201 - a benchmark prints
    print(f"to the clear on the wire: p50 {middle:.2f} ms, p99 {high:.2f} ms, max {most:.2f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
