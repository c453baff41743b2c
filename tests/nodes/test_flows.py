"""The node types by conversations: `flows/*.yaml` with their tests, run by the public command.

A test that is named after a case (`case 15: …`) is that case of the call semantics.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main

FLOWS = Path(__file__).parent / "flows"


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.test.yaml")), ids=lambda path: path.name.partition(".")[0])
def test_every_conversation_goes_as_it_is_written(path: Path) -> None:
    ran = CliRunner().invoke(main, ["test", str(path)])
    assert ran.exit_code == 0, ran.output


def test_every_flow_is_without_a_finding() -> None:
    checked = CliRunner().invoke(main, ["check", str(FLOWS)])
    assert checked.exit_code == 0, checked.output
    assert checked.stdout == ""
