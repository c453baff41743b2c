"""What a simulated phone saw and heard, and the stereo recording of it. All times are seconds since the call began."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flowengine.audio import mulaw
from flowengine.testing.labels import Timeline

RATE = 8000


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Kinds and their data:

    - ``document``: ``url``, ``xml`` · ``said``: ``text`` (spoken by the carrier's voice)
    - ``stream_opened``: ``stream``, ``url`` · ``stream_refused``: ``status`` · ``stream_closed``: ``by`` (``server``,
      ``caller``, ``dropped``), ``code``
    - ``audio_started`` · ``audio_stopped``: ``samples`` played since it started, without a gap
    - ``mark_played``, ``mark_returned`` (by a clear), ``mark_ignored`` (it will never come back): ``name``
    - ``cleared``: ``unplayed`` samples thrown away, ``marks`` outstanding · ``raced``: ``samples`` lost because they
      arrived while a clear was being carried out
    - ``key``: ``digit``, ``played`` (samples of the current run of audio, 0 when quiet) · ``say``: ``seconds``,
      ``text`` (empty where it is not known), ``position`` (sample of the stream's uplink)
    - ``dial``: ``targets``, ``ring``, ``caller_id`` · ``dial_ended``: ``outcome``
    - ``stalled`` (the server took nothing for 10 s) · ``callback_failed``: ``url``, ``status`` (0: no answer)
    - ``wrong``: ``why`` (the server sent what the carrier does not take) · ``hung_up`` · ``ended``: ``reason``
    """

    at: float
    kind: str
    data: dict[str, Any]


@dataclass(slots=True)
class Stretch:
    """Audio without a gap that began at ``at``: µ-law at 8000 Hz."""

    at: float
    audio: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class CallReport:
    """A whole call.

    ``played`` is what came out of the caller's earpiece, ``spoken`` what went into the microphone, one for each stream;
    ``timelines`` say for each stream what the caller said in it, and where. ``end_reason`` is
    ``caller`` (hung up), ``hangup`` (the document said so), ``exhausted`` (the document had no more verbs), ``dropped``
    (by the script, with nothing after it), ``refused STATUS`` or ``no answer`` (the webhook failed), ``bad document``,
    ``too many documents``, ``limit`` (the call took too long). ``failures`` are expectations of the script that did
    not come true; empty means that it went as written.
    """

    call_id: str = ""
    events: list[Event] = field(default_factory=list)
    played: list[Stretch] = field(default_factory=list)
    spoken: list[Stretch] = field(default_factory=list)
    timelines: list[Timeline] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    end_reason: str = ""
    duration: float = 0.0

    def of(self, *kinds: str) -> list[Event]:
        """Return the events of these kinds, in order."""
        return [event for event in self.events if event.kind in kinds]

    def samples(self, side: list[Stretch]) -> NDArray[np.int16]:
        """Return ``played`` or ``spoken`` as one track of the length of the call, silent where nothing was."""
        pieces = [(round(stretch.at * RATE), mulaw.decode(bytes(stretch.audio))) for stretch in side]
        length = max([round(self.duration * RATE), *(start + len(pcm) for start, pcm in pieces)])
        track = np.zeros(length, np.int16)
        for start, pcm in pieces:
            track[start : start + len(pcm)] = pcm
        return track

    def save_wav(self, path: Path) -> None:
        """Write a stereo WAV (PCM 16 bit, 8000 Hz): the caller on the left, what was played to them on the right."""
        left, right = self.samples(self.spoken), self.samples(self.played)
        frames = np.zeros((max(len(left), len(right)), 2), "<i2")
        frames[: len(left), 0] = left
        frames[: len(right), 1] = right
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(frames.tobytes())


class Diary:
    """Writes a report while the call goes on; ``on_event`` sees every event at once."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._zero = self._loop.time()
        self._on_event = on_event
        self.report = CallReport()

    def clock(self) -> float:
        """Return the seconds since the call began."""
        return self._loop.time() - self._zero

    def emit(self, kind: str, **data: Any) -> None:
        """Record an event that happens now."""
        event = Event(self.clock(), kind, data)
        self.report.events.append(event)
        if self._on_event is not None:
            self._on_event(event)


def read_voice(path: Path) -> bytes:
    """Read a WAV file as µ-law; it must be mono at 8000 Hz, PCM 16 bit or µ-law. Raises ``ValueError``."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path}: not a WAV file")
    shape: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            number = [int.from_bytes(body[i : i + n], "little") for i, n in ((0, 2), (2, 2), (4, 4), (14, 2))]
            shape = (number[0], number[1], number[2], number[3])
        elif name == b"data" and shape == (1, 1, RATE, 16):
            return mulaw.encode(np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(np.int16))
        elif name == b"data" and shape == (7, 1, RATE, 8):
            return body
        at += 8 + size + size % 2
    raise ValueError(f"{path}: need mono, {RATE} Hz, PCM 16 bit or µ-law; it has (format, channels, Hz, bits) {shape}")
