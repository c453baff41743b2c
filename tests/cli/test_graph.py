"""`flowengine graph`: the drawing goes to standard output or a file; a broken flow is not drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main

ROOT = Path(__file__).parents[2]
FLOW = str(ROOT / "flows" / "front-desk.yaml")


@pytest.mark.parametrize(
    ("form", "begin"),
    [("mermaid", ("flowchart", "graph", "---", "stateDiagram")), ("dot", ("digraph",)), ("svg", ("<svg", "<?xml"))],
)
def test_each_form_goes_to_standard_output(form: str, begin: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["graph", FLOW, "--format", form])
    assert result.exit_code == 0
    assert result.stdout.startswith(begin)


def test_json_is_json() -> None:
    result = CliRunner().invoke(main, ["graph", FLOW, "--format", "json"])
    assert result.exit_code == 0
    assert "agent" in json.dumps(json.loads(result.stdout))


def test_into_a_file(tmp_path: Path) -> None:
    target = tmp_path / "x.mmd"
    result = CliRunner().invoke(main, ["graph", FLOW, "--output", str(target)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "greet" in target.read_text()


def test_a_file_that_can_not_be_written_is_the_environment(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["graph", FLOW, "--output", str(tmp_path)]).exit_code == 3


def test_a_flow_with_mistakes_is_not_drawn() -> None:
    result = CliRunner().invoke(main, ["graph", str(ROOT / "tests" / "flow" / "errors" / "ten-mistakes.yaml")])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "unknown-node" in result.stderr


def test_a_missing_file_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["graph", "nowhere.yaml"]).exit_code == 2
