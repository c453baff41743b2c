"""What a caller who speaks into a model's answer still hears of it, and what the history then says that was heard.

    .venv/bin/python tests/bench/interrupting.py [--moments 100] [--seed 1] [--carrier twilio] [--delay 0] [--jitter 0]

Whole calls on the virtual clock, each with a scripted model, a voice, a phone, and a caller who says something at a
random moment of the answer. A third of the callers murmur before that: the answer is paused and goes on, and is then
not heard in one piece; of half of the murmurs the transcriber makes an "mhm", of the rest nothing. The voice speaks as
those of the tests do (a letter or a space takes 60 ms), but noise that is different everywhere and never silent, so
that every sample that the phone played is known by its place in the answer, also what it played twice. Its audio comes
in pieces, four times as fast as it is played. ``--delay 0.05 --jitter 0.04`` is a line between two countries.

- Onset to silence: from the labelled onset of the caller's voice to the last sample of the answer that was played,
  where the answer was cut. What was silent at the onset, because the caller had murmured, is left out.
- Sent after the clear: frames of 20 ms of the answer that came after the clear that cut it.
- What the history says: the fact ``ReplyInterrupted`` and what the model is told with its next request, whichever is
  longer, against the words that were played from their first to their last sample. Words of which a part was played
  are none that the history should have.

Where the caller spoke so late that the answer came to its end, nothing was cut; these are counted by themselves, with
the time for which the caller was talked over. So are answers that were dropped: asked for anew while the caller heard
them already, and the history says nothing of them. Exit code 1: the history said more than was played, a frame came
after a clear, or an answer was dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from flowengine.audio import mulaw
from flowengine.call.ports import Heard, SpeechRequest, SpokenWord, Substitute, Synthesizer
from flowengine.cli._voices import local_speech
from flowengine.testing import virtual_time
from flowengine.testing.labels import Clip
from flowengine.testing.network import AsgiNetwork
from flowengine.testing.phone import Phone
from flowengine.testing.report import RATE, CallReport
from flowengine.testing.script import HangUp, Say, Script, Silence, Step, WaitAudio, WaitSilence
from flowengine.testing.transcriber import ScriptedTranscriber
from flowengine.testing.virtual_time import let_pass
from flowengine.testing.voices import Speech, Voices
from tests.bench.ears import Errors
from tests.call.test_replying import DETECTOR, Model, Part, WordVoice, kinds
from tests.conftest import TOKEN, Outcome, ToneVoice, World
from tests.ears.scoring import quantile

FLOW = """\
version: 1
flow: test
defaults: {persona: You work for Acme.}
nodes:
  help:
    say: Hello.
    chat:
      prompt: Help the caller.
      exits:
        done: {when: all is done, goto: bye}
  bye: {say: Goodbye., goto: end}
"""
ANSWERS: dict[str, Sequence[Part]] = {
    "one clause": ["The train to Paris leaves at nine from platform four and needs two hours and ten minutes."],
    "several clauses": [
        "The train to Paris ",
        0.1,
        "leaves at nine, ",
        0.3,
        "from platform four. It stops in Lille, ",
        0.5,
        "which takes a while. ",
        0.5,
        "You arrive at eleven. Is that early enough?",
    ],
}
AFTERWARDS = "Yes, of course."
VOICES = ("en-us", "en-us+m3", "en-us+m7", "en-gb+m3")  # no breath in them: the same in every process
QUESTION = "when does the train leave"
INTERRUPTIONS = ("stop, I have another question", "wait, is there a later one", "no", "I would rather take the bus")
MURMUR = "mhm"
MURMURS = 1 / 3  # share of the callers who murmur first
LETTER = 480  # samples of a letter or a space: 60 ms
PIECE, EVERY = 1600, 0.05  # samples that the voice gives at once, and how many seconds it takes for them
LOUDNESS = 3000.0  # of the noise, root mean square
KNOWN = 8  # samples by which a place of the answer is known
FRAME = 160


class Recognizable(ToneVoice):
    """Speaks as another voice does, but noise of which no two places are alike, and in pieces."""

    def __init__(self, other: ToneVoice) -> None:
        super().__init__()
        self.spoken = other.spoken
        self._other: Synthesizer = other

    async def speak(  # type: ignore[override]  # it may tell words
        self, request: SpeechRequest
    ) -> AsyncGenerator[bytes | SpokenWord | Substitute, None]:
        async with aclosing(self._other.speak(request)) as chunks:
            async for chunk in chunks:
                if not isinstance(chunk, bytes):
                    yield chunk
                    continue
                noise = sound(request.text, len(chunk))
                for begin in range(0, len(noise), PIECE):
                    yield noise[begin : begin + PIECE]
                    await let_pass(EVERY)


@cache
def sound(text: str, samples: int) -> bytes:
    """Give the noise that stands for a text, µ-law."""
    noise = np.random.default_rng(zlib.crc32(text.encode())).normal(0.0, LOUDNESS, samples)
    return mulaw.encode(np.clip(noise, -32000, 32000).astype(np.int16))


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of an answer, from its sample ``place`` on, that were played without a gap from ``at`` on."""

    at: float
    place: int
    samples: int

    @property
    def end(self) -> float:
        """When the last of them was over."""
        return self.at + self.samples / RATE


def pieces(report: CallReport, audio: bytes) -> list[Piece]:
    """Find what the phone played of some audio, sample for sample."""
    found: list[Piece] = []
    for stretch in report.played:
        played, here = bytes(stretch.audio), 0
        while here + KNOWN <= len(played):
            place = audio.find(played[here : here + KNOWN])
            if place < 0:
                here += 1
                continue
            length = min(len(played) - here, len(audio) - place)
            one, other = (np.frombuffer(side, np.uint8, length, at) for side, at in ((played, here), (audio, place)))
            other_from = np.flatnonzero(one != other)
            length = int(other_from[0]) if other_from.size else length
            found.append(Piece(stretch.at + here / RATE, place, length))
            here += length
    return found


@dataclass(frozen=True, slots=True)
class Words:
    """An answer as the voice spoke it: its audio, and its words with the sample at which each is over."""

    audio: bytes
    texts: tuple[str, ...]
    ends: tuple[int, ...]

    def reached(self, heard: Sequence[Piece]) -> int:
        """Give how many samples, from the first one on, were played."""
        came = np.zeros(len(self.audio) + 1, np.bool_)
        for piece in heard:
            came[piece.place : piece.place + piece.samples] = True
        return int(np.argmin(came))

    def end(self, count: int) -> float:
        """Give the second of the answer at which so many words are over, or all of them."""
        return self.ends[min(count, len(self.ends)) - 1] / RATE if count else 0.0


def words(clauses: Sequence[str]) -> Words:
    """Place the words of clauses that were spoken one after another."""
    texts: list[str] = []
    ends: list[int] = []
    begin = 0
    for clause in clauses:
        at = begin
        for word in clause.split():
            at += len(word)
            texts.append(word)
            ends.append(at * LETTER)
            at += 1
        begin += len(clause)
    audio = b"".join(sound(clause, len(clause) * LETTER) for clause in clauses)
    return Words(audio, tuple(texts), tuple(ends))


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What became of an answer into which a caller spoke.

    ``latency``: seconds from the onset of the voice to the last sample of the answer, 0 where it had ended. ``silent``:
    it was paused at the onset; ``resumed``: it had been paused before, and went on. The rest is of what did not come
    to its end: samples that were ``late``; words that the history says ``more`` than were played, and of how many
    seconds of them nothing was (``ahead``); words that it says ``less``, and how long these are (``lost``).
    """

    end: Literal["cut", "finished", "dropped"]
    latency: float
    silent: bool
    resumed: bool
    late: int = 0
    more: int = 0
    ahead: float = 0.0
    less: int = 0
    lost: float = 0.0


def judge(outcome: Outcome, model: Model, spoken: Sequence[str], answer: str) -> Interrupted:
    """Hold what the history says against what the phone played. Raises ``ValueError`` when a call went wrong."""
    report = outcome.report
    if report.failures or report.of("wrong", "stalled", "stream_refused"):
        raise ValueError(f"a call went wrong: {report.failures or report.of('wrong', 'stalled', 'stream_refused')}")
    said = words([text for text in spoken if text in answer])
    heard = pieces(report, said.audio)
    timeline = report.timelines[-1]
    onset = timeline.time(timeline.said[-1], timeline.said[-1].clip.onset)
    again = [one for one, before in zip(heard[1:], heard, strict=False) if one.place < before.place + before.samples]
    latency = max(0.0, heard[-1].end - onset)
    paused = not any(piece.at <= onset < piece.end for piece in heard)
    end, fact = ending(outcome)
    if end == "finished":
        return Interrupted(end, latency, paused, bool(again))
    history = told(fact, model).split()
    count, reached = len(history), said.reached(heard)
    played = sum(end <= reached for end in said.ends)
    more = max(0, count - played) if list(said.texts[:count]) == history else count
    return Interrupted(
        end,
        latency,
        silent=paused,
        resumed=bool(again),
        late=after_clear(report, heard, onset),
        more=more,
        ahead=max(0.0, said.end(count) - reached / RATE) if more else 0.0,
        less=max(0, played - count),
        lost=max(0.0, said.end(played) - said.end(count)),
    )


def ending(outcome: Outcome) -> tuple[Literal["cut", "finished", "dropped"], str]:
    """Give how the first answer ended, and what the fact of it says that was heard. Raises ``ValueError``."""
    answer = kinds(outcome, "ReplyStarted")[0]["reply"]
    for event in kinds(outcome, "ReplyInterrupted", "ReplyFinished"):
        if event["reply"] == answer:
            return "cut" if event["type"] == "ReplyInterrupted" else "finished", event["text"]
    if any(effect["type"] == "CancelReply" and effect["reply"] == answer for effect in outcome.effects):
        return "dropped", ""
    raise ValueError("nothing is known of an answer's end")


def told(fact: str, model: Model) -> str:
    """Give what the history says of the answer: in the fact, or to the model when it is asked next."""
    messages = model.requests[-1].messages if len(model.requests) > 1 else ()
    # The first thing that was said to the caller is the greeting; an answer that was dropped is followed by another.
    texts = [str(message["text"]) for message in messages if message["role"] == "assistant"][1:2]
    known = [text.removesuffix("…") for text in texts]
    return max([fact, *(text for text in known if not AFTERWARDS.startswith(text))], key=len)


def after_clear(report: CallReport, heard: Sequence[Piece], onset: float) -> int:
    """Give how many samples came after the clear that cut the answer."""
    following = pieces(report, sound(AFTERWARDS, len(AFTERWARDS) * LETTER))
    until = following[0].at if following else report.duration
    clears = [event.at for event in report.of("cleared") if event.at < until]
    # Where there was none, because nothing of it was with the carrier, nothing may begin any more after the onset.
    since = clears[-1] if clears else onset
    raced = sum(int(event.data["samples"]) for event in report.of("raced") if since <= event.at < until)
    return raced + sum(piece.samples for piece in heard if piece.at >= since)


@dataclass(frozen=True)
class Setting:
    """The way between carrier and server, and where the server has its flows."""

    folder: Path
    carrier: Literal["twilio", "vobiz"] = "twilio"
    delay: float = 0.0
    jitter: float = 0.0


async def call(setting: Setting, voice: ToneVoice, model: Model, steps: Sequence[Step]) -> Outcome:
    """Place a call."""
    world = World(setting.folder, voice, detector=DETECTOR, models={"default": model})
    world.transcriber = ScriptedTranscriber(lambda _: phone.report.timelines[-1], Heard, ends_turns=True)
    world.flow(FLOW)
    application = await world.start()
    phone = Phone(
        setting.carrier,
        AsgiNetwork(application),
        answer_url=f"https://voice.test/answer/{setting.carrier}",
        token=TOKEN,
        delay=setting.delay,
        jitter=setting.jitter,
    )
    report = await phone.run(Script((*steps, HangUp()), setting.carrier))
    outcome = await world.outcome(application, report)
    await application.aclose()
    return outcome


def script(chance: random.Random, seconds: float, clips: dict[Speech, Clip]) -> list[Step]:
    """Ask, and speak into the answer of so many seconds at a moment by chance."""
    voice = chance.choice(VOICES)
    steps: list[Step] = [WaitAudio(0.2), WaitSilence(0.3), Say(clips[Speech(QUESTION, voice)]), WaitAudio(0.02)]
    if chance.random() < MURMURS:
        murmur = clips[Speech(MURMUR, voice)]
        if chance.random() < 0.5:
            murmur = replace(murmur, words=(), kind="sound")
        steps += [Silence(chance.uniform(0.0, seconds / 2)), Say(murmur), Silence(chance.uniform(0.0, 2.0))]
    else:
        steps.append(Silence(chance.uniform(0.0, seconds)))
    return [*steps, Say(clips[Speech(chance.choice(INTERRUPTIONS), voice)]), Silence(3.0)]


def measure(
    setting: Setting, other: type[ToneVoice], parts: Sequence[Part], clips: dict[Speech, Clip], moments: int, seed: int
) -> list[Interrupted]:
    """Interrupt an answer at so many moments. Raises ``ValueError`` when a call went wrong."""
    answer = "".join(part for part in parts if isinstance(part, str))
    found: list[Interrupted] = []
    for number in range(moments):
        chance = random.Random(f"{seed} {number}")
        model = Model([parts, [AFTERWARDS]])
        voice = Recognizable(other())
        steps = script(chance, len(answer) * LETTER / RATE, clips)
        outcome = virtual_time.run(call(setting, voice, model, steps))
        try:
            found.append(judge(outcome, model, voice.spoken, answer))
        except ValueError as error:
            raise ValueError(f"moment {number} of seed {seed}: {error}") from error
    return found


async def _speak() -> dict[Speech, Clip]:
    """Let the callers speak, before any clock is a virtual one."""
    async with local_speech() as voice:
        voices = Voices(voice)
        texts = (QUESTION, MURMUR, *INTERRUPTIONS)
        return {speech: await voices.clip(speech) for text in texts for speech in (Speech(text, one) for one in VOICES)}


HEAD = (
    "voice, answer",
    "moments",
    "cut",
    "of these paused and resumed before",
    "ended anyway",
    "and talked over, max, ms",
    "onset → silence p50 / p95 / max, ms",
    "frames sent after the clear",
    "history says more than played",
    "and by how much, max, ms",
    "words less p50 / p95 / max",
    "seconds less p50 / p95 / max",
    "dropped",
    "and words less p50 / p95 / max",
)


def row(name: str, found: Sequence[Interrupted]) -> str:
    """Make a row of the table."""
    cut, finished, dropped = ([one for one in found if one.end == end] for end in ("cut", "finished", "dropped"))
    cells = (
        name,
        str(len(found)),
        str(len(cut)),
        str(sum(one.resumed for one in cut)),
        str(len(finished)),
        f"{1000 * max((one.latency for one in finished), default=0.0):.0f}",
        _spread([1000 * one.latency for one in cut if not one.silent], "{:.0f}"),
        str(sum(-(-one.late // FRAME) for one in found)),
        str(sum(one.more > 0 for one in found)),
        f"{1000 * max((one.ahead for one in found), default=0.0):.0f}",
        _spread([one.less for one in cut], "{:.0f}"),
        _spread([one.lost for one in cut], "{:.2f}"),
        str(len(dropped)),
        _spread([one.less for one in dropped], "{:.0f}"),
    )
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float], form: str) -> str:
    return " / ".join(form.format(quantile(values, share) or 0.0) for share in (0.5, 0.95, 1.0))


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print; 1 when the history said more than was played, an answer was dropped, or came after a clear."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--moments", type=int, default=100, help="of each row of the table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--carrier", choices=("twilio", "vobiz"), default="twilio")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between carrier and server, each way")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds that a message may take longer")
    chosen = parser.parse_args(given)
    began = time.monotonic()
    clips = asyncio.run(_speak())
    rows: list[str] = []
    wrong = False
    with tempfile.TemporaryDirectory() as folder, Errors() as errors:
        setting = Setting(Path(folder), chosen.carrier, chosen.delay, chosen.jitter)
        for voice, other in (("with word times", WordVoice), ("without", ToneVoice)):
            for answer, parts in ANSWERS.items():
                found = measure(setting, other, parts, clips, chosen.moments, chosen.seed)
                rows.append(row(f"{voice}, {answer}", found))
                wrong = wrong or any(one.late or one.more or one.end == "dropped" for one in found)
    if errors:
        raise RuntimeError(f"{len(errors)} errors were logged, so the figures mean nothing; the first: {errors[0]}")
    print("\n".join((f"| {' | '.join(HEAD)} |", f"|---{'|---:' * (len(HEAD) - 1)}|", *rows)))  # noqa: T201 - a benchmark prints
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)  # noqa: T201
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
