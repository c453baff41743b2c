"""The media socket as plain ASGI: who may open it, its `start`, and the pump between the socket and the session."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from flowengine.call.calls import Calls, RefusedError
from flowengine.call.ports import StoredCall
from flowengine.call.session import CallSession, StreamEnd
from flowengine.call.tokens import StreamToken
from flowengine.errors import RemoteError
from flowengine.server.doors import Doors
from flowengine.server.protocol import EXTENSION
from flowengine.telephony.dialect import Dialect, Verdict
from flowengine.telephony.messages import StreamStarted

log = logging.getLogger("flowengine.server")

START_WITHIN = 5.0
WAITING_AT_MOST = 32
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class SocketTransport:
    """Implements the port ``MediaTransport`` over ASGI."""

    def __init__(self, scope: Mapping[str, Any], send: Send) -> None:
        self._send = send
        self._abort: Callable[[], None] | None = scope.get("extensions", {}).get(EXTENSION, {}).get("abort")

    async def send(self, text: str) -> None:
        """Write one text frame."""
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        """Close with a code; a socket that is gone already stays gone."""
        try:
            await self._send({"type": "websocket.close", "code": code})
        except OSError:
            log.debug("the socket was gone before it was closed")

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._abort is not None:
            self._abort()


class MediaSocket:
    """The ASGI application of `/stream/…`."""

    def __init__(self, calls: Calls, doors: Doors) -> None:
        self._calls = calls
        self._doors = doors
        self._waiting = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Take one WebSocket from its upgrade to its end."""
        message = await receive()
        if message["type"] != "websocket.connect":
            return
        parts = str(scope["path"]).strip("/").split("/")
        dialect = self._doors.dialects.get(parts[1]) if len(parts) in (2, 3) and parts[0] == "stream" else None
        admission = self._admission(dialect, parts, scope) if dialect else None
        if dialect is None or admission is None or self._waiting >= WAITING_AT_MOST:
            self._calls.engine.counts["stream.refused"] += 1
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        offered = scope.get("subprotocols") or [None]
        transport = SocketTransport(scope, send)
        # Counted before the first await: many that come at once must not all find room.
        self._waiting += 1
        call = started = None
        try:
            await send({"type": "websocket.accept", "subprotocol": offered[0]})
            async with asyncio.timeout(START_WITHIN):
                started = await self._await_start(dialect, receive)
            # Not under that deadline: it would leave a call that is ours in the store and nobody's here.
            call = await self._admit(dialect, admission, started) if started else None
        except TimeoutError:
            self._calls.engine.counts["stream.no_start"] += 1
            if isinstance(admission, StreamToken):
                await self._noted(self._calls.no_start(admission.call))
        except RemoteError as error:
            # A stream by hand names its flow and arguments itself: what it names wrongly is the user's to mend.
            level = logging.WARNING if isinstance(admission, StreamToken) else logging.ERROR
            log.log(level, "a stream of %s was refused: %s", dialect.name, error)
            self._calls.engine.counts["stream.refused"] += 1
        finally:
            self._waiting -= 1
        if call is None or started is None:
            await transport.close(POLICY_VIOLATION)
            return
        await self._hold(dialect, call, started, transport, receive)

    async def _noted(self, ending: Awaitable[None]) -> None:
        """End a call without a conversation; where the store does not take it, it is found as lost."""
        try:
            await ending
        except RemoteError as error:
            self._calls.engine.counts["store.failed"] += 1
            log.error("the store did not take the end of a call: %s", error)

    def _admission(
        self, dialect: Dialect, parts: list[str], scope: Mapping[str, Any]
    ) -> StreamToken | dict[str, str] | None:
        """Decide before the socket is accepted; None refuses it with 403."""
        query = scope.get("query_string", b"").decode("latin-1")
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope.get("headers", [])}
        verdict = Verdict.MISSING
        if dialect.capabilities.upgrade_signed:
            verdict = self._doors.upgrade(dialect, str(scope["path"]), query, headers)
            if verdict is Verdict.INVALID:
                return None
        if len(parts) == 3:
            token = self._calls.signer.read_stream_token(parts[2], dialect.name, self._calls.engine.wall())
            allowed = verdict is Verdict.VALID or not self._doors.upgrade_required(dialect)
            return token if allowed else None
        given = dict(parse_qsl(query, keep_blank_values=True))
        if verdict is Verdict.VALID:
            return {**given, "key": ""}
        key = self._doors.settings.carrier(dialect.name).stream_key
        if dialect.capabilities.parameters == "query" and not _same(given.get("key", ""), key):
            return None
        return {**given, "key": key} if key else None

    async def _await_start(self, dialect: Dialect, receive: Receive) -> StreamStarted | None:
        """Read until `start`; what comes before it is dropped (Vobiz was seen to send media first)."""
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return None
            decoded = dialect.decode(message.get("text") or "")
            if isinstance(decoded, StreamStarted):
                return decoded

    async def _admit(
        self, dialect: Dialect, admission: StreamToken | dict[str, str], started: StreamStarted
    ) -> StoredCall:
        if isinstance(admission, StreamToken):
            return await self._calls.admit(dialect, admission, started)
        given = {**{k: v for k, v in admission.items() if k != "key"}, **started.parameters}
        if admission["key"] and not _same(given.pop("key", admission["key"]), admission["key"]):
            raise RefusedError("the stream has no valid key")
        if dialect.capabilities.parameters == "start" and admission["key"] and "key" not in started.parameters:
            raise RefusedError("the stream has no key")
        flow = given.pop("flow", "") or self._doors.default_flow()
        return await self._calls.admit_unannounced(dialect, started, flow, given)

    async def _hold(
        self, dialect: Dialect, call: StoredCall, started: StreamStarted, transport: SocketTransport, receive: Receive
    ) -> None:
        """Pump the socket into the session until the stream is over."""
        if started.encoding not in ("audio/x-mulaw", "") or started.rate not in (8000, 0):
            log.error("the stream of call %s sends %s at %d Hz, not µ-law", call.id, started.encoding, started.rate)
            await self._noted(self._calls.unfit(call))
            await transport.close(POLICY_VIOLATION)
            return
        try:
            session, events = await self._calls.make_session(dialect, call, started, transport)
        except RemoteError as error:
            # The call stays open: the carrier comes back with it, or it is found as lost.
            self._calls.engine.counts["store.failed"] += 1
            log.error("the stream of call %s can not begin: %s", call.id, error)
            await transport.close(INTERNAL_ERROR)
            return
        pump = asyncio.get_running_loop().create_task(_pump(session, receive), name=f"{call.id} pump")
        end = StreamEnd("hangup", "engine.failed", None)
        try:
            end = await session.run(*events)
        finally:
            pump.cancel()
            # Shielded: a server that stops still writes the record of the call that it cuts.
            await asyncio.shield(self._calls.stream_ended(session, end))


async def _pump(session: CallSession, receive: Receive) -> None:
    """Feed the session; bounded by the session, which cancels this."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            session.on_closed(int(message.get("code") or 1006))
            return
        text = message.get("text")
        if text is not None:
            session.on_text(text)


def _same(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode(), secret.encode())
