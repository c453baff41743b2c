"""Findings in the formats of other tools: escaped as those read them, and valid by their own schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jsonschema import Draft4Validator

from flowengine.flow import formats
from flowengine.flow.diagnostics import Diagnostic, Label, Severity, Span
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types

HERE = Path(__file__).parent
# The schema of schemastore.org, from the MIT-licensed npm package @microsoft/jest-sarif 1.0.0-beta.0, unchanged.
SCHEMA = json.loads((HERE / "data" / "sarif-2.1.0.schema.json").read_text(encoding="utf-8"))
GOLDEN = sorted((HERE / "errors").glob("*.yaml"))
ODD = Diagnostic(
    "wrong-value",
    'a 50% "<b>" & \x1b\ud800 two\r\nlines: x, y',
    Span("a,b:c%.yaml", 2, 3, 2, 5),
    help="write 5",
    fix="  five: 5",
    related=(Label(Span("other file.yaml", 1, 1, 1, 2), "first here"),),
)
WARNING = Diagnostic("unused-goto", "never taken", Span("/abs/w.yaml", 1, 1, 3, 2), Severity.WARNING)


def golden(path: Path) -> Loaded:
    return load(path.name, path.read_bytes(), node_types())


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  # our own output


def sarif(*diagnostics: Diagnostic, **sources: list[str]) -> Any:
    log = json.loads(formats.sarif(diagnostics, {"a,b:c%.yaml": ["x", "  five: five"], **sources}, "1.2.3"))
    Draft4Validator(SCHEMA).validate(log)
    return log["runs"][0]


def test_a_workflow_command_escapes_data_and_properties() -> None:
    assert formats.github([ODD]) == (
        "::error file=a%2Cb%3Ac%25.yaml,line=2,endLine=2,col=3,endColumn=5,title=wrong-value::"
        'a 50%25 "<b>" & \x1b? two%0D%0Alines: x, y (write 5)\n'
    )


def test_a_finding_of_several_lines_has_no_columns_at_github() -> None:
    assert formats.github([WARNING]) == "::warning file=/abs/w.yaml,line=1,endLine=3,title=unused-goto::never taken\n"


def test_sarif_names_rule_level_region_relation_and_fix() -> None:
    run = sarif(ODD, WARNING, ODD)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["wrong-value", "unused-goto"]
    assert run["tool"]["driver"]["semanticVersion"] == "1.2.3"
    explained = run["tool"]["driver"]["rules"][1]
    assert explained["shortDescription"]["text"] == "a `goto` that is never taken"
    assert "Remedy: delete it" in explained["help"]["text"]
    first, second, third = run["results"]
    assert [(r["ruleId"], r["ruleIndex"], r["level"]) for r in (first, second, third)] == [
        ("wrong-value", 0, "error"),
        ("unused-goto", 1, "warning"),
        ("wrong-value", 0, "error"),
    ]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "a%2Cb%3Ac%25.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 5}
    assert second["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///abs/w.yaml"}
    related = first["relatedLocations"][0]
    assert related["message"]["text"] == "first here"
    assert related["physicalLocation"]["artifactLocation"]["uri"] == "other%20file.yaml"
    (change,) = first["fixes"][0]["artifactChanges"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 13},
            "insertedContent": {"text": "  five: 5"},
        }
    ]
    assert "fixes" not in second


def test_a_code_of_a_plugin_is_a_rule_without_words() -> None:
    own = Diagnostic("shop-closed", "the shop is closed", Span("f.yaml", 1, 1, 1, 2))
    assert sarif(own)["tool"]["driver"]["rules"] == [{"id": "shop-closed"}]


def test_sarif_of_nothing_is_a_run_without_results() -> None:
    assert sarif()["results"] == []


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_file_gives_valid_sarif_and_xml(path: Path) -> None:
    loaded = golden(path)
    log = json.loads(formats.sarif(loaded.diagnostics, {path.name: loaded.lines}, "1.2.3"))
    Draft4Validator(SCHEMA).validate(log)
    root = parsed(formats.junit(loaded.diagnostics, [path.name]))
    assert len(root.findall("testsuite/testcase")) == max(1, len(loaded.diagnostics))
    assert len(formats.github(loaded.diagnostics).splitlines()) == len(loaded.diagnostics)


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_finding() -> None:
    root = parsed(formats.junit([ODD, WARNING], ["good.yaml", "a,b:c%.yaml", "/abs/w.yaml"]))
    assert dict(root.attrib) == {"name": "flowengine check", "tests": "3", "failures": "1", "errors": "0"}
    good, odd, warned = root.findall("testsuite")
    assert [suite.attrib["failures"] for suite in (good, odd, warned)] == ["0", "1", "0"]
    assert [dict(case.attrib) for case in good] == [{"name": "check", "classname": "good.yaml", "file": "good.yaml"}]
    assert (odd[0].attrib["name"], odd[0].attrib["line"]) == ("wrong-value at 2:3", "2")
    failure = odd[0][0]
    assert failure.attrib["type"] == "wrong-value"
    assert failure.attrib["message"] == 'a 50% "<b>" & \ufffd\ufffd two\r\nlines: x, y'
    assert (failure.text or "").startswith('a,b:c%.yaml:2:3: a 50% "<b>" & ')
    assert warned[0][0].tag == "system-out"
