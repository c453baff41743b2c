from __future__ import annotations

from collections import Counter

from flowengine.testing import sounds
from flowengine.testing.script import Say
from flowengine.testing.voices import Speech
from tests.ears.scenarios import KINDS, LEVELS, NOISES, scenarios


def test_the_same_seed_gives_the_same_calls_and_another_one_others() -> None:
    assert scenarios(1, 2) == scenarios(1, 2)
    assert scenarios(1, 2) != scenarios(2, 2)
    # A kind alone is called as it is among the others, and more calls begin with the fewer.
    assert scenarios(1, 1, ("turns",)) == [one for one in scenarios(1, 1) if one.kind == "turns"]
    assert scenarios(1, 2, ("aside",))[:13] == scenarios(1, 1, ("aside",))


def test_every_noise_is_there_at_every_level_and_every_kind_of_call() -> None:
    found = scenarios(1, 3)
    assert {one.kind for one in found} == set(KINDS)
    cells = Counter(one.cell for one in found if one.kind == "noise")
    assert all(cells[f"{kind} {level:.0f}"] == 3 for kind in NOISES for level in LEVELS)
    assert {"babble", "tv", "siren", "cough"} <= set(NOISES) <= set(sounds.KINDS)


def test_callers_hesitate_for_as_long_as_their_cell_says() -> None:
    found = {one.cell: one for one in scenarios(1, 1, ("turns",))}

    def texts(cell: str) -> list[str]:
        steps = found[cell].script.steps
        return [step.voice.text for step in steps if isinstance(step, Say) and isinstance(step.voice, Speech)]

    assert all("<1.5s>" in text for text in texts("hold 1.5 s"))
    assert "Can you change my address, please?" in texts("hold 0 s")
    assert len(texts("hold 0.6 s")) == 4
