from __future__ import annotations

import pytest

from flowengine.audio.clearing import ClearGate


def test_without_acknowledgements_it_never_closes() -> None:
    gate = ClearGate(acked=False)
    gate.request(1.0)
    assert gate.requested
    assert gate.deadline == 1.0
    assert gate.issue(1.02)
    assert not gate.issue(1.04)
    assert gate.is_open(1.04)
    assert gate.deadline is None


@pytest.mark.parametrize(("answers", "opens"), [(1, 1.2), (0, 2.0)])
def test_closed_until_the_answer_or_a_second(answers: int, opens: float) -> None:
    gate = ClearGate(acked=True)
    gate.request(1.0)
    gate.issue(1.0)
    assert not gate.is_open(1.19)
    assert gate.deadline == 2.0
    for _ in range(answers):
        gate.acknowledge()
    assert gate.is_open(opens)
    assert gate.deadline is None


def test_the_last_of_several_answers_opens() -> None:
    gate = ClearGate(acked=True)
    for now in (1.0, 1.3):
        gate.request(now)
        gate.issue(now)
    gate.acknowledge()
    assert not gate.is_open(1.4)
    gate.acknowledge()
    assert gate.is_open(1.4)


def test_an_answer_to_nothing_changes_nothing() -> None:
    gate = ClearGate(acked=True)
    gate.acknowledge()
    gate.request(1.0)
    gate.issue(1.0)
    assert not gate.is_open(1.1)
