"""Speaking: one prompt at a time from its parts to the playout, and what the caller heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass

from flowengine.audio import mulaw, tones
from flowengine.audio import playout as ledger
from flowengine.call.clock import CallClock
from flowengine.call.voice import RATE, Meter, Voice
from flowengine.errors import ProviderError
from flowengine.runtime import events as fact
from flowengine.runtime.effects import PlayPrompt, Policy

# So much may be queued ahead of the line before the synthesizer has to wait.
BACKLOG = 10 * RATE
PART_DEADLINE = 10.0
# A key tone and the silence behind it: ITU-T Q.24 asks receivers to take 40 ms each; switches differ, so more.
TONE, GAP, WAIT = 0.1, 0.1, 0.5
SILENCE = b"\xff"
BEEP, BEEP_SECONDS = 1000.0, 0.25  # Hz: what answering machines have


@dataclass(frozen=True, slots=True)
class Playing:
    """What is on, a prompt or a model's ``answer``: its id, what may cut it, and the facts of its ends.

    ``interrupted`` is given the call's time and how much was heard, ``finished`` the time and the end of its item.
    """

    id: str
    policy: Policy
    interrupted: Callable[[float, ledger.Position], fact.Event]
    finished: Callable[[float, ledger.ItemFinished], fact.Event]
    answer: bool = False


def _prompt(effect: PlayPrompt) -> Playing:
    def interrupted(at: float, heard: ledger.Position) -> fact.Event:
        return fact.PromptInterrupted(at, effect.prompt, heard.samples / RATE, heard.estimated)

    def finished(at: float, played: ledger.ItemFinished) -> fact.Event:
        return fact.PromptFinished(at, effect.prompt, played.samples / RATE, played.mark_lost)

    return Playing(effect.prompt, effect.policy, interrupted, finished)


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
        meter: Meter,
    ) -> None:
        self.playout = playout
        self.prompt: Playing | None = None
        self._voice = voice
        self._put = put
        self._spawn = spawn
        self._kick = kick
        self._clock = clock
        self._meter = meter
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._keys: dict[str, str] = {}  # key tones that are queued, by their item
        self._beeps: dict[str, Callable[[], None]] = {}  # what follows a beep, by its item
        self._pressed = 0

    def play(self, effect: PlayPrompt) -> None:
        """Begin a prompt. What is at hand is queued in this very tick."""
        self.begin(_prompt(effect))
        at_hand = [self._voice.ready(part) for part in effect.parts]
        if all(audio is not None for audio in at_hand):
            for audio in at_hand:
                self.playout.append(effect.prompt, audio or b"")
            self.playout.finish(effect.prompt)
            self._kick()
        else:
            self._task = self._spawn(self._feed(effect), f"speak {effect.prompt}")

    def begin(self, playing: Playing) -> None:
        """Begin something whose audio comes by ``append`` and ends with ``end``."""
        self.prompt = playing
        self.playout.begin(playing.id)

    async def append(self, item: str, audio: bytes) -> None:
        """Queue audio of what has begun; waits while there is enough ahead of the line."""
        self.playout.append(item, audio)
        self._kick()
        await self._make_room()

    def end(self, item: str) -> None:
        """No more audio of it comes."""
        self.playout.finish(item)
        self._kick()

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
                async with aclosing(self._voice.audio(part, self._meter)) as chunks:
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
            await self._make_room()

    async def _make_room(self) -> None:
        while self.playout.backlog() > BACKLOG:
            self._room.clear()
            # The wheel makes room as long as the line takes audio; the session ends a line that does not.
            await self._room.wait()

    def _failed(self, effect: PlayPrompt, kind: str) -> None:
        if self.prompt is None or self.prompt.id != effect.prompt:
            return
        now = self._clock.now()
        heard = self.playout.stop(now, None, items=[effect.prompt]).get(effect.prompt)
        self.prompt = None
        seconds = heard.samples / RATE if heard else 0.0
        self._put(fact.PromptFailed(self._clock.at(now), effect.prompt, seconds, kind))
        self._kick()

    def cut_by(self, key: str, at: float, now: float, carrier_time: float | None) -> fact.Event | None:
        """Stop the prompt if its policy lets this key do it; give the fact that goes before the key's."""
        prompt = self.prompt
        if prompt is None or key not in prompt.policy.keys:
            return None
        policy = prompt.policy
        if key == policy.deaf and at <= policy.deaf_until:
            return None
        if policy.after:
            heard = self.playout.heard(prompt.id, now, carrier_time).samples
            # An answer of which nothing was heard may be broken off: its first words are not there to be protected.
            if heard < policy.after * RATE and (heard or not prompt.answer):
                return None
        return prompt.interrupted(at, self.stop(now, carrier_time))

    def may_be_cut(self, now: float, carrier_time: float | None) -> bool:
        """Say whether the caller's voice may stop what plays, now.

        Not before `after` seconds of it were heard; nor an answer of which nothing was: it is asked for anew (case 20).
        """
        prompt = self.prompt
        if prompt is None or not prompt.policy.speech:
            return False
        after = prompt.policy.after
        if not after and not prompt.answer:
            return True
        heard = self.playout.heard(prompt.id, now, carrier_time).samples
        return heard > 0 and heard >= after * RATE

    def pause(self, now: float, carrier_time: float | None) -> None:
        """Fall silent in this tick and keep the rest of what plays."""
        self.playout.pause(now, carrier_time)
        self._kick()

    def resume(self, now: float) -> None:
        """Go on from where it was heard."""
        self.playout.resume(now)
        self._kick()

    def cut_by_voice(self, at: float, now: float, carrier_time: float | None) -> fact.Event | None:
        """Stop what plays because of what the caller says; give the fact of it."""
        prompt = self.prompt
        return prompt.interrupted(at, self.stop(now, carrier_time)) if prompt is not None else None

    def stop(self, now: float, carrier_time: float | None) -> ledger.Position:
        """Stop what is playing; the clear goes out in this tick."""
        prompt, self.prompt = self.prompt, None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        positions = self.playout.stop(now, carrier_time)
        self._kick()
        return positions.get(prompt.id if prompt else "", ledger.Position(0, estimated=True))

    def made_room(self) -> None:
        """The wheel has sent audio."""
        self._room.set()

    def finished(self, played: ledger.ItemFinished, at: float) -> None:
        """Turn the end of an item into the end of its prompt, or of the keys."""
        if over := self._beeps.pop(played.item, None):
            over()
        if keys := self._keys.pop(played.item, None):
            self._put(fact.KeysSent(at, keys))
        prompt = self.prompt
        if prompt is not None and prompt.id == played.item:
            self.prompt = None
            self._task = None
            self._put(prompt.finished(at, played))
