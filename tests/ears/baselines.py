"""Simple listeners to compare an engine's ears with: a detector, a rule of thumb, and the keys that the engine has.

A baseline is an engine without ears behind a switchboard that listens for it. Speech over a prompt presses key 1, which
stops it; speech while nothing plays presses key 1 when it has been quiet for 700 ms, which answers it. So the stop and
the answer go through the same engine and the same wire as everybody else's, and only the decision differs.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from flowengine.audio.level import mulaw_dbfs
from flowengine.call.ports import VoiceDetector
from flowengine.server.media import Receive, Send
from flowengine.server.run import Application, Ports
from flowengine.settings import Settings
from tests.ears.driver import System, TimelineOf

RATE = 8000
ENERGY = -40.0  # dBFS
ENERGY_LASTS = 0.2  # seconds
PROBABLE = 0.5
ENDS = 0.7
"""Seconds of quiet that end what a caller says."""

_KEY = json.dumps({"event": "dtmf", "dtmf": {"digit": "1"}})
_LATE = 0.1  # seconds for which a prompt still counts as heard after it was sent


class Energy:
    """The port ``VoiceDetector`` by loudness: windows of 20 ms, speech from -40 dBFS on."""

    window = 160

    async def start(self) -> None:
        """Nothing to start."""

    def fresh(self) -> None:
        """It remembers nothing."""

    def detect(self, windows: Sequence[bytes], states: Sequence[Any]) -> tuple[list[float], list[Any]]:
        """Give 1.0 for what is loud and 0.0 for what is not."""
        return [float(mulaw_dbfs(window) >= ENERGY) for window in windows], list(states)


def baseline(detector: Callable[[], VoiceDetector], lasts: float) -> System:
    """Give a system that takes windows of speech of together ``lasts`` seconds (0: a single one) for the caller."""

    def system(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
        return _Switchboard(settings, ports, detector(), lasts)

    return system


energy = baseline(Energy, ENERGY_LASTS)


class _Switchboard(Application):
    """The application, with a listener on each stream of Twilio's dialect."""

    def __init__(self, settings: Settings, ports: Ports, detector: VoiceDetector, lasts: float) -> None:
        super().__init__(settings, ports)
        self._detector = detector
        self._lasts = lasts

    async def start(self) -> None:
        await self._detector.start()
        await super().start()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            listener = _Listener(self._detector, self._lasts, receive, send)
            await super().__call__(scope, listener.receive, listener.send)
        else:
            await super().__call__(scope, receive, send)


class _Listener:
    """One stream: what comes in is listened to, what goes out tells whether a prompt is playing."""

    def __init__(self, detector: VoiceDetector, lasts: float, receive: Receive, send: Send) -> None:
        self._detector = detector
        self._needed = max(1, round(lasts * RATE / detector.window))
        self._receive = receive
        self._send = send
        self._state = detector.fresh()
        self._heard = bytearray()
        self._pressed: deque[MutableMapping[str, Any]] = deque()
        self._loud = 0  # windows of speech in a row
        self._quiet = 0.0
        self._speaking = False
        self._answers = False  # the end of what is being said is to be answered
        self._plays_until = 0.0

    async def receive(self) -> MutableMapping[str, Any]:
        """Give the next message of the carrier, or a key that the listener presses."""
        if self._pressed:
            return self._pressed.popleft()
        message = await self._receive()
        for frame in _frames(message, "media"):
            self._heard += base64.b64decode(frame["media"]["payload"])
            while len(self._heard) >= self._detector.window:
                self._window(bytes(self._heard[: self._detector.window]))
                del self._heard[: self._detector.window]
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take what the engine sends."""
        now = asyncio.get_running_loop().time()
        for frame in _frames(message, "media"):
            seconds = len(base64.b64decode(frame["media"]["payload"])) / RATE
            self._plays_until = max(self._plays_until, now) + seconds
        for _ in _frames(message, "clear"):
            self._plays_until = now
        await self._send(message)

    def _window(self, audio: bytes) -> None:
        (probability,), (self._state,) = self._detector.detect([audio], [self._state])
        if probability >= PROBABLE:
            self._loud, self._quiet = self._loud + 1, 0.0
            if self._loud == self._needed and not self._speaking:
                self._speaking = True
                playing = asyncio.get_running_loop().time() < self._plays_until + _LATE
                self._answers = not playing
                if playing:
                    self._press()
            return
        self._loud, self._quiet = 0, self._quiet + len(audio) / RATE
        if self._speaking and self._quiet >= ENDS:
            self._speaking = False
            if self._answers:
                self._press()

    def _press(self) -> None:
        self._pressed.append({"type": "websocket.receive", "text": _KEY})


def _frames(message: MutableMapping[str, Any], event: str) -> list[dict[str, Any]]:
    text = message.get("text")
    frame = json.loads(text) if text and f'"{event}"' in text else {}
    return [frame] if frame.get("event") == event else []
