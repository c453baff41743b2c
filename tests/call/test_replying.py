"""A conversation with a model on real audio: a scripted model, a voice of tones, whole calls on the virtual clock."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from flowengine.audio import level, mulaw
from flowengine.audio.tones import sine
from flowengine.call.chain import ModelChain
from flowengine.call.ports import Called, Heard, LanguageModel, ModelRequest, Said, SpeechRequest, SpokenWord, Usage
from flowengine.call.replying import POLITE
from flowengine.errors import ProviderError
from flowengine.providers.silero import Silero
from flowengine.testing.labels import Clip, Timeline
from flowengine.testing.network import AsgiNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.script import Dialled, HangUp, Keys, Say, Script, Silence, Step, WaitAudio, WaitSilence
from flowengine.testing.transcriber import ScriptedTranscriber
from flowengine.testing.virtual_time import let_pass
from tests.conftest import TOKEN, Outcome, ToneVoice, World

FLOW = """\
version: 1
flow: test
vars: {city: text}
tools: {weather: {http: GET, url: "https://weather.test/{{ city }}", about: The weather., args: {city: string}}}
defaults: {persona: You work for Acme.}
nodes:
  help:
    say: Hello.
    chat:
      prompt: Help the caller.
      tools: [weather]
      keys: exit
      exits:
        human: {when: a person is wanted, key: 0, goto: person}
        done: {when: all is done, fill: {city: the city}, goto: bye}
  person: {say: "A person.", goto: end}
  bye: {say: "Bye {{ city }}.", goto: end}
"""
DETECTOR = Silero()
Part = str | float | Called | Exception


@dataclass
class Model:
    """A language model that answers by script: texts, seconds to wait, calls, and what is raised."""

    answers: list[Sequence[Part]]
    name: str = "scripted"
    requests: list[ModelRequest] = field(default_factory=list)
    warmed: list[ModelRequest] = field(default_factory=list)
    open: int = 0
    usage: Usage = field(default_factory=lambda: Usage("scripted"))

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def warm(self, request: ModelRequest) -> None:
        self.warmed.append(request)

    @asynccontextmanager
    async def answer(self, request: ModelRequest) -> AsyncIterator[Answer]:
        self.requests.append(request)
        self.open += 1
        try:
            yield Answer(
                self.answers[len(self.requests) - 1] if len(self.requests) <= len(self.answers) else [9e9], self.name
            )
        finally:
            self.open -= 1


class Answer:
    """One answer of the script."""

    def __init__(self, parts: Sequence[Part], by: str) -> None:
        self.usage = Usage(by, output_tokens=len(parts))
        self._parts = iter(parts)

    def __aiter__(self) -> Answer:
        return self

    async def __anext__(self) -> Said | Called:
        for part in self._parts:
            if isinstance(part, float):
                await let_pass(part)
            elif isinstance(part, Exception):
                raise part
            else:
                return Said(part) if isinstance(part, str) else part
        raise StopAsyncIteration


class WordVoice(ToneVoice):
    """A voice that tells when its words are spoken: a letter or space takes 60 ms."""

    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:  # type: ignore[override]  # it tells words
        self.spoken.append(request.text)
        await let_pass(self.delay)
        at = 0
        for word in request.text.split():
            yield SpokenWord(word, at * 0.06, (at + len(word)) * 0.06)
            at += len(word) + 1
        yield mulaw.encode(sine(440.0, 0.06 * len(request.text)))


@dataclass
class Line:
    """A world with a model, and one phone."""

    world: World
    model: Model = field(default_factory=lambda: Model([]))
    tools: dict[str, Any] = field(default_factory=dict)
    behind: LanguageModel | None = None  # the model, with what stands before it

    async def call(self, *steps: Step, flow: str = FLOW, transfers: Sequence[Dialled] = ()) -> Outcome:
        self.world.flow(flow)
        self.world.detector = DETECTOR
        self.world.transcriber = ScriptedTranscriber(self._timeline, Heard, ends_turns=True)
        self.world.hosts = ("weather.test",)
        self.world.models = {"default": self.behind or self.model}
        self.world.tools = {"http": Runner(self.tools)}
        application = await self.world.start()
        self._phone = Phone(
            "twilio", AsgiNetwork(application), answer_url="https://voice.test/answer/twilio", token=TOKEN
        )
        report = await self._phone.run(Script((*steps, HangUp()), "twilio", transfers=tuple(transfers)))
        outcome = await self.world.outcome(application, report)
        await application.aclose()
        assert self.model.open == 0
        return outcome

    def _timeline(self, call: str) -> Timeline:
        return self._phone.report.timelines[-1]


@dataclass
class Runner:
    """Runs tools by name: what is given, after so many seconds."""

    answers: dict[str, Any]

    async def start(self) -> None:
        """Nothing to start."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def run(self, request: Any) -> Any:
        seconds, answer = self.answers[request.tool]
        await let_pass(seconds)
        return answer


@pytest.fixture
def line(world: World) -> Line:
    world.voice.delay = 0.0
    return Line(world)


def kinds(outcome: Outcome, *names: str) -> list[dict[str, Any]]:
    return [event for event in outcome.events if event["type"] in names]


def path(outcome: Outcome) -> list[str]:
    assert outcome.record is not None
    found: list[str] = outcome.record["path"]
    return found


CALLER = "give me an operator please"


def test_an_answer_is_spoken_clause_by_clause_as_it_comes(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["I ", 0.2, "can help you, ", 3.0, "one moment. ", "There we are."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(8.0)))
    assert line.world.voice.spoken[-3:] == ["I can help you,", "one moment.", "There we are."]
    (finished,) = kinds(outcome, "ReplyFinished")
    assert finished["text"] == "I can help you, one moment. There we are."
    assert [(m["role"], m.get("text")) for m in line.model.requests[0].messages] == [
        ("assistant", "Hello."),
        ("user", CALLER),
    ]
    assert "You work for Acme." in line.model.requests[0].persona
    assert line.model.requests[0].system == "Help the caller."
    # The first clause is heard while the model is still thinking about the rest; and of the 200 ms before it 150 were
    # over when the turn was, because the model was asked when that was likely.
    assert outcome.record is not None
    (turn,) = outcome.record["turns"]
    assert turn["audio"] == pytest.approx(0.05, abs=0.03)
    assert len(line.model.requests) == 1


def test_case_15_words_are_spoken_while_their_tool_runs_and_its_answer_is_asked_about(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.tools = {"weather": (1.0, {"sky": "blue"})}
    line.model.answers = [
        ["Let me have a look. ", Called("c1", "weather", {"city": "Rome"})],
        ["The sky is blue."],
    ]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(7.0)))
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Let me have a look.", "The sky is blue."]
    told = line.model.requests[1].messages
    assert [m["role"] for m in told] == ["assistant", "user", "assistant", "tool"]
    assert told[-1]["result"] == {"sky": "blue"}


def test_an_exit_is_taken_when_the_words_before_it_were_heard(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["Fine, goodbye then. ", Called("c1", "done", {"city": "Rome"})]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0)))
    assert path(outcome) == ["help", "bye"]
    assert outcome.prompts()[-1] == "Bye Rome."


@pytest.mark.parametrize("voice", [ToneVoice, WordVoice])
def test_case_19_what_was_heard_of_a_cut_answer_is_what_the_model_is_told(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any], voice: type[ToneVoice]
) -> None:
    line.world.voice = voice()
    line.world.voice.delay = 0.0
    line.model.answers = [["One two three four five six seven eight nine ten eleven twelve."], ["Yes."]]
    outcome = on_virtual_time(
        line.call(
            WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), WaitAudio(1.0), Say(spoken["stop"]), Silence(5.0)
        )
    )
    (cut,) = kinds(outcome, "ReplyInterrupted")
    whole = "One two three four five six seven eight nine ten eleven twelve."
    assert whole.startswith(cut["text"])
    # Sixty milliseconds a character: what is in the history is what was played, to a word.
    assert cut["heard"] / 0.06 - 7 <= len(cut["text"]) <= cut["heard"] / 0.06 + 1
    assert line.model.requests[1].messages[-2]["text"] == cut["text"] + "…"


def test_case_14_the_key_of_an_exit_cuts_an_answer_and_leaves(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["This is a very long answer that nobody wants to hear to its end."]]
    outcome = on_virtual_time(
        line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), WaitAudio(0.5), Keys("0"), Silence(2.0))
    )
    assert path(outcome) == ["help", "person"]
    assert len(kinds(outcome, "ReplyInterrupted")) == 1


def test_case_07_an_mhm_over_an_answer_pauses_it_and_is_no_turn(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["One two three four five six seven eight nine ten eleven twelve."], ["Never."]]
    outcome = on_virtual_time(
        line.call(
            WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), WaitAudio(1.0), Say(spoken["mhm"]), Silence(6.0)
        )
    )
    (finished,) = kinds(outcome, "ReplyFinished")
    assert finished["text"].endswith("twelve.")
    assert len(line.model.requests) == 1
    assert outcome.record is not None
    assert outcome.record["counts"]["paused"] == outcome.record["counts"]["resumed"] == 1


def test_case_20_who_goes_on_before_the_answer_is_asked_for_anew_and_not_talked_over(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [[2.5, "Too early."], ["Yes, of course."]]
    outcome = on_virtual_time(
        line.call(
            WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(1.0), Say(spoken["stop"]), Silence(5.0)
        )
    )
    assert "Too early." not in line.world.voice.spoken
    assert line.model.requests[1].messages[-1] == {"role": "user", "text": f"{CALLER} stop"}
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Yes, of course."]


def test_who_goes_on_after_a_likely_end_is_asked_about_anew(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["Too early. ", 5.0, "Never."], ["Now."]]
    clip = spoken["four two seven, <0.9s> nine one one"]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(clip), Silence(4.0)))
    assert [request.messages[-1]["text"] for request in line.model.requests] == [
        "four two seven",
        "four two seven nine one one",
    ]
    assert "Too early." not in line.world.voice.spoken
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Now."]
    assert outcome.record is not None
    # What was thrown away was used all the same.
    assert sum(used.get("output_tokens", 0) for used in outcome.record["usage"]) == 4


FAILED = ProviderError("scripted", "unavailable", retryable=True)


def test_a_model_that_fails_before_its_first_word_is_an_error(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [[0.2, FAILED]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0)))
    (failed,) = kinds(outcome, "ReplyFailed")
    assert (failed["kind"], failed["text"]) == ("unavailable", "")


def test_after_it_what_was_said_is_spoken_to_its_end(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["I have found something. ", "And", FAILED], ["Once more."]]
    outcome = on_virtual_time(
        line.call(
            WaitAudio(0.2),
            WaitSilence(0.3),
            Say(spoken[CALLER]),
            WaitAudio(0.2),
            WaitSilence(0.5),
            Say(spoken["yes"]),
            Silence(4.0),
        )
    )
    (failed,) = kinds(outcome, "ReplyFailed")
    assert failed["text"] == "I have found something. And"
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Once more."]


def test_a_voice_that_fails_ends_the_answer_with_what_was_heard(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.world.voice.broken["This never comes."] = False
    line.model.answers = [["That was heard. ", "This never comes."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0)))
    (failed,) = kinds(outcome, "ReplyFailed")
    assert failed["text"] == "That was heard."


def test_a_filler_is_said_when_the_answer_takes_long_and_is_no_part_of_it(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    flow = FLOW.replace("      keys: exit\n", "      keys: exit\n      filler: {after: 1s, say: One moment.}\n")
    line.model.answers = [[2.0, "Here I am."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0), flow=flow))
    assert line.world.voice.spoken[-2:] == ["One moment.", "Here I am."]
    assert kinds(outcome, "ReplyFinished")[0]["text"] == "Here I am."


def test_an_answer_without_words_is_over_at_once(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [[Called("c1", "human", {})]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(3.0)))
    assert path(outcome) == ["help", "person"]


def test_moments_of_cutting_an_answer(world: World, on_virtual_time: Callable[..., Any]) -> None:
    """Cut by a key at random moments: the history never says what was not played."""
    chance = random.Random(1)
    text = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."

    async def cut(moment: float) -> tuple[dict[str, Any], float]:
        line = Line(World(world.folder), Model([[text]]))
        line.world.voice = WordVoice()
        line.world.voice.delay = 0.0
        flow = FLOW.replace("    say: Hello.\n", "").replace("      keys: exit\n", "")
        outcome = await line.call(WaitAudio(0.02), Silence(moment), Keys("0"), Silence(0.5), flow=flow)
        (event,) = kinds(outcome, "ReplyInterrupted")
        began = outcome.report.of("audio_started")[0].at
        return event, outcome.report.of("cleared")[0].at - began

    for _ in range(40):  # a hundred, and by voice: tests/bench/interrupting.py
        event, played = on_virtual_time(cut(chance.uniform(0.0, 4.0)))
        assert text.startswith(event["text"])
        assert len(event["text"]) * 0.06 <= played
        assert len(event["text"]) * 0.06 >= played - 0.6 - 0.06 * 9


def test_the_model_is_warmed_while_the_first_words_are_spoken(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["Hello to you."]]
    on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(3.0)))
    (warmed,), (asked,) = line.model.warmed, line.model.requests
    # All but the words of the caller is what will be asked: a vendor's cache has it by then.
    assert (warmed.persona, warmed.system, warmed.tools) == (asked.persona, asked.system, asked.tools)


def test_of_a_clause_whose_voice_breaks_off_only_what_was_played_was_heard(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    """Half of the audio comes, then the voice fails, and for the rest again: the model is told no more than that."""
    line.world.voice.broken |= {"That was heard, and this was not at all.": True, "and this was not at all.": False}
    line.model.answers = [["That was heard, and this was not at all. "], ["Once more."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0)))
    (failed,) = kinds(outcome, "ReplyFailed")
    assert failed["voice"] is True
    assert failed["text"] in ("That was heard,", "That was heard, and", "That was")


def test_a_voice_that_breaks_off_once_is_asked_for_the_rest(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.world.voice.broken["That was heard, and this comes, too."] = True
    line.model.answers = [["That was heard, and this comes, too. "]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0)))
    assert line.world.voice.spoken[-1] == "and this comes, too."
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["That was heard, and this comes, too."]


def test_a_voice_that_fails_once_before_it_says_anything_is_asked_again(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    class Hiccup(ToneVoice):
        async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
            if request.text == "Here I am." and request.text not in self.spoken:
                self.spoken.append(request.text)
                raise ProviderError("tone", "unavailable", retryable=True)
            async with aclosing(super().speak(request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    line.world.voice = Hiccup()
    line.model.answers = [["Here I am."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(4.0)))
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Here I am."]


def test_the_record_tells_what_both_streams_of_a_call_used(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    flow = FLOW.replace("goto: person}", "goto: agent}").replace(
        "  person:", '  agent: {transfer: {to: "+15550100"}, goto: {ended: end, busy: help, else: end}}\n  person:'
    )
    line.model.answers = [["One answer."], ["Another one."]]
    said = (WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(3.0))
    outcome = on_virtual_time(line.call(*said, Keys("0"), *said, flow=flow, transfers=[Dialled("busy")]))
    record = outcome.record
    assert record is not None
    assert (record["streams"], record["path"]) == (2, ["help", "agent", "help"])
    assert len(record["turns"]) == 2
    used = {one["provider"]: one for one in record["usage"]}
    assert used["scripted"]["output_tokens"] == 2
    assert used["tone"]["characters"] == len("One answer.") + len("Another one.")
    assert used["scripted"]["seconds"] > 10.0


def test_and_of_several_vendors_that_of_who_answered(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [["One answer."]]
    line.behind = ModelChain([Model([[FAILED]], name="broken"), line.model])
    said = (WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(3.0))
    outcome = on_virtual_time(line.call(*said))
    assert outcome.record is not None
    used = {one["provider"]: one["output_tokens"] for one in outcome.record["usage"] if "output_tokens" in one}
    assert used == {"broken": 1, "scripted": 1}


FILLER = FLOW.replace(
    "      keys: exit\n", "      keys: exit\n      filler: {after: 1s, say: 'One moment {{ call.from }}.'}\n"
)


class HangsInFiller(ToneVoice):
    async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes, None]:
        if request.text.startswith("One moment"):
            await let_pass(1e5)
        async with aclosing(super().speak(request)) as chunks:
            async for chunk in chunks:
                yield chunk


def test_a_filler_whose_voice_hangs_does_not_hold_the_answer(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.world.voice = HangsInFiller()
    line.model.answers = [[1.5, "Here I am."]]
    outcome = on_virtual_time(
        line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(6.0), flow=FILLER)
    )
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Here I am."]


def test_an_mhm_over_a_filler_is_no_turn(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    line.model.answers = [[4.0, "Here I am."], ["Never."]]
    outcome = on_virtual_time(
        line.call(
            *(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), WaitAudio(0.2), Say(spoken["mhm"])),
            Silence(8.0),
            flow=FILLER,
        )
    )
    assert len(line.model.requests) == 1
    assert [event["text"] for event in kinds(outcome, "ReplyFinished")] == ["Here I am."]


def test_a_voice_that_never_stops_does_not_keep_an_answer_for_ever(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    """Somebody else goes on speaking behind the caller's words, of whom nothing is transcribed."""
    clip = spoken[CALLER]
    sounds = b"".join(
        clip.audio[at : at + 160]
        for at in range(0, len(clip.audio) - 160, 160)
        if level.mulaw_dbfs(clip.audio[at : at + 160]) > -35
    )
    behind = Clip(clip.audio + (sounds * 30)[: 12 * 8000], clip.words, clip.onset, len(clip.audio) / 8000 + 12)
    line.model.answers = [["We are open until nine."], ["Never."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(behind), Silence(3.0)))
    started, audible = (kinds(outcome, kind)[0]["at"] for kind in ("ReplyStarted", "ReplyAudible"))
    assert audible - started < POLITE + 0.1


def test_a_voice_that_tells_its_words_as_it_speaks_them_is_not_believed_too_much(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    class Live(WordVoice):
        async def speak(self, request: SpeechRequest) -> AsyncGenerator[bytes | SpokenWord, None]:  # type: ignore[override]  # it tells words
            at = 0
            for word in request.text.split():
                yield SpokenWord(word, at * 0.06, (at + len(word)) * 0.06)
                at += len(word) + 1
                yield mulaw.encode(sine(440.0, 0.06 * (len(word) + 1)))
                await let_pass(0.05 * (len(word) + 1))

    line.world.voice = Live()
    line.model.answers = [["One two three four five six seven eight nine ten eleven twelve."], ["Yes."]]
    said = (WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), WaitAudio(1.0), Say(spoken["stop"]), Silence(4.0))
    (cut,) = kinds(on_virtual_time(line.call(*said)), "ReplyInterrupted")
    assert len(cut["text"]) * 0.06 <= cut["heard"]


def test_words_that_a_model_may_not_say_are_not_spoken(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    flow = """\
version: 1
flow: test
nodes:
  main: {say: Sales or bills., tries: 1, menu: {understand: model, options: [{key: 1, hear: [sales], goto: end}]}}
"""
    line.model.answers = [["I am sorry, none of these fits."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(3.0), flow=flow))
    assert "I am sorry, none of these fits." not in line.world.voice.spoken
    assert kinds(outcome, "ReplyAudible") == []


def test_what_an_answer_used_is_counted_when_its_stream_ends(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    """Asked ahead at a likely end of the turn, which a key then ends; and cut by the end of the stream."""
    clip = spoken["four two seven, <0.9s> nine one one"]
    half = Clip(clip.audio[: round(8000 * (clip.words[2].end + 0.17))], clip.words[:3], clip.onset, clip.words[2].end)
    line.model.answers = [["One."], ["Two."]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(half), Keys("0"), Silence(3.0)))
    assert outcome.record is not None
    assert sum(one.get("output_tokens", 0) for one in outcome.record["usage"]) == len(line.model.requests) == 1


def test_an_exit_keeps_its_name_whatever_it_is(
    line: Line, spoken: dict[str, Clip], on_virtual_time: Callable[..., Any]
) -> None:
    flow = FLOW.replace("human: {when: a person is wanted, key: 0,", "exit_survey: {when: a survey is wanted,")
    line.model.answers = [["Good.", Called("c1", "exit_survey", {})]]
    outcome = on_virtual_time(line.call(WaitAudio(0.2), WaitSilence(0.3), Say(spoken[CALLER]), Silence(4.0), flow=flow))
    assert path(outcome) == ["help", "person"]
