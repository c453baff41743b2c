"""The events that handlers catch: where each is looked up, and what the engine does when nobody catches it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flowengine.flow.model import Catch, Handler

# The caller's failures: they count, are answered with a sentence, and the node asks again.
FAILURES = frozenset({"noinput", "nomatch", "invalid", "denied"})
# After these a handler without `goto` says its words and the call ends: there is nothing to go on with.
ENDING = frozenset({"toomany", "maxvisits", "maxturns", "timeout.call", "error.loop"})
END_REASONS: Mapping[str, str] = {
    "timeout.node": "flow.timeout",
    "timeout.call": "flow.timeout",
    "error.tts": "provider.failed",
}


def chain(event: str) -> tuple[str, ...]:
    """Give the names under which an event's handler is looked for, the most specific first.

    ``error.http.404`` → ``error.http.4xx`` → ``error.http`` → ``error.tool`` → ``error``.
    """
    if not event.startswith("error."):
        return (event,)
    names = [event]
    status = re.match(r"error\.http\.([0-9])[0-9]{2}$", event)
    if status:
        names += [f"error.http.{status[1]}xx", "error.http"]
    if event.startswith(("error.http", "error.tool.")):
        names.append("error.tool")
    return (*dict.fromkeys(names), "error")


class Found(NamedTuple):
    """A handler, or none; whether it is the one for exactly this count; in which place and at which depth it stands."""

    handler: Handler | None = None
    exact: bool = False
    place: int = 0
    depth: int = 0

    def at(self, depth: int) -> Found:
        """Give it with the depth of the run of a flow that its place belongs to."""
        return self._replace(depth=depth)


def find(places: Iterable[Mapping[str, Catch]], event: str, counts: Mapping[str, int]) -> Found:
    """Find an event's handler, from the innermost place outwards, at each place the most specific name first.

    ``counts`` says how often what a name stands for has happened; what is not counted happens for the first time.
    """
    for place, catches in enumerate(places):
        for name in chain(event):
            if name in catches:
                handlers, count = catches[name].handlers, counts.get(name, 1)
                return Found(handlers[min(count, len(handlers)) - 1], count <= len(handlers), place)
    return Found()
