"""The world of a test: one interpreter, a clock that only goes where it is told, and what was spoken.

This is the shell of a call without audio: it plays prompts in no time but its own, tells the interpreter of their ends,
of timers, keys and words in the order in which a real shell does, lets tools and a model answer as they are scripted,
and knows when nothing happens any more by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.runtime.understanding import counted
from flowengine.testing.scripted import Scripted

CHARACTER = 0.06
# Timers that wait for the caller, or for what must not happen; every other one runs out by itself.
PATIENT = frozenset({"noinput", "patience", "node", "call"})
# In these the node waits for the caller as well, though their own time runs.
HOLDING = frozenset({"wait", "every"})
KEY_TIME, PAUSE_TIME = 0.1, 0.5

Watcher = Callable[[fact.Event, Sequence[wish.Effect]], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt that began to play: its words, its node, when it began (on the call's clock) and how long it lasts.

    ``reply`` says that it is a model's answer.
    """

    id: str
    text: str
    node: str
    begins: float
    length: float
    policy: wish.Policy
    reply: bool = False

    @property
    def ends(self) -> float:
        """When it is over, unless it is cut."""
        return self.begins + self.length


@dataclass
class Taping:
    """A recording under way: when it or the caller's last word began to be silence, and whether there was a word."""

    id: str
    silence: float
    until: float
    since: float
    heard: bool = False

    @property
    def ends(self) -> float:
        """When it ends by itself."""
        return min(self.since + self.silence, self.until)


class EveryName(dict[str, str]):
    """The environment of a test: a name that is not given reads as itself."""

    def __missing__(self, name: str) -> str:
        return name

    def __contains__(self, name: object) -> bool:
        return True


class Player:
    """Drives one call. ``spoken`` is what began to play, in order; ``ringing`` the transfer whose outcome is open.

    ``returned`` is the outcome by which the tested flow has returned, if it has.
    """

    def __init__(self, program: Program, env: Mapping[str, str], world: Scripted | None = None) -> None:
        self._program = program
        self._env = EveryName(env)
        self._world = world or Scripted()
        self._saved: dict[str, Any] = {}
        self._coming: list[fact.Event] = []
        self._variables: dict[str, Mapping[str, Any]] = {}
        self.interpreter = Interpreter(program, self._env)
        self.at = 0.0
        self.spoken: list[Spoken] = []
        self.playing: Spoken | None = None
        self.taping: Taping | None = None
        self._listen = wish.Listen("en-US", "text")
        self.ringing: wish.Transfer | None = None
        self.given_away = False
        self.ended = ""
        self.returned = ""
        self.watchers: list[Watcher] = []

    @property
    def path(self) -> list[str]:
        """Every node that was entered, in order; those of subflows as `FLOW/NODE`."""
        return self.interpreter.state.path

    @property
    def vars(self) -> Mapping[str, Any]:
        """What the flow's variables hold."""
        return self.interpreter.state.frames[0].vars

    def vars_of(self, flow: str) -> Mapping[str, Any]:
        """Give what the variables of a subflow hold, or held when it was left."""
        return self._variables.get(flow, {})

    @property
    def waiting(self) -> bool:
        """Whether nothing happens by itself but that the caller's silence is noticed."""
        return self.still and PATIENT.issuperset(self.interpreter.state.timers) and self.taping is None

    @property
    def still(self) -> bool:
        """Whether nothing plays and no answer is on its way."""
        return self.playing is None and not self._coming

    @property
    def open(self) -> bool:
        """Whether the caller can act: at a waiting point, and while a node holds the line or records."""
        timers = self.interpreter.state.timers
        holding = HOLDING & set(timers) and (PATIENT | HOLDING).issuperset(timers)
        return self.waiting or (self.still and bool(holding or self.taping))

    @property
    def due(self) -> float | None:
        """When something next happens by itself; None where nothing does."""
        taped = self.taping.ends if self.taping else None
        times = (self._next_fact, self._deadline, self._prompt_end, taped)
        return min((at for at in times if at is not None), default=None)

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
            policy = prompt.policy
            deaf = key == policy.deaf and self.at <= policy.deaf_until
            if not deaf and self.at - prompt.begins >= policy.after:
                self._interrupt(prompt)
        self._take(fact.DigitPressed(self.at, key))

    def hear(self, text: str) -> None:
        """Let the caller say something: one final transcript at one instant."""
        if self.ringing:
            return
        if self.taping is not None:
            self.taping.heard, self.taping.since = True, self.at + CHARACTER * len(text)
            return
        prompt = self.playing
        if prompt is not None and prompt.policy.speech and self.at - prompt.begins >= prompt.policy.after:
            wanted = counted(text, prompt.policy, self._listen)
            if wanted >= max(1, prompt.policy.words):
                self._interrupt(prompt)
        self._take(fact.UtteranceEnded(self.at, text, self.at))

    def _interrupt(self, prompt: Spoken) -> None:
        self.playing = None
        heard = self.at - prompt.begins
        if not prompt.reply:
            self._take(fact.PromptInterrupted(self.at, prompt.id, heard))
            return
        share = heard / prompt.length if prompt.length else 1.0
        said = prompt.text[: int(len(prompt.text) * share)]
        whole = said if len(said) == len(prompt.text) else said.rpartition(" ")[0]
        self._take(fact.ReplyInterrupted(self.at, prompt.id, whole, heard))

    def send(self, event: fact.Event) -> None:
        """Let something else happen: an application's event, an answering machine."""
        self._take(event)

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
        taped = self.taping.ends if self.taping else None
        sources = ((self._next_fact, 0), (self._deadline, 1), (self._prompt_end, 2), (taped, 3))
        due = [(at, rank) for at, rank in sources if at is not None]
        if not due:
            return False
        # Of the same instant time passes before a prompt is told to be over (call semantics, "Order of events").
        at, rank = min(due)
        if until is not None and (at > until if including else at >= until):
            return False
        self.at = max(self.at, at)
        if rank == 0:
            self._take(self._coming.pop(0))
        elif rank == 1:
            self._take(fact.TimePassed(self.at))
        elif rank == 2 and self.playing is not None:
            prompt, self.playing = self.playing, None
            if prompt.reply:
                self._take(fact.ReplyFinished(self.at, prompt.id, prompt.text, prompt.length))
            else:
                self._take(fact.PromptFinished(self.at, prompt.id, prompt.length))
        else:
            self._end_taping()
        return True

    def _end_taping(self) -> None:
        taping, self.taping = self.taping, None
        if taping:
            address = f"recording:{taping.id}" if taping.heard else ""
            self._take(fact.RecordingFinished(self.at, taping.id, address, 0.0))

    @property
    def _next_fact(self) -> float | None:
        return self._coming[0].at if self._coming else None

    @property
    def _deadline(self) -> float | None:
        return self.interpreter.deadline

    @property
    def _prompt_end(self) -> float | None:
        return None if self.playing is None else self.playing.ends

    def _take(self, event: fact.Event) -> None:
        effects = self.interpreter.handle(event)
        for effect in effects:
            if isinstance(effect, wish.Listen):
                self._listen = effect
            self._carry_out(effect)
        # A prompt that was stopped in the instant of its begin was not heard by anybody.
        if self.playing is not None and (not self.spoken or self.spoken[-1] is not self.playing):
            self.spoken.append(self.playing)
        for frame in self.interpreter.state.frames:
            self._variables[frame.flow] = frame.vars
        for watch in self.watchers:
            watch(event, effects)

    def _carry_out(self, effect: wish.Effect) -> None:
        match effect:
            case wish.PlayPrompt():
                self.playing = self._spoken(effect)
            case wish.StopPrompt():
                self.playing = None
            case wish.CancelReply():
                self.playing = None
                self._coming = [one for one in self._coming if getattr(one, "reply", "") != effect.reply]
            case wish.Ask():
                self._ask(effect)
            case wish.RunTool():
                if finished := self._world.tool(effect, self.at):
                    self._later(finished)
            case wish.CancelTool():
                self._coming = [one for one in self._coming if getattr(one, "run", "") != effect.run]
            case wish.Record():
                self.taping = Taping(effect.recording, effect.silence, self.at + effect.max, self.at)
            case wish.StopRecording():
                self._end_taping_soon(effect.recording)
            case wish.PressKeys():
                seconds = sum(PAUSE_TIME if key == "w" else KEY_TIME for key in effect.keys)
                self._later(fact.KeysSent(self.at + seconds, effect.keys))
            case wish.Transfer():
                self.ringing = effect if effect.mode != "blind" else None
                self.given_away = effect.mode == "blind"
                self._saved = self.interpreter.snapshot()
            case wish.Note(what="return"):
                self.returned = effect.data["outcome"]
            case wish.EndCall():
                self.ended = effect.reason

    def _end_taping_soon(self, recording: str) -> None:
        if self.taping is not None and self.taping.id == recording:
            taping, self.taping = self.taping, None
            address = f"recording:{taping.id}" if taping.heard else ""
            self._later(fact.RecordingFinished(self.at, taping.id, address, 0.0))

    def _later(self, event: fact.Event) -> None:
        """Let a fact come at its time, behind those of the same instant that come already."""
        self._coming.append(event)
        self._coming.sort(key=lambda one: one.at)

    def _ask(self, effect: wish.Ask) -> None:
        answer = self._world.answer()
        if answer is None:
            self._later(fact.ReplyFailed(self.at, effect.reply, "unavailable"))
            return
        self._later(fact.ReplyStarted(self.at, effect.reply))
        for number, (act, name, values) in enumerate(answer.acts):
            call = f"{effect.reply}.{number}"
            self._later(fact.ReplyActed(self.at, effect.reply, act, name, call, values))
        text = " ".join(answer.text.split())
        if text:
            length = CHARACTER * len(text)
            self._later(fact.ReplyAudible(self.at, effect.reply))
            self.playing = Spoken(effect.reply, text, effect.node, self.at, length, effect.policy, reply=True)
        else:
            self._later(fact.ReplyFinished(self.at, effect.reply, "", 0.0))

    def _spoken(self, effect: wish.PlayPrompt) -> Spoken:
        speech = [part.words if isinstance(part, wish.Recording) else part for part in effect.parts]
        texts = [part.text for part in speech if isinstance(part, wish.Speech)]
        length = sum(part.seconds for part in effect.parts if isinstance(part, wish.Pause))
        length += CHARACTER * sum(map(len, texts))
        text = " ".join(" ".join(texts).split())
        return Spoken(effect.prompt, text, effect.node, self.at, length, effect.policy)
