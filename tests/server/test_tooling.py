"""What a server does not let a flow run, told with its place before the first call."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowengine.errors import EnvironmentProblem
from flowengine.flow.loader import load
from flowengine.flow.model import Flow
from flowengine.plugins import node_types
from flowengine.server.tooling import disallowed, import_functions
from flowengine.settings import McpServer, ToolSettings

ENV = {"API": "https://api.example.com:8443/v1", "HOST": "api.example.com"}


FLOW = """flow: test
version: 1
vars: {id: {type: text, default: a}}
tools:
  it: TOOL
nodes:
  main: {tool: it, goto: end}
"""


def flow(tool: str) -> Flow:
    found = load("test.yaml", FLOW.replace("TOOL", tool), node_types())
    assert found.flow is not None, found.diagnostics
    return found.flow


def findings(tool: str, settings: ToolSettings) -> list[str]:
    found = list(disallowed(flow(tool), settings, ENV))
    assert all((one.code, one.span.line, one.about) == ("tool-not-allowed", 5, "it") for one in found)
    return [one.message for one in found]


ALL = ToolSettings(python=("shop",), hosts=("api.example.com",), mcp={"crm": McpServer(url="https://crm.example")})


@pytest.mark.parametrize(
    "tool",
    [
        '{python: "shop:book"}',
        '{python: "shop.orders:book"}',
        "{mcp: crm/book}",
        '{http: GET, url: "https://api.example.com/x"}',
        '{http: GET, url: "HTTPS://API.example.com"}',
        '{http: GET, url: "https://api.example.com/{{ id }}"}',
        '{http: GET, url: "{{ env.API }}/{{ id }}"}',
        '{http: GET, url: "https://{{ env.HOST }}/x"}',
        # What only a call, or another environment, knows is judged in the call.
        '{http: GET, url: "https://{{ id }}.example.com/x"}',
        '{http: GET, url: "https://evil{{ id }}.example.com/x"}',
        '{http: GET, url: "{{ env.NOWHERE }}/x"}',
        '{http: GET, url: "{{ id }}"}',
        '{http: GET, url: "/relative"}',
    ],
)
def test_what_is_named_or_not_known_yet_is_allowed(tool: str) -> None:
    assert findings(tool, ALL) == []


@pytest.mark.parametrize(
    ("tool", "needs"),
    [
        ('{python: "os:system"}', "the module os"),
        ('{python: "shopping:book"}', "the module shopping"),
        ("{mcp: other/book}", "the MCP server other"),
        ('{http: GET, url: "https://evil.example/x"}', "the host evil.example"),
        ('{http: GET, url: "http://127.0.0.1:8000/{{ id }}"}', "the host 127.0.0.1"),
        ('{http: GET, url: "https://api.example.com.evil.example/{{ id }}"}', "the host api.example.com.evil.example"),
        ('{http: GET, url: "https://api.example.com@evil.example/"}', "the host evil.example"),
        ('{http: GET, url: "http://[::1]/"}', "the host ::1"),
    ],
)
def test_what_is_not_named_is_told_with_its_remedy(tool: str, needs: str) -> None:
    assert findings(tool, ALL) == [f"the tool it needs {needs}, which this server does not allow"]
    (found,) = disallowed(flow(tool), ALL, ENV)
    assert "`tools: {" in found.help


def test_nothing_is_allowed_by_default() -> None:
    for tool in ('{python: "shop:book"}', "{mcp: crm/book}", '{http: GET, url: "{{ env.API }}/x"}'):
        assert len(findings(tool, ToolSettings())) == 1


def test_a_function_is_imported_before_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_imported.py").write_text("def book(): ...\nnothing = 3\n")
    (tmp_path / "acme_broken.py").write_text("raise ValueError('broken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    import_functions(flow('{python: "acme_imported:book"}'))
    for target, says in [
        ("acme_imported:sell", "test.yaml:5: there is no function sell in the module acme_imported"),
        ("acme_imported:nothing", "test.yaml:5: there is no function nothing"),
        ("acme_nowhere:book", "test.yaml:5: the module acme_nowhere can not be imported: ModuleNotFoundError"),
        ("acme_broken:book", "test.yaml:5: the module acme_broken can not be imported: ValueError: broken"),
    ]:
        with pytest.raises(EnvironmentProblem, match=f"^{says}"):
            import_functions(flow(f'{{python: "{target}"}}'))
