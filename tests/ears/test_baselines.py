"""The baselines against the engine that there is: what they stop, and when they answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowengine.audio import mulaw
from flowengine.audio.tones import sine
from flowengine.call.ports import VoiceDetector
from flowengine.testing.script import HangUp, Say, Script, Silence, WaitAudio, WaitSilence
from flowengine.testing.voices import Speech
from tests.ears.baselines import ENDS, Energy, baseline, energy
from tests.ears.driver import keys_only, on_virtual_time
from tests.ears.following import Track, reference
from tests.ears.scenarios import REFERENCE, Scenario
from tests.ears.scoring import interruption, turns
from tests.ears.voice import ThreadedVoice, opened


@pytest.fixture(scope="module")
def voice() -> Iterator[ThreadedVoice]:
    with opened() as voice:
        yield voice


@pytest.fixture(scope="module")
def prompt(voice: ThreadedVoice) -> Track:
    (quiet,) = on_virtual_time(keys_only, [REFERENCE], voice)
    return reference(quiet.report.samples(quiet.report.played))


LOUD = mulaw.encode(sine(440.0, 0.5))
INTO = Script((WaitAudio(0.1), Silence(3.0), Say(LOUD), Silence(2.5), HangUp()))


def test_loudness_is_speech_from_a_level_on() -> None:
    detector: VoiceDetector = Energy()
    window = LOUD[: detector.window]
    assert detector.detect([window, b"\xff" * 160, mulaw.gain(window, 0.001)], [1, 2, 3]) == (
        [1.0, 0.0, 0.0],
        [1, 2, 3],
    )


def test_what_lasts_long_enough_stops_the_prompt_and_so_much_later(voice: ThreadedVoice, prompt: Track) -> None:
    scenario = Scenario("interruption", "clean", "ears", INTO, 5)
    for system, least in ((energy, 0.2), (baseline(Energy, 0.4), 0.4)):
        (run,) = on_virtual_time(system, [scenario], voice)
        latency = interruption(run.report, prompt).latency
        assert latency is not None
        (cleared,), (timeline,) = run.report.of("cleared"), run.report.timelines
        assert least - 0.001 <= cleared.at - timeline.time(timeline.said[0], 0.0) <= least + 0.06
        # What is heard last is a little earlier where the prompt was between two words.
        assert least - 0.2 <= latency <= least + 0.06
    (run,) = on_virtual_time(baseline(Energy, 0.6), [scenario], voice)
    assert interruption(run.report, prompt).latency is None


def test_a_turn_is_answered_when_it_has_been_quiet(voice: ThreadedVoice) -> None:
    steps = (WaitAudio(0.1), WaitSilence(0.6), Say(Speech("Bread, please.")), WaitAudio(0.2, within=8.0), HangUp())
    (run,) = on_virtual_time(energy, [Scenario("turns", "hold 0 s", "turns", Script(steps), 5)], voice)
    assert run.report.failures == []
    (turn,) = turns(run.report)
    assert turn.latency is not None
    # The last sounds of a word are softer than what the detector takes for speech.
    assert ENDS - 0.2 < turn.latency < ENDS + 0.1


def test_who_hesitates_is_cut_off(voice: ThreadedVoice) -> None:
    steps = (WaitAudio(0.1), WaitSilence(0.6), Say(Speech("I need, <1.2s> some bread.")), Silence(1.0), HangUp())
    (run,) = on_virtual_time(energy, [Scenario("turns", "hold 1.2 s", "turns", Script(steps), 5)], voice)
    (turn,) = turns(run.report)
    assert turn.cut_ins == 1
    assert [(round(hold.seconds, 1), hold.cut) for hold in turn.holds] == [(1.2, True)]
