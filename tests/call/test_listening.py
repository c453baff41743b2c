"""A stream's ears on whole calls: the real detector, synthesized voices, a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowengine.call.ports import Expected, Heard, SpeechRequest, Transcription
from flowengine.errors import ProviderError
from flowengine.providers.silero import Silero
from flowengine.testing.labels import Clip, Timeline
from flowengine.testing.microphone import Echo
from flowengine.testing.network import AsgiNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import CallReport
from flowengine.testing.script import HangUp, Keys, Say, Script, Silence, Step, WaitAudio
from flowengine.testing.transcriber import ScriptedTranscriber
from flowengine.testing.virtual_time import let_pass
from flowengine.testing.voices import Sound
from tests.conftest import TOKEN, Outcome, ToneVoice, World

MENU = """\
version: 1
flow: test
nodes:
  main:
    say: A long prompt.
    menu:
      - {key: 1, hear: [operator], goto: operator}
      - {key: 2, hear: [somebody], goto: somebody}
  operator: {say: Operator., goto: end}
  somebody: {say: Somebody., goto: end}
"""
DETECTOR = Silero()


@dataclass
class Line:
    """A world with ears, and one phone that calls it."""

    world: World
    turns: bool = False
    words: bool = True
    report: CallReport | None = None
    lengths: dict[str, float] = field(default_factory=lambda: {"A long prompt.": 20.0})

    async def call(self, *steps: Step, flow: str = MENU, echo: Echo | None = None) -> Outcome:
        self.world.flow(flow)
        self.world.detector = DETECTOR
        if self.words:
            self.world.transcriber = ScriptedTranscriber(self._timeline, Heard, ends_turns=self.turns)
        self.world.voice.lengths.update(self.lengths)
        application = await self.world.start()
        phone = Phone("twilio", AsgiNetwork(application), answer_url="https://voice.test/answer/twilio", token=TOKEN)
        self._phone = phone
        report = await phone.run(Script((*steps, HangUp()), "twilio", echo=echo))
        outcome = await self.world.outcome(application, report)
        await application.aclose()
        return outcome

    def _timeline(self, call: str) -> Timeline:
        return self._phone.report.timelines[-1]


@pytest.fixture
def line(world: World) -> Line:
    return Line(world)


def kinds(outcome: Outcome, *names: str) -> list[dict[str, Any]]:
    return [event for event in outcome.events if event["type"] in names]


def heard(outcome: Outcome) -> list[str]:
    return [event["text"] for event in kinds(outcome, "UtteranceEnded")]


def onset(outcome: Outcome, number: int = 0) -> float:
    """When the caller began to speak, on the phone's clock."""
    timeline = outcome.report.timelines[-1]
    said = timeline.said[number]
    return timeline.time(said, said.clip.onset)


@pytest.mark.parametrize("turns", [False, True])
def test_a_voice_stops_the_prompt_at_once_and_its_words_choose(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any], turns: bool
) -> None:
    line.turns = turns
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(spoken["give me an operator please"]), Silence(4.0)))
    (cut,) = kinds(outcome, "PromptInterrupted")
    (said,) = kinds(outcome, "UtteranceEnded")
    assert said["text"] == "give me an operator please"
    assert cut["at"] <= said["at"]
    assert outcome.record is not None
    assert outcome.record["path"] == ["main", "operator"]
    cleared = outcome.report.of("cleared")[0].at
    assert 0.05 < cleared - onset(outcome) < 0.35
    # What the caller heard of the prompt is what the history says.
    assert cut["heard"] == pytest.approx(cleared - outcome.report.of("audio_started")[0].at, abs=0.05)


def test_case_07_an_mhm_pauses_and_the_prompt_goes_on_to_its_end(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.lengths["A long prompt."] = 6.0
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(spoken["mhm"]), Silence(7.0)))
    assert kinds(outcome, "PromptInterrupted") == []
    (finished,) = kinds(outcome, "PromptFinished")
    assert finished["seconds"] == pytest.approx(6.0)
    assert outcome.record is not None
    assert outcome.record["counts"]["paused"] == outcome.record["counts"]["resumed"] == 1
    assert kinds(outcome, "UtteranceEnded")[0]["text"] == "mhm"
    assert outcome.record["failures"] == 0


@pytest.mark.parametrize("name", ["cough", "dtmf", "clicks", "dog", "siren"])
def test_sounds_do_not_stop_the_prompt(line: Line, on_virtual_time: Callable[..., Any], name: str) -> None:
    line.lengths["A long prompt."] = 6.0
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(Sound(name, 2.0)), Silence(7.0)))
    assert kinds(outcome, "PromptInterrupted") == []
    assert kinds(outcome, "PromptFinished")[0]["seconds"] == pytest.approx(6.0)


def test_words_in_two_breaths_are_one_utterance(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    outcome = on_virtual_time(
        line.call(WaitAudio(2.0), Say(spoken["I would like to, <1.0s> speak to somebody"]), Silence(4.0))
    )
    assert heard(outcome) == ["I would like to speak to somebody"]
    assert outcome.record is not None
    assert outcome.record["path"] == ["main", "somebody"]


class Interrupted:
    """Words by script of which the first turn comes 3.2 s late, as over a connection that had to be replaced."""

    name = "interrupted"
    ends_turns = True

    def __init__(self, timeline_of: Callable[[str], Timeline]) -> None:
        self._scripted = ScriptedTranscriber(timeline_of, Heard, ends_turns=True)

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def listen(self, call: str, expected: Expected) -> AsyncIterator[Transcription]:
        async with self._scripted.listen(call, expected) as words:
            yield LateWords(words)


class LateWords:
    """See ``Interrupted``."""

    def __init__(self, words: Transcription) -> None:
        self.send, self.expect, self.began, self.finish = words.send, words.expect, words.began, words.finish
        self._words = words

    async def __aiter__(self) -> AsyncIterator[Heard]:
        told = False
        async for heard in self._words:
            yield heard
            if heard.kind == "interim" and not told:
                told = True
                await let_pass(0.75)
                yield Heard("late")
                await let_pass(1.25)
                yield Heard("again")
                await let_pass(1.2)


def test_words_that_a_lost_connection_makes_late_are_waited_for(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.words = False
    line.world.transcriber = Interrupted(line._timeline)
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(spoken["give me an operator please"]), Silence(6.0)))
    assert heard(outcome) == ["give me an operator please"]
    assert outcome.record is not None
    assert outcome.record["path"] == ["main", "operator"]
    assert outcome.record["counts"]["transcriber_again"] == 1


COLLECT = """\
version: 1
flow: test
vars: {account: digits}
nodes:
  main: {say: Your number please., collect: {into: account, length: 6}, goto: bye}
  bye: {say: Thank you., goto: end}
"""


def test_a_number_in_two_breaths_ends_with_its_last_digit(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    clip = spoken["four two seven, <0.9s> nine one one"]
    outcome = on_virtual_time(line.call(WaitAudio(0.5), Silence(1.0), Say(clip), Silence(3.0), flow=COLLECT))
    (said,) = kinds(outcome, "UtteranceEnded")
    assert said["text"] == "four two seven nine one one"
    end = outcome.report.timelines[-1].time(outcome.report.timelines[-1].said[0], clip.end)
    # The transcriber is a quarter of a second late, its words must be stable for another.
    assert said["at"] - end < 0.65
    assert outcome.record is not None
    assert outcome.record["path"] == ["main", "bye"]


def test_case_06_words_over_a_prompt_that_nobody_may_cut_are_no_answer(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.lengths["A long prompt."] = 5.0
    flow = MENU.replace("say: A long prompt.", "say: A long prompt.\n    barge_in: false")
    clip = spoken["give me an operator please"]
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(clip), Silence(1.0), HangUp(), flow=flow))
    assert outcome.record is not None
    assert outcome.record["path"] == ["main"]
    assert outcome.record["counts"].get("paused", 0) == 0
    assert kinds(outcome, "PromptInterrupted") == []


@pytest.mark.parametrize(("before", "path"), [(0.3, ["main", "operator"]), (1.1, ["main"])])
def test_case_06_what_spans_its_end_counts_by_the_larger_part(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any], before: float, path: list[str]
) -> None:
    """The sentence takes 1.4 s, of which ``before`` seconds lie over the prompt."""
    flow = MENU.replace("say: A long prompt.", "say: A long prompt.\n    barge_in: false")
    clip = spoken["give me an operator please"]
    line.lengths["A long prompt."] = 4.0
    outcome = on_virtual_time(
        line.call(WaitAudio(0.5), Silence(3.5 - before - clip.onset), Say(clip), Silence(2.5), flow=flow)
    )
    assert outcome.record is not None
    assert outcome.record["path"] == path


def test_case_13_a_key_wins_over_words_that_are_not_final(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.lengths["Operator."] = 5.0
    clip = spoken["I would like to, <1.0s> speak to somebody"]
    begun = Clip(clip.audio[:9600], clip.words[:4], clip.onset, 1.2)
    asks = "operator: {say: Operator., menu: [{hear: [somebody], key: 5, goto: somebody}]}"
    flow = MENU.replace("operator: {say: Operator., goto: end}", asks)
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(begun), Keys("1"), Silence(7.0), flow=flow))
    assert outcome.record is not None
    assert outcome.record["path"][:2] == ["main", "operator"]
    assert "somebody" not in outcome.record["path"]


def test_case_22_a_noise_lets_the_rest_of_the_silence_run(
    line: Line, on_virtual_time: Callable[..., Any], spoken: dict[str, Clip]
) -> None:
    line.words = True
    line.lengths["A long prompt."] = 1.0
    clip = spoken["mhm"]
    wordless = Clip(clip.audio, (), clip.onset, clip.end, "sound")
    outcome = on_virtual_time(line.call(WaitAudio(0.5), Silence(3.0), Say(wordless), Silence(6.0)))
    finished, *_ = kinds(outcome, "PromptFinished")
    noise = kinds(outcome, "UtteranceEnded")[0]
    assert noise["text"] == ""
    again = [effect for effect in outcome.effects if effect["type"] == "PlayPrompt"][1]
    # Six seconds of silence, and the second and a half in which it might have been words.
    assert 7.0 < again["at"] - finished["at"] < 8.5


def test_without_a_transcriber_a_voice_that_lasts_stops_and_keys_answer(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.words = False
    clip = spoken["I would like to, <1.0s> speak to somebody"]
    outcome = on_virtual_time(line.call(WaitAudio(2.0), Say(clip), Silence(1.0), Keys("1"), Silence(1.0)))
    assert len(kinds(outcome, "PromptInterrupted")) == 1
    assert outcome.record is not None
    assert outcome.record["path"] == ["main", "operator"]


@pytest.mark.parametrize(("db", "delay"), [(-12.0, 0.2), (-20.0, 0.1), (-30.0, 0.04)])
def test_our_own_voice_on_the_way_back_is_nobody(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any], db: float, delay: float
) -> None:
    """The prompt is a real voice, and the line returns it."""
    prompt = b"".join(spoken[text].audio for text in spoken if text != "mhm") * 2

    class Speaker(ToneVoice):
        async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
            yield prompt

    line.world.voice = Speaker()
    outcome = on_virtual_time(line.call(Silence(len(prompt) / 8000 + 2.0), echo=Echo(db, delay)))
    assert kinds(outcome, "PromptInterrupted") == []
    assert outcome.record is not None
    assert outcome.record["counts"].get("paused", 0) == 0
    assert kinds(outcome, "SpeechStarted") == []


def test_a_voice_that_fails_while_its_prompt_is_paused_silences_nothing_else(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    class Fails(ToneVoice):
        async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
            if request.text.startswith("Dear"):
                await let_pass(3.0)
                raise ProviderError("tone", "unavailable", retryable=False)
            async with aclosing(super().speak(request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    line.world.voice = Fails()
    flow = MENU.replace("say: A long prompt.", 'say: "Dear {{ call.from }}."')
    outcome = on_virtual_time(line.call(Silence(2.3), Say(spoken["mhm"]), Silence(30.0), flow=flow))
    assert outcome.record is not None
    assert outcome.record["counts"]["paused"] == 1
    assert outcome.record["ended_reason"] == "provider.failed"
    assert len(outcome.report.of("audio_started")) == 1
