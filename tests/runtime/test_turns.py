"""Turn taking is the table and nothing else."""

from __future__ import annotations

import itertools

import pytest
from transitions import MachineError

from flowengine.runtime.turns import IDLE, LISTENING, PROMPTING, TABLE, Turn

TRIGGERS = sorted({trigger for trigger, _, _ in TABLE})
WAYS = {(trigger, source): target for trigger, source, target in TABLE}


@pytest.mark.parametrize(
    ("trigger", "source"), list(itertools.product(TRIGGERS, (IDLE, PROMPTING, LISTENING))), ids="-".join
)
def test_every_trigger_in_every_turn(trigger: str, source: str) -> None:
    turn = Turn(source)
    if (trigger, source) in WAYS:
        turn.take(trigger)
        assert turn.turn == WAYS[trigger, source]
    else:
        with pytest.raises(MachineError):
            turn.take(trigger)
        assert turn.turn == source


def test_a_table_names_one_target_for_each_trigger() -> None:
    assert len(WAYS) == len(TABLE)


def test_calls_do_not_share_their_turns() -> None:
    one, two = Turn(), Turn()
    one.take("play")
    assert (one.turn, two.turn) == (PROMPTING, IDLE)
