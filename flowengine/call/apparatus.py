"""What a stream hears, speaks, records and runs with: its parts, tied together, and which effect goes to which."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from flowengine.audio.playout import Playout
from flowengine.call.clock import CallClock
from flowengine.call.engine import Engine
from flowengine.call.listening import Listening
from flowengine.call.ports import Usage
from flowengine.call.prices import summed
from flowengine.call.recording import Recorder
from flowengine.call.replying import Replying, Turn
from flowengine.call.running import Running
from flowengine.call.speaking import Speaking
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter


class Apparatus:
    """See the module. ``put`` takes facts, ``note`` what is for the trace; ``kick`` moves audio now."""

    def __init__(
        self,
        engine: Engine,
        call: str,
        interpreter: Interpreter,
        clock: CallClock,
        playout: Playout,
        put: Callable[[fact.Event], None],
        note: Callable[[str, dict[str, Any]], None],
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
        kick: Callable[[], None],
    ) -> None:
        self.turns: list[Turn] = []  # what models' answers took and used
        self._spoken: list[Usage] = []  # by its vendor
        self._engine = engine
        self._interpreter = interpreter
        self._clock = clock
        self._put = put
        self._note = note
        self._spawn = spawn
        self.speaking = Speaking(playout, engine.voice, put, spawn, kick, clock, self._spoke)
        self.listening = (
            Listening(call, engine.ears, engine.transcriber, self.speaking, clock, put, note, spawn, self._think_ahead)
            if engine.ears
            else None
        )
        self.recorder = Recorder(call, engine.recordings, self.speaking, clock, put, engine.spawn)
        self.replying = Replying(
            engine.models, engine.voice, self.speaking, clock, put, spawn, self._caller_quiet, self._turned, self._spoke
        )
        self._running = Running(engine, call, self._tool_ended)
        self._warmed = not engine.models

    @property
    def counts(self) -> Counter[str]:
        """What was odd in what was heard, by kind."""
        return self.listening.counts if self.listening else Counter()

    def used(self) -> list[Usage]:
        """Give what this stream has used of its vendors: words heard, words spoken, and what models read and wrote."""
        found = [one for turn in self.turns for one in turn.used()]
        heard = self.listening.used() if self.listening is not None else []
        return summed([*found, *self._spoken, *heard])

    def take(self, audio: bytes, now: float, carrier_time: float | None) -> None:
        """Take the caller's µ-law audio."""
        if self.listening is not None:
            self.listening.take(audio, now, carrier_time)
        self.recorder.take(audio, now)

    def sent(self, audio: bytes) -> None:
        """Audio of ours was handed to the carrier."""
        if self.listening is not None:
            self.listening.sent(audio)

    def tick(self, now: float) -> None:
        """Time has passed; called by the pacing wheel."""
        if self.listening is not None:
            self.listening.tick(now)
            self.recorder.tick(now, self.listening.voice_at)

    def warm(self) -> None:
        """Once: while the first words are spoken the model's connection is opened, and its cache filled."""
        if not self._warmed and (asks := self._interpreter.rehearse()) is not None:
            self._spawn(self.replying.warm(asks), "warm")
        self._warmed = True

    def close(self) -> None:
        """The stream is over."""
        self.replying.close()
        if self.listening is not None:
            self.listening.close()
        self._running.leave()

    def carry_out(self, effect: wish.Effect, carrier_time: float | None) -> bool:
        """Carry out an effect; False for one that is none of ours: it ends the stream, or is for the trace."""
        now = self._clock.now()
        match effect:
            case wish.PlayPrompt():
                self.speaking.play(effect)
            case wish.StopPrompt():
                if self.speaking.prompt is not None and self.speaking.prompt.id == effect.prompt:
                    self.speaking.stop(now, carrier_time)
            case wish.Listen():
                if self.listening is not None:
                    self.listening.expect(effect)
            case wish.Ask():
                self.replying.ask(effect)
            case wish.CancelReply():
                self.replying.cancel(effect.reply, now, carrier_time)
            case wish.Record():
                self.recorder.begin(effect)
            case wish.StopRecording():
                self.recorder.stop(effect, now)
            case wish.PressKeys():
                self.speaking.press(effect.keys)
            case wish.RunTool():
                self._running.run(effect, last=self._interpreter.ended)
            case wish.CancelTool():
                self._running.cancel(effect.run)
            case _:
                return False
        return True

    def _tool_ended(self, run: str, result: Any, error: str) -> None:
        self._put(fact.ToolFinished(self._clock.at(), run, result, error))

    def _think_ahead(self, text: str) -> None:
        """Ask the model already when the turn is likely over, if nothing plays; an empty text says that it is not."""
        self.replying.think_again()
        if not text or self.speaking.prompt is not None or not self._engine.models:
            return
        at = self._clock.at()
        for effect in self._interpreter.imagine(fact.UtteranceEnded(at, text, at)):
            if isinstance(effect, wish.Ask):
                self.replying.think_ahead(effect)

    async def _caller_quiet(self) -> None:
        if self.listening is not None:
            await self.listening.quiet.wait()

    def _spoke(self, used: Usage) -> None:
        self._spoken = summed([*self._spoken, used])

    def _turned(self, turn: Turn) -> None:
        self.turns.append(turn)
        self._note("turn", {"reply": turn.reply, **turn.stages()})
