"""`flowengine schema`: the committed schemas are those that the code makes, and they are good ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from flowengine.cli.main import main
from flowengine.flow import source
from flowengine.flow.diagnostics import Report

ROOT = Path(__file__).parents[2]
WHICH = ["flow", "included", "tests", "settings", "events"]
EVERY = pytest.mark.parametrize("which", WHICH)


def made(which: str) -> str:
    result = CliRunner().invoke(main, ["schema", which])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def plain(text: str) -> Any:
    return source.to_plain(source.read("x", text, Report()).root)


@EVERY
def test_the_committed_schema_is_up_to_date(which: str) -> None:
    path = ROOT / "schemas" / f"{which}.schema.json"
    assert path.read_text(encoding="utf-8") == made(which), f"run: flowengine schema {which} > schemas/{path.name}"


@EVERY
def test_it_is_a_json_schema_with_a_description_and_an_address(which: str) -> None:
    schema = json.loads(made(which))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].endswith(f"/schemas/{which}.schema.json")
    assert schema["description"]


@EVERY
def test_it_never_says_one_of(which: str) -> None:
    assert '"oneOf"' not in made(which)


@EVERY
def test_every_field_is_described(which: str) -> None:
    def undescribed(schema: Any, path: str) -> list[str]:
        if isinstance(schema, list):
            return [p for i, inner in enumerate(schema) for p in undescribed(inner, f"{path}/{i}")]
        if not isinstance(schema, dict):
            return []
        missing = [
            f"{path}/{name}"
            for name, field in schema.get("properties", {}).items()
            # A condition's `properties` define nothing.
            if not field.get("description") and not path.endswith(("/if", "/then"))
        ]
        return missing + [p for key, inner in schema.items() for p in undescribed(inner, f"{path}/{key}")]

    assert undescribed(json.loads(made(which)), "") == []


def test_flow_is_the_one_that_is_printed_without_a_name() -> None:
    assert CliRunner().invoke(main, ["schema"]).stdout == made("flow")
    assert CliRunner().invoke(main, ["schema", "flows"]).exit_code == 2


SETTINGS = """
server: {host: 0.0.0.0, port: "${PORT:-8080}", public_url: "${PUBLIC_URL}", drain: "${DRAIN}", max_calls: 5}
flows: {folder: flows, default: front-desk, routes: [{to: "+15551234567", flow: acme}]}
carriers: {twilio: {account: "${SID}", token: 12345, signatures: "${SIGNATURES:-required}"}}
speech: {synthesizer: {use: local, library: system}}
env: [AGENT_NUMBER]
store: {url: "${STORE}", traces: traces}
"""


def test_an_editor_takes_settings_with_references_to_the_environment() -> None:
    Draft202012Validator(json.loads(made("settings"))).validate(plain(SETTINGS))


@pytest.mark.parametrize(
    "wrong",
    [
        "server: {port: high}",
        "server: {prot: 1}",
        "carriers: {twilio: {signatures: sometimes}}",
        "flows: {routes: [{to: '+1'}]}",
    ],
)
def test_an_editor_takes_no_wrong_settings(wrong: str) -> None:
    assert not Draft202012Validator(json.loads(made("settings"))).is_valid(plain(wrong))


@pytest.mark.parametrize("path", sorted((ROOT / "flows").glob("*.test.yaml")), ids=lambda path: path.name)
def test_an_editor_takes_the_shipped_tests_and_finds_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    Draft202012Validator(json.loads(made("tests"))).validate(plain(text))
    assert text.startswith("# yaml-language-server: $schema=../schemas/tests.schema.json\n")
