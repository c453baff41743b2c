"""What is said of a run: counts, shares, long ways, and nothing at all."""

from __future__ import annotations

import pytest

from flowengine.flow.diagnostics import Diagnostic, Span
from flowengine.flow.loader import load
from flowengine.plugins import node_types
from flowengine.testing import verdict
from flowengine.testing.cases import Case
from flowengine.testing.coverage import Coverage
from flowengine.testing.runner import Failure, Result
from flowengine.testing.verdict import Ran

SPAN = Span("a.test.yaml", 3, 5, 3, 9)
GOOD = Result(Case("good", SPAN), None)
BAD = Result(Case("bad", SPAN), Failure(Diagnostic("failed", "no", SPAN), "Hello.", ("one",) * 40))


def covered(nodes: int, reached: int) -> Coverage:
    text = "".join(f"  n{i}: {{say: Hi., goto: {'end' if i + 1 == nodes else f'n{i + 1}'}}}\n" for i in range(nodes))
    flow = load("x.yaml", f"flow: x\nversion: 1\nnodes:\n{text}", node_types()).flow
    assert flow is not None
    coverage = Coverage(flow)
    for number in range(reached):
        coverage.reach_node(f"n{number}")
    return coverage


@pytest.mark.parametrize(
    ("ran", "text"),
    [
        (Ran("a", [GOOD, BAD, GOOD]), "a .F. (2 passed, 1 failed)"),
        (Ran("a", [BAD]), "a F (1 failed)"),
        (Ran("a", []), "a has no tests (0 passed)"),
        (Ran("a", findings=[Diagnostic("x-y", "no", SPAN)]), "a can not run"),
    ],
)
def test_a_file_is_a_line(ran: Ran, text: str) -> None:
    assert verdict.line(ran) == text
    assert verdict.line(ran, colour=True).startswith("a ")


def test_a_failure_keeps_to_the_width_of_the_page() -> None:
    assert BAD.failure is not None
    lines = verdict.failure(BAD, BAD.failure, {}).splitlines()
    assert lines[:3] == ["a.test.yaml: bad", "error[failed]: no", " --> a.test.yaml:3:5"]
    assert lines[3] == '  said last: "Hello."'
    assert lines[4].startswith("  path: one, one,")
    assert lines[5].startswith("        one, one")
    assert max(map(len, lines)) <= verdict.WIDTH


@pytest.mark.parametrize(
    ("nodes", "reached", "share"), [(3, 3, 100), (3, 2, 66), (300, 299, 99), (300, 1, 0), (2, 0, 0)]
)
def test_a_hundred_percent_are_all(nodes: int, reached: int, share: int) -> None:
    assert verdict.percent([covered(nodes, reached)]) == share


def test_the_share_of_several_flows_is_that_of_all_their_parts() -> None:
    assert verdict.percent([covered(9, 9), covered(1, 0)]) == 90
    assert verdict.percent([]) == 100


@pytest.mark.parametrize(
    ("rans", "text"),
    [
        ([Ran("a", [GOOD, GOOD], [0.25, 0.25])], "2 passed in 0.50 s (4 tests per second)"),
        ([Ran("a", [BAD], [0.1]), Ran("b", findings=[Diagnostic("x-y", "no", SPAN)])],
         "1 failed, 1 file can not run in 0.10 s (10 tests per second)"),
    ],
)  # fmt: skip
def test_the_last_line(rans: list[Ran], text: str) -> None:
    assert verdict.summary(rans, []) == text
    assert verdict.summary(rans, [covered(2, 1)]) == f"{text}, 50 % reached"
