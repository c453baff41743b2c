"""One stream's ears: from the caller's audio to the facts that they spoke, what they said, and that it cut a prompt.

Theory of operation. Audio is cut into the detector's windows. A window is muted where it is a key's tone, goes to the
transcriber, and comes back from the ears of the process with the probability that it is speech; what in it is our own
echo is reckoned out. Voice (``audio/vad``) opens and closes what ``audio/endpointing`` makes utterances of, and asks
``audio/barge_in`` whether it may interrupt. Both also get the transcriber's words. All of them are without clocks:
``tick``, called by the pacing wheel, tells them that time has passed. The playing prompt brings its policy with it.

After a ``PromptInterrupted`` of the voice an ``UtteranceEnded`` always follows: the utterance is open when it cuts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine

from flowengine.audio import level
from flowengine.audio.barge_in import BargeIn, Interruptible, Verdict
from flowengine.audio.echo import HEARD, Echo
from flowengine.audio.endpointing import Began, Ended, Endpointing, Found, Quiet, Rules
from flowengine.audio.keytones import is_key
from flowengine.audio.mulaw import SILENCE
from flowengine.audio.vad import SPEECH, Activity, CallerLevel, Window
from flowengine.call.clock import CallClock
from flowengine.call.ears import Ears
from flowengine.call.ports import Expected, Heard, Transcriber, Usage
from flowengine.call.speaking import Playing, Speaking
from flowengine.call.transcribing import Transcribing
from flowengine.call.voice import RATE
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime.expecting import patience
from flowengine.runtime.understanding import counted

LOUD_TONE = -45.0  # dBFS from which a window is looked at for a key's tone
TAIL = 0.5  # seconds after the last sample that was played in which an echo of it may come
SETTLED = 0.02  # seconds in which an utterance is dealt with
ALONE = 0.6  # seconds of voice that say how loud a caller is where nobody transcribes

Spawn = Callable[[Coroutine[object, object, None], str], asyncio.Task[None]]


class Listening:
    """See the module. ``put`` takes facts, ``note`` what is for the trace alone, ``maybe`` what may be a whole turn."""

    def __init__(
        self,
        call: str,
        ears: Ears,
        transcriber: Transcriber | None,
        speaking: Speaking,
        clock: CallClock,
        put: Callable[[fact.Event], None],
        note: Callable[[str, dict[str, object]], None],
        spawn: Spawn,
        maybe: Callable[[str], None],
    ) -> None:
        self._counts: Counter[str] = Counter()
        self.quiet = asyncio.Event()
        """Set while nobody speaks to us."""
        self.quiet.set()
        self._speaking = speaking
        self._clock = clock
        self._put = put
        self._note = note
        self._spawn = spawn
        self._maybe = maybe
        self._size = ears.window
        self._ear = ears.open(self._judged)
        self._transcribing = Transcribing(transcriber, call, self._heard, self._lost) if transcriber else None
        self._task: asyncio.Task[None] | None = None
        self._listen = wish.Listen("en-US", "nothing")
        self._buffer = bytearray()
        self._recent = bytearray(bytes([SILENCE]) * HEARD)
        self._received = 0  # samples, those included that are muted
        self._came = 0.0  # when the last of them came
        self._carrier_time: float | None = None
        self._sounded = -TAIL  # when something of ours was last with the carrier
        self._level = level.FLOOR
        self.voice_at = float("-inf")  # when anybody spoke last, however softly
        self._echo = Echo()
        self._activity = Activity()
        self._caller = CallerLevel()
        self._barge_in = BargeIn()
        self._voiced = 0.0  # seconds of voice since a prompt was paused, small silences left out
        self._prompt: Playing | None = None
        self._prompt_began = 0.0
        turns = transcriber is not None and transcriber.ends_turns
        self._endpointing = Endpointing(transcribed=transcriber is not None, turns=turns)

    @property
    def counts(self) -> Counter[str]:
        """What was odd so far, by kind."""
        lost = {"dropped_windows": self._ear.dropped, "late_words": self._endpointing.late}
        if self._transcribing is not None:
            lost["dropped_audio"] = self._transcribing.dropped
        return self._counts + Counter(lost)  # what is none is left out

    def used(self) -> list[Usage]:
        """Give what this stream has used of its transcriber."""
        return self._transcribing.used() if self._transcribing is not None else []

    # --- what comes in

    def take(self, audio: bytes, now: float, carrier_time: float | None) -> None:
        """Take the caller's µ-law audio, any size."""
        self._carrier_time = carrier_time
        self._received += len(audio)
        self._came = now
        self._buffer += audio
        while len(self._buffer) >= self._size:
            window = bytes(self._buffer[: self._size])
            del self._buffer[: self._size]
            loud = level.mulaw_dbfs(window)
            if loud >= LOUD_TONE and is_key(window):
                window, loud = bytes([SILENCE]) * self._size, level.FLOOR
                self._counts["muted_tone"] += 1
            if self._transcribing is not None:
                self._transcribing.send(window)
            self._ear.take(window, now, loud)

    def sent(self, audio: bytes) -> None:
        """Audio of ours was handed to the carrier."""
        self._echo.sent(audio)

    def expect(self, listen: wish.Listen) -> None:
        """The flow waits for something else now; the first time that it is words the transcriber is opened."""
        self._listen = listen
        self._endpointing.rules = Rules(listen.speech_end, listen.max_speech, lambda text: patience(listen, text))
        if self._transcribing is None:
            return
        expected = Expected(listen.lang, listen.kind, listen.phrases, listen.least, listen.most)
        self._transcribing.expect(expected)
        if self._task is None and listen.kind != "nothing":
            self._task = self._spawn(self._transcribing.run(), "transcribe")

    def close(self) -> None:
        """The stream is over."""
        self.quiet.set()
        self._ear.close()

    # --- voice

    def _judged(self, window: bytes, came: float, loud: float, probability: float) -> None:
        """The ears have judged a window."""
        self._recent += window
        del self._recent[:-HEARD]
        self._follow_prompt(came)
        if probability >= SPEECH and loud > self._caller.gate and self._sounds(came):
            played = self._speaking.playout.playing(came, self._carrier_time)
            loud = min(loud, self._echo.remaining(bytes(self._recent), played))
        self._level = loud
        if probability >= SPEECH and loud > level.FLOOR:
            self.voice_at = came
        changed = self._activity.feed(Window(came, len(window) / RATE, probability, loud), self._caller.gate)
        if self._activity.speaking and probability >= SPEECH:
            self._caller.voice(loud)
            self._voiced += len(window) / RATE
        if changed:
            self._voice_began(came)
        elif changed is False:
            self._voice_stopped(came)

    def _sounds(self, now: float) -> bool:
        """Say whether the caller hears us, or has a moment ago."""
        if not self._speaking.playout.idle:
            self._sounded = now
        return now - self._sounded < TAIL

    def _voice_began(self, now: float) -> None:
        self.quiet.clear()
        if self._transcribing is not None:
            self._transcribing.began()
        self._found(self._endpointing.speech(now, self._activity.since), now)
        if not self._barge_in.undecided:
            self._voiced = self._activity.voiced
        if self._speaking.may_be_cut(now, self._carrier_time):
            self._decide(self._barge_in.began(now, self._activity.level), now)

    def _voice_stopped(self, now: float) -> None:
        if not self._endpointing.open:
            self.quiet.set()  # its utterance was over before the voice was
        self._found(self._endpointing.quiet(now, self._activity.last), now)

    # --- words

    def _heard(self, heard: Heard) -> None:
        now = self._clock.now()
        if heard.kind in ("late", "again"):
            self._counts["transcriber_again"] += heard.kind == "again"
            self._endpointing.words_late(now)
            return
        began, ended = self._when(heard.began), self._when(heard.ended)
        if heard.kind in ("likely_end", "resumed"):
            self._perhaps(heard)
        if heard.kind in ("started", "interim", "likely_end", "resumed"):
            found = self._endpointing.interim(heard.text, now, began, ended) if heard.text else []
        elif heard.kind == "final":
            found = self._endpointing.final(heard.text, now, began, ended, heard.confidence)
        else:
            found = self._endpointing.turn(heard.text, now, began, ended, heard.confidence)
        # What cuts the prompt goes before what it was cut for.
        self._weigh(heard.text, now)
        self._found(found, now)

    def _perhaps(self, heard: Heard) -> None:
        """A turn is likely over, or it is not: what would be answered may be thought about already."""
        said = " ".join(part for part in (self._endpointing.before, heard.text) if part)
        if heard.kind == "likely_end" and patience(self._listen, said) <= 1:
            self._maybe(said)
        elif heard.kind == "resumed":
            self._maybe("")

    def _weigh(self, text: str, now: float) -> None:
        """Hold words against the prompt that plays; those that were begun before it are none about it."""
        self._follow_prompt(now)
        prompt = self._prompt
        if prompt is None or not text or not self._speaking.may_be_cut(now, self._carrier_time):
            return
        said = self._endpointing.said
        if said and (self._endpointing.began >= self._prompt_began or self._barge_in.undecided):
            words = counted(said, prompt.policy, self._listen)
            self._decide(self._barge_in.words(words, now), now)

    def _when(self, seconds: float | None) -> float | None:
        """Give the loop's time of a moment of the stream's audio."""
        return None if seconds is None else self._came - (self._received / RATE - seconds)

    def _lost(self, why: str) -> None:
        now = self._clock.now()
        self._counts["transcriber_lost"] += 1
        self._found(self._endpointing.lost(now), now)
        self._put(fact.TranscriberFailed(self._clock.at(now), why))

    def _calm(self) -> None:
        if not self._activity.speaking:
            self.quiet.set()

    # --- time and decisions

    def tick(self, now: float) -> None:
        """Time has passed; called by the pacing wheel."""
        self._follow_prompt(now)
        # A line from which nothing comes any more is quiet, too.
        if self._activity.stopped(now) is False:
            self._voice_stopped(now)
        activity = self._activity
        if self._barge_in.undecided:
            verdict = self._barge_in.goes_on(
                now, speaking=activity.speaking, voiced=self._voiced, last=activity.last, level=self._level
            )
            self._decide(verdict, now)
        if self._endpointing.open:
            self._found(self._endpointing.poll(now), now)

    def _follow_prompt(self, now: float) -> None:
        """Take over the policy of what plays now."""
        prompt = self._speaking.prompt
        if prompt is self._prompt:
            return
        self._prompt, self._prompt_began = prompt, now
        if self._barge_in.undecided:
            self._speaking.resume(now)  # what was paused is over by itself: what comes now is not
        if prompt is None:
            self._barge_in.end()
        elif prompt.policy.speech:
            transcribed = self._endpointing.transcribed
            self._barge_in.begin(Interruptible(prompt.policy.words, transcribed))
        else:
            self._barge_in.begin(None)

    def _decide(self, verdict: Verdict | None, now: float) -> None:
        if verdict is Verdict.PAUSE:
            self._counts["paused"] += 1
            self._speaking.pause(now, self._carrier_time)
        elif verdict is Verdict.RESUME:
            self._counts["resumed"] += 1
            self._note("resumed", {"prompt": self._prompt.id if self._prompt else ""})
            self._speaking.resume(now)
        elif verdict is Verdict.STOP:
            interrupted = self._speaking.cut_by_voice(self._clock.at(now), now, self._carrier_time)
            if interrupted is not None:
                self._put(interrupted)

    def _found(self, found: list[Found], now: float) -> None:
        over = any(isinstance(one, Ended) for one in found)
        for one in found:
            if isinstance(one, Began):
                if over:
                    continue  # all of it at once: that it began would come behind its end
                self.quiet.clear()  # also where words alone say that somebody speaks
                self._put(fact.SpeechStarted(self._clock.at(now)))
            elif isinstance(one, Quiet):
                if self._transcribing is not None:
                    self._transcribing.finish()
            else:
                self._utterance(one, now)

    def _utterance(self, ended: Ended, now: float) -> None:
        if ended.text or (not self._endpointing.transcribed and self._activity.voiced >= ALONE):
            self._caller.understood()
        else:
            self._caller.forget()
        if ended.why != "silence" and self._transcribing is not None:
            # The caller may go on: what is told from now on shall not begin with words of this utterance.
            self._transcribing.finish()
        # What was said goes first: it may end what waits for quiet.
        asyncio.get_running_loop().call_later(SETTLED, self._calm)
        at = self._clock.at
        self._put(fact.UtteranceEnded(at(now), ended.text, at(ended.began), at(ended.ended), ended.confidence))
