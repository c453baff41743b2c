"""An MCP server with tools that answer well and badly; as a command it speaks over its pipes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, TextContent

server = MCPServer("test")


@server.tool()
def add(a: int, b: int = 2) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


@server.tool(structured_output=False)
def words(what: str) -> str:
    """Give a text as it came."""
    return what


@server.tool()
def fails() -> str:
    """Fail."""
    raise ValueError("4111 1111 1111 1111")


@server.tool()
async def slow() -> str:
    """Answer in a minute."""
    await asyncio.sleep(60)
    return "late"


@server.tool()
def dies() -> str:
    """End the server's process in the middle of a call."""
    os._exit(3)


@server.tool()
async def dies_later() -> str:
    """End the server's process when the call has been answered."""
    asyncio.get_running_loop().call_later(0.1, os._exit, 3)
    return "soon"


@server.tool()
def surroundings() -> dict[str, Any]:
    """Give the process and what it was told by its environment."""
    return {"pid": os.getpid(), "token": os.environ.get("TOKEN"), "mine": os.environ.get("FLOWENGINE_TEST_SECRET")}


@server.tool()
def key(context: Context) -> dict[str, Any]:
    """Give what came beside the arguments."""
    meta = context.request_context.meta
    return {"meta": dict(meta) if meta else {}}


@server.tool(structured_output=False)
def long() -> CallToolResult:
    """Give more than anybody wants."""
    return CallToolResult(content=[TextContent(type="text", text="a" * 300_000)])


if __name__ == "__main__":
    server.run("stdio")
