"""Fixes as files: ``fixes/NAME.yaml`` becomes ``NAME.fixed.yaml``, byte by byte.

``FLOWENGINE_UPDATE_GOLDEN=1 pytest tests/flow/test_fixing.py`` rewrites the files; read the difference as an author.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow.fixing import fix
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types

HERE = Path(__file__).parent
CASES = sorted(path for path in (HERE / "fixes").glob("*.yaml") if not path.name.endswith(".fixed.yaml"))
GOLDEN = sorted((HERE / "errors").glob("*.yaml"))
# Files that hold more than what a fix is certain of, and the codes of what stays.
STAYS = {
    "what-stays": {"missing-colon"},
    "revealed": {"unknown-variable"},
}


def loaded(data: bytes) -> Loaded:
    return load("f.yaml", data, node_types())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_fixed_file_reads_as_meant(case: Path) -> None:
    fixed = fix(case.read_bytes(), loaded)
    golden = case.with_suffix(".fixed.yaml")
    if os.environ.get("FLOWENGINE_UPDATE_GOLDEN"):
        golden.write_bytes(fixed.data)
    assert fixed.data == golden.read_bytes()
    assert fixed.count > 0
    assert {d.code for d in fixed.loaded.diagnostics} == STAYS.get(case.stem, set())
    assert fixed.loaded.diagnostics == loaded(fixed.data).diagnostics


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_second_run_finds_nothing_to_fix(case: Path) -> None:
    data = case.with_suffix(".fixed.yaml").read_bytes()
    again = fix(data, loaded)
    assert (again.data, again.count) == (data, 0)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda path: path.stem)
def test_a_fix_keeps_lines_and_takes_away_what_it_counts(case: Path) -> None:
    data = case.read_bytes()
    before = loaded(data)
    fixed = fix(data, loaded, before)
    if not any(d.fix is not None for d in before.diagnostics):
        assert (fixed.data, fixed.count, fixed.loaded) == (data, 0, before)
        return
    assert fixed.data.count(b"\n") == data.count(b"\n")
    assert (fixed.data == data) is (fixed.count == 0)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_fix_is_the_whole_line(path: Path) -> None:
    """What stands before the mistake stays, so a fix that were a word alone would be noticed here."""
    found = load(path.name, path.read_bytes(), node_types())
    for d in found.diagnostics:
        if d.fix is not None and d.code not in ("yaml-tab", "yaml-character"):
            line = found.lines[d.span.line - 1]
            assert d.fix.lstrip('-" ')[:2] == line.lstrip('-" ')[:2].replace("*", "st")
            assert len(d.fix) - len(d.fix.lstrip()) == len(line) - len(line.lstrip())
            assert "\n" not in d.fix


def test_the_ends_of_lines_and_the_byte_order_mark_stay() -> None:
    data = (HERE / "fixes" / "crlf.fixed.yaml").read_bytes()
    assert data.startswith(codecs.BOM_UTF8)
    assert data.count(b"\r\n") == data.count(b"\n") == (HERE / "fixes" / "crlf.yaml").read_bytes().count(b"\r\n")


def test_a_fix_that_guesses_wrong_is_not_applied() -> None:
    """`hello there` is no key with its colon missing: with one, the node would have an unknown field."""
    data = b"flow: x\nversion: 1\nnodes:\n  main:\n    say: Hi.\n    hello there\n    goto: end\n"
    (finding,) = loaded(data).diagnostics
    assert finding.fix == "    hello: there"
    assert fix(data, loaded).data == data


def test_a_large_file_is_mended_in_few_readings() -> None:
    reads = 0

    def counting(data: bytes) -> Loaded:
        nonlocal reads
        reads += 1
        return loaded(data)

    nodes = "".join(f"  n{i}:\n    lang: no\n    say: Hi.\n    goto: n{i + 1}\n" for i in range(300))
    data = f"flow: x\nversion: 1\nnodes:\n{nodes}  n300:\n    say: Bye.\n    goto: end\n".encode()
    fixed = fix(data, counting)
    assert (fixed.count, len(fixed.loaded.diagnostics), reads) == (300, 0, 2)


PIECES = [
    '"',
    "'",
    "*",
    "#",
    " #",
    "\t",
    ": ",
    ", ",
    "?",
    "{{",
    "}",
    "[",
    "\r",
    "\r\n",
    "\xa0",
    "no",
    "- ",
    "\n",
    "\ufeff",
]


@settings(deadline=None, max_examples=200)
@given(
    path=st.sampled_from([*CASES, *GOLDEN]),
    marks=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 3)), max_size=5),
)
def test_whatever_is_written_a_fix_breaks_nothing(path: Path, marks: list[tuple[float, str, int]]) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    for place, piece, drop in marks:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + drop :]
    data = text.encode()
    before = loaded(data)
    fixed = fix(data, loaded, before)
    assert fix(fixed.data, loaded).data == fixed.data
    assert fixed.loaded.readable or not before.readable
    assert len(fixed.data.splitlines()) == len(data.splitlines())
    assert (fixed.count == 0) is (fixed.data == data)
