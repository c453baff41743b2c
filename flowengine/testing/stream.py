"""One media stream of a simulated call, from the carrier's end of the WebSocket."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from flowengine.testing.carrier import Carrier, ClearAudio, EndStream, PlayAudio, SetMark, Wrong
from flowengine.testing.labels import Clip, Said, Timeline
from flowengine.testing.line import Line
from flowengine.testing.microphone import Microphone
from flowengine.testing.network import ABNORMAL, Socket
from flowengine.testing.report import RATE, Diary, Stretch

FRAME = 160
SILENCE = b"\xff" * FRAME
# A server that takes nothing for so long has lost the stream.
SEND_DEADLINE = 10.0
CLOSE_DEADLINE = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lag:
    """The way between carrier and server, for each direction by itself: ``delay`` + 0 to ``jitter`` seconds."""

    delay: float
    jitter: float
    rng: random.Random


class Pipe(Generic[T]):
    """Delivers late, and in order: what is delayed more holds up what comes after it."""

    def __init__(self, lag: Lag, deliver: Callable[[T], Awaitable[None]]) -> None:
        self._lag = lag
        self._deliver = deliver
        self._last = 0.0
        self._queue: asyncio.Queue[tuple[float, T]] = asyncio.Queue()

    def put(self, item: T) -> None:
        """Send an item on its way."""
        arrives = asyncio.get_running_loop().time() + self._lag.delay + self._lag.rng.uniform(0, self._lag.jitter)
        self._last = max(self._last, arrives)
        self._queue.put_nowait((self._last, item))

    async def run(self) -> None:
        """Deliver until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due, item = await self._queue.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            await self._deliver(item)


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended: by whom, the close code, by a message or by the socket; whether the carrier goes on."""

    by: Literal["server", "caller", "dropped"]
    code: int
    announced: bool = False
    goes_on: bool = True


@dataclass(frozen=True, slots=True)
class _Leave:
    """Travels to the server like a message: the end of the socket."""

    end: StreamEnd
    how: Literal["reset", "abort"] | int


class Stream:
    """See the module. ``voice`` is what the caller still has to say, taken ``frame`` samples at a time.

    It goes through the ``microphone``. ``carried`` is the clip whose rest ``voice`` holds when the stream begins.
    """

    def __init__(
        self,
        carrier: Carrier,
        socket: Socket,
        line: Line,
        diary: Diary,
        voice: bytearray,
        microphone: Microphone,
        lag: Lag,
        frame: int = FRAME,
        carried: Clip | None = None,
    ) -> None:
        self._frame = frame
        self._microphone = microphone
        self._timeline = Timeline(diary.clock())
        if carried is not None:
            self._timeline.said.append(Said(len(voice) - len(carried.audio), carried))
        diary.report.timelines.append(self._timeline)
        self._carrier = carrier
        self._socket = socket
        self._line = line
        self._diary = diary
        self._voice = voice
        self._up: Pipe[str | _Leave] = Pipe(lag, self._send)
        self._down: Pipe[str | None] = Pipe(lag, self._handle)
        self._flushing = 0
        self._leaving = False
        self._ended: asyncio.Future[StreamEnd] = asyncio.get_running_loop().create_future()

    async def run(self, parameters: dict[str, str]) -> StreamEnd:
        """Carry the stream until one side ends it. Bounded by whoever awaits it."""
        self._line.open()
        for text in self._carrier.opening(self._diary.clock(), parameters):
            self._up.put(text)
        tasks = [
            asyncio.create_task(coroutine, name=f"phone {name}")
            for name, coroutine in (
                ("up", self._up.run()),
                ("down", self._down.run()),
                ("frames", self._frames()),
                ("reader", self._read()),
            )
        ]
        for task in tasks:
            task.add_done_callback(self._notice)
        try:
            return await self._ended
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._line.clear()
            try:
                async with asyncio.timeout(CLOSE_DEADLINE):
                    await self._socket.close()
            except TimeoutError:
                self._socket.abort()

    def speak(self, clip: Clip) -> None:
        """Say a clip after what is still to be said."""
        said = Said(self._timeline.sent + len(self._voice), clip)
        self._timeline.said.append(said)
        self._diary.emit("say", seconds=clip.seconds, text=clip.text, position=said.position)
        self._voice.extend(clip.audio)

    def press(self, digit: str) -> None:
        """Press a key."""
        self._diary.emit("key", digit=digit, played=self._line.position())
        self._up.put(self._carrier.key(digit, self._diary.clock()))

    def send_text(self, text: str) -> None:
        """Send a text frame as it is."""
        self._up.put(text)

    def mark_reached(self, name: str) -> None:
        """Tell the server that a mark was played."""
        if not self._leaving:
            self._up.put(self._carrier.mark(name))

    def stop_reading(self) -> None:
        """Read nothing more."""
        self._socket.pause_reading()

    def hang_up(self) -> None:
        """The caller is gone: say so as this carrier does, and close."""
        farewell = None if self._leaving else self._carrier.farewell()
        if farewell is not None:
            self._up.put(farewell)
        self._leave(_Leave(StreamEnd("caller", 1000), 1000))

    def drop(self, how: Literal["reset", "abort"] | int, *, goes_on: bool) -> None:
        """Break the stream without a word."""
        code = how if isinstance(how, int) else ABNORMAL
        self._leave(_Leave(StreamEnd("dropped", code, goes_on=goes_on), how))

    def _leave(self, leave: _Leave) -> None:
        if not self._leaving:
            self._leaving = True
            self._line.clear()
            self._up.put(leave)

    async def _frames(self) -> None:
        """Send the caller's audio on an absolute schedule: after a stall everything that is due goes out at once."""
        spoken = Stretch(self._diary.clock())
        self._timeline.at = spoken.at
        self._diary.report.spoken.append(spoken)
        while not self._leaving:
            due = spoken.at + (self._timeline.sent + self._frame) / RATE
            await asyncio.sleep(max(0.0, due - self._diary.clock()))
            voice = bytes(self._voice[: self._frame]).ljust(self._frame, b"\xff")
            del self._voice[: self._frame]
            frame = self._microphone.hear(voice, spoken.at, self._timeline.sent)
            spoken.audio += frame
            self._up.put(self._carrier.media(frame, spoken.at + self._timeline.sent / RATE))
            self._timeline.sent += self._frame

    async def _read(self) -> None:
        while (text := await self._socket.receive()) is not None:
            self._down.put(text)
        self._down.put(None)

    async def _send(self, item: str | _Leave) -> None:
        try:
            async with asyncio.timeout(SEND_DEADLINE):
                if isinstance(item, str):
                    await self._socket.send(item)
                elif isinstance(item.how, int):
                    await self._socket.close(item.how)
                else:
                    self._socket.abort(reset=item.how == "reset")
        except TimeoutError:
            self._diary.emit("stalled")
            self._socket.abort()
            self._end(StreamEnd("dropped", ABNORMAL))
        except ConnectionError:
            return  # the reader sees the end of the socket too, after what was received before it
        if isinstance(item, _Leave):
            self._end(item.end)

    async def _handle(self, text: str | None) -> None:
        if text is None:
            if not self._leaving:
                self._end(StreamEnd("server", self._socket.close_code or ABNORMAL))
            return
        if self._leaving:
            return
        order = self._carrier.read(text)
        match order:
            case PlayAudio(payload):
                if self._flushing:
                    self._diary.emit("raced", samples=len(payload))
                else:
                    self._line.audio(payload)
            case SetMark(name):
                if self._flushing:
                    self._diary.emit("mark_ignored", name=name)
                else:
                    self._line.mark(name, needs_audio=not self._carrier.marks_survive_clear)
            case ClearAudio():
                self._clear()
            case EndStream():
                self._end(StreamEnd("server", 1000, announced=True))
            case Wrong(why):
                self._diary.emit("wrong", why=why)

    def _clear(self) -> None:
        unplayed, marks = self._line.clear()
        self._diary.emit("cleared", unplayed=unplayed, marks=marks)
        for name in marks if self._carrier.marks_survive_clear else ():
            self._diary.emit("mark_returned", name=name)
            self._up.put(self._carrier.mark(name))
        confirmation = self._carrier.cleared()
        if confirmation is not None:
            self._flushing += 1
            asyncio.get_running_loop().call_later(self._carrier.flush, self._flushed, confirmation)

    def _flushed(self, confirmation: str) -> None:
        self._flushing -= 1
        self._up.put(confirmation)

    def _end(self, end: StreamEnd) -> None:
        if not self._ended.done():
            self._ended.set_result(end)

    def _notice(self, task: asyncio.Task[None]) -> None:
        """A task that failed is a bug of the phone: it must not look like silence."""
        if not task.cancelled() and (error := task.exception()) is not None and not self._ended.done():
            self._ended.set_exception(error)
