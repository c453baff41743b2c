"""MCP tools: one session for each server that the settings name, shared by all calls, begun again when it has died.

A session has to be opened and closed by one and the same task: each server has one that holds it. A run that needs a
session which is not there waits for that task; one whose session breaks fails, and the next run begins a new one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, TextIO, cast

import anyio
import httpx2
import mcp
import msgspec
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, CallToolResult, RequestParamsMeta, TextContent

from flowengine.call.ports import ANSWER, ToolRequest
from flowengine.errors import ToolError

log = logging.getLogger("flowengine.tools")

CONNECT_WITHIN = 10.0  # seconds, the start of a command included
AGAIN_AFTER = 1.0  # seconds: a server that dies at once is not started in a circle
CLOSE_WITHIN = 8.0  # seconds: the package gives a command some of them to end by itself
KEY = "flowengine/idempotency-key"  # the run's key, under `_meta` of the call (MCP: names with a prefix)
# After these the session is of no use any more: it is gone, or the server has forgotten it.
_OVER = (CONNECTION_CLOSED, INVALID_REQUEST)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Server(Protocol):
    """How a server is reached: by a command with its environment, or by an address with its headers."""

    @property
    def command(self) -> Sequence[str]:
        """Give the words of the command; none for an address."""

    @property
    def env(self) -> Mapping[str, str]:
        """Give what the command's environment has beside the harmless rest of ours."""

    @property
    def url(self) -> str:
        """Give the address of streamable HTTP."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers of every request."""


class McpTools:
    """Implements the port ``ToolRunner`` for `mcp`."""

    def __init__(
        self, servers: Mapping[str, Server], *, connect_within: float = CONNECT_WITHIN, again_after: float = AGAIN_AFTER
    ) -> None:
        self._sessions = {name: _Session(name, server, connect_within, again_after) for name, server in servers.items()}
        # The package logs messages of servers as they came, when it can not read them.
        logging.getLogger("mcp").setLevel(logging.CRITICAL)

    async def start(self) -> None:
        """Begin every session and wait for none: one that is not there must not keep calls from being answered."""
        for session in self._sessions.values():
            await session.begin()

    async def aclose(self) -> None:
        """End every session and the commands behind them."""
        await asyncio.gather(*(session.aclose() for session in self._sessions.values()))

    async def run(self, request: ToolRequest) -> Any:
        """Call the tool; raises ``ToolError``: `error` for all that is not an answer."""
        name, _, tool = request.target.partition("/")
        session = self._sessions.get(name)
        if session is None:
            raise ToolError("error", f"tools.mcp names no server {name}")
        try:
            args = json.loads(_encoder.encode(dict(request.args)))
        except (TypeError, ValueError, OverflowError, RecursionError):
            raise ToolError("error", "its arguments are no JSON") from None
        client = await session.client()
        try:
            answer = await client.call_tool(tool, args, meta=cast(RequestParamsMeta, {KEY: request.key}))
        except mcp.MCPError as error:
            if error.code in _OVER:
                session.drop(client)
            raise ToolError("error", f"the server answered with the error {error.code}") from None
        except Exception as error:  # a broken session raises what its transport raises
            session.drop(client)
            raise ToolError("error", f"{type(error).__module__}.{type(error).__qualname__}") from None
        return _answer(answer)


class _Session:
    """One server's session and the task that holds it."""

    def __init__(self, name: str, server: Server, connect_within: float, again_after: float) -> None:
        self._name = name
        self._server = server
        self._connect_within = connect_within
        self._again_after = again_after
        self._holder: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[mcp.Client] | None = None
        self._client: mcp.Client | None = None
        self._over = asyncio.Event()
        self._began = float("-inf")

    async def client(self) -> mcp.Client:
        """Give the session's client, of a new session if there is none; raises ``ToolError``."""
        ready = await self.begin()
        # Shielded: who waits may be cut off, others wait for the same.
        return await asyncio.shield(ready)

    async def begin(self) -> asyncio.Future[mcp.Client]:
        """Begin a session if there is none, and give what its client will come by; raises ``ToolError``."""
        ready = self._ready
        if ready is not None and not self._over.is_set():
            return ready
        loop = asyncio.get_running_loop()
        if loop.time() - self._began < self._again_after:
            raise ToolError("error", f"the session with {self._name} has only just ended")
        await self.aclose()
        if self._ready is not None and self._ready is not ready and not self._over.is_set():
            return self._ready  # another run was faster
        self._began = loop.time()
        self._ready, self._over = loop.create_future(), asyncio.Event()
        self._holder = loop.create_task(self._hold(self._ready, self._over), name=f"mcp {self._name}")
        return self._ready

    def drop(self, client: mcp.Client) -> None:
        """End the session of a client, if it is still that one."""
        if self._client is client:
            self._over.set()

    async def aclose(self) -> None:
        """End the session. Bounded; safe to call twice."""
        self._over.set()
        holder, self._holder = self._holder, None
        if holder is None:
            return
        done, _ = await asyncio.wait({holder}, timeout=CLOSE_WITHIN)
        if not done:
            holder.cancel()
            await asyncio.wait({holder}, timeout=1.0)

    async def _hold(self, ready: asyncio.Future[mcp.Client], over: asyncio.Event) -> None:
        try:
            async with AsyncExitStack() as stack, asyncio.timeout(self._connect_within) as bound:
                client = await stack.enter_async_context(mcp.Client(self._transport(over)))
                bound.reschedule(None)
                log.info("the session with the MCP server %s has begun", self._name)
                self._client = client
                ready.set_result(client)
                # Bounded by ``aclose``, which the end of the process calls.
                await over.wait()
        except Exception as error:  # a transport raises what it likes, when it begins and when it ends
            # Why, the command itself says when it is run by hand.
            log.warning("the session with the MCP server %s failed: %s", self._name, _told(error))
        finally:
            over.set()
            if not ready.done():
                ready.set_exception(ToolError("error", f"there is no session with {self._name}"))
                ready.exception()  # read here, for it may be that nobody waits any more

    @asynccontextmanager
    async def _transport(self, over: asyncio.Event) -> AsyncIterator[Any]:
        server = self._server
        if server.url:
            async with (
                httpx2.AsyncClient(headers=dict(server.headers), timeout=httpx2.Timeout(None, connect=5.0)) as http,
                streamable_http_client(server.url, http_client=http) as streams,
            ):
                yield streams
            return
        command, *words = server.command
        parameters = mcp.StdioServerParameters(command=command, args=words, env=dict(server.env))
        async with (
            _nowhere() as nowhere,
            mcp.stdio_client(parameters, nowhere) as (incoming, outgoing),
            anyio.create_task_group() as group,
        ):
            # A command that ends while nobody asks it anything would be missed only by the next who does.
            give, take = anyio.create_memory_object_stream[Any](0)

            async def relay() -> None:
                try:
                    async with give:
                        async for message in incoming:
                            await give.send(message)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    pass  # the session is ending by itself
                over.set()

            group.start_soon(relay)
            async with take:
                yield take, outgoing
            group.cancel_scope.cancel()


@asynccontextmanager
async def _nowhere() -> AsyncIterator[TextIO]:
    """Give what takes a command's standard error: many write there what they were asked, which no log of ours holds."""
    with open(os.devnull, "w") as file:  # noqa: ASYNC230  # the null device does not block
        yield file


def _told(error: BaseException) -> str:
    """Name an exception for the log: the types alone, its text may quote a message."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(_told(one) for one in error.exceptions)
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _answer(answer: CallToolResult) -> Any:
    """Give what a tool answered: its structured content, else its text, as data where that is an object or a list."""
    if answer.is_error:
        raise ToolError("error", "the tool says that it failed")
    found = answer.structured_content
    if found is None:
        text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
        found = _read(text) if text[:1] in ("{", "[") else text
    if len(json.dumps(found)) > ANSWER:
        raise ToolError("error", f"the answer has more than {ANSWER} bytes")
    return found


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
