"""A call's state: plain data, complete after every event, with a JSON form that any process can go on from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from flowengine.flow.values import from_json, to_json

TALKING, TRANSFERRING, ENDED = "talking", "transferring", "ended"
VERSION = 2


@dataclass(slots=True)
class Visit:
    """From entering a node to leaving it; `again` and a reprompt stay in it."""

    node: str
    failures: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    event: str | None = None
    turns: int = 0
    begin: int | None = None  # where the history begins that a conversation with a fresh one is told


@dataclass(slots=True)
class Frame:
    """One run of one flow. A subflow's stands on the frame of the flow that runs it.

    ``without_input`` counts entries by node since the last input; ``local`` and ``tentative`` are what the node type
    and its value hold in this visit.
    """

    flow: str
    revision: str
    args: dict[str, Any]
    vars: dict[str, Any]
    visit: Visit = field(default_factory=lambda: Visit(""))
    back: list[Visit] = field(default_factory=list)
    visits: dict[str, int] = field(default_factory=dict)
    without_input: dict[str, int] = field(default_factory=dict)
    cooldowns: dict[str, float] = field(default_factory=dict)
    local: dict[str, Any] = field(default_factory=dict)
    tentative: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """Everything the interpreter knows of a call. Timers are absolute on the call's own clock (``at``).

    ``frames`` are the runs of flows, the outermost first; ``depth`` is the one that is looked at, usually the last.
    """

    call: dict[str, Any]
    started: str
    seed: int
    frames: list[Frame]
    depth: int = 0
    at: float = 0.0
    shared: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    phase: str = TALKING
    path: list[str] = field(default_factory=list)
    # Loop guard: node entries since the last input (or second of speech).
    hops: int = 0
    played: float = 0.0
    loops: int = 0
    failures: int = 0
    # Ids: every prompt carries the epoch and a number that never comes again in the call.
    epoch: int = 0
    next_id: int = 1
    turn: str = "idle"
    prompt: str = ""
    prompt_keys: str = ""
    prompt_speech: bool = False
    # When the last words were over that no voice may cut, and when a key was pressed that the node takes.
    uncut: float = -1.0
    key_at: float = -1.0
    then: list[Any] = field(default_factory=list)
    cut: bool = False
    audible: bool = False  # of a model's answer something was played
    dropped: str = ""  # the last answer that was stopped from here: what was heard of it may still be told
    keys: list[tuple[str, float]] = field(default_factory=list)
    # What was said over the words of a node that asks nothing, for the next one that asks, and when.
    said: tuple[str, float] | None = None
    swallow: tuple[str, float] | None = None
    handling: str | None = None
    # What a handler does once its tool has answered.
    after_tool: dict[str, Any] | None = None
    # The caller is listened to as the last `Listen` said: its checksum. A new stream knows of none.
    listening: int = 0
    # How much of the no-input timer was left when the caller began to speak.
    silence: float | None = None
    # What a model has heard and said in this call.
    history: list[dict[str, Any]] = field(default_factory=list)
    timers: dict[str, float] = field(default_factory=dict)

    @property
    def frame(self) -> Frame:
        """The run of a flow that is looked at."""
        return self.frames[self.depth]

    @property
    def args(self) -> dict[str, Any]:
        """The arguments of the flow."""
        return self.frame.args

    @property
    def vars(self) -> dict[str, Any]:
        """The variables of the flow."""
        return self.frame.vars

    @property
    def visit(self) -> Visit:
        """The visit of the node that runs."""
        return self.frame.visit

    @visit.setter
    def visit(self, visit: Visit) -> None:
        self.frame.visit = visit

    @property
    def local(self) -> dict[str, Any]:
        """The node type's own data."""
        return self.frame.local

    @property
    def tentative(self) -> dict[str, Any]:
        """Values that are not stored yet."""
        return self.frame.tentative

    def begin_visit(self) -> None:
        """Forget what the node type and its value held."""
        self.frame.local, self.frame.tentative = {}, {}

    def heard_input(self) -> None:
        """The caller did something: nothing goes round in silence."""
        self.hops, self.played = 0, 0.0
        for frame in self.frames:
            frame.without_input.clear()

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
        data["frames"] = [_frame(frame) for frame in data["frames"]]
        data["timers"] = {name: at + left for name, left in data["timers"].items()}
        data["keys"] = [(key, pressed - data["at"] + at) for key, pressed in data["keys"]]
        data["swallow"] = tuple(data["swallow"]) if data["swallow"] else None
        data["said"] = (data["said"][0], data["said"][1] - data["at"] + at) if data["said"] else None
        for moment in ("uncut", "key_at"):
            data[moment] += at - data["at"]
        data["at"] = at
        return cls(**data)


def _frame(plain: dict[str, Any]) -> Frame:
    visits = {"visit": Visit(**plain["visit"]), "back": [Visit(**visit) for visit in plain["back"]]}
    return Frame(**{**plain, **visits})
