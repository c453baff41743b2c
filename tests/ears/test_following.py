"""A prompt is followed through tracks that are put together by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ears.following import RATE, Track, audible, follow, reference, runs


def speech(seconds: float, seed: int) -> Track:
    """Something like words: noise in bursts of 300 ms with gaps of 50 ms."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(-8000, 8000, round(seconds * RATE)).astype(np.int16)
    samples[np.arange(len(samples)) % 2800 >= 2400] = 0
    return samples


def silence(seconds: float) -> Track:
    return np.zeros(round(seconds * RATE), np.int16)


OWN = 0.5  # the speaker breathes
PROMPT = reference(np.concatenate([speech(4.0, 1), silence(OWN), speech(3.0, 2)]))
SECONDS = len(PROMPT) / RATE


def part(begin: float, end: float | None = None) -> Track:
    return PROMPT[round(begin * RATE) : None if end is None else round(end * RATE)]


def test_a_whole_prompt_has_no_pauses_but_its_own() -> None:
    heard = follow(np.concatenate([silence(1.0), PROMPT, silence(2.0)]), PROMPT)
    assert (heard.whole, heard.known, heard.pauses) == (True, True, ())
    assert heard.begin == pytest.approx(1.0)
    assert heard.played == pytest.approx(SECONDS, abs=0.01)
    assert heard.end == pytest.approx(1.0 + SECONDS, abs=0.01)


def test_a_pause_after_which_it_goes_on_is_one_of_the_engine() -> None:
    heard = follow(np.concatenate([part(0, 2.0), silence(0.6), part(2.0)]), PROMPT)
    assert heard.whole
    assert [(round(pause.at, 2), round(pause.seconds, 2)) for pause in heard.pauses] == [(2.0, 0.6)]


def test_it_may_go_on_a_little_before_or_after_where_it_stopped() -> None:
    for again in (1.2, 2.3):
        heard = follow(np.concatenate([part(0, 2.0), silence(1.0), part(again)]), PROMPT)
        assert heard.whole, again
        (pause,) = heard.pauses
        assert pause.at == pytest.approx(2.0, abs=0.01)
        assert pause.seconds == pytest.approx(1.0, abs=0.06)


def test_a_pause_may_be_long() -> None:
    heard = follow(np.concatenate([part(0, 2.0), silence(9.0), part(2.0)]), PROMPT)
    assert heard.whole
    assert [round(pause.seconds, 1) for pause in heard.pauses] == [9.0]


def test_a_short_silence_is_no_pause_and_a_pause_in_the_speakers_own_is_the_rest_of_it() -> None:
    assert follow(np.concatenate([part(0, 2.0), silence(0.12), part(2.0)]), PROMPT).pauses == ()
    heard = follow(np.concatenate([part(0, 4.2), silence(1.0), part(4.2)]), PROMPT)
    assert heard.whole
    assert len(heard.pauses) == 1


def test_a_scrap_of_a_word_before_a_pause_does_not_hide_that_it_goes_on() -> None:
    """Seen in a call: two milliseconds of the next sentence were heard before the pause."""
    again = 4.0 - 0.05 + OWN + 0.002
    heard = follow(np.concatenate([part(0, again), silence(1.5), part(again)]), PROMPT)
    assert heard.whole
    (pause,) = heard.pauses
    assert pause.seconds == pytest.approx(1.5, abs=0.06)


@pytest.mark.parametrize("after", [silence(3.0), np.concatenate([silence(0.8), speech(1.0, 9)]), speech(1.0, 9)])
def test_a_cut_prompt_is_not_whole_and_what_follows_is_something_else(after: Track) -> None:
    heard = follow(np.concatenate([silence(0.5), part(0, 2.0), after]), PROMPT)
    assert not heard.whole
    assert heard.known
    assert heard.played == pytest.approx(2.0, abs=0.11)
    assert heard.end == pytest.approx(2.5, abs=0.11)


def test_a_quieter_prompt_is_the_same() -> None:
    track = np.concatenate([part(0, 1.0), part(1.0, 3.0) // 4, part(3.0)])
    assert follow(track, PROMPT).whole


def test_nothing_and_something_else() -> None:
    assert not follow(silence(1.0), PROMPT).known
    assert not follow(speech(2.0, 7), PROMPT).known
    with pytest.raises(ValueError, match="nothing was played"):
        reference(silence(1.0))


def test_cells_of_10_ms() -> None:
    track = np.concatenate([silence(0.02), np.full(80, 201, np.int16), np.full(160, 200, np.int16)])
    assert audible(track).tolist() == [False, False, True, False, False]
    assert runs(audible(track)) == [(2, 3)]
