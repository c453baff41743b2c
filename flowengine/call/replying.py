"""A model's answer, from the request to what the caller heard of it, each stage streaming into the next.

Theory of operation. ``_think`` reads the model: words become clauses (``runtime/clauses``), calls of tools and exits
become facts at once, so that a tool runs while the words before it are spoken. ``_speak`` turns one clause after
another into audio and queues it as one item of the playout, which is open as long as the answer is under way. The
item's end is the answer's end; its position, by the words' times where the voice tells them, is what was heard. Whoever
cuts the answer (a key, a voice, the interpreter) stops both tasks in that very tick, so that nothing more of it comes.

What fails before the first word is the model's failure; after it the words that are there are spoken to their end, and
the failure is told with what was heard. A voice that fails twice in a clause ends the answer in the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from flowengine.audio import playout as ledger
from flowengine.audio.position import GRAIN
from flowengine.call.ahead import Ahead, used
from flowengine.call.clock import CallClock
from flowengine.call.ports import (
    Answer,
    Called,
    LanguageModel,
    ModelRequest,
    ModelTool,
    Said,
    SpeechRequest,
    SpokenWord,
    Usage,
)
from flowengine.call.speaking import Playing, Speaking
from flowengine.call.voice import RATE, Meter, Voice
from flowengine.errors import ProviderError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.clauses import LETTER, Clauses, heard_of

WAITING = 64  # clauses that wait to be spoken: then the model has to
WARM = 5.0  # seconds that getting ready may take
CLAUSE = 10.0  # seconds that the next audio of a clause may take
FILLER = 2.0  # and that of a filler
POLITE = 2.5  # seconds for which an answer that is ready waits for a voice to stop

Spawn = Callable[[Coroutine[object, object, None], str], asyncio.Task[None]]


@dataclass(slots=True)
class _Clause:
    """A piece of the answer in its item: where its audio begins, how long it is, and its words' times."""

    text: str
    begin: int
    samples: int = 0
    whole: bool = False  # all of its audio has come
    words: list[tuple[str, float, float]] = field(default_factory=list)


@dataclass(slots=True)
class Turn:
    """When the stages of an answer were reached, in seconds after it was asked for; None where they were not."""

    reply: str
    word: float | None = None
    clause: float | None = None
    audio: float | None = None
    answer: Answer | None = None

    def used(self) -> list[Usage]:
        """Give what it used so far."""
        return used(self.answer) if self.answer is not None else []

    def stages(self) -> dict[str, float]:
        """Give the times by stage: the model's first word, its first clause, the first audio of the voice."""
        named = {"word": self.word, "clause": self.clause, "audio": self.audio}
        return {name: round(seconds, 4) for name, seconds in named.items() if seconds is not None}


class Replying:
    """The answers of one stream, one at a time.

    ``quiet`` waits until the caller does not speak, ``turned`` takes what an answer took and used, when it is over.
    """

    def __init__(
        self,
        models: Mapping[str, LanguageModel],
        voice: Voice,
        speaking: Speaking,
        clock: CallClock,
        put: Callable[[fact.Event], None],
        spawn: Spawn,
        quiet: Callable[[], Coroutine[object, object, None]],
        turned: Callable[[Turn], None],
        meter: Meter,
    ) -> None:
        self._models = models
        self._voice = voice
        self._speaking = speaking
        self._clock = clock
        self._put = put
        self._spawn = spawn
        self._quiet = quiet
        self._turned = turned
        self._meter = meter
        self._reply: _Reply | None = None
        self._ahead: Ahead | None = None

    def _model(self, name: str) -> LanguageModel | None:
        return self._models.get(name) or self._models.get("default") or next(iter(self._models.values()), None)

    def think_ahead(self, effect: wish.Ask) -> None:
        """Ask already what will be asked if the caller's turn is over."""
        self.think_again()
        model = self._model(effect.model)
        if model is not None:
            self._ahead = Ahead(model, _request(effect), self._spawn)

    async def warm(self, effect: wish.Ask) -> None:
        """Let the model get ready for what a call is going to ask."""
        model = self._model(effect.model)
        if model is not None:
            with suppress(ProviderError, TimeoutError):
                async with asyncio.timeout(WARM):
                    await model.warm(_request(effect))

    def think_again(self) -> None:
        """The turn is not over: what was asked ahead is not wanted."""
        if self._ahead is not None:
            self._drop(self._ahead)
            self._ahead = None

    def _drop(self, ahead: Ahead) -> None:
        """What it used is paid for all the same."""
        ahead.drop()
        self._turned(Turn("", answer=ahead))

    def ask(self, effect: wish.Ask) -> None:
        """Ask a model, and speak what it answers."""
        model = self._model(effect.model)
        if model is None:
            self._put(fact.ReplyFailed(self._clock.at(), effect.reply, "unavailable"))
            return
        ahead, self._ahead = self._ahead, None
        if ahead is not None and not ahead.fits(model, _request(effect)):
            self._drop(ahead)
            ahead = None
        reply = self._reply = _Reply(self, effect, model, ahead)
        self._speaking.begin(Playing(effect.reply, effect.policy, reply.interrupted, reply.finished, answer=True))
        reply.tasks = [
            self._spawn(reply.think(), f"think {effect.reply}"),
            self._spawn(reply.speak(), f"speak {effect.reply}"),
        ]

    def close(self) -> None:
        """Nobody hears an answer any more: what is under way ends, and what it used is told."""
        self.think_again()
        if self._reply is not None:
            self._reply.stop()

    def cancel(self, reply: str, now: float, carrier_time: float | None) -> None:
        """Stop an answer that the interpreter wants no more."""
        if self._reply is not None and self._reply.effect.reply == reply:
            self._reply.stop()
            if self._speaking.prompt is not None and self._speaking.prompt.id == reply:
                told = self._reply.interrupted(self._clock.at(now), self._speaking.stop(now, carrier_time))
                if told.text:
                    self._put(told)


class _Reply:
    """One answer."""

    def __init__(self, owner: Replying, effect: wish.Ask, model: LanguageModel, ahead: Ahead | None) -> None:
        self.effect = effect
        self._ahead = ahead
        self.tasks: list[asyncio.Task[None]] = []
        self._owner = owner
        self._model = model
        self._acts = _acts(effect)
        self._clauses = Clauses(effect.lang)
        self._said: list[_Clause] = []
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._samples = 0
        self._failed = ""
        self._mute = False  # it is the voice that failed
        self._begun = False
        self._heard = False
        self._over = False
        self._asked = owner._clock.now()
        self._turn = Turn(effect.reply)

    # --- the model

    async def think(self) -> None:
        """Read the model's answer to its end."""
        asked = self._ahead.taken() if self._ahead is not None else self._model.answer(_request(self.effect))
        try:
            async with asked as answer:
                self._turn.answer = answer
                async for part in answer:
                    await self._take(part)
        except (ProviderError, TimeoutError) as error:
            self._failed = error.kind if isinstance(error, ProviderError) else "timeout"
            if not self._begun:
                self._broken()
                return
        for clause in self._clauses.finish():
            await self._queue.put(clause)
        await self._queue.put(None)

    async def _take(self, part: Said | Called) -> None:
        if isinstance(part, Said):
            if not part.text:
                return
            self._start()
            if self.effect.silent:
                return
            for clause in self._clauses.push(part.text):
                await self._queue.put(clause)
            return
        self._start()
        name = part.name
        kind, own = self._acts[name][1:] if name in self._acts else ("tool", name)
        at = self._owner._clock.at()
        self._owner._put(fact.ReplyActed(at, self.effect.reply, kind, own, part.id, dict(part.args)))

    def _start(self) -> None:
        if not self._begun:
            self._begun = True
            self._turn.word = self._since()
            self._owner._put(fact.ReplyStarted(self._owner._clock.at(), self.effect.reply))

    def _since(self) -> float:
        return self._owner._clock.now() - self._asked

    # --- the voice

    async def speak(self) -> None:
        """Speak the clauses as they come."""
        speaking, reply = self._owner._speaking, self.effect.reply
        try:
            while (clause := await self._next()) is not None:
                if self._turn.clause is None:
                    self._turn.clause = self._since()
                await self._clause(clause)
        except (ProviderError, TimeoutError) as error:
            self._failed = error.kind if isinstance(error, ProviderError) else "timeout"
            self._mute = True
            for task in self.tasks[:1]:
                task.cancel()
        speaking.end(reply)

    async def _next(self) -> str | None:
        """Wait for the next clause; say the filler when the first one is late."""
        if self.effect.filler and not self._said:
            try:
                async with asyncio.timeout(self.effect.patience):
                    return await self._queue.get()
            except TimeoutError:
                await self._fill()
        # Bounded by the model's own deadlines, and by the interpreter's time for it.
        return await self._queue.get()

    async def _fill(self) -> None:
        """Say that it takes a moment: no part of what the model said, and it goes without where the voice fails."""
        self._said.append(_Clause("", self._samples))
        with suppress(ProviderError, TimeoutError):
            for part in self.effect.filler:
                async with aclosing(self._owner._voice.audio(part, self._owner._meter)) as chunks:
                    while True:
                        async with asyncio.timeout(FILLER):
                            chunk = await anext(chunks, None)
                        if chunk is None:
                            break
                        await self._when_quiet(first=not self._samples)
                        self._audible()
                        await self._queue_audio(chunk)

    def _audible(self) -> None:
        """Something of it is played now: who speaks from here on speaks over it."""
        if not self._heard:
            self._heard = True
            self._owner._put(fact.ReplyAudible(self._owner._clock.at(), self.effect.reply))

    async def _clause(self, text: str) -> None:
        clause = _Clause(text, self._samples)
        self._said.append(clause)
        effect = self.effect
        request = SpeechRequest(text, effect.voice, effect.lang, effect.rate)
        async with aclosing(self._owner._voice.spoken(request, self._owner._meter)) as chunks:
            while True:
                async with asyncio.timeout(CLAUSE):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                if isinstance(chunk, SpokenWord):
                    # A voice that is asked once more says again what it had only announced.
                    clause.words = [word for word in clause.words if word[1] < chunk.begin]
                    clause.words.append((chunk.text, chunk.begin, chunk.end))
                elif isinstance(chunk, bytes):
                    clause.samples += len(chunk)
                    await self._when_quiet(first=self._turn.audio is None)
                    if self._turn.audio is None:
                        self._turn.audio = self._since()
                    self._audible()
                    await self._queue_audio(chunk)
        clause.whole = True

    async def _when_quiet(self, *, first: bool) -> None:
        """Nobody is talked over: who still speaks may go on, and is then asked for anew (case 20).

        But not for ever: it may be somebody else, or a television.
        """
        if first:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLITE):
                    await self._owner._quiet()

    async def _queue_audio(self, audio: bytes) -> None:
        self._samples += len(audio)
        await self._owner._speaking.append(self.effect.reply, audio)

    # --- its end

    def heard(self, samples: int) -> str:
        """Give the words that were heard when so many samples of the answer were."""
        texts = []
        for clause in self._said:
            within = samples - clause.begin
            if within <= 0 or not clause.text:
                continue
            if clause.whole and within >= clause.samples:
                texts.append(clause.text)
                continue
            # Of a clause whose audio is not all there nobody knows how long it is: no shorter than it is usually.
            usual = 0.0 if clause.whole else max(clause.samples / RATE, len(clause.text) * LETTER) + LETTER
            seconds = min(within, clause.samples) / RATE
            texts.append(heard_of(clause.text, clause.words, seconds, usual or clause.samples / RATE))
        return " ".join(text for text in texts if text)

    def interrupted(self, at: float, heard: ledger.Position) -> fact.ReplyInterrupted:
        """Give the fact that the caller cut the answer."""
        self.stop()
        # The position is right to a grain of the carrier's clock: a word whose end lies in it is none that was heard.
        text = self.heard(max(0, heard.samples - round(GRAIN * RATE)))
        return fact.ReplyInterrupted(at, self.effect.reply, text, heard.samples / RATE)

    def finished(self, at: float, played: ledger.ItemFinished) -> fact.Event:
        """Give the fact that all of it was heard."""
        self.stop()
        text = " ".join(clause.text for clause in self._said if clause.text)
        if self._failed:
            return fact.ReplyFailed(at, self.effect.reply, self._failed, self.heard(played.samples), self._mute)
        return fact.ReplyFinished(at, self.effect.reply, text, played.samples / RATE)

    def _broken(self) -> None:
        """The model failed before it said anything."""
        owner, reply = self._owner, self.effect.reply
        self.stop()
        if owner._speaking.prompt is not None and owner._speaking.prompt.id == reply:
            owner._speaking.stop(owner._clock.now(), None)
        owner._put(fact.ReplyFailed(owner._clock.at(), reply, self._failed))

    def stop(self) -> None:
        """Nothing more of it: at once, and for good."""
        if self._over:
            return
        self._over = True
        current = asyncio.current_task()
        for task in self.tasks:
            if task is not current:
                task.cancel()
        self._owner._turned(self._turn)


def _request(effect: wish.Ask) -> ModelRequest:
    return ModelRequest(
        effect.model,
        effect.persona,
        effect.system,
        effect.messages,
        tuple(tool for tool, _, _ in _acts(effect).values()),
        effect.temperature,
        first=effect.first,
    )


def _acts(effect: wish.Ask) -> dict[str, tuple[ModelTool, str, str]]:
    """Give what the model may do by the name that it knows: the tools, and the ways out; with the flow's names."""
    found: dict[str, tuple[ModelTool, str, str]] = {}
    for tool in effect.tools:
        found[tool["name"]] = (ModelTool(tool["name"], tool["about"], tool["args"]), "tool", tool["name"])
    for way in effect.exits:
        name = way["name"]
        known = f"{_EXIT}{name}" if name in found else name
        if "when" in way:
            about = f"Leave this part of the conversation: {way['when']}"
        else:
            about = "The caller means: " + ", ".join(way.get("phrases", ()))
        fill: Mapping[str, Any] = way.get("fill", {})
        args = {"type": "object", "properties": dict(fill), "required": list(fill)}
        found[known] = (ModelTool(known, about, args), "exit", name)
    return found


_EXIT = "exit_"  # before the name of an exit that a tool has, too
