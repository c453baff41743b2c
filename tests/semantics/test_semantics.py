"""What calls must honour: the cases and the assertions of README.md, and the conversations that hold them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    "path", sorted(HERE.glob("*/*.test.yaml")), ids=lambda path: f"{path.parent.name}-{path.name.partition('.')[0]}"
)
def test_every_conversation_goes_as_it_is_written(path: Path) -> None:
    ran = CliRunner().invoke(main, ["test", str(path)])
    assert ran.exit_code == 0, ran.output


@pytest.mark.parametrize("folder", ["cases", "assertions"])
def test_every_flow_is_without_a_finding(folder: str) -> None:
    checked = CliRunner().invoke(main, ["check", str(HERE / folder)])
    assert checked.exit_code == 0, checked.output
    assert checked.stdout == ""
