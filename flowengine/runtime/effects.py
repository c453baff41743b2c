"""Wishes: what a call wants of the world. Imperatives; the shell carries them out and answers with facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Speech:
    """Words for the voice. ``constant`` words may be cached on disk; ``shown`` is what the trace says instead."""

    text: str
    voice: str
    lang: str
    rate: float
    constant: bool
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A file beside the flow, with the words to speak when it can not be played."""

    file: str
    words: Speech | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence, in seconds."""

    seconds: float


Part = Speech | Recording | Pause


@dataclass(frozen=True, slots=True)
class Policy:
    """What may stop this prompt: ``keys`` are the keys that do, after ``after`` seconds of it.

    ``deaf`` is a key that does not until ``deaf_until`` (on the call's clock): an end key that comes a moment too late.
    """

    keys: str
    after: float = 0.0
    deaf: str = ""
    deaf_until: float = 0.0


@dataclass(frozen=True, slots=True)
class PlayPrompt:
    """Play these parts without a gap, behind nothing: at most one prompt is on at a time."""

    prompt: str
    node: str
    parts: tuple[Part, ...]
    policy: Policy


@dataclass(frozen=True, slots=True)
class StopPrompt:
    """Stop a prompt that a timer or an end has overtaken."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller over; the stream ends. ``ring`` and ``max`` in seconds; ``mode`` is `dial` or `blind`."""

    number: str
    mode: str
    ring: float
    caller_id: str | None
    max: float | None


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call at the carrier, after what was played has been heard."""

    reason: str


@dataclass(frozen=True, slots=True)
class SaveSnapshot:
    """Journal the state: at a node's entry and before each side effect."""

    node: str


@dataclass(frozen=True, slots=True)
class EndCall:
    """The call is over; ``reason`` is from the closed list of ended reasons. The last effect of every call."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """For the trace only: why something happened or did not."""

    what: str
    data: Mapping[str, Any] = field(default_factory=dict)


Effect = PlayPrompt | StopPrompt | Transfer | HangUp | SaveSnapshot | EndCall | Note
