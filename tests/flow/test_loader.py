"""Every mistake has a golden file: what an author reads for it is held word by word.

``FLOWENGINE_UPDATE_GOLDEN=1 pytest tests/flow/test_loader.py`` rewrites the files; read the difference as an author.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from flowengine.flow import render
from flowengine.flow.folder import Folder
from flowengine.flow.loader import Loaded, compile_templates, duplicate_flows, load
from flowengine.plugins import node_types

HERE = Path(__file__).parent
ERRORS, FOLDERS = HERE / "errors", HERE / "folders"
CASES = sorted(ERRORS.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_an_author_reads_of_a_mistake(case: Path) -> None:
    loaded = load(case.name, case.read_bytes(), node_types())
    text = render.full(loaded.diagnostics, {case.name: loaded.lines})
    golden = case.with_suffix(".out")
    if os.environ.get("FLOWENGINE_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", sorted(FOLDERS.glob("*/main.yaml")), ids=lambda path: path.parent.name)
def test_what_an_author_reads_of_a_mistake_among_files(case: Path) -> None:
    loaded = load_in_folder(case)
    text = render.full(loaded.diagnostics, {loaded.file: loaded.lines, **loaded.sources})
    golden = case.parent.with_suffix(".out")
    if os.environ.get("FLOWENGINE_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def load_in_folder(path: Path) -> Loaded:
    """Load a flow with what stands beside it; all names of files are seen from its folder."""
    root = path.parent
    files = {file.relative_to(root).as_posix(): file.read_bytes() for file in sorted(root.rglob("*.yaml"))}
    return load(path.name, files[path.name], node_types(), Folder(lambda: files, files.get, node_types()))


WHOLE = sorted(path for path in (HERE / "flows").glob("*.yaml") if ".test." not in path.name)


@pytest.mark.parametrize("path", WHOLE, ids=lambda path: path.stem)
def test_the_whole_language_loads_without_a_finding(path: Path) -> None:
    loaded = load_in_folder(path)
    assert loaded.diagnostics == ()
    assert loaded.flow is not None
    compile_templates(loaded.flow)


FLOW = """flow: x
version: 1
vars:
  count: {type: int, default: 2}
  day: date
defaults:
  timeouts: {noinput: 4s, node: 1m}
  barge_in: keys
nodes:
  main:
    say: {one_of: [Hello., Hi.]}
    set: {count: "{{ count + 1 }}"}
    timeouts: {noinput: 800ms}
    goto:
      - {if: {day: 2026-01-05}, goto: hand}
      - {else: end}
  hand:
    say: [Wait., {pause: 1s}, {audio: ring.wav, text: Ring.}]
    transfer: "+15550100"
    goto: end
"""


def test_what_is_written_is_what_is_loaded() -> None:
    flow = load("x.yaml", FLOW, node_types()).flow
    assert flow is not None
    main, hand = flow.nodes["main"], flow.nodes["hand"]
    assert (flow.name, flow.start, flow.vars["count"].default) == ("x", "main", 2)
    assert (main.timeouts.noinput, main.timeouts.node, main.timeouts.call) == (0.8, 60.0, 1800.0)
    assert (main.barge_in.keys, main.barge_in.speech) == (True, False)
    assert main.say is not None
    assert [s.text.source for s in main.say.segments[0].one_of if s.text] == ["Hello.", "Hi."]
    assert hand.timeouts.node is None
    assert hand.say is not None
    assert [(s.pause, s.audio) for s in hand.say.segments] == [(0.0, None), (1.0, None), (0.0, "ring.wav")]


def test_a_written_date_equals_the_date() -> None:
    flow = load("x.yaml", FLOW, node_types()).flow
    assert flow is not None
    condition = flow.nodes["main"].cases("done")[0].condition
    assert condition is not None
    assert condition.holds({"day": date(2026, 1, 5)})


def test_the_revision_is_of_what_is_meant_not_of_the_layout() -> None:
    def revision(text: str) -> str:
        flow = load("x.yaml", text, node_types()).flow
        assert flow is not None
        return flow.revision

    assert len(revision(FLOW)) == 64
    assert revision(FLOW + "\n# a comment\n") == revision(FLOW.replace("flow: x", "flow:   'x'")) == revision(FLOW)
    assert revision(FLOW.replace("Wait.", "Wait!")) != revision(FLOW)


def test_a_second_flow_of_the_same_name() -> None:
    flows = [load(name, FLOW, node_types()) for name in ("a.yaml", "b.yaml", "c.yaml")]
    assert [(d.span.file, d.related[0].span.file) for d in duplicate_flows(flows)] == [
        ("b.yaml", "a.yaml"),
        ("c.yaml", "a.yaml"),
    ]


def test_everything_compiles_at_load() -> None:
    flow = load("x.yaml", FLOW, node_types()).flow
    assert flow is not None
    compile_templates(flow)
