"""Our validator agrees with `jsonschema` on what fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from flowengine.errors import Bug
from flowengine.flow import source
from flowengine.flow.diagnostics import Report
from flowengine.flow.schema import flow_schema
from flowengine.flow.validator import misfits
from flowengine.plugins import node_types

SCHEMA = flow_schema(node_types())
REFERENCE = Draft202012Validator(SCHEMA)
FOLDERS = ("errors", "valid")
FILES = sorted(path for folder in FOLDERS for path in (Path(__file__).parent / folder).glob("*.yaml"))
WORDS = [
    "flow",
    "version",
    "nodes",
    "say",
    "menu",
    "goto",
    "collect",
    "key",
    "into",
    "length",
    "if",
    "else",
    "set",
    "catch",
    "timeouts",
    "1",
    "6s",
    "main",
    "end",
    "true",
]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 12), st.sampled_from(WORDS), st.just(0.5))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


def fits(value: Any) -> bool:
    return not any(misfits(SCHEMA, SCHEMA, value))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_agrees_on_every_file_of_the_tests(path: Path) -> None:
    plain = source.to_plain(source.read(path.name, path.read_bytes(), Report()).root)
    assert fits(plain) == REFERENCE.is_valid(plain)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_it_agrees_on_arbitrary_nodes(node: Any) -> None:
    plain = {"flow": "x", "version": 1, "nodes": {"main": node}}
    assert fits(plain) == REFERENCE.is_valid(plain)


def test_a_keyword_that_it_does_not_know_is_our_bug() -> None:
    with pytest.raises(Bug, match="uniqueItems"):
        list(misfits({"uniqueItems": True}, {}, []))
