"""Runs the tests of a flow, one after another: `talk` step by step, then what the test says of path and variables.

A test has a cursor in what was spoken (``_Run.cursor``: a prompt and a place in its words). The first thing that is not
as the test says ends it, as a ``Failure`` that knows its place in the test, what happened instead, and the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from flowengine.flow.diagnostics import Diagnostic, Label, Span
from flowengine.flow.model import Flow
from flowengine.flow.source import to_plain
from flowengine.runtime import events as fact
from flowengine.runtime.program import Program
from flowengine.testing import clock
from flowengine.testing.cases import (
    Act,
    Bot,
    Case,
    End,
    Enter,
    Given,
    HangUp,
    Happening,
    Hear,
    Keys,
    Machine,
    Not,
    Silence,
    Step,
    TransferEnds,
    Wording,
)
from flowengine.testing.expected import equal, shown, typed
from flowengine.testing.player import Player, Spoken
from flowengine.testing.scripted import Scripted

GAP = 0.3
SHOWN = 70


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a test failed. ``said`` is what the bot said last, ``path`` the way of the call until then."""

    finding: Diagnostic
    said: str = ""
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one test."""

    case: Case
    failure: Failure | None


class Observer(Protocol):
    """Whoever wants to know what happens in the call of a test, such as its coverage."""

    def watch(self, player: Player) -> None:
        """Add to the watchers of a player before its call begins."""


def run(program: Program, case: Case, observer: Observer | None = None) -> Result:
    """Run one test; ``observer`` watches it."""
    try:
        _Run(program, case, observer).run()
    except _Failed as failed:
        return Result(case, failed.failure)
    return Result(case, None)


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.finding.message)
        self.failure = failure


class _Run:
    def __init__(self, program: Program, case: Case, observer: Observer | None) -> None:
        self.program = program
        self.flow: Flow = program.flow
        self.case = case
        self.player = Player(program, case.env, Scripted({t.name: _runs(t) for t in case.tools}, case.model))
        if observer:
            observer.watch(self.player)
        # The prompt in which the cursor stands, and the place in its words. -1: before the first prompt.
        self.prompt, self.place = -1, 0
        self.entries = 0
        self.unwanted: list[Not] = []
        self.before: Step | None = None

    def run(self) -> None:
        self.player.begin(self._started())
        for step in self.case.talk:
            self._step(step)
            self.before = step
        self._check_unwanted(None)
        self._check_path()
        for given in self.case.vars:
            self._check_variable(given)

    # --- the beginning

    def _started(self) -> fact.CallStarted:
        case, flow = self.case, self.flow
        call: dict[str, Any] = {
            "id": "test",
            "from": case.caller,
            "to": case.called,
            "direction": case.direction,
            "carrier": "test",
            "headers": {},
            "revision": flow.revision,
            "answered_by": None,
            "recording": None,
        }
        args = {name: argument.default for name, argument in flow.args.items()}
        args |= {given.name: typed(flow.args[given.name], given.value) for given in case.args}
        zone = flow.defaults.zone
        return fact.CallStarted(0.0, call, clock.started(case.clock, zone), case.seed, args)

    # --- the steps

    def _step(self, step: Step) -> None:
        match step:
            case Bot():
                self._bot(step)
            case Not():
                self.unwanted.append(step)
            case TransferEnds():
                self._transfer(step)
            case Enter():
                self._enter(step)
            case Machine():
                self.player.send(fact.MachineAnswered(self.player.at))
            case End():
                self._end(step)
            case Act():
                self._get_to(step)
                self.entries = len(self.player.path)
                self._act(step)

    def _bot(self, step: Bot) -> None:
        index, place = max(self.prompt, 0), self.place
        while True:
            while index < len(self.player.spoken):
                found = step.words.pattern.search(self.player.spoken[index].text, place)
                if found:
                    self._check_unwanted((index, found.start()))
                    self.prompt, self.place = index, found.end()
                    return
                index, place = index + 1, 0
            if not self.player.step():
                wanted = f"expected the bot to say {_quoted(step.words)}"
                self._fail(step.span, f"{wanted}, but {self._standstill()}", self._said_before(step.words))

    def _act(self, step: Act) -> None:
        player = self.player
        match step:
            case Keys():
                for number, key in enumerate(step.digits):
                    if number:
                        player.advance(player.at + GAP, including=False)
                    if not player.ended:
                        player.press(key)
            case Hear():
                player.hear(step.text)
            case Happening():
                player.send(fact.EventReceived(player.at, step.name, step.data))
            case Silence():
                player.advance(player.at + step.seconds)
            case HangUp():
                player.hang_up()

    def _get_to(self, step: Act) -> None:
        """Let time run to the moment at which the step acts."""
        player = self.player
        if step.at is not None:
            self._get_into_prompt(step, self._current(step), step.at.within)
        elif isinstance(step, Keys) and isinstance(self.before, Keys):
            player.advance(player.at + GAP, including=False)
        else:
            while not player.open and player.step():
                pass
        if player.ended:
            self._fail(step.span, f"the caller can not do this any more: {self._standstill()}")

    def _current(self, step: Act) -> Spoken:
        """Give the prompt in which the cursor stands, or the one that is on if nothing was looked for yet."""
        prompt = self.player.spoken[self.prompt] if self.prompt >= 0 else self.player.playing
        if prompt is None:
            self._fail(step.span, "no prompt is on into which the caller could act", "leave `at` out")
        return prompt

    def _get_into_prompt(self, step: Act, prompt: Spoken, within: Callable[[float], float]) -> None:
        seconds, player = within(prompt.length), self.player
        moment = prompt.begins + seconds
        if seconds > prompt.length:
            self._fail(step.span, f"this is after the prompt, which lasts {prompt.length:.1f} s", "leave `at` out")
        if player.playing is prompt and moment >= player.at:
            player.advance(moment, including=False)
        if player.playing is not prompt or moment < player.at:
            passed = f'this moment of the prompt "{_short(prompt.text)}" has passed already'
            self._fail(step.span, passed, "leave `at` out, or look for a later prompt with `bot` first")

    def _transfer(self, step: TransferEnds) -> None:
        while self.player.ringing is None:
            if not self.player.step():
                self._fail(step.span, f"expected a transfer, but {self._standstill()}")
        self.entries = len(self.player.path)
        self.player.answer(step.outcome)

    def _enter(self, step: Enter) -> None:
        path = self.player.path
        while True:
            for number in range(self.entries, len(path := self.player.path)):
                if path[number] == step.node:
                    self.entries = number + 1
                    return
            if path[-1:] == [step.node]:
                return
            if not self.player.step():
                self._fail(step.span, f'expected the call to come to the node "{step.node}", but {self._standstill()}')

    def _end(self, step: End) -> None:
        player = self.player
        if step.how == "return":
            self._return(step)
            return
        wanted = "to be handed over" if step.how == "transfer" else "to end"
        while not (player.ended or player.ringing):
            if not player.step():
                self._fail(step.span, f"expected the call {wanted}, but {self._standstill()}")
        handed_over = player.given_away or player.ringing is not None
        if handed_over is not (step.how == "transfer"):
            self._fail(step.span, f"expected the call {wanted}, but {self._standstill()}")
        self._check_unwanted(None)

    def _return(self, step: End) -> None:
        player = self.player
        while not player.ended and player.step():
            pass
        wanted = f"expected the flow to return{f' as {step.outcome}' if step.outcome else ''}"
        if not player.returned:
            self._fail(step.span, f"{wanted}, but {self._standstill()}")
        if step.outcome and player.returned != step.outcome:
            self._fail(step.span, f"{wanted}, but it returned as {player.returned}")
        self._check_unwanted(None)

    # --- what is held against the call

    def _check_unwanted(self, until: tuple[int, int] | None) -> None:
        """No `not` since the last `bot` was said, up to a prompt and a place in it."""
        for step in self.unwanted:
            for index, start, end in self._stretches(until):
                text = self.player.spoken[index].text
                if step.words.pattern.search(text, start, end):
                    message = f'the bot was not to say {_quoted(step.words)}, but it said "{_short(text)}"'
                    self._fail(step.span, message)
        self.unwanted.clear()

    def _stretches(self, until: tuple[int, int] | None) -> Iterator[tuple[int, int, int]]:
        for index in range(max(self.prompt, 0), len(self.player.spoken)):
            last = until is not None and index == until[0]
            end = until[1] if until and last else len(self.player.spoken[index].text)
            yield index, self.place if index == self.prompt else 0, end
            if last:
                return

    def _check_path(self) -> None:
        wanted = self.case.path
        if wanted is None:
            return
        went = self.player.path
        for number, name in enumerate(wanted):
            if number >= len(went):
                self._fail(name.span, f'expected the call to go on to "{name.text}", but it went no further')
            if went[number] != name.text:
                self._fail(name.span, f'expected the call to go to "{name.text}", but it went to "{went[number]}"')
        if len(went) > len(wanted):
            span = wanted[-1].span if wanted else self.case.span
            self._fail(span, f'expected the call to go no further, but it went on to "{went[len(wanted)]}"')

    def _check_variable(self, given: Given) -> None:
        flow, _, name = given.name.rpartition("/")
        held = (self.player.vars_of(flow) if flow else self.player.vars).get(name)
        variable = (self.program.subflow(flow).flow if flow else self.flow).vars[name]
        if not equal(variable, given.value, held):
            wanted = shown(typed(variable, given.value))
            self._fail(given.value.span, f"expected {given.name} to be {wanted}, but it is {shown(held)}")

    # --- what is said of a failure

    def _standstill(self) -> str:
        """Say why nothing happens any more."""
        player = self.player
        here = f'in the node "{player.path[-1]}"'
        if player.given_away:
            return f"it was handed over by the blind transfer {here}"
        if player.ringing:
            return f"a transfer to {player.ringing.number} rings {here}"
        if player.ended == "caller.hangup":
            return f"the caller has hung up {here}"
        if player.ended:
            return f'the call is over since the node "{player.path[-1]}" ({player.ended})'
        return f"the call waits for the caller {here}"

    def _said_before(self, words: Wording) -> str:
        for index in range(self.prompt + 1):
            end = self.place if index == self.prompt else len(self.player.spoken[index].text)
            if words.pattern.search(self.player.spoken[index].text, 0, end):
                return "it was said before what the steps above have found already"
        return ""

    def _fail(self, span: Span, message: str, help_: str = "") -> NoReturn:
        player = self.player
        path = tuple(player.path) if player.interpreter.begun else ()
        related: tuple[Label, ...] = ()
        if path:
            verb = "ended" if player.ended else "is"
            flow, _, name = path[-1].rpartition("/")
            nodes = (self.program.subflow(flow).flow if flow else self.flow).nodes
            related = (Label(nodes[name].name_span, f"the call {verb} here"),)
        if player.ringing and not help_:
            help_ = "say how the transfer ends with a step such as `transfer: busy`"
        finding = Diagnostic("failed", message, span, help=help_, related=related)
        raise _Failed(Failure(finding, player.spoken[-1].text if player.spoken else "", path))


def _runs(tool: Given) -> list[Any]:
    """Give what each run of a tool gives: a list is always a list of runs."""
    plain = to_plain(tool.value)
    return plain if isinstance(plain, list) else [plain]


def _quoted(words: Wording) -> str:
    return words.text if words.text.startswith("/") and words.text.endswith("/") else f'"{words.text}"'


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1].rstrip()}…"
