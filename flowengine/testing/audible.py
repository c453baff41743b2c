"""A test of a flow as a call with sound: what the caller does becomes a script of the simulated phone.

What the bot said is read from the trace of the call afterwards. A test that needs a world of its own making (what a
caller says, answers of tools or a model, events, another clock) is not for a real line, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowengine.runtime.program import Program
from flowengine.runtime.prompts import COVER
from flowengine.runtime.replay import Recorded, replay
from flowengine.testing import script as phone
from flowengine.testing.cases import (
    CLOCK,
    Act,
    Bot,
    Case,
    End,
    HangUp,
    Happening,
    Hear,
    Keys,
    Machine,
    Moment,
    Not,
    Silence,
    Step,
    TransferEnds,
    Wording,
)
from flowengine.testing.player import CHARACTER

# A prompt is over when it is quiet for longer than between two sentences.
QUIET = 0.8
AUDIBLE = 0.2
ENDS_WITHIN = 60.0
RINGS = 4.0
LONGEST = 120.0
_DIALS = {"ended": 2.0}


@dataclass(frozen=True, slots=True)
class Audible:
    """A test as a call: what the phone does, or, where it can not be one, why."""

    script: phone.Script | None
    why: str = ""


def audible(case: Case) -> Audible:
    """Give a test as a call."""
    if why := _not_audible(case):
        return Audible(None, why)
    steps: list[phone.Step] = []
    before: Step | None = None
    waits_for_end = False
    for step in case.talk:
        if isinstance(step, Act):
            steps += _moment(step, before)
            steps += _act(step)
        elif isinstance(step, TransferEnds):
            # Everything is said first; then it rings, and the caller comes back.
            steps += [*([] if isinstance(before, TransferEnds) else _quiet()), phone.Silence(RINGS)]
        waits_for_end = isinstance(step, End)
        before = step
    if waits_for_end and not any(isinstance(step, phone.HangUp) for step in steps):
        steps.append(phone.ExpectEnd(ENDS_WITHIN))
    elif not any(isinstance(step, phone.HangUp) for step in steps):
        steps += [*_quiet(), phone.HangUp()]
    dials = tuple(
        phone.Dialled(step.outcome, _DIALS.get(step.outcome, 0.0))  # type: ignore[arg-type]  # the reader allows no other
        for step in case.talk
        if isinstance(step, TransferEnds)
    )
    return Audible(phone.Script(tuple(steps), caller=case.caller, called=case.called, transfers=dials))


def _not_audible(case: Case) -> str:
    kinds: Mapping[type[Step], str] = {Hear: "speech", Happening: "an event", Machine: "an answering machine"}
    for step in case.talk:
        if type(step) in kinds:
            return f"it needs {kinds[type(step)]}"
        if isinstance(step, End) and step.how == "return":
            return "only a calling flow has something to return to"
    wanted = {
        "answers of tools": case.tools,
        "a model": case.model,
        "an environment": case.env,
        "arguments": case.args,
        "a clock": case.clock != CLOCK,
        "a seed": case.seed != 1,
    }
    if sum(step.seconds for step in case.talk if isinstance(step, Silence)) > LONGEST:
        return "it takes more than two minutes"
    missing = next((name for name, given in wanted.items() if given), "")
    return f"it needs {missing} of its own" if missing else ""


def _quiet() -> list[phone.Step]:
    return [phone.WaitAudio(AUDIBLE), phone.WaitSilence(QUIET)]


def _moment(step: Act, before: Step | None) -> list[phone.Step]:
    """Wait as the caller of a test does: into the prompt, or until it is over."""
    if step.at is not None:
        return [phone.WaitAudio(AUDIBLE), phone.Silence(_into(step.at))]
    return [] if isinstance(before, Keys) and isinstance(step, Keys) else _quiet()


def _into(at: Moment) -> float:
    """How far into a prompt whose length nobody knows: a share is one of a short one."""
    return at.seconds if at.share is None else at.share * 20 * CHARACTER


def _act(step: Act) -> list[phone.Step]:
    match step:
        case Keys():
            return [phone.Keys(step.digits)]
        case Silence():
            return [phone.Silence(step.seconds)]
        case HangUp():
            return [phone.HangUp()]
    return []


def only_waited(script: phone.Script, failure: str) -> bool:
    """Whether the phone failed because the call was over when it had nothing left to do but to wait.

    Whether that was right is seen in the words.
    """
    found = re.match(r"step ([0-9]+): .*the call had ended", failure)
    return found is not None and not any(isinstance(step, phone.Keys) for step in script.steps[int(found[1]) - 1 :])


def wrong(case: Case, program: Program, env: Mapping[str, str], recorded: Recorded) -> str:
    """Say what of a test did not come true in the trace of its call; empty for nothing."""
    spoken: list[str] = []
    path: list[str] = []
    for again in replay(program, env, recorded):
        for effect in again.moment.effects:
            if effect["type"] == "PlayPrompt":
                spoken.append(" ".join(str((p.get("words") or p).get("text", "")) for p in effect["parts"]))
            elif effect["type"] == "Note" and effect["what"] == "entered":
                own = effect["data"]["flow"] == program.flow.name
                path.append(effect["data"]["node"] if own else f"{effect['data']['flow']}/{effect['data']['node']}")
    return _wrong_words(case, spoken) or _wrong_path(case, path)


def _wrong_words(case: Case, spoken: Sequence[str]) -> str:
    prompt, place = 0, 0
    unwanted: list[Not] = []
    for step in case.talk:
        if isinstance(step, Not):
            unwanted.append(step)
        elif isinstance(step, Bot):
            found = _find(step, spoken, prompt, place)
            if found is None:
                return f'expected the bot to say "{step.words.text}" ({step.span.file}:{step.span.line})'
            if told := _said(unwanted, spoken, (prompt, place), found[:2]):
                return told
            unwanted.clear()
            prompt, place = found[0], found[2]
    return _said(unwanted, spoken, (prompt, place), (len(spoken), 0))


def _find(step: Bot, spoken: Sequence[str], prompt: int, place: int) -> tuple[int, int, int] | None:
    """Give the prompt in which the words stand, with their begin and end."""
    for number in range(prompt, len(spoken)):
        found = _search(step.words, spoken[number], place if number == prompt else 0)
        if found:
            return number, *found
    return None


def _search(words: Wording, text: str, place: int) -> tuple[int, int] | None:
    """Find words in what was said; what the trace covers may be any character."""
    found = words.pattern.search(text, place)
    if found:
        return found.span()
    wanted, said = words.text.casefold(), text.casefold()
    for begin in range(place, len(said) - len(wanted) + 1 if COVER in said else 0):
        part = said[begin : begin + len(wanted)]
        if all(was in (one, COVER) for one, was in zip(wanted, part, strict=True)):
            return begin, begin + len(wanted)
    return None


def _said(unwanted: Sequence[Not], spoken: Sequence[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    """Say which words were not to be said between two places and were."""
    for step in unwanted:
        for number in range(begin[0], min(end[0] + 1, len(spoken))):
            first = begin[1] if number == begin[0] else 0
            last = end[1] if number == end[0] else len(spoken[number])
            if step.words.pattern.search(spoken[number], first, last):
                return f'the bot was not to say "{step.words.text}" ({step.span.file}:{step.span.line})'
    return ""


def _wrong_path(case: Case, path: Sequence[str]) -> str:
    wanted = None if case.path is None else [name.text for name in case.path]
    # A test may stop before the call does: with a transfer that was started, or with its last step.
    over = any((isinstance(step, End) and step.how == "hangup") or isinstance(step, HangUp) for step in case.talk)
    if wanted is None or (list(path) if over else list(path)[: len(wanted)]) == wanted:
        return ""
    return f"expected the path {', '.join(wanted)}, but it was {', '.join(path)}"
