"""One stream's way out: what the playout gives is encoded and written in order, and the stream is closed properly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from flowengine.audio import playout as ledger
from flowengine.call.clock import CallClock
from flowengine.call.outbox import Outbox
from flowengine.call.ports import MediaTransport
from flowengine.errors import Bug
from flowengine.telephony.dialect import Dialect
from flowengine.telephony.messages import Clear, Mark, Media, Outgoing, Stop

SEND_DEADLINE = 4.5  # seconds in which the peer takes nothing before it counts as gone
TEARDOWN = 5.0
STOP_ANSWER = 1.0  # the carrier closes by itself after `stop`
GOODBYE = 0.3  # after the last mark, before the line is cut
CLOSE_NORMAL = 1000


class Line:
    """The socket of a stream as the session writes to it. ``closed`` is its close code, None while it is open.

    ``sent`` is told all audio that was handed to the carrier.
    """

    def __init__(
        self,
        dialect: Dialect,
        transport: MediaTransport,
        stream_id: str,
        clock: CallClock,
        playout: ledger.Playout,
        sent: Callable[[bytes], None],
    ) -> None:
        self.closed: int | None = None
        self._dialect = dialect
        self._transport = transport
        self._stream_id = stream_id
        self._playout = playout
        self._sent = sent
        self._outbox = Outbox(transport, clock)
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Write until the socket is gone; the session cancels this at the end."""
        await self._outbox.run()

    def shut(self, code: int) -> None:
        """The socket is gone."""
        self.closed = code
        self._gone.set()
        self._outbox.shut()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._transport.abort()

    def stalled(self, now: float) -> bool:
        """Say whether the peer has taken nothing for so long that it counts as gone."""
        return (self._outbox.blocked(now) or 0.0) > SEND_DEADLINE

    def pump(self, now: float) -> tuple[bool, list[ledger.Fact]]:
        """Write what the playout gives; say whether that was anything, and what time has brought about."""
        if self.closed is not None or self._playout.idle or self._outbox.blocked(now) is not None:
            return False, []
        commands, facts = self._playout.pull(now)
        for command in commands:
            if isinstance(command, ledger.Chunk):
                self._put(Media(command.data))
                self._sent(command.data)
            elif isinstance(command, ledger.MarkOut):
                self._put(Mark(command.name))
            else:
                self._put(Clear())
        return bool(commands), facts

    def _put(self, message: Outgoing) -> None:
        text = self._dialect.encode(message, self._stream_id)
        if text is None:
            raise Bug(f"{self._dialect.name} has no {type(message).__name__}")
        self._outbox.put(text)

    async def say_goodbye(self) -> None:
        """The goodbye was heard up to its last mark; leave the line open a moment longer (case 27)."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._gone.wait()

    async def close(self, *, stop: bool) -> None:
        """End the stream as the carrier wants it: what has to be said, then the close. Bounded; else abort."""
        if self.closed is not None:
            return
        try:
            async with asyncio.timeout(TEARDOWN):
                await self._close(self._dialect.encode(Stop(), self._stream_id) if stop else None)
        except TimeoutError:
            self._transport.abort()

    async def _close(self, stop: str | None) -> None:
        if stop is not None:
            self._outbox.put(stop)
        await self._outbox.flushed()
        if stop is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_ANSWER):
                    await self._gone.wait()
        if self.closed is None:
            await self._transport.close(CLOSE_NORMAL)
