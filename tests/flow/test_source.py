"""The strict reader: odd but valid YAML is read as a person reads it, and nothing that is read ever raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow import source
from flowengine.flow.diagnostics import Report
from flowengine.flow.loader import load
from flowengine.flow.text import MAX_BYTES
from flowengine.plugins import node_types

VALID = Path(__file__).parent / "valid"
FRONT_DESK = (Path(__file__).parents[2] / "flows" / "front-desk.yaml").read_text(encoding="utf-8")


def said(name: str) -> dict[str, list[str]]:
    """Give what each node of a valid file says, as written."""
    loaded = load(name, (VALID / f"{name}.yaml").read_bytes(), node_types())
    assert loaded.diagnostics == ()
    assert loaded.flow is not None
    nodes = loaded.flow.nodes.values()
    return {n.name: [s.text.source for s in n.say.segments if s.text] for n in nodes if n.say}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "styles",
            {
                "plain": ['Call 555-0100 / ask "Bob", it\'s A&B & more!'],
                "single": ["It's here: yes # no"],
                "double": ['Tab\tand ümlaut "quoted"'],
                "literal": ["First line: yes.\n\n# not a comment\n  Indented.\n"],
                "folded": ["One line.\nSecond."],
                "lines": ["A plain text over two lines"],
                "quoted_lines": ["A quoted text over two lines"],
            },
        ),
        ("scalars", {"money": ["12.50"], "number": ["007"], "truth": ["true"], "menu": ["Press."]}),
        ("indentation", {"deep": ["Deep."], "flat": ["One.", "Two.", "Three."], "menu": ["Press 1 or 2."]}),
        ("unicode", {"gruss": ["x"], "hindi": ["नमस्ते, कृपया १ दबाएँ। 👋🏽"], "chinese": ["您好,请按一。"]}),
        (
            "braces",
            {
                "a": ["One, two, three?"],
                "b": ["Hello {{ x }}?", "a, b"],
                "c": ["Well-known text without marks."],
                "d": ["json"],
                "e": ["http://example.com/a?b=c"],
            },
        ),
        ("bom", {"a": ["Hello."]}),
        ("crlf", {"a": ["One.\nTwo.\n"]}),
        ("directive", {"a": ["Hello."]}),
    ],
)
def test_odd_but_valid_yaml_says_what_a_person_reads(name: str, expected: dict[str, list[str]]) -> None:
    assert said(name) == expected


def test_only_json_like_scalars_get_a_type() -> None:
    loaded = load("x", (VALID / "scalars.yaml").read_bytes(), node_types())
    assert loaded.flow is not None
    values: dict[str, Any] = {a.name: a.value for a in loaded.flow.nodes["money"].set}
    assert values == {
        "a": "no",
        "b": "on",
        "c": "09:00",
        "d": "0123",
        "e": "+15551234567",
        "f": -7,
        "g": 1.5,
        "h": True,
        "i": "2026-01-02",
        "j": "1e3",
        "k": "0x1F",
        "l": "~",
    }
    assert [option.keys for option in loaded.flow.nodes["menu"].spec.options] == [
        ("1",),
        ("007",),
        ("12",),
        ("0", "*"),
        ("#",),
    ]
    assert loaded.flow.nodes["menu"].spec.options[0].hear.spoken_in("en", "en")[0].text == "1.0"


def test_every_value_knows_its_place() -> None:
    report = Report()
    root = source.read("f", "a: 1\nb:\n  - x\n  - {c: ü, d: 'e'}\n", report).root
    paths: list[list[str | int]] = [["a"], ["b", 0], ["b", 1, "c"], ["b", 1, "d"]]
    spans = [value.span for path in paths if (value := source.find(root, path))]
    assert [(s.line, s.column, s.end_line, s.end_column) for s in spans] == [
        (1, 4, 1, 5),
        (3, 5, 3, 6),
        (4, 9, 4, 10),
        (4, 15, 4, 18),
    ]
    assert source.to_plain(root) == {"a": 1, "b": ["x", {"c": "ü", "d": "e"}]}
    assert source.find(root, ["b", 7]) is None


def test_a_repeated_key_keeps_the_first_value() -> None:
    report = Report()
    root = source.read("f", "a: 1\na: 2\n", report).root
    assert source.to_plain(root) == {"a": 1}
    assert [d.code for d in report.diagnostics] == ["duplicate-key"]


@pytest.mark.parametrize(("size", "codes"), [(MAX_BYTES, []), (MAX_BYTES + 1, ["file-too-large"])])
def test_a_file_may_have_one_mebibyte(size: int, codes: list[str]) -> None:
    report = Report()
    head = b"a: 1\n"
    source.read("f", head + b"#" * (size - len(head) - 1) + b"\n", report)
    assert [d.code for d in report.diagnostics] == codes


@pytest.mark.parametrize(("depth", "codes"), [(32, []), (33, ["too-deep"]), (5000, ["too-deep"])])
def test_a_document_may_be_32_levels_deep(depth: int, codes: list[str]) -> None:
    report = Report()
    source.read("f", "[" * depth + "]" * depth + "\n", report)
    assert [d.code for d in report.diagnostics] == codes


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_only_diagnosed(data: bytes) -> None:
    loaded = load("f", data, node_types())
    assert loaded.flow is not None or loaded.diagnostics


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("{}[]:,#*&!|>'\"%@`?- \n\t")), max_size=300))
def test_arbitrary_text_is_only_diagnosed(text: str) -> None:
    loaded = load("f", text, node_types())
    assert loaded.flow is not None or loaded.diagnostics


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_mutated_flow_is_only_diagnosed(data: st.DataObject) -> None:
    text = FRONT_DESK
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 6))
        put = data.draw(st.text(alphabet="{}[]:,#*&!|>'\"%@`?- \n\tabc123", max_size=4))
        text = text[:place] + put + text[place + cut :]
    loaded = load("f", text, node_types())
    lines = text.splitlines()
    assert loaded.flow is not None or loaded.diagnostics
    for d in loaded.diagnostics:
        assert 1 <= d.span.line <= max(1, len(lines))
        assert d.span.column >= 1
        assert d.message
