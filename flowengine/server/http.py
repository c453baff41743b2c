"""The HTTP addresses: what carriers ask, and what operations ask."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from flowengine.call.calls import Calls
from flowengine.errors import ProtocolError, RemoteError
from flowengine.server.doors import Doors
from flowengine.telephony.dialect import Dialect, HangupNow

log = logging.getLogger("flowengine.server")

MAX_BODY = 64 * 1024
MAX_FIELDS = 200

Fields = Sequence[tuple[str, str]]


class Webhooks:
    """The carrier's requests. ``open`` is False while the server drains: no new calls, but all that is under way."""

    def __init__(self, calls: Calls, doors: Doors) -> None:
        self.calls = calls
        self.doors = doors
        self.open = False

    def application(self) -> Starlette:
        """Give the Starlette application."""
        both = ["GET", "POST"]
        return Starlette(
            routes=[
                Route("/answer/{carrier}", self.answer, methods=both),
                Route("/answer/{carrier}/{flow}", self.answer, methods=both),
                Route("/continue/{carrier}/{call}", self.go_on, methods=both),
                Route("/status/{carrier}", self.status, methods=both),
                Route("/health", self.health, methods=["GET"]),
                Route("/ready", self.ready, methods=["GET"]),
            ]
        )

    async def answer(self, request: Request) -> Response:
        """Give a new call its first document."""
        read = await self._read(request)
        if isinstance(read, Response):
            return read
        dialect, fields = read
        form = dict(fields)
        engine = self.calls.engine
        try:
            # A Vobiz application without an address of its own for hang-ups tells them here.
            if (report := dialect.parse_status(form)).over:
                await self.calls.status(dialect, report)
                return _xml(dialect.document(HangupNow()))
            incoming = dialect.parse_answer(form)
            known = await engine.store.find_call(dialect.name, incoming.carrier_call_id)
            if (known is None or known.state == "ended") and (not self.open or self._full()):
                engine.counts["refused"] += 1
                return PlainTextResponse("no new calls are taken now\n", 503, {"Retry-After": "5"})
            flow = self.doors.flow_for(incoming.called, request.path_params.get("flow", ""))
            document = await self.calls.answer(dialect, incoming, flow, dict(request.query_params))
        except ProtocolError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except RemoteError as error:
            return self._unanswered(error)
        return _xml(document)

    def _unanswered(self, error: RemoteError) -> Response:
        """The store does not answer: the carrier may ask again, or tell the caller."""
        self.calls.engine.counts["store.failed"] += 1
        log.error("a request can not be answered: %s", error)
        return PlainTextResponse("try again\n", 503, {"Retry-After": "1"})

    def _full(self) -> bool:
        engine = self.calls.engine
        now = engine.wall()
        waiting = sum(until > now for until in self.calls.offered.values())
        return len(engine.sessions) + waiting >= self.doors.settings.server.max_calls

    async def go_on(self, request: Request) -> Response:
        """Give the document that follows a stream or a dial."""
        read = await self._read(request)
        if isinstance(read, Response):
            return read
        dialect, fields = read
        call_id = self.calls.signer.read_call_address(request.path_params["call"])
        if call_id is None:
            return PlainTextResponse("this address is not ours\n", 403)
        try:
            asked = dialect.parse_continue(dict(fields))
            numbers = [request.query_params.get(name, "") for name in ("dial", "stream")]
            document = await self.calls.go_on(dialect, call_id, asked, *numbers)
        except ProtocolError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except RemoteError as error:
            return self._unanswered(error)
        return _xml(dialect.document(document))

    async def status(self, request: Request) -> Response:
        """Take a status callback."""
        read = await self._read(request)
        if isinstance(read, Response):
            return read
        dialect, fields = read
        try:
            await self.calls.status(dialect, dialect.parse_status(dict(fields)))
        except ProtocolError as error:
            return PlainTextResponse(f"{error}\n", 400)
        except RemoteError as error:
            return self._unanswered(error)
        return Response(status_code=204)

    async def health(self, _request: Request) -> Response:
        """The process lives."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """New calls are taken; with what one wants to know before sending some."""
        engine = self.calls.engine
        lag = engine.lag
        facts = {
            "status": "ready" if self.open else "draining",
            "calls": len(engine.sessions),
            "tasks": len(asyncio.all_tasks()),
            "loop_lag_p99_ms": round(lag.quantile(0.99) * 1000, 1),
            "loop_lag_worst_ms": round(lag.worst * 1000, 1),
            "loop_lag_counts": lag.counts,
        }
        return JSONResponse(facts, 200 if self.open else 503)

    async def _read(self, request: Request) -> tuple[Dialect, Fields] | Response:
        """Read and verify a carrier's request; a response refuses it."""
        dialect = self.doors.dialects.get(request.path_params["carrier"])
        if dialect is None:
            return PlainTextResponse("there is no such carrier\n", 404)
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    return PlainTextResponse("the request is too large\n", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        posted = request.method == "POST"
        text = body.decode("utf-8", "replace") if posted else request.url.query
        fields = parse_qsl(text, keep_blank_values=True)
        if len(fields) > MAX_FIELDS:
            return PlainTextResponse("the request has too many fields\n", 413)
        headers = {k.lower(): v for k, v in request.headers.items()}
        target = (request.url.path, request.url.query)
        signed = fields if posted else []
        if not self.doors.webhook(dialect, request.method, target, headers, signed, bytes(body)):
            self.calls.engine.counts["forged"] += 1
            log.warning("a request to %s has no valid signature of %s", _safe(request.url.path), dialect.name)
            return PlainTextResponse("the signature is not valid\n", 403)
        return dialect, fields


def _safe(path: str) -> str:
    """Give the part of a path that holds no secret."""
    return "/".join(path.split("/")[:3])


def _xml(text: str) -> Response:
    return Response(text, media_type="application/xml")
