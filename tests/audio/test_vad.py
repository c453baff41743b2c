"""Speech begins and stops, by made-up probabilities and levels: no detector."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from flowengine.audio.vad import BELOW, HANGOVER, UNKNOWN, Activity, CallerLevel, Window

SIZE = 0.032


def run(activity: Activity, windows: Iterable[tuple[float, float]], gate: float = -40.0) -> list[tuple[int, bool]]:
    """Feed windows of (probability, level); give the numbers of those with which something changed."""
    found = []
    for number, (probability, loud) in enumerate(windows):
        changed = activity.feed(Window((number + 1) * SIZE, SIZE, probability, loud), gate)
        if changed is not None:
            found.append((number, changed))
    return found


VOICE, QUIET, SOFT = (0.9, -20.0), (0.1, -60.0), (0.9, -45.0)


@pytest.mark.parametrize(
    ("windows", "changes"),
    [
        pytest.param([VOICE] * 3, [(2, True)], id="three windows of voice"),
        pytest.param([VOICE] * 2 + [QUIET] * 5, [], id="a click of two windows"),
        pytest.param([VOICE, QUIET, VOICE, VOICE], [(3, True)], id="three of four"),
        pytest.param([VOICE, QUIET, VOICE, QUIET, VOICE], [], id="three of five"),
        pytest.param([SOFT] * 10, [], id="a television: speech, but far below the gate"),
        pytest.param([(0.2, -10.0)] * 10, [], id="a siren: loud, but no speech"),
        pytest.param([VOICE] * 3 + [QUIET] * 6, [(2, True)], id="quiet for less than the hangover"),
        pytest.param([VOICE] * 3 + [QUIET] * 7, [(2, True), (9, False)], id="quiet for the hangover"),
        pytest.param([VOICE] * 3 + [SOFT] * 7, [(2, True), (9, False)], id="a television does not hold speech open"),
        pytest.param([VOICE] * 3 + ([QUIET] * 4 + [VOICE]) * 5, [(2, True)], id="a voice with small gaps"),
    ],
)
def test_speech(windows: list[tuple[float, float]], changes: list[tuple[int, bool]]) -> None:
    assert run(Activity(), windows) == changes


def test_the_beginning_is_that_of_the_first_window_of_the_onset() -> None:
    activity = Activity()
    run(activity, [QUIET] * 10 + [VOICE, QUIET, VOICE, VOICE])
    assert activity.since == pytest.approx(10 * SIZE)
    assert activity.last == pytest.approx(14 * SIZE)
    assert activity.voiced == pytest.approx(3 * SIZE)
    assert activity.level == -20.0


def test_a_line_from_which_nothing_comes_falls_quiet() -> None:
    activity = Activity()
    run(activity, [VOICE] * 3)
    assert activity.stopped(activity.last + HANGOVER - 0.01) is None
    assert activity.stopped(activity.last + HANGOVER) is False
    assert activity.stopped(activity.last + 10) is None


def test_after_speech_an_onset_takes_as_many_windows_as_before() -> None:
    assert run(Activity(), [VOICE] * 4 + [QUIET] * 7 + [VOICE] * 3) == [(2, True), (10, False), (13, True)]


def test_the_gate_follows_the_callers_level() -> None:
    caller = CallerLevel()
    assert caller.gate == UNKNOWN
    for loud in [-60.0] * 2 + [-30.0] * 6 + [-20.0] * 4:
        caller.voice(loud)
    caller.understood()
    assert caller.known == -20.0
    assert caller.gate == -20.0 - BELOW


def test_the_level_is_learnt_slowly_from_then_on() -> None:
    caller = CallerLevel()
    for loud in (-20.0, -30.0):
        caller.voice(loud)
        caller.understood()
    assert caller.known == pytest.approx(-24.0)


def test_a_noise_teaches_nothing() -> None:
    caller = CallerLevel()
    caller.voice(-3.0)
    caller.forget()
    caller.understood()
    assert caller.known is None
