"""Every mistake has a golden file: what an author reads for it is held word by word.

``FLOWENGINE_UPDATE_GOLDEN=1 pytest tests/flow/test_loader.py`` rewrites the files; read the difference as an author.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowengine.flow import render
from flowengine.flow.loader import load
from flowengine.plugins import node_types

ERRORS = Path(__file__).parent / "errors"
CASES = sorted(ERRORS.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_an_author_reads_of_a_mistake(case: Path) -> None:
    loaded = load(case.name, case.read_bytes(), node_types())
    text = render.full(loaded.diagnostics, {case.name: loaded.lines})
    golden = case.with_suffix(".out")
    if os.environ.get("FLOWENGINE_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
