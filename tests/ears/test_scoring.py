"""Scores of reports that are made by hand, so that every figure can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from flowengine.audio import mulaw
from flowengine.testing.labels import Clip, Kind, Said, Timeline, Word
from flowengine.testing.report import CallReport, Stretch
from tests.ears.following import RATE, Track, reference
from tests.ears.scoring import Aside, Interruption, aside, interruption, quantile, turns, undisturbed, upper
from tests.ears.test_following import speech

PROMPT = reference(mulaw.decode(mulaw.encode(speech(6.0, 1))))


def report(*played: tuple[float, Track], said: Clip | None = None, at: float = 0.0) -> CallReport:
    """A call of 12 s: what was played from when on, and a clip that was spoken at a time of the call."""
    stretches = [Stretch(begin, bytearray(mulaw.encode(audio))) for begin, audio in played]
    # The stream's first sample was spoken at 0.5 s of the call.
    timeline = Timeline(0.5, [Said(round((at - 0.5) * RATE), said)] if said else [])
    return CallReport(played=stretches, timelines=[timeline], duration=12.0)


def prompt(begin: float, end: float) -> Track:
    return PROMPT[round(begin * RATE) : round(end * RATE)]


def clip(*words: tuple[float, float], kind: Kind = "speech") -> Clip:
    """Words from when to when; the first is the onset."""
    labels = tuple(Word("word", *word) for word in words)
    return Clip(bytes(round(words[-1][1] * RATE)), labels, words[0][0], words[-1][1], kind)


STOP = clip((0.1, 0.4), (0.4, 0.9))


def test_a_prompt_in_noise() -> None:
    whole = undisturbed(report((1.0, PROMPT)), PROMPT)
    assert (whole.stopped, whole.pauses, whole.paused) == (False, 0, 0.0)
    assert whole.seconds == pytest.approx(6.0, abs=0.06)
    paused = undisturbed(report((1.0, prompt(0, 2)), (3.5, prompt(2, 6))), PROMPT)
    assert (paused.stopped, paused.pauses) == (False, 1)
    assert paused.paused == pytest.approx(0.5, abs=0.06)
    stopped = undisturbed(report((1.0, prompt(0, 2))), PROMPT)
    assert stopped.stopped
    assert stopped.seconds == pytest.approx(2.0, abs=0.06)


def test_an_interruption_is_timed_from_the_labelled_onset_to_the_last_audible_sample() -> None:
    """Spoken at 3.0 s, audible from 3.1 s; the prompt began at 1.0 s and 2.3 s of it were played."""
    scored = interruption(report((1.0, prompt(0, 2.35)), said=STOP, at=3.0), PROMPT)
    assert scored.latency == pytest.approx(0.25, abs=0.01)


def test_interruptions_that_are_missed_late_or_no_interruptions() -> None:
    assert interruption(report((1.0, PROMPT), said=STOP, at=3.0), PROMPT) == Interruption(None)
    assert interruption(report((1.0, prompt(0, 5.0)), said=STOP, at=3.0), PROMPT) == Interruption(None)
    assert interruption(report((1.0, prompt(0, 1.0)), said=STOP, at=3.0), PROMPT) == Interruption(None, early=True)
    # The call was over before the caller came to say it.
    assert interruption(report((1.0, prompt(0, 1.0))), PROMPT) == Interruption(None, early=True)


def test_an_interruption_in_a_breath_of_the_speaker_takes_no_time() -> None:
    """The prompt has a second of silence of its own; the caller begins in it, and the prompt does not go on."""
    breathing = np.concatenate([prompt(0, 1.95), np.zeros(RATE, np.int16), prompt(2, 5)])
    scored = interruption(report((1.0, breathing[: 2 * RATE]), said=STOP, at=3.0), breathing)
    assert scored == Interruption(0.0)
    earlier = interruption(report((1.0, breathing[: 2 * RATE]), said=STOP, at=4.5), breathing)
    assert earlier.early


def test_a_pause_that_becomes_a_stop_counts_from_its_begin() -> None:
    """Silent for 800 ms, then the answer to what was said: to the caller the prompt ended with its last sound."""
    scored = interruption(report((1.0, prompt(0, 2.3)), (4.1, speech(1.0, 5)), said=STOP, at=3.0), PROMPT)
    assert scored.latency == pytest.approx(0.2, abs=0.01)


MHM = clip((0.0, 0.3), kind="backchannel")


def test_a_backchannel_is_talked_through() -> None:
    assert aside(report((1.0, PROMPT), said=MHM, at=3.0), PROMPT) == Aside(kept=True, unbroken=True)
    short = report((1.0, prompt(0, 2.3)), (3.47, prompt(2.3, 6)), said=MHM, at=3.0)
    assert aside(short, PROMPT) == Aside(kept=True, unbroken=True)
    paused = report((1.0, prompt(0, 2.2)), (3.9, prompt(2.2, 6)), said=MHM, at=3.0)
    assert aside(paused, PROMPT) == Aside(kept=True, unbroken=False)
    assert aside(report((1.0, prompt(0, 2.3)), said=MHM, at=3.0), PROMPT) == Aside(kept=False, unbroken=False)
    for cut_before in (report((1.0, prompt(0, 1.0)), said=MHM, at=3.0), report((1.0, prompt(0, 1.0)))):
        assert aside(cut_before, PROMPT) == Aside(kept=False, unbroken=False)
    # What happens more than a second later has another reason.
    assert aside(report((1.0, prompt(0, 4.0)), said=MHM, at=3.0), PROMPT).kept


SLOW = clip((0.1, 0.5), (0.62, 1.0), (2.0, 2.5))  # holds of 120 ms and 1 s


def test_a_turn_that_is_answered() -> None:
    (turn,) = turns(report((1.0, speech(1.0, 5)), (6.3, speech(1.0, 6)), said=SLOW, at=3.0))
    assert (turn.cut_ins, turn.answered) == (0, True)
    assert turn.latency == pytest.approx(0.8, abs=0.011)
    assert [(round(hold.seconds, 2), hold.cut) for hold in turn.holds] == [(0.12, False), (1.0, False)]


def test_a_turn_that_is_cut_into_in_a_hold() -> None:
    (turn,) = turns(report((1.0, speech(1.0, 5)), (4.7, speech(0.5, 6)), (6.0, speech(1.0, 7)), said=SLOW, at=3.0))
    assert (turn.cut_ins, turn.latency, turn.answered) == (1, None, True)
    assert [hold.cut for hold in turn.holds] == [False, True]


def test_a_turn_without_an_answer() -> None:
    (turn,) = turns(report((1.0, speech(1.0, 5)), (10.0, speech(1.0, 6)), said=SLOW, at=3.0))
    assert (turn.cut_ins, turn.latency, turn.answered) == (0, None, False)
    assert turns(report((1.0, PROMPT), said=MHM, at=3.0)) == []


def test_quantiles() -> None:
    values = [float(n) for n in range(1, 11)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.0)) == (5.0, 10.0, 1.0)
    assert quantile([], 0.5) is None


@pytest.mark.parametrize(("count", "bound"), [(0, 2.996), (1, 4.744), (3, 7.754), (10, 16.962)])
def test_the_upper_bound_of_a_poisson_count(count: int, bound: float) -> None:
    """Against a table of the chi-squared distribution: half its 95 % quantile for 2(count + 1) degrees of freedom."""
    assert upper(count) == pytest.approx(bound, abs=0.001)
    assert np.isclose(upper(count, 0.5), count + 0.68, atol=0.03)
