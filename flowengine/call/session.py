"""One stream of a call: the only place with its tasks, its inbox and its socket.

Theory of operation. The adapter pumps text frames into ``on_text``; what they mean goes into the inbox. One consumer
drains it, sorts by (time, rank), hands each fact to the interpreter and carries out the effects. One writer owns the
socket. The process's wheel moves audio from the playout to the writer and watches whether the peer still reads. Every
other task of the call is guarded: its exception is a fact, never the end of the group. ``run`` returns how the stream
ended; who called it writes the record.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from flowengine.audio import playout as ledger
from flowengine.call.apparatus import Apparatus
from flowengine.call.clock import CallClock
from flowengine.call.engine import Engine
from flowengine.call.hearing import Hearing
from flowengine.call.line import Line
from flowengine.call.ports import MediaTransport, StoredCall
from flowengine.call.settling import dial, settle
from flowengine.call.tally import Tally
from flowengine.errors import Bug, RemoteError
from flowengine.runtime import effects as wish
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.telephony.dialect import Dialect
from flowengine.telephony.messages import (
    AudioCleared,
    DigitReceived,
    Incoming,
    MarkReached,
    MediaReceived,
    StreamStopped,
)

log = logging.getLogger("flowengine.call")

CHUNK = 480  # samples a message: 60 ms, the most that Vobiz recommends
LATE = 0.02  # a deadline that fires later than this lets the sockets be read first
MAX_INBOX = 1000


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """How a stream ended: ``state`` is the call's (`hangup`, `transferring`, `blind`, `dropped`), with its reason."""

    state: str
    reason: str | None
    close_code: int | None


class CallSession:
    """Our object for one stream of a call."""

    def __init__(
        self,
        engine: Engine,
        dialect: Dialect,
        transport: MediaTransport,
        call: StoredCall,
        interpreter: Interpreter,
        clock: CallClock,
        stream_id: str,
    ) -> None:
        self.call = call
        self.interpreter = interpreter
        self.clock = clock
        self.hearing = Hearing(dialect)
        self._engine = engine
        self._dialect = dialect
        self._inbox: list[fact.Event] = []
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._rearmed: float | None = None  # the deadline that was put off once
        self._stopped = False  # its end is known by other means than the close of the socket
        self._dropped = False
        self._superseded = False
        self._end: StreamEnd | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.playout = ledger.Playout(
            clear_ack=dialect.capabilities.clear_ack,
            marks_on_clear=dialect.capabilities.marks_on_clear,
            prefix=f"{call.id}.{call.streams}",
            chunk=min(dialect.capabilities.max_chunk, CHUNK),
        )
        self._line = Line(dialect, transport, stream_id, clock, self.playout, self._sent)
        self.parts = Apparatus(
            engine,
            call.id,
            interpreter,
            clock,
            self.playout,
            self.put,
            self._noted,
            self._spawn,
            self._kick,
        )

    @property
    def counts(self) -> Counter[str]:
        """What was odd in this stream, by kind: in the carrier's messages, and in what was heard."""
        return self.hearing.counts + self.parts.counts

    def tally(self) -> Tally:
        """Give what the call used, took and met so far, on this stream and on those before it."""
        stages = [turn.stages() for turn in self.parts.turns]
        present = Tally(self.parts.used(), [one for one in stages if one], dict(self.counts), self.playout.gaps)
        return Tally.of(self.call.tally).plus(present)

    # --- the adapter's side

    def on_text(self, text: str) -> None:
        """Take one text frame off the socket."""
        try:
            self._on_text(text)
        except Exception as error:  # the pump is not ours to break: a bug here ends this call with its record
            self._bug(error)

    def _on_text(self, text: str) -> None:
        now = self.clock.now()
        message = self.hearing.take(text)
        if isinstance(message, MediaReceived):
            if message.timestamp is not None:
                self.playout.media_seen(now, message.timestamp)
            if self._end is None:
                self.parts.take(message.payload, now, message.timestamp)
        elif message is not None:
            self._on_message(message, now)
        elif self.hearing.broken and self._end is None:
            self.put(fact.CallStopped(self.clock.at(now), "carrier.failed"))

    def _on_message(self, message: Incoming, now: float) -> None:
        at, carrier_time = self.clock.at(now), self.hearing.carrier_time
        if isinstance(message, DigitReceived):
            interrupted = self.parts.speaking.cut_by(message.digit, at, now, carrier_time)
            if interrupted is not None:
                self.put(interrupted)
            self.put(fact.DigitPressed(at, message.digit))
        elif isinstance(message, MarkReached):
            self._take_facts(self.playout.mark_returned(message.name, now, carrier_time), at)
        elif isinstance(message, AudioCleared):
            self.playout.cleared(now)
            self._kick()
        elif isinstance(message, StreamStopped) and self._end is None:
            self._stopped = True
            self.parts.recorder.hung_up()
            self.put(fact.CallerHungUp(at))

    def on_closed(self, code: int) -> None:
        """The socket is gone."""
        if self._line.closed is not None:
            return
        self._line.shut(code)
        at = self.clock.at()
        if self._end is not None or self._stopped or self.interpreter.ended:
            return
        self.parts.recorder.hung_up()
        if code in (1000, 1001) and not self._dialect.capabilities.stop_event:
            self.put(fact.CallerHungUp(at))
        else:
            # Without a word: the carrier may come back with the call within 5 s (case 30). Keys that came before it
            # may still be in the inbox.
            self._dropped = True
            self._wake.set()

    # --- the inbox

    def put(self, event: fact.Event) -> None:
        """Put a fact into the inbox. Keys and ends are never dropped; an inbox that overflows is our bug."""
        if len(self._inbox) >= MAX_INBOX:
            self._inbox = [fact.CallStopped(event.at, "engine.failed")]
        else:
            self._inbox.append(event)
        self._wake.set()

    async def run(self, first: fact.Event, *more: fact.Event) -> StreamEnd:
        """Hold the conversation on this stream until the stream ends."""
        self.put(first)
        for event in more:
            self.put(event)
        member = self._engine.wheel.join(self._on_wheel)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._spawn(self._line.run(), "write")
                while self._end is None:
                    # Bounded by the interpreter's own deadlines: `call` limits every conversation.
                    await self._wake.wait()
                    self._wake.clear()
                    await self._consume()
                    self.parts.warm()
                    if self._dropped and self._end is None:
                        self._finish("dropped", None)
                    self._arm()
                self.parts.speaking.stop(self.clock.now(), self.hearing.carrier_time)
                await self._line.close(stop=not self._superseded)
                for task in list(self._tasks):
                    task.cancel()
        except BaseExceptionGroup as errors:
            self._line.abort()
            log.exception("a bug of ours ended the call %s", self.call.id, exc_info=errors)
            self._engine.counts["engine.failed"] += 1
            self._trace(trace.note(self.clock.at(), "bug", error=repr(errors.exceptions)))
            return StreamEnd("hangup", "engine.failed", self._line.closed)
        finally:
            self._engine.wheel.leave(member)
            self.parts.close()
            if self._timer is not None:
                self._timer.cancel()
        return self._end

    async def _consume(self) -> None:
        while self._inbox and self._end is None:
            batch, self._inbox = sorted(self._inbox, key=fact.rank), []
            for event in batch:
                if self._end is None:
                    await self._handle(event)

    async def _handle(self, event: fact.Event) -> None:
        wishes, line = trace.handle(self.interpreter, event)
        self._trace(line)
        saving = any(isinstance(effect, wish.SaveSnapshot) for effect in wishes)
        if saving and not self.interpreter.ended:
            self._save()
        for effect in wishes:
            await self._carry_out(effect)

    def _save(self) -> None:
        snapshot, tally = self.interpreter.snapshot(), self.tally().plain()
        try:
            self._engine.store.save_snapshot(self.call.id, self.call.streams, snapshot, self.clock.at(), tally)
        except RemoteError:
            self._engine.counts["store.failed"] += 1

    def _sent(self, audio: bytes) -> None:
        self.parts.sent(audio)

    def _noted(self, what: str, data: dict[str, Any]) -> None:
        self._trace(trace.note(self.clock.at(), what, **data))

    def _trace(self, line: str) -> None:
        """Write a line of the trace; a store that takes none is counted, the conversation goes on."""
        try:
            self._engine.store.trace(self.call.id, line)
        except RemoteError:
            self._engine.counts["store.failed"] += 1

    async def _carry_out(self, effect: wish.Effect) -> None:
        if not self.parts.carry_out(effect, self.hearing.carrier_time):
            await self._end_stream(effect)

    async def _end_stream(self, effect: wish.Effect) -> None:
        """Carry out what ends the stream."""
        if isinstance(effect, wish.Transfer) and self._asked_to_dial(effect):
            await self._settle(*dial(effect))
        elif isinstance(effect, wish.Transfer):
            self.put(fact.TransferFinished(self.clock.at(), "failed"))
        elif isinstance(effect, wish.HangUp):
            await self._line.say_goodbye()
            await self._settle("hangup", effect.reason)
        elif isinstance(effect, wish.EndCall) and self._end is None:
            await self._settle("hangup", effect.reason)

    def _asked_to_dial(self, effect: wish.Transfer) -> bool:
        """Whether the carrier will ask us what to do next.

        A stream from a document of the user's own has no address for that. One that dropped in this very instant may
        never come back: the wait for its return ends such a call, not a transfer that nobody asks for.
        """
        return bool(self.call.document) and (effect.mode == "blind" or not self._dropped)

    async def _settle(self, state: str, reason: str | None, pending: dict[str, Any] | None = None) -> None:
        """Note in the store what the next request of the carrier shall find, then let the stream end."""
        if self._end is not None:
            return
        if state == "hangup":
            # What this process may not live to write down another one finds.
            pending = {"ended": reason}
        self.parts.replying.close()
        ours = await settle(self._engine, self.call, self.interpreter, self.clock, state, pending, self.tally())
        self._superseded = not ours
        self._finish(state, reason)

    def _finish(self, state: str, reason: str | None) -> None:
        self._end = StreamEnd(state, reason, self._line.closed)
        self._wake.set()

    # --- time

    def _arm(self) -> None:
        """Set the one timer to the interpreter's deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.interpreter.deadline
        if due is not None and self._end is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self.clock.when(due), self._due, due)

    def _due(self, due: float) -> None:
        at = self.clock.at()
        if at - due > LATE and self._rearmed != due:
            # After a stall the key that beat this timer may still be in the kernel's buffer: read the sockets first.
            self._rearmed = due
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(loop.time() + LATE, self._due, due)
            return
        # Not before its time by a rounding of floats: the same deadline would be set again, for ever.
        self.put(fact.TimePassed(max(at, due)))

    # --- audio and the socket

    def _on_wheel(self, now: float) -> None:
        try:
            if self._end is None:
                self.parts.tick(now)
            self._pump(now)
        except Exception as error:  # nor is the wheel, which turns for all calls
            self._bug(error)

    def _bug(self, error: Exception) -> None:
        log.error("a bug of ours in call %s", self.call.id, exc_info=error)
        self._engine.counts["engine.failed"] += 1
        if self._end is None:
            self.put(fact.CallStopped(self.clock.at(), "engine.failed"))

    def _kick(self) -> None:
        """Move audio now instead of waiting for the wheel."""
        self._pump(self.clock.now())

    def _pump(self, now: float) -> None:
        """Write what the playout gives; called by the wheel every 20 ms."""
        if self._line.stalled(now) and not self._stopped:
            self._stalled()
        wrote, facts = self._line.pump(now)
        if wrote:
            self.parts.speaking.made_room()
        if facts:
            self._take_facts(facts, self.clock.at(now))

    def _stalled(self) -> None:
        self._engine.counts["peer_stalled"] += 1
        self._stopped = True
        self._line.abort()
        if self._end is None:
            self.put(fact.CallStopped(self.clock.at(), "carrier.failed"))

    def _take_facts(self, facts: list[ledger.Fact], at: float) -> None:
        for one in facts:
            if isinstance(one, ledger.ItemFinished):
                self.parts.speaking.finished(one, at)
            elif isinstance(one, ledger.PositionCorrected):
                line = trace.note(at, "position_corrected", prompt=one.item, was=one.was, now=one.now)
                self._trace(line)

    # --- tasks and ends

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        if self._group is None:
            raise Bug("a task of a call needs its group")
        task = self._group.create_task(self._guard(work, name), name=f"{self.call.id} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled in the instant of its birth never gets to its work.
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guard(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Keep a task's failure from ending the group: it becomes a fact."""
        try:
            await work
        except (RemoteError, OSError) as error:
            self._engine.counts[f"failed.{name.split()[0]}"] += 1
            self._trace(trace.note(self.clock.at(), "failed", source=name, error=str(error)))
            if self._end is None:
                self.put(fact.CallStopped(self.clock.at(), "carrier.failed"))
