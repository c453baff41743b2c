"""A call's state: plain data, complete after every event, with a JSON form that any process can go on from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from flowengine.flow.values import from_json, to_json

TALKING, TRANSFERRING, ENDED = "talking", "transferring", "ended"
VERSION = 1


@dataclass(slots=True)
class Visit:
    """From entering a node to leaving it; `again` and a reprompt stay in it."""

    node: str
    failures: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    event: str | None = None


@dataclass(slots=True)
class State:
    """Everything the interpreter knows of a call. Timers are absolute on the call's own clock (``at``)."""

    call: dict[str, Any]
    args: dict[str, Any]
    vars: dict[str, Any]
    started: str
    seed: int
    flow: str
    revision: str
    at: float = 0.0
    shared: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    phase: str = TALKING
    visit: Visit = field(default_factory=lambda: Visit(""))
    back: list[Visit] = field(default_factory=list)
    visits: dict[str, int] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    # Loop guards: node entries, and entries by node, since the last input (or second of speech, for `hops`).
    hops: int = 0
    without_input: dict[str, int] = field(default_factory=dict)
    played: float = 0.0
    loops: int = 0
    failures: int = 0
    # Ids: every prompt carries the epoch and a number that never comes again in the call.
    epoch: int = 0
    next_id: int = 1
    turn: str = "idle"
    prompt: str = ""
    prompt_keys: str = ""
    then: list[Any] = field(default_factory=list)
    cut: bool = False
    keys: list[tuple[str, float]] = field(default_factory=list)
    swallow: tuple[str, float] | None = None
    cooldowns: dict[str, float] = field(default_factory=dict)
    # What the node type and its tentative value hold in this visit.
    local: dict[str, Any] = field(default_factory=dict)
    tentative: dict[str, Any] = field(default_factory=dict)
    handling: str | None = None
    timers: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the state as JSON; timers as the time that remains of them."""
        plain = asdict(self)
        plain["timers"] = {name: due - self.at for name, due in self.timers.items()}
        plain["version"] = VERSION
        return dict(to_json(plain))

    @classmethod
    def from_json(cls, plain: dict[str, Any], at: float) -> State:
        """Take up a state at a new time of the call's clock; timers go on with what was left of them."""
        data = from_json({key: value for key, value in plain.items() if key != "version"})
        data["visit"] = Visit(**data["visit"])
        data["back"] = [Visit(**visit) for visit in data["back"]]
        data["timers"] = {name: at + left for name, left in data["timers"].items()}
        data["keys"] = [(key, pressed - data["at"] + at) for key, pressed in data["keys"]]
        data["swallow"] = tuple(data["swallow"]) if data["swallow"] else None
        data["at"] = at
        return cls(**data)
