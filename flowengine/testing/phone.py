"""The simulated phone: a caller, and the carrier between the caller and the server.

It does over HTTP and WebSocket what Twilio or Vobiz do, written from the vendors' pages as an independent witness: of
ours it uses nothing but the µ-law tables. Its parts: ``script`` (what the caller does), ``carrier`` (messages, forms
and signatures), ``documents`` (carrying out XML), ``voices`` (what the caller
says, with labels), ``microphone`` (noise and echo), ``stream`` (one WebSocket), ``line`` (what is played), ``report``
(what was seen and heard), ``network`` (sockets, or an ASGI application in process). All time is the running loop's, so
that a ``virtual_time`` loop runs an hour's call in a moment.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Literal

from flowengine.testing.carrier import CARRIERS
from flowengine.testing.documents import Access, Documents
from flowengine.testing.labels import Clip
from flowengine.testing.microphone import Room
from flowengine.testing.network import Network
from flowengine.testing.report import CallReport, Diary, Event
from flowengine.testing.script import (
    Drop,
    ExpectEnd,
    Garbage,
    HangUp,
    Keys,
    Say,
    Script,
    Silence,
    Step,
    StopReading,
    WaitAudio,
    WaitSilence,
)
from flowengine.testing.stream import FRAME, Lag, Stream
from flowengine.testing.voices import Voices

# Waiting steps look at what was played this often: half a frame.
_LOOK = 0.01
# For a step that needs a stream, and for the end of a call after the caller hung up.
_PATIENCE = 15.0
# What is left of a time by a rounding of floats; waiting for less than this moves no clock.
_INSTANT = 1e-9


async def prepare(script: Script, voices: Voices, name: str = "") -> tuple[dict[Say, Clip], Room]:
    """Make what a script says and the room that its caller is in; ``voices`` keep it for the next time.

    Raises ``ValueError`` for what can not be said, with the line of the script (``name`` is its file), and for noise
    that can not be made.
    """
    clips: dict[Say, Clip] = {}
    for number, step in enumerate(script.steps, 1):
        if isinstance(step, Say):
            try:
                clips[step] = await voices.clip(step.voice)
            except (ValueError, OSError) as error:
                line = f"{name}:{step.line}" if name else f"line {step.line}"
                raise ValueError(f"{line if step.line else f'step {number}'}: {error}") from error
    return clips, Room(None if script.noise is None else await voices.noise(script.noise), script.echo)


class Phone:
    """Places one call after another to ``answer_url``.

    ``token`` signs as the carrier does (None: unsigned). ``delay`` and ``jitter`` (seconds) act on each way separately:
    ``delay`` + 0 to ``jitter``, never reordering. ``seed`` decides ids, nonces and jitter. ``status_url`` hears of the
    call's end. ``limit`` (seconds) bounds a call.
    ``frame`` is how many samples of the caller come in one message. ``on_event`` sees every event as it happens.
    ``voices`` speak what scripts have as texts; without them there are only files and sounds.
    """

    def __init__(
        self,
        carrier: Literal["twilio", "vobiz"],
        network: Network,
        *,
        answer_url: str,
        caller: str = "+15550001111",
        called: str = "+15551234567",
        token: str | None = None,
        delay: float = 0.0,
        jitter: float = 0.0,
        seed: int = 0,
        status_url: str | None = None,
        subprotocols: tuple[str, ...] = (),
        limit: float = 600.0,
        frame: int = FRAME,
        on_event: Callable[[Event], None] | None = None,
        voices: Voices | None = None,
    ) -> None:
        self.call_id = ""
        """The carrier's id of the call that is placed."""
        self.report = CallReport()
        """What was seen and heard so far of the call that is placed."""
        self._carrier = carrier
        self._caller = caller
        self._called = called
        self._answer_url = answer_url
        self._status_url = status_url
        self._limit = limit
        self._on_event = on_event
        self._voices = voices or Voices()
        self._rng = random.Random(seed)  # noqa: S311  # a simulation that must be the same every time
        lag = Lag(delay, jitter, random.Random(self._rng.random()))  # noqa: S311
        self._access = Access(network, token, subprotocols, lag, frame)
        self._documents: Documents | None = None

    async def run(self, script: Script) -> CallReport:
        """Place a call, do what ``script`` says, and return what was seen and heard.

        The script's own ``carrier``, ``caller`` and ``called`` are for whoever makes the phone. Raises ``ValueError``,
        as ``prepare`` does, before anything is dialled.
        """
        clips, room = await prepare(script, self._voices)
        diary = Diary(self._on_event)
        self.report = diary.report
        carrier = CARRIERS[self._carrier](self._caller, self._called, self._rng)
        self._documents = documents = Documents(carrier, self._access, diary, iter(script.transfers), room)
        report = diary.report
        report.call_id = self.call_id = carrier.call_id
        report.played = documents.line.played
        line = asyncio.create_task(documents.run(self._answer_url), name="phone line")
        caller = asyncio.create_task(_Caller(documents, diary, line, clips).run(script), name="phone caller")
        try:
            async with asyncio.timeout(self._limit):
                await asyncio.wait([line, caller], return_when=asyncio.FIRST_EXCEPTION)
            for task in (caller, line):
                if task.done():
                    task.result()  # a bug of the phone is raised, not reported
            report.end_reason = line.result()
        except TimeoutError:
            report.end_reason = "limit"
            report.failures.append(f"the call took longer than {self._limit:g} s")
        finally:
            for task in (caller, line):
                task.cancel()
            await asyncio.gather(caller, line, return_exceptions=True)
            report.duration = diary.clock()
        diary.emit("ended", reason=report.end_reason)
        await documents.finish(self._status_url)
        return report

    def hang_up(self) -> None:
        """Put the receiver down now, whatever the script says; nothing before the call and after its end."""
        if self._documents is not None:
            self._documents.hang_up()


class _Caller:
    """Carries out the steps of a script."""

    def __init__(self, documents: Documents, diary: Diary, line: asyncio.Task[str], clips: dict[Say, Clip]) -> None:
        self._documents = documents
        self._diary = diary
        self._line = line
        self._clips = clips

    async def run(self, script: Script) -> None:
        for number, step in enumerate(script.steps, 1):
            problem = await self._do(step)
            if problem is not None:
                where = f"line {step.line}" if step.line else f"step {number}"
                self._diary.report.failures.append(f"{where}: {type(step).__name__}: {problem}")
                break
        self._documents.hang_up()

    async def _do(self, step: Step) -> str | None:
        """Do one step; return what went wrong with it."""
        match step:
            case HangUp():
                self._documents.hang_up()
                await self._until(lambda: False, _PATIENCE)
                return None
            case ExpectEnd(seconds):
                await self._until(lambda: False, seconds)
                return None if self._line.done() else f"the call had not ended after {seconds:g} s"
            case WaitAudio(seconds, within):
                since = self._diary.clock()
                return await self._wait(lambda: self._documents.line.heard(since, seconds), within)
            case WaitSilence(seconds, within):
                return await self._wait(lambda: (self._documents.line.quiet() or 0.0) >= seconds, within)
            case Silence(seconds):
                return await self._pass(seconds)
        problem = await self._wait(lambda: self._documents.stream is not None, _PATIENCE)
        stream = self._documents.stream
        if problem is not None or stream is None:
            return problem or "there is no stream"
        return await self._act(step, stream)

    async def _act(self, step: Step, stream: Stream) -> str | None:
        """Do a step that needs a stream."""
        match step:
            case Keys(digits, gap):
                return await self._press(digits, gap)
            case Say():
                clip = self._clips[step]
                stream.speak(clip)
                return await self._wait(lambda: not self._documents.voice, clip.seconds + _PATIENCE)
            case Garbage(text):
                stream.send_text(text)
            case StopReading():
                stream.stop_reading()
            case Drop(how, then):
                stream.drop(how, goes_on=then == "continue")
                return await self._wait(lambda: self._documents.stream is not stream, _PATIENCE, over_is_fine=True)
        return None

    async def _press(self, digits: str, gap: float) -> str | None:
        for number, digit in enumerate(digits):
            if number and (problem := await self._pass(gap)):
                return problem
            if self._documents.stream is None:
                return f"the stream ended before key {digit}"
            self._documents.stream.press(digit)
        return None

    async def _pass(self, seconds: float) -> str | None:
        await self._until(lambda: False, seconds)
        return self._ended() if self._line.done() else None

    async def _wait(self, condition: Callable[[], bool], within: float, *, over_is_fine: bool = False) -> str | None:
        if await self._until(condition, within):
            return None
        if self._line.done():
            return None if over_is_fine else self._ended()
        return f"did not happen within {within:g} s"

    async def _until(self, condition: Callable[[], bool], within: float) -> bool:
        """Wait for the condition; False when the time is up or the call is over."""
        deadline = self._diary.clock() + within
        while not condition():
            left = deadline - self._diary.clock()
            if left <= _INSTANT or self._line.done():
                return False
            await asyncio.wait([self._line], timeout=min(left, _LOOK))
        return True

    def _ended(self) -> str:
        return f"the call had ended: {'cancelled' if self._line.cancelled() else self._line.result()}"
