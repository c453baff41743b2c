"""A loaded flow: frozen values, each with the place where it was written. No behaviour, no node type by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flowengine.flow.diagnostics import Report, Span
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.hours import Hours

if TYPE_CHECKING:
    from flowengine.flow.kinds import Field, Reading
    from flowengine.flow.source import Value

RESERVED = ("again", "back", "end", "else")


@dataclass(frozen=True, slots=True)
class Target:
    """Where something leads: a node's name, or `again`, `back`, `end`."""

    node: str
    span: Span


@dataclass(frozen=True, slots=True)
class Assignment:
    """One `set` or `add`: ``value`` is a Template, a plain value, or a map or list that holds such.

    ``span`` is the name's place, ``value_span`` the value's.
    """

    name: str
    value: Any
    span: Span
    value_span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One way to go on: taken when ``condition`` holds (None: always)."""

    condition: Condition | Equalities | None
    target: Target
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a prompt: words, a file with its words, a pause (seconds), or a draw from ``one_of``."""

    span: Span
    text: Template | None = None
    audio: str | None = None
    pause: float = 0.0
    one_of: tuple[Segment, ...] = ()
    condition: Condition | Equalities | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is played: segments in order with no gap between them."""

    segments: tuple[Segment, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BargeIn:
    """What may interrupt a prompt. ``after`` in seconds."""

    keys: bool = True
    speech: bool = True
    after: float = 0.0
    words: int = 0
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handler:
    """What a `catch` does: say, set, add, then go (or stay, without ``target``)."""

    span: Span
    say: Prompt | None = None
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Catch:
    """The handlers of one event: the n-th for the n-th time, the last one repeats."""

    event: str
    span: Span
    handlers: tuple[Handler, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A global command (`always`): ``keys`` are sequences such as ``*`` or ``12``; ``cooldown`` in seconds."""

    name: str
    span: Span
    keys: tuple[str, ...]
    target: Target
    cooldown: float = 3.0


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable or argument."""

    name: str
    kind: str
    span: Span
    default: Any = None
    private: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``node`` None means: this node type has no time limit of its own."""

    noinput: float = 6.0
    interdigit: float = 3.0
    final: float = 1.0
    node: float | None = 300.0
    call: float = 1800.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep a call from looping."""

    hops: int = 50
    visits: int = 20
    failures: int = 9


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: the provider's name of a voice and a factor of the normal rate."""

    name: str = "default"
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for nodes that say nothing else."""

    lang: str = "en-US"
    zone: str = "UTC"
    currency: str = ""
    voice: Voice = Voice()
    barge_in: BargeIn = BargeIn()
    type_ahead: str = "menu"
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Branch:
    """An outcome with a target of its own, as an option has: drawn as an edge, checked as a target."""

    name: str
    label: str
    target: Target
    span: Span


@dataclass(frozen=True, slots=True)
class Node:
    """One node. ``spec`` is what its type read; ``routes`` maps each outcome (or ``else``) to its cases."""

    name: str
    span: Span
    name_span: Span
    type: NodeType
    spec: Any
    say: Prompt | None = None
    reprompt: tuple[Prompt, ...] = ()
    barge_in: BargeIn = BargeIn()
    tries: int = 3
    catch: Mapping[str, Catch] = field(default_factory=dict)
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    routes: Mapping[str, tuple[Case, ...]] = field(default_factory=dict)
    routes_span: Span | None = None
    always: bool | tuple[str, ...] = True
    timeouts: Timeouts = Timeouts()
    voice: Voice = Voice()
    lang: str = "en-US"
    max_visits: int | None = None
    resume: Target | None = None
    type_span: Span | None = None

    def cases(self, outcome: str) -> tuple[Case, ...]:
        """Give the cases of an outcome; those of ``else`` where it has none of its own."""
        return self.routes.get(outcome) or self.routes.get("else", ())


@dataclass(frozen=True, slots=True)
class Flow:
    """A checked flow. ``revision`` is the SHA-256 of the parsed document in file order, comments and layout removed."""

    name: str
    file: str
    revision: str
    start: str
    about: str
    args: Mapping[str, Variable]
    vars: Mapping[str, Variable]
    defaults: Defaults
    always: tuple[Command, ...]
    catch: Mapping[str, Catch]
    nodes: Mapping[str, Node]
    span: Span
    hours: Mapping[str, Hours] = field(default_factory=dict)


class NodeType(Protocol):
    """The language half of a node type; a module in ``flowengine/nodes`` provides one as ``NODE``.

    ``key`` is the type's key in YAML (empty for a step), ``about`` one sentence for authors, ``fields`` what stands
    under the key, ``timed`` whether `timeouts.node` guards it by default, ``asks`` whether it asks the caller for input
    (and so can fail for want of it), ``pauses`` whether it takes input or time even when it says nothing.
    """

    key: str
    about: str
    timed: bool
    asks: bool
    pauses: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        """What may stand in the type's mapping."""

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value under the type's key."""

    def read(self, value: Value | None, reading: Reading) -> Any:
        """Turn the value under the type's key into the node's spec (a frozen dataclass)."""

    def outcomes(self, spec: Any) -> tuple[str, ...]:
        """Name the outcomes that need a `goto`; the first is the plain one. Empty: the node leads nowhere."""

    def branches(self, spec: Any) -> tuple[Branch, ...]:
        """Give the outcomes with a target of their own."""

    def check(self, node: Node, flow: Flow, report: Report) -> None:
        """Report what is wrong with this node beyond the schema."""


_LEAVES = (Span, Timeouts, Limits, Voice, BargeIn, Defaults)


def walk(value: Any) -> Iterator[Any]:
    """Yield every Node, Case, Target, Template, … inside a model value, itself included, in the order of the fields."""
    if isinstance(value, Template | Condition | Equalities):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from walk(inner)
    elif slots := _slots(value.__class__):
        yield value
        for slot in slots:
            inner = getattr(value, slot)
            if inner and not isinstance(inner, str | int | float | Span):
                yield from walk(inner)


@lru_cache(maxsize=256)
def _slots(kind: type) -> tuple[str, ...]:
    """Name the fields of a dataclass that can hold something; what only holds numbers and words is not entered."""
    if kind in _LEAVES or not dataclasses.is_dataclass(kind):
        return ()
    return tuple(slot.name for slot in dataclasses.fields(kind))


def targets(flow: Flow) -> Iterator[Target]:
    """Yield every target that the flow names."""
    yield from (part for part in walk((flow.nodes, flow.catch, flow.always)) if isinstance(part, Target))
