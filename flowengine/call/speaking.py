"""Speaking: one prompt at a time from its parts to the playout, and what the caller heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing

from flowengine.audio import mulaw, tones
from flowengine.audio import playout as ledger
from flowengine.call.clock import CallClock
from flowengine.call.voice import RATE, Voice
from flowengine.errors import ProviderError
from flowengine.runtime import events as fact
from flowengine.runtime.effects import PlayPrompt

# So much may be queued ahead of the line before the synthesizer has to wait.
BACKLOG = 10 * RATE
PART_DEADLINE = 10.0
# A key tone and the silence behind it: ITU-T Q.24 asks receivers to take 40 ms each; switches differ, so more.
TONE, GAP, WAIT = 0.1, 0.1, 0.5
SILENCE = b"\xff"
BEEP, BEEP_SECONDS = 1000.0, 0.25  # Hz: what answering machines have


class Speaking:
    """Feeds one stream's playout and turns its facts into the call's."""

    def __init__(
        self,
        playout: ledger.Playout,
        voice: Voice,
        put: Callable[[fact.Event], None],
        spawn: Callable[[Coroutine[object, object, None], str], asyncio.Task[None]],
        kick: Callable[[], None],
        clock: CallClock,
    ) -> None:
        self.playout = playout
        self.prompt: PlayPrompt | None = None
        self._voice = voice
        self._put = put
        self._spawn = spawn
        self._kick = kick
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._keys: dict[str, str] = {}  # key tones that are queued, by their item
        self._beeps: dict[str, Callable[[], None]] = {}  # what follows a beep, by its item
        self._pressed = 0

    def play(self, effect: PlayPrompt) -> None:
        """Begin a prompt. What is at hand is queued in this very tick."""
        self.prompt = effect
        self.playout.begin(effect.prompt)
        at_hand = [self._voice.ready(part) for part in effect.parts]
        if all(audio is not None for audio in at_hand):
            for audio in at_hand:
                self.playout.append(effect.prompt, audio or b"")
            self.playout.finish(effect.prompt)
            self._kick()
        else:
            self._task = self._spawn(self._feed(effect), f"speak {effect.prompt}")

    def press(self, keys: str) -> None:
        """Send key tones to the far end, `w` for half a second of silence; ``KeysSent`` follows what was heard."""
        self._pressed += 1
        item = f"keys.{self._pressed}"
        self._keys[item] = keys
        self.playout.begin(item)
        for key in keys:
            tone = b"" if key == "w" else mulaw.encode(tones.dtmf(key, TONE))
            self.playout.append(item, tone + SILENCE * round((WAIT if key == "w" else GAP) * RATE))
        self.playout.finish(item)
        self._kick()

    def beep(self, over: Callable[[], None]) -> None:
        """Play a short tone; ``over`` is called when it was heard, or cut."""
        self._pressed += 1
        item = f"beep.{self._pressed}"
        self._beeps[item] = over
        self.playout.begin(item)
        self.playout.append(item, mulaw.encode(tones.sine(BEEP, BEEP_SECONDS)))
        self.playout.finish(item)
        self._kick()

    async def _feed(self, effect: PlayPrompt) -> None:
        """Bring the parts to the playout in order; a voice that fails ends the prompt."""
        try:
            for part in effect.parts:
                async with aclosing(self._voice.audio(part)) as chunks:
                    if not await self._queue(effect.prompt, chunks):
                        return
        except (ProviderError, TimeoutError) as error:
            self._failed(effect, error.kind if isinstance(error, ProviderError) else "timeout")
            return
        self.playout.finish(effect.prompt)
        self._kick()

    async def _queue(self, prompt: str, chunks: AsyncGenerator[bytes, None]) -> bool:
        """Queue one part's audio as it comes; False when the prompt was stopped meanwhile."""
        while True:
            async with asyncio.timeout(PART_DEADLINE):
                chunk = await anext(chunks, None)
            if chunk is None:
                return True
            if not self.playout.append(prompt, chunk):
                return False
            self._kick()
            while self.playout.backlog() > BACKLOG:
                self._room.clear()
                # The wheel makes room as long as the line takes audio; the session ends a line that does not.
                await self._room.wait()

    def _failed(self, effect: PlayPrompt, kind: str) -> None:
        if self.prompt is not effect:
            return
        now = self._clock.now()
        heard = self.playout.stop(now, None, items=[effect.prompt]).get(effect.prompt)
        self.prompt = None
        seconds = heard.samples / RATE if heard else 0.0
        self._put(fact.PromptFailed(self._clock.at(now), effect.prompt, seconds, kind))
        self._kick()

    def cut_by(self, key: str, at: float, now: float, carrier_time: float | None) -> fact.PromptInterrupted | None:
        """Stop the prompt if its policy lets this key do it; give the fact that goes before the key's."""
        prompt = self.prompt
        if prompt is None or key not in prompt.policy.keys:
            return None
        policy = prompt.policy
        if key == policy.deaf and at <= policy.deaf_until:
            return None
        if policy.after and self.playout.heard(prompt.prompt, now, carrier_time).samples < policy.after * RATE:
            return None
        heard = self.stop(now, carrier_time)
        return fact.PromptInterrupted(at, prompt.prompt, heard.samples / RATE, heard.estimated)

    def may_be_cut(self, now: float, carrier_time: float | None) -> bool:
        """Say whether the caller's voice may stop what plays, now: not before `after` seconds of it were heard."""
        prompt = self.prompt
        if prompt is None or not prompt.policy.speech:
            return False
        after = prompt.policy.after
        return not after or self.playout.heard(prompt.prompt, now, carrier_time).samples >= after * RATE

    def pause(self, now: float, carrier_time: float | None) -> None:
        """Fall silent in this tick and keep the rest of what plays."""
        self.playout.pause(now, carrier_time)
        self._kick()

    def resume(self, now: float) -> None:
        """Go on from where it was heard."""
        self.playout.resume(now)
        self._kick()

    def cut_by_voice(self, at: float, now: float, carrier_time: float | None) -> fact.PromptInterrupted | None:
        """Stop the prompt because of what the caller says; give the fact of it."""
        if self.prompt is None:
            return None
        prompt = self.prompt.prompt
        heard = self.stop(now, carrier_time)
        return fact.PromptInterrupted(at, prompt, heard.samples / RATE, heard.estimated)

    def stop(self, now: float, carrier_time: float | None) -> ledger.Position:
        """Stop what is playing; the clear goes out in this tick."""
        prompt, self.prompt = self.prompt, None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        positions = self.playout.stop(now, carrier_time)
        self._kick()
        return positions.get(prompt.prompt if prompt else "", ledger.Position(0, estimated=True))

    def made_room(self) -> None:
        """The wheel has sent audio."""
        self._room.set()

    def finished(self, played: ledger.ItemFinished, at: float) -> None:
        """Turn the end of an item into the end of its prompt, or of the keys."""
        if over := self._beeps.pop(played.item, None):
            over()
        if keys := self._keys.pop(played.item, None):
            self._put(fact.KeysSent(at, keys))
        if self.prompt is not None and self.prompt.prompt == played.item:
            self.prompt = None
            self._task = None
            self._put(fact.PromptFinished(at, played.item, played.samples / RATE, played.mark_lost))
