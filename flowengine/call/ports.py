"""What the world is to a call: the ports that the shell talks to and that providers, store and server implement."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

ANSWER = (
    256 * 1024
)  # bytes of JSON that a tool may answer: it stays in the call's state, which is saved again and again


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """One piece of text to be spoken.

    ``voice`` is the provider's name of a voice (``default`` is its own choice), ``lang`` a BCP 47 tag, ``rate`` a
    factor of the normal speaking rate (1.0 is normal, 1.2 a fifth faster).
    """

    text: str
    voice: str
    lang: str
    rate: float


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """When a word of a request is spoken: seconds of the request's own audio."""

    text: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Substitute:
    """From here on another voice speaks in the place of the one that was asked: its audio is not to be kept.

    ``failed`` names those that have just failed.
    """

    name: str
    failed: tuple[str, ...] = ()


class Synthesizer(Protocol):
    """Turns text into audio. One object serves all calls of a process.

    ``name`` and ``version`` are part of the prompt cache's key: a new version never plays an old version's audio.
    """

    name: str
    version: str

    async def start(self) -> None:
        """Make ready to speak; raises ``ProviderError`` when that is impossible. Bounded by its own deadline."""

    async def aclose(self) -> None:
        """Release processes and sockets; safe to call twice. Bounded by its own deadline."""

    def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord | Substitute, None]:
        """Yield G.711 µ-law at 8000 Hz, mono, in chunks of any size; raises ``ProviderError``.

        One that knows when its words are spoken yields them too, each before or soon after its audio. Closing the
        generator early cancels the request and discards what was not yielded.
        """


@dataclass(frozen=True, slots=True)
class ModelTool:
    """What a language model may do: a tool, or an exit of the conversation. ``args`` is a JSON Schema of an object."""

    name: str
    about: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One step of a conversation with a language model.

    ``persona`` stays the same over the whole call and ``system`` changes with the node: the stable part first, so that
    a vendor may cache it. ``messages`` have ``role`` (`user`, `assistant`, `tool`) and ``text``; an assistant's may
    have ``calls``, each with `id`, `name` and `values`; a tool's has the call's ``id`` and ``name``, and its
    ``result``. ``model`` is a vendor's name, or `default`. ``first`` is how many seconds the first word, or call, may
    take; ``gap`` the time between two parts of an answer.
    """

    model: str
    persona: str
    system: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[ModelTool] = ()
    temperature: float | None = None
    most_tokens: int = 400
    first: float = 4.0
    gap: float = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """The next words of an answer, as they come: any cut."""

    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a tool, complete with its arguments; ``id`` is the model's name of it (made up where it gave none)."""

    id: str
    name: str
    args: Mapping[str, Any]


@dataclass(slots=True)
class Usage:
    """What was used, for the bill: zero where it does not apply; ``estimated`` where the vendor has not said.

    ``seconds`` are of audio that was heard, ``failed`` requests that failed, repeated or not.
    """

    provider: str
    model: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    characters: int = 0
    seconds: float = 0.0
    failed: int = 0
    estimated: bool = True


class Answer(Protocol):
    """A model's answer under way: an async context manager, and an async iterator that ends with the answer.

    Leaving it early closes the connection at once. Raises ``ProviderError``, also from the iterator. ``usage`` counts
    from the beginning and is right, or an estimate, whenever it is read, after a cancel too.
    """

    @property
    def usage(self) -> Usage:
        """Give what was used so far."""

    def __aiter__(self) -> AsyncIterator[Said | Called]:
        """Give words and calls as they come."""


class LanguageModel(Protocol):
    """Answers in conversations. One object serves all calls of a process."""

    name: str

    async def start(self) -> None:
        """Import the SDK and open what is shared; raises ``ProviderError``. Bounded by its own deadline."""

    async def aclose(self) -> None:
        """Release connections; safe to call twice. Bounded by its own deadline."""

    def answer(self, request: ModelRequest) -> AbstractAsyncContextManager[Answer]:
        """Begin an answer; entering it may raise ``ProviderError``."""

    async def warm(self, request: ModelRequest) -> None:
        """Open a connection and fill the vendor's cache for a call that is about to ask; a failure is not an error."""


class VoiceDetector(Protocol):
    """Tells speech from other sound, for all calls of a process together. It keeps nothing of a call.

    ``window`` is how many samples of µ-law at 8000 Hz it judges at a time; ``fresh`` is the state of a new stream.
    """

    window: int

    async def start(self) -> None:
        """Make ready; raises ``EnvironmentProblem`` when that is impossible. Bounded by its own deadline."""

    def fresh(self) -> Any:
        """Give the state of a stream of which nothing was heard yet."""

    def detect(self, windows: Sequence[bytes], states: Sequence[Any]) -> tuple[list[float], list[Any]]:
        """Give for each window of µ-law how probably it is speech (0 to 1), and the state for the next one.

        Window and state of the same place belong to one stream; the streams do not influence each other.
        """


@dataclass(frozen=True, slots=True)
class Expected:
    """What a node waits for, so that a transcriber can favour it, or know nothing else.

    ``lang`` is a BCP 47 tag. ``kind`` is `text`, `choice`, `nothing` or a type of values (`yesno`, `digits`, …);
    ``phrases`` is what may be said to choose; ``least`` and ``most`` are the lengths that digits may have (0: any).
    """

    lang: str
    kind: str = "text"
    phrases: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a transcriber tells of a stream.

    ``kind``: `started` (the caller began to speak), `interim` (the words since the last final ones, which may still
    change), `final` (the next words, which will not), `likely_end` (perhaps a turn is over: its words), `resumed` (it
    is not), `end` (it is: all its words, those of finals included; only of one that ``ends_turns``), `late` (it has
    told nothing for a while though it should: words may come late), `again` (what it heard lately it hears once more,
    over another connection: as well).
    ``began`` and ``ended`` are seconds of the stream's audio, None where it does not say; ``confidence`` is 0 to 1.
    """

    kind: Literal["started", "interim", "final", "likely_end", "resumed", "end", "late", "again"]
    text: str = ""
    began: float | None = None
    ended: float | None = None
    confidence: float = 1.0


class Transcription(Protocol):
    """The words of one stream: an async context manager, and an async iterator over what is heard.

    The iterator raises ``ProviderError`` when the transcriber is lost, and ends after ``__aexit__``, which is bounded.
    """

    def send(self, audio: bytes) -> None:
        """Take the next µ-law audio at 8000 Hz; never waits: what does not fit drops the oldest, and is counted."""

    def expect(self, expected: Expected) -> None:
        """From now on the call waits for something else."""

    def began(self) -> None:
        """The engine's own detector hears speech, for up to 300 ms: one that takes whole utterances begins here."""

    def finish(self) -> None:
        """The speech has stopped for now: give the final words of what was sent, as soon as possible."""

    def __aiter__(self) -> AsyncIterator[Heard]:
        """Give what is heard, as it comes."""


@runtime_checkable
class Metered(Protocol):
    """A ``Transcription`` that knows better than by its stream's length what was used, or an ``Answer`` of several."""

    def used(self) -> list[Usage]:
        """Give it, by provider and model, so far."""


class Transcriber(Protocol):
    """Turns speech into words. One object serves all calls of a process.

    ``ends_turns``: it tells by itself when a turn is over (`end`); of others the engine decides by silence and words.
    """

    name: str
    ends_turns: bool

    async def start(self) -> None:
        """Make ready to listen; raises ``ProviderError`` when that is impossible. Bounded by its own deadline."""

    async def aclose(self) -> None:
        """Release processes and sockets; safe to call twice. Bounded by its own deadline."""

    def listen(self, call: str, expected: Expected) -> TranscriptionContext:
        """Open the words of one stream of a call; entering it may raise ``ProviderError``."""


TranscriptionContext = AbstractAsyncContextManager[Transcription]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """One run of a tool.

    ``tool`` is its name in the flow, ``target`` the HTTP method, ``module:function`` or ``server/tool``; ``args`` are
    its arguments by name. ``sent`` is what an HTTP tool sends: `method`, `url` (values in it are percent-encoded),
    `headers`, `query`, `body`. ``key`` is the same for every repetition of one run, and never again.
    """

    tool: str
    target: str
    args: Mapping[str, Any]
    sent: Mapping[str, Any]
    key: str


class ToolRunner(Protocol):
    """Runs the tools of one kind. One object serves all calls of a process."""

    async def start(self) -> None:
        """Make ready; raises ``EnvironmentProblem`` when that is impossible. Bounded by its own deadline."""

    async def aclose(self) -> None:
        """Release processes, threads and sockets; safe to call twice. Bounded by its own deadline."""

    async def run(self, request: ToolRequest) -> Any:
        """Give the tool's answer as plain JSON data, at most `ANSWER` bytes of it; raises ``ToolError``.

        Who calls it bounds it in time, and cancels it then: nothing of it may go on but what can not be stopped.
        """


class MediaTransport(Protocol):
    """One media socket, as the session sees it. Its adapter pumps: it calls ``on_text`` and ``on_closed``."""

    async def send(self, text: str) -> None:
        """Write one text frame; waits while the peer takes nothing (the session watches for how long)."""

    async def close(self, code: int) -> None:
        """Close with a WebSocket close code."""

    def abort(self) -> None:
        """Drop the connection at once, unsent data included."""


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as the store knows it.

    ``state``: ``answered`` (a document with a stream was handed out), ``streaming``, ``dropped`` (the socket ended
    without a word), ``transferring`` (the stream ends or has ended), ``dialling`` (the carrier was told whom to dial),
    ``resuming`` (a new stream was handed out), ``blind`` (handed over for good), ``hangup`` (we end it) and ``ended``
    (the record is written).
    ``streams`` counts the streams that were opened: who holds the number of the latest one owns the call.
    ``pending`` is what waits for the next request of the carrier, or ``{"ended": reason}`` of a call that we end;
    ``tally`` is what it used and met so far (``tally``), saved with the ``snapshot``.
    ``started`` is the wall clock in seconds since 1970, as is ``lost_at``: when nobody has the call in hand any more.
    """

    id: str
    carrier: str
    carrier_call_id: str
    flow: str
    revision: str
    caller: str
    called: str
    direction: str
    started: float
    seed: int
    args: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    state: str = "answered"
    streams: int = 0
    offers: int = 1
    document: str = ""
    snapshot: dict[str, Any] | None = None
    saved: float = 0.0
    pending: dict[str, Any] | None = None
    tally: dict[str, Any] | None = None
    lost_at: float = 0.0


class Store(Protocol):
    """What is known of calls beyond one process. Every method raises ``RemoteError`` when the store does not answer."""

    async def open_call(self, call: StoredCall) -> StoredCall:
        """Insert a call; one with the same carrier and carrier's id that is not ended is given back instead."""

    async def load_call(self, call_id: str) -> StoredCall | None:
        """Give a call by our id."""

    async def find_call(self, carrier: str, carrier_call_id: str) -> StoredCall | None:
        """Give the newest call with the carrier's id."""

    async def change_call(
        self,
        call_id: str,
        *,
        when: Collection[str],
        streams: int | None = None,
        opened: bool = False,
        offered: bool = False,
        **changes: Any,
    ) -> StoredCall | None:
        """Change fields in one step if the state is one of ``when`` (and ``streams`` is the latest); None if not.

        ``opened`` adds one to ``streams``, ``offered`` one to ``offers``.
        """

    def save_snapshot(
        self, call_id: str, streams: int, snapshot: dict[str, Any], saved: float, tally: dict[str, Any]
    ) -> None:
        """Queue a snapshot; it is dropped when a newer stream of the call has been opened."""

    async def finish_call(self, call_id: str, record: Mapping[str, Any]) -> bool:
        """Write the call's one record and end it; False when it has one already."""

    async def lost_calls(self, now: float) -> list[StoredCall]:
        """Give calls that are not ended and whose ``lost_at`` is over, at most 100, the oldest first."""

    async def use_token(self, nonce: str, expires: float, now: float) -> bool:
        """Use a token up; False when it was used before. Expired ones are forgotten."""

    async def keep_flow(self, revision: str, name: str, text: str) -> None:
        """Keep a flow's text by its revision."""

    async def flow_text(self, revision: str) -> tuple[str, str] | None:
        """Give the name and text of a revision."""

    async def secret(self) -> bytes:
        """Give the key of tokens and continue addresses; made once and kept."""

    def trace(self, call_id: str, line: str) -> None:
        """Append a line to the call's trace; queued, in order."""


class RecordingStore(Protocol):
    """Keeps what callers were recorded saying."""

    def address(self, name: str) -> str:
        """Give where the recording of a name is, or will be once it is written."""

    async def put(self, name: str, audio: bytes) -> str:
        """Keep µ-law audio at 8000 Hz; give its address. Raises ``RemoteError``."""


class AudioStore(Protocol):
    """Keeps rendered prompts between runs of the server."""

    async def get(self, key: str) -> bytes | None:
        """Give the µ-law audio of a key."""

    async def put(self, key: str, audio: bytes) -> None:
        """Keep the µ-law audio of a key; a failure to write is not an error."""
