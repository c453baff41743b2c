"""May this sound interrupt this prompt? Stories of one prompt, on a clock of numbers."""

from __future__ import annotations

import pytest

from flowengine.audio.barge_in import ALONE, LATE_WORDS, LOUDER, NO_WORDS, PATIENCE, BargeIn, Interruptible, Verdict

FRAME = 0.02


def playing(words: int = 1, *, transcribed: bool = True) -> BargeIn:
    decider = BargeIn()
    decider.begin(Interruptible(words, transcribed))
    return decider


def goes_on(decider: BargeIn, until: float, *, since: float, speaks: float) -> tuple[float, Verdict] | None:
    """Let time pass from ``since`` until something is decided; the voice is on for ``speaks`` seconds of it."""
    for frame in range(round((until - since) / FRAME) + 1):
        now = since + frame * FRAME
        last = min(now, since + speaks)
        verdict = decider.goes_on(
            now, speaking=now < since + speaks, voiced=min(speaks, now - since), last=last, level=-20.0
        )
        if verdict is not None:
            return round(now, 2), verdict
    return None


def test_a_voice_pauses_at_once_and_a_word_stops() -> None:
    decider = playing()
    assert decider.began(5.0, -20.0) is Verdict.PAUSE
    assert decider.undecided
    assert decider.words(1, 5.4) is Verdict.STOP
    assert decider.paused_at is None
    assert decider.words(2, 5.6) is None


def test_case_07_a_cough_without_words_lets_the_prompt_go_on() -> None:
    decider = playing()
    decider.began(5.0, -20.0)
    assert goes_on(decider, 9.0, since=5.0, speaks=0.05) == (5.0 + NO_WORDS, Verdict.RESUME)


def test_words_may_come_half_a_second_after_the_voice() -> None:
    decider = playing()
    decider.began(5.0, -20.0)
    assert goes_on(decider, 9.0, since=5.0, speaks=0.8) == (5.8 + LATE_WORDS, Verdict.RESUME)


def test_a_mere_mhm_lets_it_go_on_as_soon_as_it_was_understood() -> None:
    decider = playing()
    decider.began(5.0, -20.0)
    assert decider.words(0, 5.7) is None
    assert goes_on(decider, 9.0, since=5.7, speaks=0.0) == (5.7, Verdict.RESUME)


def test_so_many_words_as_the_flow_wants() -> None:
    decider = playing(words=2)
    decider.began(5.0, -20.0)
    assert decider.words(1, 5.4) is None
    assert decider.words(2, 5.6) is Verdict.STOP


def test_words_of_a_voice_that_was_too_soft_stop_it_too() -> None:
    assert playing().words(1, 5.0) is Verdict.STOP


def test_a_television_that_speaks_on_without_words_does_not_hold_the_prompt_for_ever() -> None:
    decider = playing()
    decider.began(5.0, -30.0)
    assert goes_on(decider, 20.0, since=5.0, speaks=30.0) == (5.0 + PATIENCE, Verdict.RESUME)
    assert decider.began(9.0, -20.0 + LOUDER - 1) is None
    assert decider.began(9.0, -20.0 + LOUDER + 1) is Verdict.PAUSE


def test_the_next_prompt_knows_nothing_of_it() -> None:
    decider = playing()
    decider.began(5.0, -30.0)
    goes_on(decider, 20.0, since=5.0, speaks=30.0)
    decider.begin(Interruptible())
    assert decider.began(20.0, -30.0) is Verdict.PAUSE


@pytest.mark.parametrize(("seconds", "expected"), [(ALONE - 0.1, Verdict.RESUME), (ALONE + 0.1, Verdict.STOP)])
def test_without_a_transcriber_a_voice_that_lasts_stops(seconds: float, expected: Verdict) -> None:
    decider = playing(transcribed=False)
    decider.began(5.0, -20.0)
    decided = goes_on(decider, 9.0, since=5.0, speaks=seconds)
    assert decided is not None
    assert decided[1] is expected
    assert decided[0] == pytest.approx(5.0 + min(seconds, ALONE), abs=2 * FRAME)


def test_what_may_not_be_cut_is_not_paused() -> None:
    decider = BargeIn()
    decider.begin(None)
    assert decider.began(5.0, -10.0) is None
    assert decider.words(5, 5.4) is None
    assert decider.goes_on(6.0, speaking=True, voiced=1.0, last=6.0, level=-10.0) is None


def test_what_is_over_is_not_decided() -> None:
    decider = playing()
    decider.began(5.0, -20.0)
    decider.end()
    assert not decider.undecided
    assert decider.words(1, 5.4) is None
    assert goes_on(decider, 9.0, since=5.0, speaks=0.1) is None
