"""uvicorn's sansio WebSocket protocol with what a phone line needs.

Measured: with uvicorn's own settings a peer that does not read buffers 4 MB and stays open. Here the send buffer is
small and the write buffer empty, so that a blocked peer shows within seconds; a close is waited for only 1 s; and the
session may abort the transport through ``scope["extensions"]``. uvicorn is pinned for this file.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "flowengine.transport"
SEND_BUFFER = 32 * 1024
CLOSE_TIMEOUT = 1.0
MAX_QUEUE = 64  # messages, 1.3 s of audio


class LineProtocol(WebSocketsSansIOProtocol):
    """One WebSocket connection of a carrier."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_TIMEOUT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel and the transport hold for a peer that does not read."""
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.set_write_buffer_limits(high=0)

    def handle_connect(self, event: Request) -> None:
        """Add ``abort`` to the scope before the application sees it."""
        super().handle_connect(event)
        scope = getattr(self, "scope", None)
        if scope is not None:
            extensions = cast("dict[str, Any]", scope["extensions"])
            extensions[EXTENSION] = {"abort": self.transport.abort}

    def send_receive_event_to_app(self) -> None:
        """Hand a message to the application; pause reading only when it has not taken many.

        uvicorn stops and restarts reading around every single message, two system calls for each 20 ms of each call.
        """
        if self.read_paused or self.queue.qsize() >= MAX_QUEUE:
            super().send_receive_event_to_app()
            return
        self.read_paused = True  # the base class pauses only where this is not set
        super().send_receive_event_to_app()
        self.read_paused = False
