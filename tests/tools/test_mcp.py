"""MCP tools against a real server, as a command and over HTTP on loopback."""

from __future__ import annotations

import asyncio
import logging
import runpy
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from flowengine.call.ports import ToolRequest
from flowengine.errors import ToolError
from flowengine.settings import McpServer
from flowengine.testing.virtual_time import let_pass
from flowengine.tools import mcp
from flowengine.tools.mcp import McpTools

SERVER = Path(__file__).with_name("mcp_server.py")
COMMAND = McpServer(command=(sys.executable, str(SERVER)), env={"TOKEN": "x"})


def request(tool: str, /, **args: Any) -> ToolRequest:
    return ToolRequest("tool", f"shop/{tool}", args, {}, "CALL.1.t1")


async def told(tools: McpTools, tool: str, /, **args: Any) -> Any:
    """Run a tool; give its answer, or what failed."""
    try:
        async with asyncio.timeout(20):
            return await tools.run(request(tool, **args))
    except ToolError as error:
        return str(error)


@asynccontextmanager
async def over_http(port: int = 0) -> AsyncIterator[McpServer]:
    """Serve the tools on loopback."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    raw.bind(("127.0.0.1", port))
    application = runpy.run_path(str(SERVER))["server"].streamable_http_app()
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[raw]))
    while not server.started:
        await let_pass(0.01)
    try:
        yield McpServer(url=f"http://127.0.0.1:{raw.getsockname()[1]}/mcp", headers={"Authorization": "Bearer x"})
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def as_command() -> AsyncIterator[McpServer]:
    """Serve the tools by a command."""
    yield COMMAND


def with_tools(work: Callable[[McpTools], Awaitable[Any]], server: McpServer = COMMAND, **bounds: float) -> Any:
    async def go() -> Any:
        tools = McpTools({"shop": server}, **bounds)
        await tools.start()
        try:
            return await work(tools)
        finally:
            await tools.aclose()
            await tools.aclose()

    return asyncio.run(go())


@pytest.mark.parametrize("place", [as_command, over_http])
def test_a_tool_is_called_and_its_answer_is_data(place: Any) -> None:
    async def go() -> list[Any]:
        async with place() as server:
            tools = McpTools({"shop": server})
            asked = [
                told(tools, "add", a=1),
                told(tools, "words", what="hello"),
                told(tools, "words", what='{"a": [1]}'),
                told(tools, "words", what="{no json"),
                told(tools, "fails"),
                told(tools, "nowhere"),
                told(tools, "add", a="x"),
                told(tools, "long"),
                told(tools, "key"),
            ]
            # All at once: one session is begun, and takes them all.
            found = list(await asyncio.gather(*asked))
            await tools.aclose()
            return found

    *found, key = asyncio.run(go())
    failed = "error (the tool says that it failed)"
    assert found == [
        {"sum": 3},
        "hello",
        {"a": [1]},
        "{no json",
        failed,
        failed,
        failed,
        "error (the answer has more than 262144 bytes)",
    ]
    assert key["meta"][mcp.KEY] == "CALL.1.t1"


def test_one_command_serves_all_runs_with_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWENGINE_TEST_SECRET", "ours")

    async def work(tools: McpTools) -> list[Any]:
        return [await told(tools, "surroundings") for _ in range(2)]

    first, second = with_tools(work)
    assert first == second == {"pid": first["pid"], "token": "x", "mine": None}


def test_a_session_is_there_before_the_first_call() -> None:
    async def work(tools: McpTools) -> bool:
        async with asyncio.timeout(10):
            await tools._sessions["shop"]._ready  # type: ignore[misc]  # begun by ``start``
        return True

    assert with_tools(work)


def test_a_run_is_cut_off_and_the_session_goes_on() -> None:
    async def work(tools: McpTools) -> list[Any]:
        before = await told(tools, "surroundings")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await tools.run(request("slow"))
        return [before, await told(tools, "surroundings")]

    before, after = with_tools(work)
    assert before == after


def test_a_command_that_dies_in_a_call_is_started_again_for_the_next() -> None:
    async def work(tools: McpTools) -> list[Any]:
        return [await told(tools, "surroundings"), await told(tools, "dies"), await told(tools, "surroundings")]

    before, died, after = with_tools(work, again_after=0.0)
    assert died == "error (the server answered with the error -32000)"
    assert before["pid"] != after["pid"]


def test_a_command_that_dies_while_nobody_asks_it_fails_nobody() -> None:
    async def work(tools: McpTools) -> list[Any]:
        found = [await told(tools, "surroundings"), await told(tools, "dies_later")]
        over = tools._sessions["shop"]._over
        async with asyncio.timeout(10):
            await over.wait()
        return [*found, await told(tools, "surroundings")]

    before, soon, after = with_tools(work, again_after=0.0)
    assert soon == {"result": "soon"}
    assert before["pid"] != after["pid"]


def test_a_server_over_http_that_was_away_is_asked_again() -> None:
    async def go() -> list[Any]:
        async with over_http() as server:
            tools = McpTools({"shop": server}, again_after=0.0)
            found = [await told(tools, "add", a=1)]
        found.append(await told(tools, "add", a=1))
        async with over_http(int(server.url.split(":")[2].removesuffix("/mcp"))):
            found.append(await told(tools, "add", a=2))
            await tools.aclose()
        return found

    first, away, again = asyncio.run(go())
    assert (first, again) == ({"sum": 3}, {"sum": 4})
    assert away.startswith("error (")


@pytest.mark.parametrize(
    "server",
    [
        McpServer(command=("/nowhere/at/all",)),
        McpServer(command=(sys.executable, "-c", "raise SystemExit(3)")),
        McpServer(command=(sys.executable, "-c", "print('no json'); input()")),
        McpServer(url="http://127.0.0.1:1/mcp"),
    ],
)
def test_a_server_that_is_none_fails_the_run_and_is_not_started_in_a_circle(
    server: McpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "flowengine")

    async def work(tools: McpTools) -> list[Any]:
        return [await told(tools, "add", a=1) for _ in range(2)]

    assert with_tools(work, server, connect_within=2.0, again_after=60.0) == [
        "error (there is no session with shop)",
        "error (the session with shop has only just ended)",
    ]
    assert [record.message.split(" failed: ")[0] for record in caplog.records if record.name == "flowengine.tools"] == [
        "the session with the MCP server shop"
    ]


def test_a_server_that_the_settings_do_not_name() -> None:
    async def work(tools: McpTools) -> str:
        with pytest.raises(ToolError) as failed:
            await tools.run(ToolRequest("tool", "other/add", {}, {}, "k"))
        return str(failed.value)

    assert with_tools(work) == "error (tools.mcp names no server other)"


def test_arguments_that_are_no_json() -> None:
    async def work(tools: McpTools) -> Any:
        return await told(tools, "add", a=object())

    assert with_tools(work) == "error (its arguments are no JSON)"
