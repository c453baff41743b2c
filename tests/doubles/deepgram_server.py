"""A Deepgram that hears what a test puts into the audio: Listen v1 and v2, their messages, and their ways to fail.

What it hears depends on nothing but the audio that a connection was sent: a run of one byte that ``words`` names is
that word, everything else is silence. Or, with a ``timeline``, words lie at seconds of the connection's audio; or, with
``clips``, where a clip begins that is known by its first bytes, with words at seconds of it. Turns are judged every
80 ms of audio, so a test that sends faster than a caller speaks gets the same events sooner.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.doubles.loopback import SocketDouble

RATE = 8000
STEP = 640  # bytes between two judgements
UPDATE = 0.24  # seconds between two updates
EAGER, END = 0.32, 0.64  # seconds of silence after which a turn is likely over, and over
SILENCE = 0xFF


@dataclass(frozen=True)
class Spoken:
    """A word, and where it lies in the audio of a connection, in seconds."""

    text: str
    begin: float
    end: float

    def plain(self) -> dict[str, Any]:
        """As it is in a message."""
        return {"word": self.text, "start": self.begin, "end": self.end, "confidence": 0.9}


@dataclass
class Hearing:
    """What one connection heard, and was told."""

    path: str
    query: dict[str, list[str]]
    authorization: str
    words: dict[int, str]
    timeline: Sequence[Spoken] = ()
    clips: dict[bytes, list[Spoken]] = field(default_factory=dict)
    audio: bytearray = field(default_factory=bytearray)
    messages: list[int] = field(default_factory=list)  # the sizes of those with audio
    texts: list[dict[str, Any]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)  # what it told
    told_at: list[float] = field(default_factory=list)  # when, on the loop's clock
    closed: bool = False
    _runs: list[tuple[int, int, int]] = field(default_factory=list)  # of one byte: where it begins and ends
    _known: list[Spoken] = field(default_factory=list)  # of clips that were found
    _searched: int = 0

    def told(self, kind: str) -> int:
        """How many texts of a type came."""
        return sum(text["type"] == kind for text in self.texts)

    def hear(self, audio: bytes) -> None:
        """Take a message of audio."""
        self.messages.append(len(audio))
        if self.clips:  # runs are looked at only without them, and cost a core where many calls are heard
            self.audio += audio
            return
        for code, run in groupby(audio):
            begin, size = len(self.audio), len(list(run))
            self.audio += bytes([code]) * size
            if self._runs and self._runs[-1][0] == code:
                begin = self._runs.pop()[1]
            self._runs.append((code, begin, len(self.audio)))

    def spoken(self, until: int) -> list[Spoken]:
        """The words that have begun by a byte of the audio; of one that goes on the end is not known yet."""
        if self.clips:
            self._search()
            return [word for word in self._known if word.begin * RATE < until]
        if self.timeline:
            return [word for word in self.timeline if word.begin * RATE < until]
        return [
            Spoken(self.words[code], begin / RATE, end / RATE if end < until else float("inf"))
            for code, begin, end in self._runs
            if code in self.words and begin < until
        ]

    def _search(self) -> None:
        """Look for clips in what is new."""
        for head, words in self.clips.items():
            place = self.audio.find(head, max(0, self._searched - len(head) + 1))
            while place >= 0:
                begin = place / RATE
                self._known += [Spoken(word.text, begin + word.begin, begin + word.end) for word in words]
                place = self.audio.find(head, place + 1)
        self._known.sort(key=lambda word: word.begin)
        self._searched = len(self.audio)


@dataclass
class DeepgramServer(SocketDouble):
    """Each connection takes the next of ``faults`` (default: none).

    Of the handshake: a status such as `401`, `mute` (no answer), `slow` (not before ``release`` is set). Of the
    connection, the number being messages of audio: `abort:N` (TCP), `close:N:CODE`, `garbage:N` (no JSON), `unknown:N`
    (a type that nobody knows), `error:N` (a fatal error), `stall:N` (no more events, until the client ends the turn),
    `hang:N` (nothing more at all), `deaf:N` (nothing is read any more, pings neither), `refuse` (every Configure
    fails), `noisy` (nova-3 hears no silence).
    """

    words: dict[int, str] = field(default_factory=dict)
    timeline: Sequence[Spoken] = ()
    clips: dict[bytes, list[Spoken]] = field(default_factory=dict)
    faults: deque[str] = field(default_factory=deque)
    hearings: list[Hearing] = field(default_factory=list)

    async def _greet(self, socket: ServerConnection, request: Request) -> Response | None:
        self.tries += 1
        self.news.set()
        fault = self.faults.popleft() if self.faults else ""
        if (refusal := await self.refused(fault)) is not None:
            return refusal
        parts = urlsplit(request.path)
        hearing = Hearing(
            parts.path,
            parse_qs(parts.query),
            request.headers.get("authorization", ""),
            self.words,
            self.timeline,
            self.clips,
        )
        socket.double = _Flux if parts.path == "/v2/listen" else _Nova  # type: ignore[attr-defined]  # for the handler
        socket.given = (hearing, fault)  # type: ignore[attr-defined]  # of the same connection
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        hearing, fault = socket.given  # type: ignore[attr-defined]  # see above
        self.hearings.append(hearing)
        self.news.set()
        try:
            await socket.double(socket, hearing, fault, self.news).run()  # type: ignore[attr-defined]  # see above
        except ConnectionClosed:
            pass
        finally:
            hearing.closed = True
            self.news.set()


class _Connection:
    """What both protocols share: reading, counting and failing."""

    def __init__(self, socket: ServerConnection, hearing: Hearing, fault: str, news: asyncio.Event) -> None:
        self.socket = socket
        self.hearing = hearing
        self.news = news
        self.fault, _, rest = fault.partition(":")
        number, _, code = rest.partition(":")
        self.number, self.code = int(number or 0), int(code or 1011)
        self.judged = 0  # bytes
        self.numbered = 0
        self.silent = False

    async def run(self) -> None:
        await self.begin()
        async for message in self.socket:
            if isinstance(message, str):
                said = json.loads(message)
                self.hearing.texts.append(said)
                await self.text(said)
            else:
                self.hearing.hear(message)
                if not await self._fails():
                    await self._judge()
            self.news.set()

    async def _fails(self) -> bool:
        """Do what the fault says at this message; True when nothing more happens."""
        due = self.number == len(self.hearing.messages)
        if due and self.fault == "abort":
            self.socket.transport.abort()
        elif due and self.fault == "close":
            await self.socket.close(self.code, "NET-0001")
        elif due and self.fault == "garbage":
            await self.socket.send("<html>")
        elif due and self.fault == "unknown":
            await self.socket.send(json.dumps({"type": "Horoscope", "channel": {"a": [1]}}))
        elif due and self.fault == "error":
            await self.tell({"type": "Error", "code": "INTERNAL_SERVER_ERROR", "description": "none"})
        elif due and self.fault in ("stall", "hang"):
            self.silent = True
        elif due and self.fault == "deaf":
            self.socket.transport.pause_reading()
        return due and self.fault in ("abort", "close", "deaf")

    async def _judge(self) -> None:
        while self.judged + STEP <= len(self.hearing.audio):
            self.judged += STEP
            if not self.silent:
                await self.judge(self.judged / RATE, self.hearing.spoken(self.judged))

    async def tell(self, message: dict[str, Any]) -> None:
        message = {"request_id": "r", "sequence_id": self.numbered, **message}
        self.numbered += 1
        self.hearing.events.append(message.get("event", message["type"]))
        self.hearing.told_at.append(asyncio.get_running_loop().time())
        await self.socket.send(json.dumps(message))

    async def begin(self) -> None:
        """The connection is open."""

    async def text(self, said: dict[str, Any]) -> None:
        """A text came."""

    async def judge(self, now: float, words: list[Spoken]) -> None:
        """80 ms more were heard."""


class _Flux(_Connection):
    """Listen v2."""

    turn = 0
    first = 0  # word of the turn
    open = False
    eager: str | None = None
    updated = 0.0
    began = 0.0

    async def begin(self) -> None:
        await self.tell({"type": "Connected"})

    async def text(self, said: dict[str, Any]) -> None:
        if said["type"] == "CloseStream":
            await self.socket.close()
        elif said["type"] == "ForceEndTurn" and self.open and self.fault != "hang":
            self.silent = False
            now = len(self.hearing.audio) / RATE
            await self._end(now, [w for w in self.hearing.spoken(len(self.hearing.audio)) if w.end <= now], "manual")
        elif said["type"] == "Configure":
            if self.fault == "refuse":
                await self.tell({"type": "ConfigureFailure", "code": "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"})
            else:
                thresholds = {"eot_threshold": 0.7, "eager_eot_threshold": 0.5, "eot_timeout_ms": 3000}
                done = {"type": "ConfigureSuccess", "thresholds": thresholds, "keyterms": said.get("keyterms", [])}
                await self.tell(done)

    async def judge(self, now: float, words: list[Spoken]) -> None:
        known = [word for word in words if word.end <= now]
        if not self.open:
            if len(known) > self.first:
                self.open, self.eager, self.updated, self.began = True, None, now, known[self.first].begin
                await self._info("StartOfTurn", now, known)
            elif now - self.updated >= UPDATE:  # in silence, too: https://developers.deepgram.com/docs/flux/state
                self.began, self.updated = self.updated, now
                await self._info("Update", now, known)
            return
        silence = now - words[-1].end
        if self.eager is not None and silence < 0:
            self.eager = None
            await self._info("TurnResumed", now, known)
        elif self.eager is None and EAGER <= silence < END and "eager_eot_threshold" in self.hearing.query:
            self.eager = "told"
            await self._info("EagerEndOfTurn", now, known)
        elif silence >= END:
            await self._end(now, known, "model")
        elif now - self.updated >= UPDATE:
            self.updated = now
            await self._info("Update", now, known)

    async def _end(self, now: float, known: list[Spoken], trigger: str) -> None:
        self.open = False
        await self._info("EndOfTurn", now, known, trigger=trigger)
        self.turn += 1
        self.first = len(known)

    async def _info(self, event: str, now: float, known: list[Spoken], **more: Any) -> None:
        words = known[self.first :]
        await self.tell(
            {
                "type": "TurnInfo",
                "event": event,
                "turn_index": self.turn,
                "audio_window_start": self.began,
                "audio_window_end": now,
                "transcript": " ".join(word.text for word in words),
                "words": [word.plain() for word in words],
                "end_of_turn_confidence": 0.8,
                **more,
            }
        )


class _Nova(_Connection):
    """Listen v1."""

    first = 0  # word that is not final
    start = 0.0  # what is not final begins here
    began = False
    updated = 0.0
    ended: float | None = None  # the last word's end, until the utterance's end is told

    async def text(self, said: dict[str, Any]) -> None:
        if said["type"] == "CloseStream":
            await self.tell({"type": "Metadata", "duration": len(self.hearing.audio) / RATE, "channels": 1})
            await self.socket.close()
        elif said["type"] == "Finalize" and self.fault != "hang":
            self.silent = False
            now = len(self.hearing.audio) / RATE
            await self._final(now, self.hearing.spoken(len(self.hearing.audio)), from_finalize=True)
        elif said["type"] == "Configure":
            await self.tell({"type": "ConfigureSuccess", "keyterms": said.get("keyterms", [])})

    async def judge(self, now: float, words: list[Spoken]) -> None:
        if len(words) > self.first and not self.began:
            self.began = True
            await self.tell({"type": "SpeechStarted", "channel": [0], "timestamp": words[self.first].begin})
        known = [word for word in words if word.end <= now]
        silence = now - words[-1].end if words else 0.0
        if len(known) > self.first and silence >= 0.32 and self.fault != "noisy":
            await self._final(now, words, speech_final=True)
        elif len(known) > self.first and now - self.updated >= 0.48:
            self.updated = now
            await self._results(now, known[self.first :])
        elif now - self.updated >= 1.0:  # in silence, too, as others' logs of it show
            self.updated = now
            await self._results(now, [])
        if self.ended is None and len(known) > self.first:
            self.ended = known[-1].end
        elif self.ended is not None and silence >= 1.0:
            await self.tell({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": self.ended})
            self.ended = None

    async def _final(self, now: float, words: list[Spoken], **more: Any) -> None:
        known = [word for word in words if word.end <= now]
        await self._results(now, known[self.first :], is_final=True, **more)
        self.first, self.start, self.began = len(known), now, False

    async def _results(self, now: float, words: list[Spoken], **more: Any) -> None:
        text = " ".join(word.text for word in words)
        found = {"transcript": text, "confidence": 0.8, "words": [word.plain() for word in words]}
        message = {"type": "Results", "channel_index": [0, 1], "start": self.start, "duration": now - self.start}
        more = {"is_final": False, "speech_final": False, "from_finalize": False, **more}
        await self.tell({**message, **more, "channel": {"alternatives": [found]}, "metadata": {"request_id": "r"}})
