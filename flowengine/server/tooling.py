"""Tools and settings: what a flow may not run on this server, told before the first call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from flowengine.errors import EnvironmentProblem
from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.model import Flow, Tool
from flowengine.plugins import function
from flowengine.settings import ToolSettings
from flowengine.tools.hosts import Hosts
from flowengine.tools.http import host_of
from flowengine.tools.python import allowed

_ENV = re.compile(r"\{\{\s*env\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_HOST = re.compile(r"https?://[^/?#\\]+", re.IGNORECASE)


def disallowed(flow: Flow, settings: ToolSettings, env: Mapping[str, str]) -> Iterator[Diagnostic]:
    """Give a finding for each tool of a flow that the settings do not allow."""
    hosts = Hosts(settings.hosts)
    for tool in flow.tools.values():
        what, help_ = "", ""
        if tool.kind == "python" and not allowed(tool.target, settings.python):
            module = tool.target.partition(":")[0]
            what, help_ = f"the module {module}", f"add it to `tools: {{python: [{module}]}}`"
        elif tool.kind == "mcp" and (name := tool.target.partition("/")[0]) not in settings.mcp:
            what, help_ = f"the MCP server {name}", f"add it under `tools: {{mcp: {{{name}: …}}}}`"
        elif tool.kind == "http" and (found := _host(tool, env)) is not None and not hosts.allows(*found):
            what, help_ = f"the host {found[0]}", f"add it to `tools: {{hosts: [{found[0]}]}}`"
        if what:
            message = f"the tool {tool.name} needs {what}, which this server does not allow"
            help_ += " in the server's settings, if it may be reached"
            yield Diagnostic("tool-not-allowed", message, tool.span, about=tool.name, help=help_)


def _host(tool: Tool, env: Mapping[str, str]) -> tuple[str, int] | None:
    """Give the host and port of a tool's address where they are known before a call, else None."""
    if tool.url is None:
        return None
    filled = _ENV.sub(lambda match: env.get(match[1], match[0]), tool.url.source)
    written = filled.partition("{")[0]
    known = _HOST.match(written)
    if known is None or (known.end() == len(written) and written != filled):
        # The host ends where a call's value begins, and may go on with it.
        return None
    return host_of(known[0])


def import_functions(flow: Flow) -> None:
    """Import the functions of a flow's Python tools; raises ``EnvironmentProblem`` with the place of the first lack."""
    for tool in flow.tools.values():
        if tool.kind == "python":
            try:
                function(tool.target)
            except EnvironmentProblem as problem:
                raise EnvironmentProblem(f"{tool.span.file}:{tool.span.line}: {problem}") from None
