"""Running tests of flows: what passes, what fails and how that is told. The talks are files, their reports golden."""

from __future__ import annotations

import random
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


def _talks(seed: int) -> str:
    """Give a file of tests that do anything in any order."""
    draw = random.Random(seed)
    steps = [
        *(
            "{bot: a}",
            "{bot: '/[A-Z]/'}",
            "{not: zzz}",
            "{silence: 7s}",
            "{silence: 400s}",
            "{node: main}",
            "{hang_up: true}",
        ),
        *(f"{{keys: '{keys}'}}" for keys in ("1", "12", "3", "4", "5", "6", "7", "9", "*", "1234", "#")),
        *("{keys: 1, at: 50%}", "{keys: 5, at: 1s}", "{silence: 3s, at: 10%}", "{hang_up: true, at: 99%}"),
        *(f"{{transfer: {outcome}}}" for outcome in ("ended", "busy", "failed")),
    ]
    ends = ["", "{end: hangup}", "{end: transfer}"]
    lines = ["flow: line", "tests:"]
    for number in range(60):
        talk = [draw.choice(steps) for _ in range(draw.randrange(12))] + [draw.choice(ends)]
        lines.append(f"  - {{name: t{number}, seed: {number}, talk: [{', '.join(filter(None, talk))}]}}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(5))
def test_whatever_a_talk_does_it_passes_or_fails_and_does_the_same_again(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(TALKS / "line.yaml", "line.yaml")
    Path("line.test.yaml").write_text(_talks(seed), encoding="utf-8")
    told = []
    for _ in range(2):
        result = CliRunner().invoke(main, ["test", "."])
        assert result.exit_code == 1, result.output
        assert isinstance(result.exception, SystemExit)
        told.append(result.stdout.rpartition("\n\n")[0])
    assert told[0] == told[1]
    assert set(told[0].split()[1]) == {".", "F"}
