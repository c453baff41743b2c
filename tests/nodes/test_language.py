"""The language half of the node types: what each reads, and where it can lead."""

from __future__ import annotations

from typing import Any

import pytest

from flowengine.flow.loader import load
from flowengine.flow.model import Node
from flowengine.plugins import node_types

HEAD = "flow: x\nversion: 1\nvars: {num: {type: int, default: 0}, code: digits}\nnodes:\n  a:\n    say: Hello.\n"


def node(body: str) -> Node:
    loaded = load("x", HEAD + "".join(f"    {line}\n" for line in body.splitlines()), node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return loaded.flow.nodes["a"]


def ways(of: Node) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    branches = [(branch.name, branch.label) for branch in of.type.branches(of.spec)]
    return of.type.outcomes(of.spec), branches


@pytest.mark.parametrize(
    ("body", "outcomes", "branches"),
    [
        ("goto: end", ("done",), []),
        ("menu:\n  - {key: 1, goto: end}", (), [("key_1", "key 1")]),
        ("menu:\n  - {key: [1, star], hear: [Speak up!], goto: end}", (), [("speak_up", "key 1 or *")]),
        ("menu:\n  options:\n    - {key: 12, name: a}\n    - {key: hash}\ngoto: end", ("a", "key_hash"), []),
        ("menu:\n  - {key: 1, if: num > 1, name: b, goto: end}", (), [("b", "key 1 if num > 1")]),
        ("collect: {into: code}\ngoto: end", ("done",), []),
        ("collect: {into: code, optional: true}\ngoto: end", ("done", "skipped"), []),
        ('transfer: "+15550100"\ngoto: end', ("ended", "busy", "noanswer", "declined", "failed"), []),
        ('transfer: {to: "+15550100", mode: blind}', (), []),
        ("hangup:", (), []),
        ("hangup: {reason: done, interruptible: true}", (), []),
    ],
)
def test_where_a_node_leads(body: str, outcomes: tuple[str, ...], branches: list[tuple[str, str]]) -> None:
    assert ways(node(body)) == (outcomes, branches)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("length: 6", {"least": 6, "most": 6}),
        ('length: "6"', {"least": 6, "most": 6}),
        ("length: 4..8", {"least": 4, "most": 8}),
        ("end_key: none, clear_key: star", {"end_key": "", "clear_key": "*"}),
        ("optional: true", {"optional": True, "least": 1, "most": 30, "end_key": "#", "clear_key": ""}),
    ],
)
def test_what_a_collect_reads(fields: str, expected: dict[str, Any]) -> None:
    spec = node(f"collect: {{into: code, {fields}}}\ngoto: end").spec
    assert {name: getattr(spec, name) for name in expected} == expected


def test_what_a_transfer_reads() -> None:
    spec = node('transfer: {to: ["+1555", "sip:a@b.example"], ring: 5s, max: 1h, caller_id: "+1"}\ngoto: end').spec
    assert [to.source for to in spec.to] == ["+1555", "sip:a@b.example"]
    assert (spec.ring, spec.max, spec.mode, spec.caller_id.source) == (5.0, 3600.0, "dial", "+1")
