"""The node types by conversations: `flows/*.yaml` with their tests, run by the public command.

A test that is named after a case (`case 15: …`) is that case of the call semantics.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main

FLOWS = Path(__file__).parent / "flows"
BANK = Path(__file__).parents[1] / "flow" / "flows" / "bank.test.yaml"


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.test.yaml")), ids=lambda path: path.name.partition(".")[0])
def test_every_conversation_goes_as_it_is_written(path: Path) -> None:
    ran = CliRunner().invoke(main, ["test", str(path)])
    assert ran.exit_code == 0, ran.output


def test_every_flow_is_without_a_finding() -> None:
    checked = CliRunner().invoke(main, ["check", str(FLOWS)])
    assert checked.exit_code == 0, checked.output
    assert checked.stdout == ""


def test_a_flow_of_forty_nodes_is_tested_to_the_last_handler() -> None:
    ran = CliRunner().invoke(main, ["test", str(BANK), "--fail-under", "100"])
    assert ran.exit_code == 0, ran.output
    assert "100 % reached (nodes 41/41, options 35/35, exits 23/23, handlers 19/19)" in ran.stdout
