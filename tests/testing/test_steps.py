"""The steps of a talk agree with what the flows know."""

from __future__ import annotations

import pytest

from flowengine.flow import source
from flowengine.flow.diagnostics import Report
from flowengine.flow.kinds import Reading
from flowengine.nodes import transfer
from flowengine.testing import cases, steps


def test_a_transfer_ends_as_the_node_knows_it() -> None:
    assert tuple(transfer.OUTCOMES) == steps.OUTCOMES


def test_every_action_makes_a_step_of_its_own_kind() -> None:
    made = set()
    values = {"silence": "1s", "transfer": "busy", "machine": "true", "hang_up": "true", "end": "hangup"}
    for action in steps.ACTIONS:
        report = Report()
        root = source.read(
            "x", f"{action.name}: {values.get(action.name, '1' if action.name == 'keys' else 'main')}", report
        )
        assert root.root is not None
        step = steps.StepKind().read(root.root, Reading(report, root.lines))
        assert isinstance(step, cases.Step)
        assert report.diagnostics == []
        made.add(type(step))
    assert len(made) == len(steps.ACTIONS)


@pytest.mark.parametrize(
    ("text", "seconds"), [("50%", 2.0), ("0%", 0.0), ("100%", 4.0), ("1.5s", 1.5), ("250ms", 0.25)]
)
def test_a_moment_is_a_share_of_the_prompt_or_a_time(text: str, seconds: float) -> None:
    root = source.read("x", text, Report())
    assert root.root is not None
    moment = steps.MomentKind().read(root.root, Reading(Report(), root.lines))
    assert moment is not None
    assert moment.within(4.0) == seconds


@pytest.mark.parametrize(
    ("words", "said"),
    [("press 1", "PRESS   1."), ("/press [12]/", "Press 2"), ("/", "a / b"), ("$12.50 (net)", "It is $12.50 (net).")],
)
def test_words_are_plain_unless_they_stand_in_slashes(words: str, said: str) -> None:
    root = source.read("x", f"'{words}'", Report())
    assert root.root is not None
    wording = steps.WordingKind().read(root.root, Reading(Report(), root.lines))
    assert wording is not None
    assert wording.pattern.search(" ".join(said.split()))
