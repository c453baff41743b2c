"""The language reference is made from the definitions, and every example in it loads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from flowengine.flow.explanations import EXPLANATIONS
from flowengine.flow.graph import RESERVED_TARGETS
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types
from flowengine.testing.reading import load_tests
from tests import reference

TEXT = reference.PAGE.read_text(encoding="utf-8")
EXAMPLES = reference.yaml_blocks(TEXT)
# What the examples of node types refer to.
HEAD = """flow: example
version: 1
vars: {account: {type: digits, default: "123456"}, balance: money, message: text}
tools: {get_balance: {http: GET, url: "{{ env.API }}/balance"}}
defaults: {zone: UTC}
"""


def loaded(example: str) -> Loaded:
    """Load an example: a whole flow, a section of one, or a node with stubs for where it leads."""
    if example.startswith("flow:"):
        return load("example.yaml", example, node_types())
    if example.partition(":")[0] in {field.name for field in reference.section_fields("document")}:
        return load("example.yaml", f"{HEAD}{example}nodes:\n  a: {{say: Hello., goto: end}}\n", node_types())
    nodes = re.sub(r"^(?=.)", "  ", example, flags=re.MULTILINE)
    own = set(re.findall(r"^([a-z_-]+):", example, re.MULTILINE))
    words = set(re.findall(r"(?:goto: |: )([a-z_]+)(?=[,}\n])", example)) - own - set(RESERVED_TARGETS)
    stubs = "".join(f"  {name}: {{say: Hello., goto: end}}\n" for name in sorted(words))
    return load("example.yaml", f"{HEAD}nodes:\n{nodes}{stubs}", node_types())


def test_its_tables_are_those_of_the_definitions() -> None:
    assert reference.page(TEXT) == TEXT, "run: make schemas"


@dataclass
class Beside:
    """The flow that the example of tests is about: the first one of the page."""

    flow: Loaded = field(default_factory=lambda: load("small.yaml", EXAMPLES[0], node_types()))

    def named(self, name: str) -> Loaded | None:
        return self.flow if name in self.names() else None

    def names(self) -> list[str]:
        return ["small"]

    def unreadable(self) -> bool:
        return False


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_every_example_loads(example: str) -> None:
    if "\ntests:" in example:
        assert load_tests("small.test.yaml", example.encode(), Beside()).diagnostics == ()
        return
    found = loaded(example)
    assert found.flow is not None, found.diagnostics
    assert {d.code for d in found.diagnostics} <= {"unreachable-node"}


def test_every_node_type_has_its_part() -> None:
    for key in node_types():
        assert f"<!-- type {key or 'step'} -->" in TEXT


def test_every_field_of_the_schema_is_in_a_table() -> None:
    told = set(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE))
    for section in reference.SECTIONS:
        assert {field.name for field in reference.section_fields(section)} <= told
    assert {field.name for kind in node_types().values() for field in kind.fields} <= told


def test_every_finding_has_a_file_that_triggers_it() -> None:
    files = dict(reference.triggers())
    # These take more than one file of the flow's own: `flowengine explain` shows them.
    shown = {
        "duplicate-flow",
        "file-too-large",
        "no-model",
        "no-transcriber",
        "not-run-yet",
        "tool-not-allowed",
        "unset-variable",
    }
    assert set(EXPLANATIONS) - set(files) <= shown
