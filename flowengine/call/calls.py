"""A call over all its streams: answered, streaming, dropped or transferring, resumed, ended.

What decides is in the store, so that any process can take the carrier's next request. Of the streams of a call only
the newest one owns it; what an older one still writes is fenced off by its number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from flowengine.call.clock import CallClock
from flowengine.call.engine import Engine
from flowengine.call.lost import lost_at
from flowengine.call.ports import MediaTransport, StoredCall
from flowengine.call.record import facts_of, record_of
from flowengine.call.running import Running
from flowengine.call.session import CallSession, StreamEnd
from flowengine.call.tally import Tally
from flowengine.call.tokens import LIFETIME, Signer, StreamToken, new_id
from flowengine.errors import Bug, RemoteError
from flowengine.runtime import arguments, trace
from flowengine.runtime import events as fact
from flowengine.runtime.effects import RunTool, Transfer
from flowengine.runtime.interpreter import Interpreter
from flowengine.runtime.program import Program
from flowengine.telephony.dialect import Apology, Dial, Dialect, HangupNow, StreamOffer
from flowengine.telephony.messages import CallAnswered, Continued, StatusReported, StreamStarted

log = logging.getLogger("flowengine.call")

RETURN_WITHIN = 5.0  # a dropped call may come back so long
MAX_OFFERS = 8  # streams handed out for one call before we take it for a loop
NOTICE_WITHIN = 2.0  # how long the owner of a stream may need to notice that it is over
POLL = 0.05
AGAIN_AFTER = (1.0, 3.0, 10.0)  # seconds, for a store that did not answer at the end of a stream
TRANSFERS = frozenset({"transferring", "dialling"})
RESUMABLE = TRANSFERS | {"streaming", "dropped", "answered", "resuming"}
SORRY = "We are sorry, this call can not be taken right now. Please try again later."


class Library(Protocol):
    """Where programs come from."""

    async def named(self, name: str) -> Program | None:
        """Give the present revision of a flow."""

    async def at_revision(self, revision: str) -> Program | None:
        """Give a flow as it was when the call began."""


class Addresses(Protocol):
    """The server's public addresses."""

    def stream(self, carrier: str, token: str) -> str:
        """Give the address of a media stream."""

    def go_on(self, carrier: str, signed_call: str) -> str:
        """Give the address that is asked after a stream."""

    def status(self, carrier: str) -> str:
        """Give the address of status callbacks."""


class RefusedError(RemoteError):
    """A stream that we do not take: close it with 1008."""


Document = StreamOffer | Dial | Apology | HangupNow


class Calls:
    """All calls that this process has a part in."""

    def __init__(self, engine: Engine, library: Library, signer: Signer, addresses: Addresses) -> None:
        self.engine = engine
        self.library = library
        self.signer = signer
        self.addresses = addresses
        # Calls with a document of ours that have not opened its stream yet, with the time until which they may.
        self.offered: dict[str, float] = {}
        self._unasked: dict[str, asyncio.Task[None]] = {}  # transfers for which the carrier has not asked yet

    # --- the first document

    async def answer(self, dialect: Dialect, incoming: CallAnswered, flow: str, given: Mapping[str, str]) -> str:
        """Give the document for a new call: a stream, or an apology when its flow can not run."""
        program = await self.library.named(flow)
        if program is None:
            log.error('the call asks for the flow "%s", which there is not', flow)
            return dialect.document(Apology(SORRY))
        try:
            args = arguments.bind(program.flow, given)
        except arguments.BadArgumentError as error:
            log.error("a call was refused: %s", error)
            return dialect.document(Apology(SORRY))
        call = self._new(dialect, incoming, program, args)
        offer = self._offer(dialect, call)
        stored = await self.engine.store.open_call(replace(call, document=dialect.document(offer)))
        if stored.id != call.id:
            # Asked twice: the call has its document already, and takes one place only.
            del self.offered[call.id]
        return stored.document

    def _new(self, dialect: Dialect, incoming: CallAnswered, program: Program, args: Mapping[str, Any]) -> StoredCall:
        now = self.engine.wall()
        call_id = new_id(now, self.engine.entropy)
        return StoredCall(
            id=call_id,
            carrier=dialect.name,
            carrier_call_id=incoming.carrier_call_id,
            flow=program.flow.name,
            revision=program.revision,
            caller=incoming.caller,
            called=incoming.called,
            direction=incoming.direction,
            started=now,
            seed=int(call_id[-8:], 36),
            args=args,
            headers=incoming.headers,
            lost_at=lost_at("answered", now, None),
        )

    def forget_expired(self) -> None:
        """Forget documents whose streams may not come any more."""
        now = self.engine.wall()
        self.offered = {known: until for known, until in self.offered.items() if until > now}

    async def _change(self, call_id: str, *, when: Collection[str], state: str, **changes: Any) -> StoredCall | None:
        """Bring a call into a state, in which it may stay for a time."""
        until = lost_at(state, self.engine.wall(), changes.get("pending"))
        return await self.engine.store.change_call(call_id, when=when, state=state, lost_at=until, **changes)

    def _offer(self, dialect: Dialect, call: StoredCall) -> StreamOffer:
        now = self.engine.wall()
        self.forget_expired()
        self.offered[call.id] = now + LIFETIME
        token = self.signer.stream_token(call.id, dialect.name, call.revision, {}, now)
        return StreamOffer(
            self.addresses.stream(dialect.name, token),
            # By its number a request that comes twice is known from the one after the next stream.
            f"{self.addresses.go_on(dialect.name, self.signer.call_address(call.id))}?stream={call.offers}",
            self.addresses.status(dialect.name),
            {},
        )

    # --- streams

    async def admit(self, dialect: Dialect, token: StreamToken, started: StreamStarted) -> StoredCall:
        """Let the stream of a token begin; raises ``RefusedError``."""
        store = self.engine.store
        self.offered.pop(token.call, None)
        call = await store.load_call(token.call)
        if call is None or call.carrier_call_id != started.call_id:
            raise RefusedError("the token is for another call")
        if not await store.use_token(token.nonce, token.expires, self.engine.wall()):
            raise RefusedError("the token was used before")
        opened = await self._change(call.id, when={"answered", "resuming"}, state="streaming", opened=True)
        if opened is None:
            raise RefusedError(f"the call is {call.state}")
        return opened

    async def admit_unannounced(
        self, dialect: Dialect, started: StreamStarted, flow: str, given: Mapping[str, str]
    ) -> StoredCall:
        """Let a stream begin that comes from a document of the user's own; raises ``RefusedError``."""
        program = await self.library.named(flow)
        if program is None:
            raise RefusedError(f'there is no flow "{flow}"')
        args = arguments.bind(program.flow, given)
        incoming = CallAnswered(
            started.call_id, given.get("from", ""), given.get("to", ""), "inbound", "in-progress", {}
        )
        call = await self.engine.store.open_call(self._new(dialect, incoming, program, args))
        # There is no continue address in a document of the user's own: a dropped call comes back as a mere stream.
        opened = await self._change(call.id, when={"answered", "dropped"}, state="streaming", opened=True)
        if opened is None:
            raise RefusedError(f"the call is {call.state}")
        return opened

    async def make_session(
        self, dialect: Dialect, call: StoredCall, started: StreamStarted, transport: MediaTransport
    ) -> tuple[CallSession, list[fact.Event]]:
        """Make the session of a stream, and the facts with which it begins."""
        program = await self.library.at_revision(call.revision)
        if program is None:
            raise Bug(f"the revision {call.revision} of {call.flow} is gone")
        loop = asyncio.get_running_loop()
        wall = self.engine.wall()
        if call.snapshot is None:
            clock = CallClock(loop)
            interpreter = Interpreter(program, self.engine.env)
            # The clock of the call begins with its first stream.
            events: list[fact.Event] = [self._started(call, wall)]
            self.engine.store.trace(call.id, trace.header(facts_of(call)))
        else:
            at = max(call.saved, wall - call.started)
            clock = CallClock(loop, at)
            interpreter = Interpreter.restore(program, self.engine.env, call.snapshot, at)
            events = [fact.StreamResumed(at)]
            self.engine.store.trace(call.id, trace.resumed(at, call.snapshot))
            outcome = (call.pending or {}).get("outcome")
            if outcome is None and interpreter.transferring:
                # A process that died between asking for a transfer and noting it: nobody dials, and nobody would speak.
                outcome = "failed"
            if outcome is not None:
                events.append(fact.TransferFinished(at, outcome))
        session = CallSession(self.engine, dialect, transport, call, interpreter, clock, started.stream_id)
        self.engine.sessions[call.id] = session
        return session, events

    def _started(self, call: StoredCall, wall: float) -> fact.CallStarted:
        fields = {
            "id": call.id,
            "from": call.caller,
            "to": call.called,
            "direction": call.direction,
            "carrier": call.carrier,
            "headers": dict(call.headers),
            "revision": call.revision,
            "answered_by": None,
            "recording": None,
        }
        return fact.CallStarted(0.0, fields, datetime.fromtimestamp(wall, UTC).isoformat(), call.seed, call.args)

    async def stream_ended(self, session: CallSession, end: StreamEnd) -> None:
        """Do what the end of a stream means for its call."""
        if self.engine.sessions.get(session.call.id) is session:
            del self.engine.sessions[session.call.id]
        try:
            await self._stream_over(session, end)
        except RemoteError as error:
            self.engine.counts["store.failed"] += 1
            log.error("the store did not take what became of call %s: %s", session.call.id, error)
            self.engine.spawn(self._try_again(session, end), f"try again for {session.call.id}")

    async def _try_again(self, session: CallSession, end: StreamEnd) -> None:
        """The store may be back in a moment. If it stays away for longer, the call is found as lost."""
        for seconds in AGAIN_AFTER:
            await asyncio.sleep(seconds)
            try:
                return await self._stream_over(session, end)
            except RemoteError:
                self.engine.counts["store.failed"] += 1
        return None

    async def _stream_over(self, session: CallSession, end: StreamEnd) -> None:
        call = session.call
        if end.state == "dropped":
            await self._dropped(session)
        elif end.state == "transferring":
            self._unasked[call.id] = self.engine.spawn(self._await_request(session), f"await request of {call.id}")
        elif end.reason is not None and await self._owns(call):
            await self._record(call, session.interpreter, end.reason, session)

    async def _owns(self, call: StoredCall) -> bool:
        """Whether a stream's end is its call's: a call that went on without it is not ended by it."""
        now = await self.engine.store.load_call(call.id)
        if now is None or (now.streams == call.streams and now.state != "resuming"):
            return True
        self.engine.counts["stream.superseded"] += 1
        return False

    async def _dropped(self, session: CallSession) -> None:
        """Wait for the carrier to come back with the call; if it does not, the caller is gone (case 30)."""
        call = session.call
        changed = await self._change(
            call.id,
            when={"streaming"},
            streams=call.streams,
            state="dropped",
            snapshot=session.interpreter.snapshot(),
            saved=session.clock.at(),
            tally=session.tally().plain(),
        )
        if changed is not None:
            self.engine.spawn(self._await_return(session), f"await return of {call.id}")

    async def _await_return(self, session: CallSession) -> None:
        call = session.call
        await asyncio.sleep(RETURN_WITHIN)
        gone = await self._hang_up(call, {"dropped"}, "caller.hangup")
        if gone is not None:
            await self._hung_up(gone, session.interpreter, session.clock.at(), "caller.hangup", dropped=True)

    async def _await_request(self, session: CallSession) -> None:
        """A caller who leaves in the instant of a transfer is told of by nobody: the carrier just never asks."""
        call = session.call
        await asyncio.sleep(RETURN_WITHIN)
        self._unasked.pop(call.id, None)
        gone = await self._hang_up(call, {"transferring"}, "caller.hangup")
        if gone is not None:
            await self._hung_up(gone, session.interpreter, session.clock.at(), "caller.hangup", dropped=True)

    async def _hang_up(self, call: StoredCall, when: Collection[str], reason: str) -> StoredCall | None:
        """Note that we end a call, and why, so that its record is written even if this process does not live to it."""
        return await self._change(call.id, when=when, streams=call.streams, state="hangup", pending={"ended": reason})

    async def _hung_up(
        self, call: StoredCall, interpreter: Interpreter, at: float, reason: str, *, dropped: bool = False
    ) -> None:
        """The caller left while no stream was open."""
        event: fact.Event
        if reason in ("caller.hangup", "flow.transfer"):
            event = fact.CallerHungUp(at, reason, dropped)
        else:
            event = fact.CallStopped(at, reason)
        wishes, line = trace.handle(interpreter, event)
        self._trace(call.id, line)
        running = Running(self.engine, call.id, _nobody_waits)
        for effect in wishes:
            if isinstance(effect, RunTool):
                running.run(effect, last=True)
        running.leave()
        await self._record(call, interpreter, reason, None)

    async def _record(
        self, call: StoredCall, interpreter: Interpreter, reason: str, session: CallSession | None
    ) -> None:
        """Write the one record of the call."""
        tally = session.tally() if session is not None else Tally.of(call.tally)
        record = record_of(call, interpreter, reason, tally, self.engine.prices, self.engine.wall())
        if not await self.engine.store.finish_call(call.id, record):
            self.engine.counts["second_record"] += 1

    # --- what the carrier asks afterwards

    async def go_on(
        self, dialect: Dialect, call_id: str, request: Continued, dial: str = "", stream: str = ""
    ) -> Document:
        """Give the document that follows the stream, or the dial, with this number."""
        call = await self.engine.store.load_call(call_id)
        if call is None or call.carrier != dialect.name:
            return HangupNow()
        call = await self._noticed(call)
        if request.over:
            await self._over(call, request.outcome)
            return HangupNow()
        if call.state in TRANSFERS and request.outcome is not None and dial == _dial_number(call):
            return await self._dialled(dialect, call, request.outcome)
        if call.state == "transferring":
            call = await self._asked(call)
        # A blind transfer has its record already: the call is over for us, and only now for the carrier.
        if call.state in ("dialling", "blind") or (call.pending or {}).get("blind"):
            return self._dial(dialect, call)
        if call.state == "streaming" and (request.outcome is not None or _is_older(stream, call)):
            # Asked twice: the stream that followed is on. This one's token is good only when that one is over.
            return self._offer(dialect, call)
        if call.state in ("streaming", "dropped", "answered", "resuming"):
            return await self._resume(dialect, call, {})
        return HangupNow()

    async def _noticed(self, call: StoredCall) -> StoredCall:
        """The carrier may ask before the process that holds the stream has seen its end."""
        deadline = asyncio.get_running_loop().time() + NOTICE_WITHIN
        while call.state == "streaming" and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(POLL)
            call = await self.engine.store.load_call(call.id) or call
        return call

    async def _asked(self, call: StoredCall) -> StoredCall:
        """The carrier takes the dial: from now on it tells how that ends."""
        if (waiting := self._unasked.pop(call.id, None)) is not None:
            waiting.cancel()
        changed = await self._change(call.id, when={"transferring"}, state="dialling", pending=call.pending)
        return changed or await self.engine.store.load_call(call.id) or call

    def _dial(self, dialect: Dialect, call: StoredCall) -> Dial:
        pending = call.pending or {}
        action = None
        if call.state == "dialling":
            action = self.addresses.go_on(dialect.name, self.signer.call_address(call.id))
            # By its number the end of a dial that is told twice is known from the end of the next one.
            action += f"?dial={number}" if (number := _dial_number(call)) else ""
        return Dial((pending["number"],), action, pending["ring"], pending.get("caller_id"), pending.get("max"))

    async def _dialled(self, dialect: Dialect, call: StoredCall, outcome: str) -> Document:
        """A dial is over: the flow tries the next number, or the call goes on with a new stream."""
        interpreter = await self._restored(call)
        at = max(call.saved, self.engine.wall() - call.started)
        wishes, line = trace.handle(interpreter, fact.TransferFinished(at, outcome))
        again = next((effect for effect in wishes if isinstance(effect, Transfer)), None)
        if again is None:
            # What follows needs the caller's ear: the new stream begins from the same snapshot with this outcome.
            return await self._resume(dialect, call, {"outcome": outcome})
        pending = {
            "number": again.number,
            "ring": again.ring,
            "caller_id": again.caller_id,
            "max": again.max,
            "dial": int(_dial_number(call) or 1) + 1,
        }
        changed = await self._change(
            call.id, when=TRANSFERS, state="dialling", pending=pending, snapshot=interpreter.snapshot()
        )
        if changed is None:
            return HangupNow()
        # Without it the trace would have a hole: the next fact is about a number that nothing in it asked for.
        self._trace(call.id, line)
        return self._dial(dialect, changed)

    def _trace(self, call_id: str, line: str) -> None:
        """Write a line of the trace; a store that takes none is counted, the call goes on."""
        try:
            self.engine.store.trace(call_id, line)
        except RemoteError:
            self.engine.counts["store.failed"] += 1

    async def _resume(self, dialect: Dialect, call: StoredCall, pending: dict[str, Any]) -> Document:
        if call.offers >= MAX_OFFERS:
            log.error("the call %s was offered a stream %d times and goes in circles", call.id, call.offers)
            await self._give_up(call, RESUMABLE)
            return HangupNow()
        # Fenced by what it was decided on: of two requests at once the second must not take the stream of the first.
        changed = await self._change(
            call.id,
            when={call.state},
            streams=call.streams,
            state="answered" if call.snapshot is None else "resuming",
            offered=True,
            pending=pending or call.pending,
        )
        if changed is not None:
            return self._offer(dialect, changed)
        now = await self.engine.store.load_call(call.id)
        if now is None or now.state not in RESUMABLE:
            return HangupNow()
        return self._offer(dialect, now) if now.state == "streaming" else await self._resume(dialect, now, pending)

    async def _restored(self, call: StoredCall) -> Interpreter:
        program = await self.library.at_revision(call.revision)
        if program is None or call.snapshot is None:
            raise Bug(f"the call {call.id} can not be taken up again")
        return Interpreter.restore(program, self.engine.env, call.snapshot, call.saved)

    async def _over(self, call: StoredCall, outcome: str | None) -> None:
        """The carrier says that the caller is gone."""
        if (session := self.engine.sessions.get(call.id)) is not None and call.state == "streaming":
            # Its socket ought to have said so by now.
            session.put(fact.CallerHungUp(session.clock.at()))
            return
        reason = "flow.transfer" if call.state in TRANSFERS and outcome == "ended" else "caller.hangup"
        gone = await self._hang_up(call, {"streaming", "dropped", "resuming", "answered", *TRANSFERS}, reason)
        if gone is not None:
            await self.ended(gone, reason)

    async def no_start(self, call_id: str) -> None:
        """A stream was opened for a call and never began. One that has begun meanwhile goes on."""
        call = await self.engine.store.load_call(call_id)
        if call is not None:
            await self._give_up(call, {"answered", "resuming"})

    async def unfit(self, call: StoredCall) -> None:
        """A stream began whose audio we do not speak."""
        await self._give_up(call, {"streaming"})

    async def _give_up(self, call: StoredCall, when: Collection[str]) -> None:
        """The carrier does not bring the call to a conversation."""
        gone = await self._hang_up(call, when, "carrier.failed")
        if gone is not None:
            await self.ended(gone, "carrier.failed")

    async def ended(self, call: StoredCall, reason: str) -> None:
        """Write the end of a call that has no stream; one that ever talked hears of it first."""
        self.offered.pop(call.id, None)
        if call.snapshot is not None:
            at = max(call.saved, self.engine.wall() - call.started)
            await self._hung_up(call, await self._restored(call), at, reason)
            return
        program = await self.library.at_revision(call.revision)
        if program is not None:
            await self._record(call, Interpreter(program, self.engine.env), reason, None)

    async def status(self, dialect: Dialect, report: StatusReported) -> None:
        """Take a status callback: the end of a call is believed, everything else is noted."""
        call = await self.engine.store.find_call(dialect.name, report.carrier_call_id)
        if call is None:
            return
        if report.over:
            await self._over(await self._noticed(call), None)


def _is_older(stream: str, call: StoredCall) -> bool:
    """Say whether the stream with this number came before the call's newest one."""
    return stream.isdecimal() and int(stream) < call.offers


def _nobody_waits(run: str, result: Any, error: str) -> None:
    """Take the answer of a tool whose call is over; `hangup` and `ended` handlers run such."""


def _dial_number(call: StoredCall) -> str:
    """Give which dial of a transfer is under way, as its address says it; the first one has none."""
    number = (call.pending or {}).get("dial", 1)
    return "" if number == 1 else str(number)
