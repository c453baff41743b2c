"""`flowengine test`: what it prints where, what it writes, and with which code it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from flowengine.cli.main import main

ROOT = Path(__file__).parents[2]
FLOW = """flow: shop
version: 1
nodes:
  main:
    say: Press 1 for bread.
    menu:
      - {key: 1, goto: bread}
      - {key: 2, goto: bye}
  bread: {say: Bread is here., goto: bye}
  bye: {say: Goodbye., goto: end}
"""
TESTS = """flow: shop
tests:
  - name: bread
    talk: [{bot: Press 1}, {keys: 1}, {bot: Bread}, {end: hangup}]
  - name: no Bread
    talk: [{keys: 2}, {bot: is here}]
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test", *arguments])


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "shop.yaml").write_text(FLOW)
    (tmp_path / "flows" / "shop.test.yaml").write_text(TESTS)
    return tmp_path / "flows"


def test_the_shipped_flows_are_tested_to_the_last_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = run("--fail-under", "100")
    assert result.exit_code == 0, result.output
    last = r"\n\d+ passed in [0-9.]+ s \(\d+ tests per second\), 100 % reached\n\Z"
    assert re.search(last, result.stdout)
    assert "is in no test" not in result.stdout


def test_failures_are_told_in_full_and_the_exit_code_is_1(flows: Path) -> None:
    result = run()
    assert (result.exit_code, result.stderr) == (1, "")
    told, _, last = result.stdout.rpartition("\n\n")
    assert told == (
        "flows/shop.test.yaml .F (1 passed, 1 failed)\n"
        "\n"
        "flows/shop.test.yaml: no Bread\n"
        'error[failed]: expected the bot to say "is here", but the call is over since the node "bye" (flow.hangup)\n'
        "  --> flows/shop.test.yaml:6:29\n"
        "   |\n"
        " 6 |     talk: [{keys: 2}, {bot: is here}]\n"
        "   |                             ^^^^^^^\n"
        "  ::: flows/shop.yaml:10:3\n"
        "   |\n"
        "10 |   bye: {say: Goodbye., goto: end}\n"
        "   |   --- the call ended here\n"
        '  said last: "Goodbye."\n'
        "  path: main, bye\n"
        "\n"
        "flows/shop.yaml: 100 % reached (nodes 3/3, options 2/2)"
    )
    assert re.fullmatch(r"1 passed, 1 failed in 0\.\d\d s \(\d+ tests per second\), 100 % reached\n", last)


@pytest.mark.parametrize(
    "paths", [["flows"], ["flows/shop.yaml"], ["flows/shop.test.yaml", "flows/shop.yaml", "flows"]]
)
def test_a_flow_its_tests_and_their_folder_mean_the_same(flows: Path, paths: list[str]) -> None:
    assert run(*paths).stdout.startswith("flows/shop.test.yaml .F (1 passed, 1 failed)\n\n")


def test_only_tests_with_a_text_in_their_name(flows: Path) -> None:
    (flows / "other.yaml").write_text(FLOW.replace("flow: shop", "flow: other"))
    result = run("-k", "no bread")
    assert result.exit_code == 1
    assert result.stdout.startswith("flows/shop.test.yaml F (1 failed)\n")
    assert "flows/other.yaml" not in result.stdout
    assert run("-k", "BREAD").stdout.startswith("flows/shop.test.yaml .F (1 passed, 1 failed)\n")


def test_what_no_test_reaches_is_named_with_its_place_and_fails_the_gate(flows: Path) -> None:
    (flows / "shop.test.yaml").write_text("flow: shop\ntests: [{name: silence, talk: [{bot: Press 1}]}]\n")
    result = run("--fail-under", "90")
    assert result.exit_code == 1
    assert (
        "flows/shop.yaml: 20 % reached (nodes 1/3, options 0/2)\n"
        '  flows/shop.yaml:7:9: option "key_1" of "main" is in no test\n'
        '  flows/shop.yaml:8:9: option "key_2" of "main" is in no test\n'
        '  flows/shop.yaml:9:3: node "bread" is in no test\n'
        '  flows/shop.yaml:10:3: node "bye" is in no test\n'
    ) in result.stdout
    assert result.stderr == "error: the tests reach 20 %, less than 90 %\n"
    assert run("--fail-under", "20").exit_code == 0


def test_a_flow_of_the_folder_without_tests_counts(flows: Path) -> None:
    (flows / "shop.test.yaml").write_text(TESTS.replace("{keys: 2}, {bot: is here}", "{keys: 2}"))
    (flows / "other.yaml").write_text(FLOW.replace("flow: shop", "flow: other"))
    result = run("--fail-under", "51")
    assert result.exit_code == 1
    assert "flows/other.yaml: 0 % reached (nodes 0/3, options 0/2): it has no tests\n" in result.stdout
    assert result.stdout.endswith(", 50 % reached\n")
    assert run("--fail-under", "100", "flows/shop.test.yaml").exit_code == 0


def test_junit_has_a_case_for_each_test(flows: Path) -> None:
    (flows / "wrong.test.yaml").write_text("flow: shop\ntests: [{name: x, talk: [{node: breat}]}]\n")
    assert run("--junit-xml", "results.xml").exit_code == 1
    root = ElementTree.parse("results.xml").getroot()  # noqa: S314  # our own output
    assert dict(root.attrib) == {"name": "flowengine test", "tests": "3", "failures": "2", "errors": "0"}
    shop, wrong = root
    assert [(case.attrib["name"], case.attrib["line"]) for case in shop] == [("bread", "3"), ("no Bread", "5")]
    assert all(0 <= float(case.attrib["time"]) < 10 for case in shop)
    (failure,) = shop[1]
    assert failure.attrib["message"].startswith('expected the bot to say "is here"')
    assert "path: main, bye" in (failure.text or "")
    assert wrong[0].attrib["name"] == "unknown-node at 2:33"


def test_tests_with_mistakes_do_not_run(flows: Path) -> None:
    (flows / "shop.test.yaml").write_text("flow: shop\ntests: [{name: x, talk: [{node: breat}]}]\n")
    result = run("flows/shop.test.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("flows/shop.test.yaml can not run\n\nerror[unknown-node]")
    assert result.stdout.endswith("0 passed, 1 file can not run in 0.00 s\n")


def test_tests_of_a_flow_with_mistakes_do_not_run(flows: Path) -> None:
    (flows / "shop.yaml").write_text(FLOW.replace("goto: bread", "goto: breat"))
    result = run()
    assert result.exit_code == 1
    assert result.stdout.startswith("flows/shop.test.yaml can not run\n\nerror[unknown-node]")
    assert "--> flows/shop.yaml:7:24" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "there is no file or folder nowhere"),
        (["empty"], "there are no tests (*.test.yaml) in the folder empty"),
        (["alone.yaml"], "alone.yaml has no tests: write alone.test.yaml beside it"),
        (["-k", "xyzzy"], 'no test has "xyzzy" in its name'),
        (["--fail-under", "101"], "101 is not in the range"),
        (["none.test.yaml"], "there is no test to run"),
    ],
)
def test_wrong_usage(flows: Path, arguments: list[str], told: str) -> None:
    Path("empty").mkdir()
    Path("alone.yaml").write_text(FLOW)
    Path("none.test.yaml").write_text("flow: shop\ntests: []\n")
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr


def test_results_that_can_not_be_written_are_the_environment(flows: Path) -> None:
    result = run("--junit-xml", "no/such/folder/results.xml")
    assert result.exit_code == 3
    assert "can not write no/such/folder/results.xml" in result.stderr


def test_the_same_again_is_the_same(flows: Path) -> None:
    def told() -> str:
        return re.sub(r"in [0-9.]+ s \(\d+ tests per second\)", "", run().stdout)

    assert told() == told()


OUTER = """flow: outer
version: 1
nodes:
  only: {subflow: inner, goto: {good: end, bad: end}}
"""
INNER = """flow: inner
version: 1
nodes:
  ask:
    say: Good or bad?
    menu: [{key: 1, goto: good}, {key: 2, goto: bad}]
  good: {return: good}
  bad: {return: bad}
"""


def test_what_a_flow_reaches_in_another_one_counts_for_that_one(flows: Path) -> None:
    (flows / "outer.yaml").write_text(OUTER)
    (flows / "inner.yaml").write_text(INNER)
    steps = "talk: [{bot: Good or bad}, {keys: 1}, {end: hangup}]"
    (flows / "outer.test.yaml").write_text(f"flow: outer\ntests: [{{name: good, {steps}}}]\n")
    (flows / "inner.test.yaml").write_text(
        "flow: inner\ntests: [{name: bad, talk: [{bot: Good}, {keys: 2}, {end: return, return: bad}]}]\n"
    )
    alone = run("flows/inner.test.yaml")
    assert "flows/inner.yaml: 60 % reached" in alone.stdout
    together = run("flows/inner.test.yaml", "flows/outer.test.yaml")
    assert "flows/inner.yaml: 100 % reached" in together.stdout
    assert "flows/inner.yaml" not in run("flows/outer.test.yaml").stdout.replace("inner.test", "")


def test_several_processes_say_the_same(flows: Path) -> None:
    (flows / "other.yaml").write_text(FLOW.replace("flow: shop", "flow: other"))
    (flows / "other.test.yaml").write_text(TESTS.replace("flow: shop", "flow: other"))
    one, two = run(), run("--jobs", "2")
    assert (one.exit_code, two.exit_code) == (1, 1)
    timing = re.compile(r"in [0-9.]+ s .[0-9]+ tests per second.")
    assert timing.sub("", one.stdout) == timing.sub("", two.stdout)


def test_watching_runs_them_again_when_a_file_changes(flows: Path) -> None:
    command = [sys.executable, "-u", "-m", "flowengine", "test", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("1 passed, 1 failed" in line for line in iter(process.stdout.readline, ""))
            (flows / "shop.test.yaml").write_text(TESTS.replace("is here", "Goodbye"))
            assert any("2 passed" in line for line in iter(process.stdout.readline, ""))
            (flows / "shop.test.yaml").unlink()
            assert any("there are no tests" in line for line in iter(process.stdout.readline, ""))
        finally:
            process.kill()


def test_tests_are_real_calls(flows: Path) -> None:
    """A server, sound and a simulated phone: what passes without them passes here, and what fails is told."""
    more = "  - name: spoken\n    talk: [{hear: bread}]\n"
    (flows / "shop.test.yaml").write_text(TESTS + more)
    result = run("--audio")
    told = [line.partition(": ")[2] for line in result.stdout.splitlines()[:3]]
    assert told == [
        "bread: passed",
        'no Bread: expected the bot to say "is here" (flows/shop.test.yaml:6)',
        "spoken: not called: it needs speech",
    ]
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "1 passed, 1 failed, 1 not called")
    assert run("--audio", "--watch").exit_code == 2
