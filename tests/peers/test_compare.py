"""What the page about ten mistakes says of our own checker is what it prints."""

from __future__ import annotations

import pytest

from tests.peers import compare
from tests.peers.compare import OURS, Mistake

PAGE = compare.PAGE.read_text(encoding="utf-8")
EVERY = pytest.mark.parametrize("mistake", compare.TEN, ids=lambda mistake: mistake.name)


@EVERY
def test_the_page_says_what_check_prints(mistake: Mistake) -> None:
    said = compare.ours(mistake)
    written = (compare.MISTAKES / f"{mistake.name}.yaml").read_text(encoding="utf-8")
    again = "run: python tests/peers/compare.py VENV"
    assert f"```yaml\n{written}```\n\n`{OURS}`:\n\n```\n{said.text}\n```\n" in PAGE, again
    assert f"| {mistake.what} | {compare.verdict(mistake, OURS, said)} |" in PAGE, again


@EVERY
def test_the_page_shows_the_like_mistake(mistake: Mistake) -> None:
    written = (compare.MISTAKES / f"{mistake.name}.pipecat.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{written}```" in PAGE
