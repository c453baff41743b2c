"""Recording the caller: a beep, the caller's audio until silence, a key or the longest time, and a file of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from flowengine.call.clock import CallClock
from flowengine.call.ports import RecordingStore
from flowengine.call.speaking import Speaking
from flowengine.call.voice import RATE
from flowengine.errors import RemoteError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact

AFTER = 0.5
"""Seconds of the silence that ends a recording that stay in it."""


class Recorder:
    """The recordings of one stream, one at a time. ``spawn`` runs what outlives the call: a file that is written."""

    def __init__(
        self,
        call: str,
        store: RecordingStore | None,
        speaking: Speaking,
        clock: CallClock,
        put: Callable[[fact.Event], None],
        spawn: Callable[[Coroutine[Any, Any, Any], str], object],
    ) -> None:
        self._call = call
        self._store = store
        self._speaking = speaking
        self._clock = clock
        self._put = put
        self._spawn = spawn
        self._effect: wish.Record | None = None
        self._audio = bytearray()
        self._began: float | None = None  # None while the beep is on
        self._came = 0.0  # when the last audio came
        self._voice: float | None = None  # when there was voice last

    def begin(self, effect: wish.Record) -> None:
        """Record, after a beep where one is wanted."""
        self._effect = effect
        self._audio.clear()
        self._began = self._voice = None
        if effect.beep:
            self._speaking.beep(lambda: self._start(effect))
        else:
            self._start(effect)

    def _start(self, effect: wish.Record) -> None:
        if self._effect is effect:
            self._began = self._came = self._clock.now()

    def take(self, audio: bytes, now: float) -> None:
        """Take the caller's µ-law audio."""
        if self._effect is None or self._began is None:
            return
        room = round(self._effect.max * RATE) - len(self._audio)
        self._audio += audio[:room]
        self._came = now
        if room <= len(audio):
            self._finish(self._effect, now)

    def tick(self, now: float, voice: float) -> None:
        """Time has passed; ``voice`` is when somebody spoke last."""
        if self._effect is None or self._began is None:
            return
        if voice > self._began:
            self._voice = voice
        quiet = now - (self._began if self._voice is None else self._voice)
        if quiet >= self._effect.silence or now - self._began >= self._effect.max:
            self._finish(self._effect, now)

    def stop(self, effect: wish.StopRecording, now: float) -> None:
        """End it now: a key was pressed, or the node was left and nobody wants it."""
        if self._effect is None or self._effect.recording != effect.recording:
            return
        if effect.keep:
            self._finish(self._effect, now)
        else:
            self._effect = None
            self._audio.clear()

    def hung_up(self) -> None:
        """The caller is gone: what was said until then is kept, and told before the hang-up."""
        if self._effect is not None:
            self._finish(self._effect, self._came, gone=True)

    def _finish(self, effect: wish.Record, now: float, *, gone: bool = False) -> None:
        spoken, self._effect = self._voice, None
        at = self._clock.at(now)
        if spoken is None or self._store is None:
            self._put(fact.RecordingFinished(at, effect.recording, "", 0.0))
            return
        unwanted = max(0.0, self._came - spoken - AFTER)
        audio = bytes(self._audio[: len(self._audio) - round(unwanted * RATE)])
        name = f"{self._call}.{effect.recording}"
        if gone:
            # Nobody waits for the file any more: its address is known before it is written.
            address = self._store.address(name)
            self._spawn(self._store.put(name, audio), f"recording {name}")
            self._put(fact.RecordingFinished(at, effect.recording, address, len(audio) / RATE))
        else:
            self._spawn(self._keep(effect, name, audio), f"recording {name}")

    async def _keep(self, effect: wish.Record, name: str, audio: bytes) -> None:
        if self._store is None:
            return
        try:
            address = await self._store.put(name, audio)
        except RemoteError:
            # The disk took nothing: to the flow it is as if nothing had been said.
            self._put(fact.RecordingFinished(self._clock.at(), effect.recording, "", 0.0))
            raise
        self._put(fact.RecordingFinished(self._clock.at(), effect.recording, address, len(audio) / RATE))
