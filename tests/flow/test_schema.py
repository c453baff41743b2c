"""The committed JSON Schema is the one that the code makes, and it is a good one."""

from __future__ import annotations

import json
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
