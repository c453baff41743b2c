"""What calls must honour: the cases and the assertions of README.md, and the conversations that hold them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml
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


# --- the tables of README.md

TESTS = HERE.parent
STATES = ("tested", "partly", "not yet", "not applicable")
ROW = re.compile(r"^\| ([0-9]+) \| (.+?) \| (.+?) \| (.*) \|$")
REFERENCE = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py::\w+|test\.yaml: [^`]+))`")
# What a test that is named after a case or an assertion is called, in Python and in YAML.
NAMED = re.compile(r"(?:test_)?(case|assertion)[_ ]([0-9]+)(?:_|$)")


@dataclass(frozen=True)
class Row:
    """One line of a table: the rule's number, what is true of it, the tests that it names, and what else it says."""

    number: int
    rule: str
    state: str
    tests: tuple[str, ...]
    words: str


@cache
def rows(kind: str) -> tuple[Row, ...]:
    """Give the lines of the table of the cases, or of the assertions."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    table = text.partition(f"## The {kind}s\n")[2].partition("\n## ")[0]
    found = [match for line in table.splitlines() if (match := ROW.match(line))]
    return tuple(
        Row(int(m[1]), m[2], m[3], tuple(REFERENCE.findall(m[4])), REFERENCE.sub("", m[4]).strip(" ,.")) for m in found
    )


@cache
def names(file: Path) -> frozenset[str]:
    """Give the tests of a file, as they are called; a conversation counts by what stands before its colon, too."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        defined = ast.walk(ast.parse(text))
        return frozenset(node.name for node in defined if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    called = [str(test["name"]) for test in yaml.safe_load(text)["tests"]]
    return frozenset([*called, *(name.partition(":")[0] for name in called)])


@pytest.mark.parametrize(("kind", "count"), [("case", 30), ("assertion", 78)])
def test_every_number_stands_in_its_table_once(kind: str, count: int) -> None:
    assert [row.number for row in rows(kind)] == list(range(1, count + 1))


@pytest.mark.parametrize("kind", ["case", "assertion"])
def test_every_row_has_tests_that_there_are_or_a_reason(kind: str) -> None:
    for row in rows(kind):
        assert row.state in STATES, row
        assert row.rule.strip(), row
        assert bool(row.tests) == (row.state in ("tested", "partly")), row
        assert row.words or row.state == "tested", f"{kind} {row.number} says what is missing, or why"
        for test in row.tests:
            file, _, name = test.partition("::" if "::" in test else ": ")
            assert (TESTS / file).is_file(), f"{kind} {row.number}: there is no {file}"
            assert name in names(TESTS / file), f"{kind} {row.number}: {file} has no {name}"


def test_a_test_that_is_named_after_a_rule_stands_in_its_row() -> None:
    listed = {f"{kind} {row.number}": row.tests for kind in ("case", "assertion") for row in rows(kind)}
    conversations = [*TESTS.glob("nodes/flows/*.test.yaml"), *HERE.glob("*/*.test.yaml")]
    for file in sorted([*TESTS.rglob("test_*.py"), *conversations]):
        path = file.relative_to(TESTS).as_posix()
        for name in names(file):
            if named := NAMED.match(name):
                rule = f"{named[1]} {int(named[2])}"
                test = f"{path}::{name}" if file.suffix == ".py" else f"{path}: {rule}"
                assert test in listed.get(rule, ()), f"{test} is not in the row of {rule}"
