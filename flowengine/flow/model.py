"""A loaded flow: frozen values, each with the place where it was written. No behaviour, no node type by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.hours import Hours

if TYPE_CHECKING:
    from flowengine.flow.kinds import Field, Reading
    from flowengine.flow.source import Value

RESERVED = ("again", "back", "end", "else")


class Target(Struct, frozen=True):
    """Where something leads: a node's name, or `again`, `back`, `end`."""

    node: str
    span: Span


class Assignment(Struct, frozen=True):
    """One `set` or `add`: ``value`` is a Template, a plain value, or a map or list that holds such.

    ``span`` is the name's place, ``value_span`` the value's.
    """

    name: str
    value: Any
    span: Span
    value_span: Span


class Case(Struct, frozen=True):
    """One way to go on: taken when ``condition`` holds (None: always)."""

    condition: Condition | Equalities | None
    target: Target
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()


class Named(Struct, frozen=True):
    """A name that refers to something declared elsewhere, and where it was written."""

    name: str
    span: Span


class BargeIn(Struct, frozen=True):
    """What may interrupt a prompt. ``after`` in seconds."""

    keys: bool = True
    speech: bool = True
    after: float = 0.0
    words: int = 0
    ignore: tuple[str, ...] = ()


class Voice(Struct, frozen=True):
    """Who speaks: the provider's name of a voice and a factor of the normal rate."""

    name: str = "default"
    rate: float = 1.0


class Segment(Struct, frozen=True):
    """A stretch of a prompt.

    Words, a file with its words, a pause (seconds), a draw from ``one_of``, a named text, or one prompt for each of
    several ``languages``. ``voice``, ``lang`` and ``barge_in`` are its own where they are not None.
    """

    span: Span
    text: Template | None = None
    audio: str | None = None
    pause: float = 0.0
    one_of: tuple[Segment, ...] = ()
    condition: Condition | Equalities | None = None
    named: Named | None = None
    languages: Mapping[str, Prompt] = field(default_factory=dict)
    voice: Voice | None = None
    lang: str | None = None
    barge_in: BargeIn | None = None


class Prompt(Struct, frozen=True):
    """What is played: segments in order with no gap between them."""

    segments: tuple[Segment, ...]
    span: Span


class Scoped(Struct, frozen=True):
    """A part of a model in which more names can be read than elsewhere."""

    part: Any
    names: tuple[str, ...]


class Phrase(Struct, frozen=True):
    """Words that a caller may say."""

    text: str
    span: Span


class Phrases(Struct, frozen=True):
    """What a caller may say to mean one thing: phrases by language, those of every language under an empty tag."""

    by_language: Mapping[str, tuple[Phrase, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.by_language.values())

    @property
    def first(self) -> str:
        """The first phrase that is written, or an empty text."""
        return next((phrase.text for phrases in self.by_language.values() for phrase in phrases), "")

    def spoken_in(self, lang: str, default: str) -> tuple[Phrase, ...]:
        """Give the phrases that count where ``lang`` is in force; ``default`` is the flow's language."""
        tag = in_force(self.by_language, lang, default)
        return self.by_language[tag] if tag is not None else ()


NO_PHRASES = Phrases()


def in_force(tags: Iterable[str], lang: str, default: str) -> str | None:
    """Choose among language tags: the exact one, its language, the default, the default's language, the first."""
    listed = list(tags)
    for wanted in (lang, lang.partition("-")[0], default, default.partition("-")[0]):
        if wanted in listed:
            return wanted
    return listed[0] if listed else None


class ToolRun(Struct, frozen=True):
    """One run of a named tool: the arguments under ``with`` by name, and what is said while it takes long.

    ``values`` are Templates, plain values, or maps and lists of such.
    """

    name: str
    span: Span
    values: Mapping[str, Any] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict)
    filler: Filler | None = None


class Filler(Struct, frozen=True):
    """Words that are said when an answer takes longer than ``after`` (seconds)."""

    say: Prompt
    after: float = 1.2


class Retry(Struct, frozen=True):
    """How often a failed run is repeated, for which errors, and how long before (seconds)."""

    times: int = 0
    errors: tuple[str, ...] = ()
    backoff: float = 0.3
    span: Span | None = None


class Tool(Struct, frozen=True):
    """A declared tool.

    ``kind`` is `http`, `python` or `mcp`, ``target`` the HTTP method, ``module:function`` or ``server/tool``;
    ``args`` are JSON Schema properties by name, None where none were written; ``timeout`` in seconds.
    """

    name: str
    span: Span
    kind: str
    target: str
    url: Template | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    take: str = ""
    about: str = ""
    args: Mapping[str, Any] | None = None
    timeout: float | None = None
    retry: Retry = Retry()
    idempotent: bool = False
    save: tuple[Assignment, ...] = ()
    filler: Filler | None = None
    cancelled: Span | None = None
    args_spans: Mapping[str, Span] = field(default_factory=dict)

    @property
    def safe(self) -> bool:
        """Whether running it twice does no harm: it only reads, or says that it is idempotent."""
        return self.idempotent or (self.kind == "http" and self.target in ("GET", "HEAD"))


class Handler(Struct, frozen=True):
    """What a `catch` does: say, set, add, run a tool, then go (or stay, without ``target``)."""

    span: Span
    say: Prompt | None = None
    set: tuple[Assignment, ...] = ()
    add: tuple[Assignment, ...] = ()
    target: Target | None = None
    tool: ToolRun | None = None


class Catch(Struct, frozen=True):
    """The handlers of one event: the n-th for the n-th time, the last one repeats."""

    event: str
    span: Span
    handlers: tuple[Handler, ...]


class Command(Struct, frozen=True):
    """A global command (`always`): ``keys`` are sequences such as ``*`` or ``12``; ``cooldown`` in seconds.

    It leads to ``target``, or does one of `repeat`, `louder`, `slower`. ``when`` tells a model when to take it.
    """

    name: str
    span: Span
    keys: tuple[str, ...]
    target: Target | None
    cooldown: float = 3.0
    hear: Phrases = Phrases()
    when: str = ""
    do: str = ""


class Variable(Struct, frozen=True):
    """A declared variable or argument. ``choices`` are the values of an enum, ``phrases`` what is said for each."""

    name: str
    kind: str
    span: Span
    default: Any = None
    private: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    about: str = ""
    phrases: Mapping[str, Phrases] = field(default_factory=dict)


class Timeouts(Struct, frozen=True):
    """Seconds. ``node`` None means: this node type has no time limit of its own."""

    noinput: float = 6.0
    interdigit: float = 3.0
    final: float = 1.0
    speech_end: float = 0.7
    max_speech: float = 20.0
    tool: float = 8.0
    model_first: float = 4.0
    node: float | None = 300.0
    call: float = 1800.0


class Limits(Struct, frozen=True):
    """Bounds that keep a call from looping."""

    hops: int = 50
    visits: int = 20
    failures: int = 9
    tool_steps: int = 4


class Model(Struct, frozen=True):
    """Which language model answers, by the name that the settings give it, and how freely (0 to 2)."""

    name: str = "default"
    temperature: float = 0.3


class Defaults(Struct, frozen=True):
    """What holds for nodes that say nothing else. ``currency`` empty: that of the region of ``lang``."""

    lang: str = "en-US"
    zone: str = "UTC"
    currency: str = ""
    voice: Voice = Voice()
    barge_in: BargeIn = BargeIn()
    type_ahead: str = "menu"
    persona: Template | None = None
    model: Model = Model()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()


class Branch(Struct, frozen=True):
    """An outcome with a target of its own, as an option has: drawn as an edge, checked as a target.

    ``assigned`` is what is set when it is taken, ``condition`` what must hold for it to be there.
    """

    name: str
    label: str
    target: Target
    span: Span
    assigned: tuple[Assignment, ...] = ()
    condition: Condition | Equalities | None = None


class Node(Struct, frozen=True):
    """One node. ``spec`` is what its type read; ``routes`` maps each outcome (or ``else``) to its cases.

    ``lang`` None is the language of the call.
    """

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
    lang: str | None = None
    max_visits: int | None = None
    resume: Target | None = None
    type_span: Span | None = None
    model: Model = Model()
    about: str = ""
    tags: tuple[str, ...] = ()

    def cases(self, outcome: str) -> tuple[Case, ...]:
        """Give the cases of an outcome; those of ``else`` where it has none of its own."""
        return self.routes.get(outcome) or self.routes.get("else", ())


class Flow(Struct, frozen=True):
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
    texts: Mapping[str, Text] = field(default_factory=dict)
    tools: Mapping[str, Tool] = field(default_factory=dict)
    hours: Mapping[str, Hours] = field(default_factory=dict)
    included: tuple[str, ...] = ()
    zone_span: Span | None = None


class Text(Struct, frozen=True):
    """A named text (`texts`)."""

    name: str
    span: Span
    prompt: Prompt


class Header(Struct, frozen=True):
    """What other flows may know of a flow: its inputs, how it returns, and which flows it runs."""

    name: str
    file: str
    span: Span
    args: Mapping[str, Variable]
    outcomes: tuple[str, ...]
    subflows: tuple[str, ...]
    lines: tuple[str, ...] = ()


class Beside(Protocol):
    """What stands beside a flow's file."""

    def read(self, path: str) -> bytes | None:
        """Give the content of a file by its path from where the command runs; None where there is none."""

    def flow(self, name: str) -> Header | None:
        """Give what is known of another flow; None where there is no flow of this name."""

    def names(self) -> tuple[str, ...]:
        """Name the flows that there are."""


class NodeType(Protocol):
    """The language half of a node type; a module in ``flowengine/nodes`` provides one as ``NODE``.

    ``key`` is the type's key in YAML (empty for a step), ``about`` one sentence for authors, ``fields`` what stands
    under the key, ``example`` a node of this type as YAML, ``timed`` whether `timeouts.node` guards it by default,
    ``asks`` whether it asks the caller for input (and so can fail for want of it), ``pauses`` whether it takes input or
    time even when it says nothing, ``events`` what can happen in nodes of this type alone, by the names of handlers,
    ``known_outcomes`` the outcomes that the type has by itself, each with what it means, ``crosses`` whether it leads
    to another flow or back from one.
    """

    key: str
    about: str
    example: str
    timed: bool
    asks: bool
    pauses: bool
    events: tuple[str, ...]
    known_outcomes: Mapping[str, str]
    crosses: bool
    fields: tuple[Field, ...]

    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the value under the type's key."""

    def read(self, value: Value | None, reading: Reading) -> Any:
        """Turn the value under the type's key into the node's spec (a frozen dataclass)."""

    def outcomes(self, spec: Any) -> tuple[str, ...]:
        """Name the outcomes that need a `goto`; the first is the plain one. Empty: the node leads nowhere."""

    def branches(self, spec: Any) -> tuple[Branch, ...]:
        """Give the outcomes with a target of their own."""

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """Report what is wrong with this node beyond the schema."""

    def takes(self, spec: Any) -> tuple[str, ...] | None:
        """Give the sequences of keys that it takes at its question; None where its words may name any."""

    def gives(self, spec: Any, outcome: str) -> tuple[str, ...]:
        """Name the variables that have a value once the node was left by this outcome."""

    def returns(self, spec: Any) -> str:
        """Name the outcome by which it returns to the calling flow; empty where it does not."""

    def runs(self, spec: Any) -> str:
        """Name the flow that it runs; empty where it runs none."""

    def shows(self, spec: Any) -> str:
        """Give what a drawing shows of it beside its name: the flow it runs, the number it dials; empty for nothing."""

    def labels(self, spec: Any) -> Mapping[str, str]:
        """Give the words of a drawing for outcomes whose names say little: the key of an option."""


_LEAVES = (Span, Timeouts, Limits, Voice, BargeIn, Model, Retry)


def parts(flow: Flow) -> tuple[Any, ...]:
    """Give everything in a flow that can hold templates, targets or names, for ``walk``."""
    return (flow.nodes, flow.catch, flow.always, flow.tools, flow.texts, flow.defaults)


def walk(value: Any) -> Iterator[Any]:
    """Yield every Node, Case, Target, Template, … inside a model value, itself included, in the order of the fields."""
    return (part for part, _ in scoped(value))


def scoped(value: Any, names: frozenset[str] = frozenset()) -> Iterator[tuple[Any, frozenset[str]]]:
    """Walk as ``walk`` does, and give with each part the names that can be read there beyond those of the flow."""
    if isinstance(value, Scoped):
        names |= frozenset(value.names)
    if isinstance(value, Template | Condition | Equalities):
        yield value, names
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from scoped(inner, names)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from scoped(inner, names)
    elif _slots(value.__class__):
        yield value, names
        for inner in fields_of(value):
            yield from scoped(inner, names)


def fields_of(value: Any) -> Iterator[Any]:
    """Give what the fields of a part of the model hold, but for what is only a number, a word or a place."""
    for slot in _slots(value.__class__):
        inner = getattr(value, slot)
        if inner and not isinstance(inner, str | int | float | Span):
            yield inner


@lru_cache(maxsize=256)
def _slots(kind: type) -> tuple[str, ...]:
    """Name the fields of a part of a model; what only holds numbers and words is not entered."""
    if kind in _LEAVES or kind.__module__ == "flowengine.flow.source":
        return ()
    if issubclass(kind, Struct):
        return kind.__struct_fields__
    return tuple(slot.name for slot in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def targets(flow: Flow) -> Iterator[Target]:
    """Yield every target that the flow names."""
    yield from (part for part in walk(parts(flow)) if isinstance(part, Target))
