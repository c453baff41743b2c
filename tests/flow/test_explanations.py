"""Every code has an explanation, and the example in it has exactly that finding."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowengine import settings
from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.explanation import Explanation
from flowengine.flow.explanations import EXPLANATIONS
from flowengine.flow.folder import Folder
from flowengine.flow.loader import Loaded, duplicate_flows, load
from flowengine.plugins import node_types
from flowengine.runtime.ready import unready
from flowengine.server.tooling import disallowed
from flowengine.settings import ToolSettings
from flowengine.testing.reading import load_tests

ROOT = Path(__file__).parents[2]
REPORTING = [path for name in ("flow", "nodes", "runtime") for path in (ROOT / "flowengine" / name).glob("*.py")]
REPORTING = [path for path in REPORTING if not path.name.startswith("expla")] + [ROOT / "flowengine" / "settings.py"]
REPORTING += [ROOT / "flowengine" / "server" / "tooling.py"]
REPORTING += [ROOT / "flowengine" / "testing" / f"{name}.py" for name in ("reading", "steps", "crosscheck")]
# Words of other trades that look like codes.
NO_CODES = {"utf-8", "utf-8-sig", "if-present", "x-types", "x-two-types", "merge-key", "payment-done", "mon-fri"}
EVERY = pytest.mark.parametrize("one", EXPLANATIONS.values(), ids=list(EXPLANATIONS))


def words() -> Iterator[str]:
    """Give the texts in the source that have the form of a code; `yaml-{what}` stands for what it is called with."""
    for path in REPORTING:
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value
            elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "_forbid":
                what = ast.literal_eval(part.args[0])
                yield f"yaml-{what}"


@dataclass
class Beside:
    """The one flow beside the tests of an example."""

    flow: Loaded

    def named(self, name: str) -> Loaded | None:
        return self.flow if name in self.names() else None

    def names(self) -> list[str]:
        return [self.flow.name.text] if self.flow.name else []

    def unreadable(self) -> bool:
        return False


def findings(one: Explanation) -> list[Diagnostic]:
    if one.file == "flowengine.yaml":
        assert isinstance(one.example, str)
        return settings.parse(one.file, one.example.encode(), {})[1]
    if one.file.endswith(".test.yaml"):
        return list(load_tests(one.file, one.example, Beside(load("flow.yaml", one.beside, node_types()))).diagnostics)
    example = one.example.encode() if isinstance(one.example, str) else one.example
    files = {one.file: example, **({"beside.yaml": one.beside.encode()} if one.beside else {})}
    folder = Folder(lambda: files, files.get, node_types())
    flows = [load(one.file, one.example, node_types(), folder)]
    if "flow:" in one.beside:
        flows.append(load("beside.yaml", one.beside, node_types(), folder))
    missing: list[Diagnostic] = []
    if one.code in ("not-run-yet", "no-transcriber", "no-model"):
        missing = [d for loaded in flows if loaded.flow for d in unready(loaded.flow, words=False)]
    if one.code == "tool-not-allowed":
        missing = [d for loaded in flows if loaded.flow for d in disallowed(loaded.flow, ToolSettings(), {})]
    return [d for loaded in flows for d in loaded.diagnostics] + duplicate_flows(flows) + missing


@EVERY
def test_the_example_has_exactly_this_finding(one: Explanation) -> None:
    assert {d.code for d in findings(one)} == {one.code}


@EVERY
def test_an_explanation_is_a_page_of_plain_lines(one: Explanation) -> None:
    text = one.text()
    assert text.startswith(f"{one.code}: {one.headline}\n\n{one.why}\n\nFor example:\n\n    ")
    assert text.endswith(f"\n\nRemedy: {one.remedy}\n")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", text)
    assert len(text.splitlines()) < 50
    assert one.headline[0].islower() or one.headline[0] == "`"
    assert one.why.endswith((".", "…"))
    assert not one.headline.endswith(".")
    assert not one.remedy.endswith(".")


def test_every_code_in_the_source_is_explained() -> None:
    codes = {word for word in words() if re.fullmatch("[a-z]+[0-9]*(-[a-z0-9]+)+", word)} - NO_CODES
    assert sorted(codes - set(EXPLANATIONS)) == []
    assert sorted(set(EXPLANATIONS) - codes) == []


def test_every_code_of_a_golden_file_is_explained() -> None:
    golden = [path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "flow" / "errors").glob("*.out")]
    codes = {code for text in golden for code in re.findall(r"^(?:error|warning)\[([^\]]+)\]", text, re.MULTILINE)}
    assert codes
    assert sorted(codes - set(EXPLANATIONS)) == []


def test_the_reference_names_every_code_with_its_severity() -> None:
    page = (ROOT / "schemas" / "README.md").read_text(encoding="utf-8").partition("## Findings")[2]
    for one in EXPLANATIONS.values():
        warning = findings(one)[0].severity == "warning"
        assert (f"`{one.code}` *w*" in page) is warning, one.code
        assert f"`{one.code}`" in page
