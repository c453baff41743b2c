"""`flowengine calls`: a call that was made on a real server, listed, shown, run again and made into a test."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flowengine import plugins
from flowengine.cli import _flows
from flowengine.cli.main import main
from flowengine.runtime import events as fact
from flowengine.runtime import trace
from flowengine.runtime.interpreter import Interpreter
from flowengine.server.library import FlowFolder
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles

FLOW = """\
flow: shop
version: 1
nodes:
  main:
    say: Press 1 for bread.
    menu: [{key: 1, goto: bread}]
  bread: {say: Bread is here., goto: end}
"""
RECORD = {"id": "c1", "flow": "shop", "started": "2026-01-05T10:00:00+00:00", "seconds": 4.5}
RECORD |= {"ended_reason": "flow.hangup", "path": ["main", "bread"]}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["calls", *arguments])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a flow, and the trace of one call of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "shop.yaml").write_text(FLOW)
    program = _flows.program(_flows.Shelf(), "flows/shop.yaml")
    interpreter = Interpreter(program, {})
    call = {"id": "c1", "from": "+1555777", "to": "+2", "direction": "inbound", "headers": {}}
    lines = [trace.header({"id": "c1", "flow": "shop", "revision": program.revision, "carrier": "twilio"})]
    events: list[fact.Event] = [
        fact.CallStarted(0.0, call, "2026-01-05T10:00:00+00:00", 7, {}),
        fact.PromptInterrupted(1.0, "e1.p1", 1.0),
        fact.DigitPressed(1.0, "1"),
        fact.PromptFinished(3.0, "e2.p2", 2.0),
    ]
    lines += [trace.handle(interpreter, event)[1] for event in events]
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "c1.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_show_prints_the_conversation(place: Path) -> None:
    result = run("show", "c1")
    assert result.exit_code == 0, result.output
    shown = [line.split("s  ", 1)[1] for line in result.stdout.splitlines()[1:]]
    assert shown == [
        "flow   → main",
        "bot    Press 1 for bread.",
        "caller presses 1",
        "flow   → bread",
        "bot    Bread is here.",
        "flow   ended: flow.hangup",
    ]


def test_replay_says_that_it_is_the_same(place: Path) -> None:
    for call in ("c1", "traces/c1.jsonl"):
        result = run("replay", call)
        assert (result.exit_code, result.stdout) == (0, "the same: 4 facts had the same effects\n"), result.output


def test_replay_shows_the_first_difference_of_a_changed_flow(place: Path) -> None:
    (place / "changed.yaml").write_text(FLOW.replace("Bread is here.", "Bread is out."))
    result = run("replay", "c1", "--flow", "changed.yaml")
    assert result.exit_code == 1
    assert result.stdout == (
        "line 4, 1.00 s: after DigitPressed\n"
        "  - PlayPrompt in bread: Bread is here.\n  + PlayPrompt in bread: Bread is out.\n"
    )
    assert result.stderr.startswith("another revision of the flow than that of the call: ")


def test_a_flow_that_has_changed_is_asked_for_or_comes_from_the_store(place: Path) -> None:
    (place / "flows" / "shop.yaml").write_text(FLOW.replace("Bread is here.", "Bread is out."))
    result = run("replay", "c1")
    assert result.exit_code == 2
    assert 'has the flow "shop" as it was' in result.stderr
    assert "--flow" in result.stderr
    (place / "flows" / "shop.yaml").write_text(FLOW)
    stored(place)
    (place / "flows" / "shop.yaml").unlink()
    assert run("replay", "c1").exit_code == 0


def stored(place: Path, *records: dict[str, Any]) -> None:
    """Make the store that a server would have made."""

    async def go() -> None:
        store = SqliteStore(place / "flowengine.db", TraceFiles(place / "traces"))
        await store.start()
        await FlowFolder(store, plugins.node_types()).open(place / "flows")
        for one in records:
            await store.finish_call(one["id"], one)
        await store.aclose()

    asyncio.run(go())


def test_ls_lists_the_calls_that_have_ended(place: Path) -> None:
    stored(place, RECORD, {**RECORD, "id": "c2", "path": ["a", "b", "c", "d"], "ended_reason": "caller.hangup"})
    result = run("ls")
    assert result.stdout.splitlines() == [
        "c2  2026-01-05T10:00:00     4.5 s  shop             caller.hangup      b → c → d",
        "c1  2026-01-05T10:00:00     4.5 s  shop             flow.hangup        main → bread",
    ]
    assert json.loads(run("ls", "-n", "1", "--json").stdout)["id"] == "c2"


def test_export_writes_a_test_that_passes(place: Path) -> None:
    result = run("export", "c1", "--as-test", "-o", "flows/shop.test.yaml")
    assert (result.exit_code, result.output) == (0, "")
    text = (place / "flows" / "shop.test.yaml").read_text()
    assert "- {keys: '1', at: 50%}" in text
    assert "+1555777" not in text
    tested = CliRunner().invoke(main, ["test"])
    assert (tested.exit_code, "1 passed" in tested.stdout) == (0, True), tested.output
    again = run("export", "c1", "--as-test", "-o", "flows/shop.test.yaml")
    assert again.exit_code == 2
    assert "is there already" in again.stderr


BAD = [
    (("show", "nowhere"), "there is no trace at traces/nowhere.jsonl"),
    (("replay", "flows/shop.jsonl"), "there is no trace at flows/shop.jsonl"),
    (("ls",), "there is no store at flowengine.db"),
    (("replay", "c1", "--flow", "nowhere.yaml"), "there is no file or folder nowhere.yaml"),
    (("export", "c1"), "Missing option '--as-test'"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_what_is_not_there_is_told(place: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_file_that_is_no_trace_is_told(place: Path) -> None:
    (place / "x.jsonl").write_text('{"v": 1, "call": {}}\n')
    result = run("show", "x.jsonl")
    assert (result.exit_code, "x.jsonl: line 1: this is version 1" in result.stderr) == (2, True)
    (place / "bad.yaml").write_text("flow: shop\nversion: 1\nnodes: {a: {sey: x}}\n")
    result = run("replay", "c1", "--flow", "bad.yaml")
    assert (result.exit_code, "unknown field" in result.stderr) == (1, True)
