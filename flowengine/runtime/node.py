"""What a running node type is: the language half plus ``enter`` and ``handle``, and what it may ask of the call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from flowengine.flow.diagnostics import Span
from flowengine.flow.model import Assignment, Command, Filler, Flow, Node, NodeType, Prompt, ToolRun
from flowengine.flow.node_type import LanguageHalf
from flowengine.runtime.effects import Effect
from flowengine.runtime.state import Visit


class KeyTaken(Struct, frozen=True):
    """A key for this node: pressed now, or taken from what was typed ahead."""

    key: str


class TimerDue(Struct, frozen=True):
    """A timer that the node (or its input) had started has run out."""

    name: str


class PromptOver(Struct, frozen=True):
    """The prompt that was played with ``speak`` was heard, or ``cut`` by a key that is kept for the next node."""

    cut: bool = False


class Transferred(Struct, frozen=True):
    """The outcome of the transfer that this node asked for."""

    outcome: str


class Said(Struct, frozen=True):
    """What the caller said, as a final transcript."""

    text: str


class ToolDone(Struct, frozen=True):
    """The tool that this node ran has answered with ``result``."""

    run: str
    result: Any


class ToolFailed(Struct, frozen=True):
    """A tool that a model asked for has failed for good: ``error`` is `timeout`, `http.404` or `error`."""

    run: str
    error: str


class EventCame(Struct, frozen=True):
    """An event of the application that this node waits for; its data is `result`."""

    name: str


class Recorded(Struct, frozen=True):
    """The recording that this node asked for: its address, empty where the caller said nothing."""

    address: str


class Sent(Struct, frozen=True):
    """The keys that this node sent are sent."""


class Replied(Struct, frozen=True):
    """The model's answer that this node asked for is complete and heard, or was ``cut`` by the caller."""

    text: str
    cut: bool = False


class Acted(Struct, frozen=True):
    """The model wants something: ``act`` is `tool`, `exit` or `option`."""

    act: str
    name: str
    id: str
    values: Mapping[str, Any]


class ReplyBroke(Struct, frozen=True):
    """The model failed, or the voice: ``event`` says which; ``text`` is what was heard of the answer before."""

    text: str
    event: str = "error.model"


NodeEvent = (
    KeyTaken
    | TimerDue
    | PromptOver
    | Transferred
    | Said
    | ToolDone
    | ToolFailed
    | EventCame
    | Recorded
    | Sent
    | Replied
    | Acted
    | ReplyBroke
)


class Context(Protocol):
    """What a node type may do. Implemented by the interpreter."""

    @property
    def node(self) -> Node:
        """The node that is running."""

    @property
    def local(self) -> dict[str, Any]:
        """The node type's own plain data, gone when the node is left."""

    @property
    def at(self) -> float:
        """Seconds since the call began."""

    def scope(self) -> Mapping[str, Any]:
        """Give the names that templates and conditions read."""

    def speak(self, *, cuttable: bool = True) -> None:
        """Play `say`; ``PromptOver`` follows, at once where there is nothing to say."""

    def ask(self, question: Prompt | None) -> None:
        """Play a question and then listen; keys that were typed ahead come first, as ``KeyTaken``."""

    def typed_ahead(self) -> bool:
        """Feed the node what was typed ahead; True when that makes its question needless."""

    def listen(self) -> None:
        """Wait for input without a prompt; the no-input timer starts."""

    def flush_keys(self, why: str) -> None:
        """Forget what was typed ahead."""

    def fail(self, event: str) -> None:
        """Count a failure and do what its handler, or the engine, says; then the node asks again."""

    def done(self, outcome: str) -> None:
        """Leave the node by an outcome."""

    def command(self, command: Command) -> None:
        """Take a global command."""

    def commands(self) -> Mapping[str, Command]:
        """Give the key sequences of the global commands that are awake here."""

    def start_timer(self, name: str, seconds: float) -> None:
        """Start or restart a timer; ``TimerDue`` follows."""

    def stop_timer(self, name: str) -> None:
        """Stop a timer."""

    def swallow(self, key: str, seconds: float) -> None:
        """Swallow this key if it comes within that time."""

    def propose(self, name: str, value: Any) -> None:
        """Hold a tentative value under a variable's name; raises ``UnfitValueError``."""

    def store(self, name: str) -> None:
        """Store the tentative value."""

    def assign(self, set_: Iterable[Assignment], add: Iterable[Assignment]) -> None:
        """Run assignments."""

    def transfer(self, number: str, mode: str, ring: float, caller_id: str | None, most: float | None) -> None:
        """Hand the caller over; ``Transferred`` follows for a dial, nothing for a blind transfer."""

    def hang_up(self) -> None:
        """End the call."""

    def go_back(self) -> None:
        """Return to the node that led here."""

    @property
    def visit(self) -> Visit:
        """The visit of this node: its failures and turns."""

    def words(self, prompt: Prompt | None, more: Mapping[str, Any] | None = None) -> str:
        """Give a prompt's words as they would be spoken now; private values are covered. ``more`` are further names."""

    @property
    def lang(self) -> str:
        """The language in force."""

    @property
    def flow(self) -> Flow:
        """The flow that runs."""

    def awake(self) -> Sequence[Command]:
        """Give the global commands that are awake here, those of this flow first."""

    def say(self, prompt: Prompt | None) -> None:
        """Play words while the node goes on."""

    def raise_event(self, event: str) -> None:
        """Raise an event that is no failure of the caller's."""

    def run_tool(self, run: ToolRun, values: Mapping[str, Any] | None = None) -> str:
        """Run a tool; ``ToolDone`` follows, or ``ToolFailed``, or the event of its failure. Gives the run's id."""

    def cancel_tool(self, run: str) -> bool:
        """Cut a run off where its tool allows that."""

    @property
    def errands(self) -> Mapping[str, Any]:
        """The runs of tools that this node waits for."""

    def run_flow(self, name: str, values: Mapping[str, Any]) -> None:
        """Run another flow; its outcome ends the node."""

    def return_flow(self, outcome: str, value: Any) -> None:
        """Go back to the flow that runs this one."""

    def record(self, most: float, silence: float, *, beep: bool) -> None:
        """Record the caller; ``Recorded`` follows."""

    def stop_recording(self) -> None:
        """End the recording now."""

    def press_keys(self, keys: str) -> None:
        """Send tones; ``Sent`` follows."""

    def ask_model(
        self,
        system: str,
        messages: Iterable[Mapping[str, Any]],
        *,
        tools: Iterable[Mapping[str, Any]] = (),
        exits: Iterable[Mapping[str, Any]] = (),
        temperature: float | None = None,
        keys: str = "",
        realtime: bool = False,
        persona: str = "",
        filler: Filler | None = None,
        silent: bool = False,
    ) -> None:
        """Ask a model; ``Acted``, then ``Replied`` or ``ReplyBroke`` follow. ``silent``: its words are not spoken."""

    @property
    def speaking(self) -> bool:
        """Whether words are on, or an answer is: nothing else may begin."""

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was said in this call, for models."""

    def remember(self, **message: Any) -> None:
        """Add a message to the history."""

    def await_input(self) -> None:
        """Start the no-input timer again."""

    def note(self, what: str, **data: Any) -> None:
        """Explain something in the trace."""


class Expects(Struct, frozen=True):
    """What a node takes of a caller's words now: see ``effects.Listen``."""

    kind: str
    phrases: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


class RunningNode(NodeType, Protocol):
    """A node type with both halves.

    ``keeps_keys`` says whether keys pressed here are kept for the next node, ``answers_failures`` whether it is told of
    a failed tool (``ToolFailed``) instead of the flow (`error.tool`).
    """

    keeps_keys: bool
    answers_failures: bool

    def goes_on(self, ctx: Context) -> bool:
        """Words are over that did not leave the node: do what it owes, and say so; False where it is to listen."""

    def dropped(self, ctx: Context) -> None:
        """An answer of a model is wanted no more; no ``Replied`` follows."""

    def own_words(self, event: str) -> str:
        """Name the engine's sentence that is said at an event in the place of its usual one; empty for the usual."""

    def expects(self, ctx: Context) -> Expects | None:
        """Say what the caller may say now; None where the node says nothing of it."""

    def waits_for(self, spec: Any) -> tuple[str, ...]:
        """Name the application's events that end this node."""

    def wishes(self, spec: Any) -> tuple[type[Effect], ...]:
        """Name the effects that this node has beyond those that every shell carries out."""

    def by_voice_alone(self, node: Node) -> tuple[str, Span] | None:
        """Say what of a node callers can do by voice and not by keys, and where it is written; None for nothing."""

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """Say what of a node this version does not run, and where it is written; None where it runs all of it."""

    def enter(self, ctx: Context) -> None:
        """Begin: speak, ask, or be done."""

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Take what happened while the node runs."""

    def question(self, ctx: Context) -> Prompt | None:
        """Give what is asked again after a failure."""

    def cutting_keys(self, ctx: Context) -> str:
        """Give the keys that cut this node's prompt when its `barge_in` allows keys."""

    def gives_up(self, ctx: Context) -> bool:
        """Take the last failure in a way of its own instead of `toomany`; False for none."""


class RunningHalf:
    """What most running halves say of themselves; a type overrides what is different in it."""

    keeps_keys = False
    answers_failures = False

    def own_words(self, event: str) -> str:
        """Say what the engine says of every node."""
        return ""

    def expects(self, ctx: Context) -> Expects | None:
        """Say nothing of it: what was expected before still is."""
        return None

    def waits_for(self, spec: Any) -> tuple[str, ...]:
        """Wait for no event of an application."""
        return ()

    def goes_on(self, ctx: Context) -> bool:
        """Owe nothing: after words the caller is listened to."""
        return False

    def dropped(self, ctx: Context) -> None:
        """Keep no books of answers."""

    def wishes(self, spec: Any) -> tuple[type[Effect], ...]:
        """Wish for nothing but what every node does: to play, to transfer, to hang up."""
        return ()

    def by_voice_alone(self, node: Node) -> tuple[str, Span] | None:
        """Nothing needs words."""
        return None

    def not_yet(self, node: Node, flow: Flow) -> tuple[str, Span] | None:
        """Run everything."""
        return None


class AsksNothing(LanguageHalf, RunningHalf):
    """What node types that ask the caller nothing have in common."""

    def question(self, ctx: Context) -> Prompt | None:
        """Ask nothing again: there are no failures."""
        return None

    def cutting_keys(self, ctx: Context) -> str:
        """Take no key."""
        return ""

    def gives_up(self, ctx: Context) -> bool:
        """Never fail for want of input."""
        return False
