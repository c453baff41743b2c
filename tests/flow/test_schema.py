"""The committed JSON Schema is the one that the code makes, and it is a good one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flowengine.flow import source
from flowengine.flow.diagnostics import Report
from flowengine.flow.schema import flow_schema
from flowengine.plugins import node_types

ROOT = Path(__file__).parents[2]
FILE = ROOT / "schemas" / "flow.schema.json"


def test_the_committed_schema_is_up_to_date() -> None:
    made = json.dumps(flow_schema(node_types()), indent=2, ensure_ascii=False) + "\n"
    assert FILE.read_text(encoding="utf-8") == made, "run: flowengine schema flow > schemas/flow.schema.json"


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(flow_schema(node_types()))


def test_it_never_says_one_of() -> None:
    assert "oneOf" not in FILE.read_text(encoding="utf-8")


def within(schema: Any) -> Iterator[dict[str, Any]]:
    """Give every mapping in a schema."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from within(inner)


def test_an_editor_tells_what_is_wrong_in_words_that_fit() -> None:
    schema = flow_schema(node_types())
    # It shows `errorMessage` for every rule of the same mapping, and has words of its own for `not`.
    assert [one for one in within(schema) if one.get("additionalProperties") is False and "errorMessage" in one] == []
    assert [one for one in within(schema) if "not" in one] == []


def test_an_editor_fills_in_an_example_of_every_node_type() -> None:
    fields = flow_schema(node_types())["$defs"]["node"]["properties"]
    for key, node_type in node_types().items():
        if key:
            assert len(fields[key]["defaultSnippets"]) == 1
            assert node_type.example in fields[key]["markdownDescription"]


def test_a_text_of_an_example_keeps_its_quotes() -> None:
    fields = flow_schema(node_types())["$defs"]["node"]["properties"]
    assert fields["transfer"]["defaultSnippets"][0]["body"] == {"to": '"+15550123"', "ring": "20s"}


def test_every_field_is_described() -> None:
    def undescribed(schema: Any, path: str) -> list[str]:
        if isinstance(schema, list):
            return [p for i, inner in enumerate(schema) for p in undescribed(inner, f"{path}/{i}")]
        if not isinstance(schema, dict):
            return []
        missing = [
            f"{path}/{name}" for name, field in schema.get("properties", {}).items() if "description" not in field
        ]
        return missing + [p for key, inner in schema.items() for p in undescribed(inner, f"{path}/{key}")]

    assert undescribed(flow_schema(node_types()), "") == []


FLOWS = [path for path in sorted((ROOT / "flows").glob("*.yaml")) if not path.stem.endswith(".test")]


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_an_editor_takes_the_shipped_flows(path: Path) -> None:
    root = source.read(path.name, path.read_bytes(), Report()).root
    Draft202012Validator(flow_schema(node_types())).validate(source.to_plain(root))
