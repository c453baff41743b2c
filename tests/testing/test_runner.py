"""Running tests of flows: what passes, what fails and how that is told. The talks are files, their reports golden."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main

TALKS = Path(__file__).parent / "talks"
SUITES = sorted(path.name.removesuffix(".test.yaml") for path in TALKS.glob("*.test.yaml"))


def report(name: str) -> str:
    """Give what the command prints of one file, without the coverage and the time."""
    for file in ("line.yaml", f"{name}.test.yaml"):
        shutil.copy(TALKS / file, file)
    result = CliRunner().invoke(main, ["test", f"{name}.test.yaml"])
    assert result.exit_code == (0 if name == "right" else 1), result.output
    return result.stdout.partition("\nline.yaml: ")[0]


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_told_as_the_golden_file_has_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report(name) == (TALKS / f"{name}.out").read_text(encoding="utf-8")


def test_every_wrong_test_fails_and_every_right_one_passes() -> None:
    first = {name: (TALKS / f"{name}.out").read_text(encoding="utf-8").split()[1] for name in SUITES}
    assert set(first["right"]) == {"."}
    assert set(first["wrong"]) == {"F"}
    assert set(first["later"]) == {"F"}
