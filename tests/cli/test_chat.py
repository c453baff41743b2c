"""`flowengine chat`: a conversation over standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flowengine.cli.main import main

FLOW = """\
flow: shop
version: 1
args: {name: {type: text, default: you}}
vars: {count: {type: int, default: 0}}
nodes:
  main:
    say: "Hello {{ args.name }}, press 1 or say bread."
    menu: [{key: 1, hear: [bread], set: {count: 2}, goto: bread}]
  bread: {say: Bread is here., goto: end}
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.yaml").write_text(FLOW)
    return "shop.yaml"


def run(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(main, ["chat", *arguments], input=typed)


def test_a_conversation(flow: str) -> None:
    result = run(flow, "--arg", "name=Ann", typed=":help\n:where\nbread\n:vars\n:quit\n")
    assert result.exit_code == 0, result.output
    assert "bot    Hello Ann, press 1 or say bread." in result.stdout
    assert ":keys 12#         presses keys" in result.stdout
    assert "bot    Bread is here." in result.stdout
    assert "vars   count = 2" in result.stdout
    assert "  count = 2\n" in result.stdout
    assert "the call is over" in result.stdout


def test_what_means_nothing_is_told_and_the_end_of_input_ends_it(flow: str) -> None:
    result = run(flow, typed=":dance\n:keys 1\n:undo\n")
    assert result.exit_code == 0
    assert ":dance is nothing that can be done here" in result.stdout
    assert "taken back; the call is in main" in result.stdout


def test_wrong_usage_is_told(flow: str, tmp_path: Path) -> None:
    for arguments, message in (
        (("nowhere.yaml",), "there is no file or folder"),
        ((".",), "is a folder"),
        ((flow, "--arg", "size=3"), "the flow has no argument size"),
    ):
        result = run(*arguments)
        assert (result.exit_code, message in result.stderr) == (2, True), result.output
    (tmp_path / "bad.yaml").write_text(FLOW.replace("say: Bread", "sey: Bread"))
    result = run("bad.yaml")
    assert (result.exit_code, 'unknown field "sey"' in result.stderr) == (1, True)


def test_in_real_time_prompts_take_their_time_and_what_is_typed_cuts_in(flow: str) -> None:
    """The prompt lasts two seconds; the key is there at once, and the call is over long before they have passed."""
    command = [sys.executable, "-m", "flowengine", "chat", flow, "--real-time"]
    done = subprocess.run(
        command, input=":keys 1\n", text=True, capture_output=True, timeout=60, check=True, env={**os.environ}
    )
    assert "bot    Bread is here." in done.stdout
    assert "ended: flow.hangup" in done.stdout
