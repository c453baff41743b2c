"""The world of a test: one interpreter, a clock that only goes where it is told, and what was spoken.

This is the shell of a call without audio: it plays prompts in no time but its own, tells the interpreter of their ends,
of timers and of keys in the order in which a real shell does, and knows when nothing happens any more by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program

CHARACTER = 0.06
# Timers that wait for the caller, or for what must not happen; every other one runs out by itself.
PATIENT = frozenset({"noinput", "patience", "node", "call"})

Watcher = Callable[[fact.Event, Sequence[wish.Effect]], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt that began to play: its words, its node, when it began (on the call's clock) and how long it lasts."""

    id: str
    text: str
    node: str
    begins: float
    length: float
    policy: wish.Policy

    @property
    def ends(self) -> float:
        """When it is over, unless it is cut."""
        return self.begins + self.length


class EveryName(dict[str, str]):
    """The environment of a test: a name that is not given reads as itself."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


class Player:
    """Drives one call. ``spoken`` is what began to play, in order; ``ringing`` the transfer whose outcome is open."""

    def __init__(self, program: Program, env: Mapping[str, str]) -> None:
        self._program = program
        self._env = EveryName(env)
        self._saved: dict[str, Any] = {}
        self.interpreter = Interpreter(program, self._env)
        self.at = 0.0
        self.spoken: list[Spoken] = []
        self.playing: Spoken | None = None
        self.ringing: wish.Transfer | None = None
        self.given_away = False
        self.ended = ""
        self.watchers: list[Watcher] = []

    @property
    def path(self) -> list[str]:
        """Every node that was entered, in order."""
        return self.interpreter.state.path

    @property
    def vars(self) -> Mapping[str, Any]:
        """What the flow's variables hold."""
        return self.interpreter.state.vars

    @property
    def waiting(self) -> bool:
        """Whether nothing happens by itself but that the caller's silence is noticed."""
        return self.playing is None and PATIENT.issuperset(self.interpreter.state.timers)

    def begin(self, event: fact.CallStarted) -> None:
        """Answer the call."""
        self._take(event)

    def step(self) -> bool:
        """Let the next thing happen; False at a waiting point, while a transfer rings, and when the call is over."""
        if self.ended or self.ringing or self.waiting:
            return False
        self._next(None)
        return True

    def advance(self, until: float, *, including: bool = True) -> None:
        """Let time run; ``including`` says whether what is due at that very moment happens, too."""
        while not self.ended and self._next(until, including=including):
            pass
        self.at = max(self.at, until)

    def press(self, key: str) -> None:
        """Press a key now; it cuts the prompt that is on where its policy lets it."""
        if self.ringing:
            return  # the carrier has the line: nobody tells us of keys
        prompt = self.playing
        if prompt is not None and key in prompt.policy.keys:
            policy, heard = prompt.policy, self.at - prompt.begins
            deaf = key == policy.deaf and self.at <= policy.deaf_until
            if not deaf and heard >= policy.after:
                self.playing = None
                self._take(fact.PromptInterrupted(self.at, prompt.id, heard))
        self._take(fact.DigitPressed(self.at, key))

    def answer(self, outcome: str) -> None:
        """End the transfer that rings: the carrier comes back, and the call goes on from what was journaled."""
        self.ringing = None
        self.interpreter = Interpreter.restore(self._program, self._env, self._saved, self.at)
        self._take(fact.StreamResumed(self.at))
        self._take(fact.TransferFinished(self.at, outcome))

    def hang_up(self) -> None:
        """The caller leaves."""
        self.ringing = None
        self._take(fact.CallerHungUp(self.at))

    def _next(self, until: float | None, *, including: bool = True) -> bool:
        """Take the next fact that is due, up to a moment; False when there is none."""
        due = [(at, rank) for at, rank in ((self._deadline, 0), (self._prompt_end, 1)) if at is not None]
        if not due:
            return False
        # Of the same instant time passes before a prompt is told to be over (call semantics, "Order of events").
        at, rank = min(due)
        if until is not None and (at > until if including else at >= until):
            return False
        self.at = max(self.at, at)
        if rank == 0:
            self._take(fact.TimePassed(self.at))
        elif self.playing is not None:
            prompt, self.playing = self.playing, None
            self._take(fact.PromptFinished(self.at, prompt.id, prompt.length))
        return True

    @property
    def _deadline(self) -> float | None:
        return self.interpreter.deadline

    @property
    def _prompt_end(self) -> float | None:
        return None if self.playing is None else self.playing.ends

    def _take(self, event: fact.Event) -> None:
        effects = self.interpreter.handle(event)
        for effect in effects:
            if isinstance(effect, wish.PlayPrompt):
                self.playing = self._spoken(effect)
            elif isinstance(effect, wish.StopPrompt):
                self.playing = None
            elif isinstance(effect, wish.Transfer):
                self.ringing = effect if effect.mode != "blind" else None
                self.given_away = effect.mode == "blind"
                self._saved = self.interpreter.snapshot()
            elif isinstance(effect, wish.EndCall):
                self.ended = effect.reason
        # A prompt that was stopped in the instant of its begin was not heard by anybody.
        if self.playing is not None and (not self.spoken or self.spoken[-1] is not self.playing):
            self.spoken.append(self.playing)
        for watch in self.watchers:
            watch(event, effects)

    def _spoken(self, effect: wish.PlayPrompt) -> Spoken:
        speech = [part.words if isinstance(part, wish.Recording) else part for part in effect.parts]
        texts = [part.text for part in speech if isinstance(part, wish.Speech)]
        length = sum(part.seconds for part in effect.parts if isinstance(part, wish.Pause))
        length += CHARACTER * sum(map(len, texts))
        text = " ".join(" ".join(texts).split())
        return Spoken(effect.prompt, text, effect.node, self.at, length, effect.policy)
