"""What Deepgram's two listening protocols tell, as ``Heard``: Flux tells turns (v2), nova-3 gives words (v1).

Both go on over several connections of one stream: of a turn that was open when a connection was lost, the words that
the next connection does not hear again are kept, and said in front of its own.

Rules from https://developers.deepgram.com/docs/flux/state and
https://developers.deepgram.com/docs/understanding-end-of-speech-detection; the shapes are those of deepgram-sdk 7.17.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from flowengine.call.ports import Heard
from flowengine.errors import ProviderError

NAME = "deepgram"


class _Kind(msgspec.Struct):
    type: str


class _Word(msgspec.Struct):
    word: str
    start: float | None = None
    end: float | None = None
    confidence: float = 1.0
    punctuated_word: str | None = None


class _TurnInfo(msgspec.Struct):
    event: str
    audio_window_start: float
    audio_window_end: float
    transcript: str
    words: list[_Word] = []


class _Alternative(msgspec.Struct):
    transcript: str
    confidence: float = 1.0
    words: list[_Word] = []


class _Channel(msgspec.Struct):
    alternatives: list[_Alternative] = []


class _Results(msgspec.Struct):
    start: float
    duration: float
    channel: _Channel
    is_final: bool = False
    from_finalize: bool = False


class _SpeechStarted(msgspec.Struct):
    timestamp: float


_KIND = msgspec.json.Decoder(_Kind)
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "TurnInfo": msgspec.json.Decoder(_TurnInfo),
    "Results": msgspec.json.Decoder(_Results),
    "SpeechStarted": msgspec.json.Decoder(_SpeechStarted),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its ``type``, and what it says where we need that."""

    type: str
    body: Any = None


def decoded(data: bytes) -> Message:
    """Read a message by its `type` alone; raises ``ProviderError`` (``garbage``) for what is none."""
    try:
        kind = _KIND.decode(data).type
        decoder = _DECODERS.get(kind)
        return Message(kind, decoder.decode(data) if decoder is not None else None)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProviderError(NAME, "garbage", retryable=True, detail="a message that is none") from None


@dataclass(frozen=True, slots=True)
class _Placed:
    """A word with its place in the stream, in seconds."""

    text: str
    began: float | None
    ended: float | None
    confidence: float


class Hearing(Protocol):
    """What one stream was told so far.

    ``turns``: ends of turns are told; ``open``: the server has begun something that it must end; ``due``: it shall be
    asked for final words now; ``told``: seconds of the stream up to which everything is told for good; ``refused``
    counts what the server did not want of us.
    """

    turns: bool
    open: bool
    due: bool
    told: float
    refused: int

    def take(self, message: Message) -> list[Heard]:
        """Take the next message; raises ``ProviderError`` where it is an error of the server."""

    def lost(self) -> list[Heard]:
        """The connection is gone."""

    def again(self, began: float) -> list[Heard]:
        """A new connection hears the stream from ``began`` on."""

    def nothing(self) -> list[Heard]:
        """The new connection has heard all that there is, and knows of nothing."""


When = Callable[[float], float]
"""Seconds of a connection's audio -> seconds of the stream's."""


class _Known:
    """The words that connections which are gone have told of what is still open, in their order."""

    def __init__(self) -> None:
        self.words: list[_Placed] = []

    def add(self, words: list[_Placed]) -> None:
        """A connection is gone which told these: where it heard anything again, it knows better than those before."""
        placed = [word for word in words if word.began is not None and word.ended is not None]
        if placed:
            first, last = placed[0].began or 0.0, placed[-1].ended or 0.0
            before = [word for word in self.words if (word.ended or 0.0) <= first]
            after = [word for word in self.words if (word.began or 0.0) >= last]
            self.words = [*before, *placed, *after]

    def before(self, moment: float) -> list[_Placed]:
        """Those that have ended by a moment of the stream."""
        return [word for word in self.words if (word.ended or 0.0) <= moment]


class Turns:
    """``Hearing`` of Flux. The end of a turn has exactly the words of the last likely end."""

    turns = True

    def __init__(self, when: When) -> None:
        self.open = False
        self.due = False
        self.told = 0.0
        self.refused = 0
        self._when = when
        self._words: list[_Placed] = []
        self._known = _Known()
        self._kept: list[_Placed] = []  # of the known ones, those that will not be heard again
        self._going = False  # a turn was begun; also one of a connection that is gone
        self._likely = False

    def take(self, message: Message) -> list[Heard]:
        """As ``Hearing.take``."""
        if message.type == "TurnInfo":
            return self._turn(message.body)
        if message.type == "Error":
            raise ProviderError(NAME, "unavailable", retryable=True, detail="an error of the server")
        self.refused += message.type in ("ConfigureFailure", "Warning")
        return []

    def _turn(self, info: _TurnInfo) -> list[Heard]:
        if info.event == "StartOfTurn":
            begun = [] if self._going else [Heard("started", "", self._when(info.audio_window_start))]
            self.open = self._going = True
            return begun + self._said("interim", info)
        if info.event == "Update":
            return self._said("interim", info) if self.open else []
        if info.event == "EagerEndOfTurn":
            self._likely = True
            return self._said("likely_end", info)
        if info.event == "TurnResumed":
            self._likely = False
            return [Heard("resumed")]
        if info.event == "EndOfTurn":
            ended = self._said("end", info) or [Heard("end", "", None, self._when(info.audio_window_end))]
            self._over(self._when(info.audio_window_end))
            return ended
        return []

    def _said(self, kind: Any, info: _TurnInfo) -> list[Heard]:
        self._words = _placed(info.words, self._when)
        text = " ".join([*(word.text for word in self._kept), info.transcript]).strip()
        return [_heard(kind, text, [*self._kept, *self._words])] if text else []

    def _over(self, told: float) -> None:
        self.open = self._going = self._likely = False
        self.told = told
        self._words, self._kept, self._known = [], [], _Known()

    def lost(self) -> list[Heard]:
        """As ``Hearing.lost``: of a likely end nobody knows any more."""
        self.open = False
        likely, self._likely = self._likely, False
        return [Heard("resumed")] if likely else []

    def again(self, began: float) -> list[Heard]:
        """As ``Hearing.again``."""
        if self._going:
            self._known.add(self._words)
        self._kept = self._known.before(began)
        self._words = []
        return []

    def nothing(self) -> list[Heard]:
        """As ``Hearing.nothing``: the turn was over while nobody heard it; its words are told for good with that."""
        if self.open or not self._going:
            return []
        known = self._known.words
        self._over(max([self.told, *(word.ended for word in known if word.ended is not None)]))
        return [_heard("end", " ".join(word.text for word in known), known)] if known else []


class Words:
    """``Hearing`` of nova-3, which in noise may end an utterance without making its words final."""

    turns = False

    def __init__(self, when: When) -> None:
        self.open = False
        self.told = 0.0
        self.refused = 0
        self.due = False
        self._when = when
        self._words: list[_Placed] = []  # of the last interim result
        self._known = _Known()

    def take(self, message: Message) -> list[Heard]:
        """As ``Hearing.take``."""
        if message.type == "Results":
            return self._results(message.body)
        if message.type == "SpeechStarted":
            return [Heard("started", "", self._when(message.body.timestamp))]
        if message.type == "UtteranceEnd":
            self.due = self.open
        # Its errors are about a text of ours that it could not read: the stream goes on.
        self.refused += message.type in ("ConfigureFailure", "Error")
        return []

    def _results(self, results: _Results) -> list[Heard]:
        found = results.channel.alternatives[0] if results.channel.alternatives else _Alternative("")
        words = _placed(found.words, self._when)
        if not results.is_final:
            self.open = bool(found.transcript)
            self._words = words
            return [_heard("interim", found.transcript, words)] if found.transcript else []
        self.open = self.due = False
        self._words, self._known = [], _Known()
        self.told = self._when(results.start + results.duration)
        if found.transcript:
            return [_heard("final", found.transcript, words, found.confidence)]
        # Nothing was said in what we asked for.
        return [Heard("final", "", self._when(results.start), self.told, 0.0)] if results.from_finalize else []

    def lost(self) -> list[Heard]:
        """As ``Hearing.lost``."""
        self.open = self.due = False
        return []

    def again(self, began: float) -> list[Heard]:
        """As ``Hearing.again``: what will not be heard again is final."""
        self._known.add(self._words)
        self._words = []
        kept = self._known.before(began)
        self._known.words = self._known.words[len(kept) :]
        return [_heard("final", " ".join(word.text for word in kept), kept)] if kept else []

    def nothing(self) -> list[Heard]:
        """As ``Hearing.nothing``."""
        return []


def _placed(words: list[_Word], when: When) -> list[_Placed]:
    return [
        _Placed(
            word.punctuated_word or word.word,
            when(word.start) if word.start is not None else None,
            when(word.end) if word.end is not None else None,
            word.confidence,
        )
        for word in words
    ]


def _heard(kind: Any, text: str, words: list[_Placed], confidence: float | None = None) -> Heard:
    if confidence is None:
        confidence = sum(word.confidence for word in words) / len(words) if words else 1.0
    began = words[0].began if words else None
    ended = words[-1].ended if words else None
    return Heard(kind, text, began, ended, min(1.0, max(0.0, confidence)))
