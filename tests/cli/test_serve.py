"""`flowengine serve`: what keeps it from starting, by exit code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flowengine.cli.main import main

GOOD = "flow: test\nversion: 1\nnodes:\n  a: {say: Hello., goto: end}\n"


def serve(folder: Path, *arguments: str, settings: str = "{}", **environ: str) -> Result:
    (folder / "settings.yaml").write_text(settings)
    store = {
        "FLOWENGINE_STORE__URL": f"sqlite:///{folder / 'calls.db'}",
        "FLOWENGINE_STORE__TRACES": str(folder / "traces"),
        "FLOWENGINE_STORE__CACHE": str(folder / "cache"),
    }
    command = ["serve", str(folder / "flows"), "--settings", str(folder / "settings.yaml"), *arguments]
    return CliRunner().invoke(main, command, env=store | environ)


def spawned(folder: Path, settings: str = "{}", **environ: str) -> tuple[int, str, str]:
    """Serve in a process of its own: what fails behind the port is not left open in this one."""
    (folder / "settings.yaml").write_text(settings)
    store = {"FLOWENGINE_STORE__URL": f"sqlite:///{folder / 'calls.db'}", "FLOWENGINE_STORE__CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "flowengine", "serve", "flows", "--settings", "settings.yaml", "--port", "0"],
        env={**os.environ, **store, **environ},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "test.yaml").write_text(GOOD)
    return tmp_path


def test_flows_with_errors_are_printed_and_not_served(folder: Path) -> None:
    (folder / "flows" / "bad.yaml").write_text("flow: bad\nversion: 1\nnodes:\n  a: {sey: Hello., goto: end}\n")
    code, out, errors = spawned(folder)
    assert (code, out) == (1, "")
    assert "unknown-field" in errors
    assert "bad.yaml:4:7" in errors


TOOL = """flow: test
version: 1
tools:
  book: {python: "acme_served:book"}
nodes:
  a: {tool: book, goto: end}
"""


def test_a_tool_that_the_settings_do_not_name_is_told_with_its_place(folder: Path) -> None:
    (folder / "flows" / "test.yaml").write_text(TOOL)
    code, out, errors = spawned(folder)
    assert (code, out) == (1, "")
    assert "tool-not-allowed" in errors
    assert "test.yaml:4:3" in errors
    assert "tools: {python: [acme_served]}" in errors


def test_a_function_that_is_not_there_is_told(folder: Path) -> None:
    (folder / "flows" / "test.yaml").write_text(TOOL)
    code, out, errors = spawned(folder, settings="tools: {python: [acme_served]}\n")
    assert (code, out) == (3, "")
    assert "test.yaml:4: the module acme_served can not be imported" in errors
    assert "Traceback" not in errors


def test_settings_with_errors_are_printed(folder: Path) -> None:
    result = serve(folder, settings="server: {prot: 1}\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "prot" in result.stderr
    assert "port" in result.stderr


def test_a_taken_port_is_the_environments_problem(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = serve(folder, "--port", str(taken.getsockname()[1]))
    assert (result.exit_code, result.stdout) == (3, "")
    assert "can not be listened on" in result.stderr


PROBLEMS = [
    # settings, arguments, in the message
    ("{}", ("--host", "0.0.0.0"), "public_url"),  # noqa: S104
    ("server: {public_url: 'https://a.example'}", ("--host", "0.0.0.0"), "no carrier"),  # noqa: S104
    ("carriers: {twilio: {signatures: required}}", (), "carriers.twilio.token"),
]


@pytest.mark.parametrize(("settings", "arguments", "says"), PROBLEMS)
def test_what_the_machine_or_the_settings_do_not_allow(
    folder: Path, settings: str, arguments: tuple[str, ...], says: str
) -> None:
    result = serve(folder, *arguments, settings=settings)
    assert (result.exit_code, result.stdout) == (3, ""), result.output
    assert says in result.stderr


@pytest.mark.parametrize(
    ("section", "value", "says"),
    [
        ("SPEECH__SYNTHESIZER__USE", "nobody", 'no provider "nobody"'),
        ("STORE__URL", "sqlite:////proc/nowhere/x.db", "/proc/nowhere"),
    ],
)
def test_a_voice_or_a_store_that_can_not_be_had(folder: Path, section: str, value: str, says: str) -> None:
    code, out, errors = spawned(folder, **{f"FLOWENGINE_{section}": value})
    assert (code, out) == (3, ""), errors
    assert says in errors
    assert "Traceback" not in errors


def test_an_empty_folder_is_the_environments_problem(folder: Path) -> None:
    (folder / "flows" / "test.yaml").unlink()
    code, _, errors = spawned(folder)
    assert code == 3
    assert "there is no flow in" in errors


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--port", "x"), ("--nothing",), ("more", "arguments")])
def test_wrong_usage_is_2(folder: Path, arguments: tuple[str, ...]) -> None:
    assert serve(folder, *arguments).exit_code == 2


def test_a_settings_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["serve", "--settings", str(tmp_path / "nowhere.yaml")])
    assert result.exit_code == 3
    assert "can not be read" in result.stderr
