"""The command line as a whole: commands are found by module, and explain themselves."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from flowengine.cli.main import Commands, main
from flowengine.errors import AuthorError, EnvironmentProblem


def names() -> list[str]:
    return main.list_commands(click.Context(main))


def test_every_command_is_found_by_its_module() -> None:
    assert {"check", "explain", "graph", "schema"} <= set(names())
    assert not [name for name in names() if name.startswith("_") or name == "main"]


@pytest.mark.parametrize("name", ["check", "explain", "graph", "schema"])
def test_each_command_explains_itself_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
    assert f"flowengine {name}" in result.output


def test_version() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("flowengine 0.")


@pytest.mark.parametrize("name", ["chek", "main", "_files"])
def test_an_unknown_command_is_wrong_usage(name: str) -> None:
    assert CliRunner().invoke(main, [name]).exit_code == 2


@pytest.mark.parametrize(("problem", "code"), [(EnvironmentProblem("no key"), 3), (AuthorError("bad"), 1)])
def test_our_exceptions_become_exit_codes(problem: Exception, code: int) -> None:
    group = Commands("x", callback=lambda: None, invoke_without_command=True)

    def fail() -> None:
        raise problem

    group.callback = fail
    result = CliRunner().invoke(group, [])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == f"error: {problem}\n"
