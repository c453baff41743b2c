"""Whatever is written, there are only findings; what loads can be drawn, and reads again as the same.

The texts are drawn by Hypothesis' seeds, 200 of each kind; ``make fuzz`` runs them for as long as it is told, in a
child with a limit on its CPU time and memory.
"""

from __future__ import annotations

import random
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow import render
from flowengine.flow.draw import draw
from flowengine.flow.folder import Folder
from flowengine.flow.loader import Loaded, compile_templates, load
from flowengine.plugins import node_types
from tests.flow import mutants

TEXTS = mutants.sources()
SEEDS = st.integers(min_value=0, max_value=2**32)


def judged(data: bytes | str) -> Loaded:
    """Load a text among no other files, and hold what is said of it against its lines."""
    files = {"x.yaml": b"texts: {included: Yes.}\n"}
    loaded = load("f.yaml", data, node_types(), Folder(lambda: files, files.get, node_types()))
    text = render.full(loaded.diagnostics, {"f.yaml": loaded.lines, **loaded.sources})
    assert bool(text) is bool(loaded.diagnostics)
    for d in loaded.diagnostics:
        lines = loaded.lines if d.span.file == "f.yaml" else loaded.sources[d.span.file]
        assert d.message
        # A file that is no text has no lines.
        assert not lines or 1 <= d.span.line <= len(lines) + 1
    return loaded


def drawn(loaded: Loaded, data: bytes | str) -> None:
    """Draw what loads in every form, make its templates ready, and read it again."""
    if loaded.flow is None:
        return
    compile_templates(loaded.flow)
    for form in ("mermaid", "dot", "json"):
        assert draw(loaded.flow, form)
    ElementTree.fromstring(draw(loaded.flow, "svg"))  # noqa: S314 - it is our own
    again = judged(data).flow
    assert again is not None
    assert draw(again, "json") == draw(loaded.flow, "json")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_findings_or_a_flow(data: bytes) -> None:
    drawn(judged(data), data)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_any_text_gives_findings_or_a_flow(text: str) -> None:
    drawn(judged(text), text)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_yaml_of_any_shape_gives_findings_or_a_flow(seed: int) -> None:
    text = mutants.document(random.Random(seed))
    drawn(judged(text), text)


@settings(max_examples=200, deadline=None)
@given(SEEDS)
def test_a_flow_with_slips_gives_findings_or_a_flow(seed: int) -> None:
    text = mutants.mutant(random.Random(seed), TEXTS)
    drawn(judged(text), text)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_every_flow_that_loads_can_be_drawn(number: int) -> None:
    drawn(judged(TEXTS[number]), TEXTS[number])
