"""What a call used over all of its streams."""

from __future__ import annotations

import json

from flowengine.call.ports import Usage
from flowengine.call.tally import TURNS, Tally

FIRST = Tally([Usage("cartesia", characters=40)], [{"word": 0.3}], {"paused": 1}, 1)
SECOND = Tally(
    [Usage("cartesia", characters=2), Usage("deepgram", "nova-3", seconds=1.5)], [], {"paused": 2, "x": 1}, 2
)


def test_two_streams_are_added_up() -> None:
    both = FIRST.plus(SECOND)
    assert [(one.provider, one.characters, one.seconds) for one in both.usage] == [
        ("cartesia", 42, 0),
        ("deepgram", 0, 1.5),
    ]
    assert (both.turns, both.counts, both.gaps) == ([{"word": 0.3}], {"paused": 3, "x": 1}, 3)


def test_it_is_kept_as_json_and_comes_back_the_same() -> None:
    both = FIRST.plus(SECOND)
    assert Tally.of(json.loads(json.dumps(both.plain()))) == both
    assert Tally.of(None) == Tally()
    assert both.plain()["usage"][0] == {"provider": "cartesia", "characters": 42, "estimated": True}


def test_of_a_long_call_the_last_answers_are_kept() -> None:
    many = Tally(turns=[{"word": float(number)} for number in range(TURNS)]).plus(FIRST)
    assert len(many.turns) == TURNS
    assert many.turns[0] == {"word": 1.0}
    assert many.turns[-1] == {"word": 0.3}
