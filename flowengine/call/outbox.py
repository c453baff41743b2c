"""The one writer of a media socket: what waits to be sent, and for how long the peer has taken nothing."""

from __future__ import annotations

import asyncio
from collections import deque

from flowengine.call.clock import CallClock
from flowengine.call.ports import MediaTransport


class Outbox:
    """Text frames in order. It is bounded by who fills it: nothing is put while a send is under way."""

    def __init__(self, transport: MediaTransport, clock: CallClock) -> None:
        self._transport = transport
        self._clock = clock
        self._texts: deque[str] = deque()
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._sending_since: float | None = None
        self._shut = False

    def put(self, text: str) -> None:
        """Queue a frame behind the others."""
        self._texts.append(text)
        self._empty.clear()
        self._filled.set()

    def blocked(self, now: float) -> float | None:
        """Give for how many seconds the present send has been under way; None when there is none."""
        return None if self._sending_since is None else now - self._sending_since

    def shut(self) -> None:
        """The socket is gone: nothing is sent any more, and nobody waits for it."""
        self._shut = True
        self._filled.set()
        self._empty.set()

    async def flushed(self) -> None:
        """Wait until all is written; the caller bounds it."""
        if self._texts or self._sending_since is not None:
            await self._empty.wait()

    async def run(self) -> None:
        """Write until the socket is gone. The session watches ``blocked`` and cancels this at the end."""
        while not self._shut:
            self._filled.clear()
            while self._texts and not self._shut:
                self._sending_since = self._clock.now()
                try:
                    await self._transport.send(self._texts.popleft())
                except OSError:
                    self.shut()  # the adapter says with which code
                    return
                finally:
                    self._sending_since = None
            self._empty.set()
            await self._filled.wait()
