"""When the caller has finished: stories of voice, words and turns, on a clock of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from flowengine.audio.endpointing import (
    FINAL,
    LATE_WORDS,
    LONGEST,
    NO_TRANSCRIPT,
    SHORTEST,
    STABLE,
    TURNS,
    Began,
    Ended,
    Endpointing,
    Found,
    Quiet,
    Rules,
)

FRAME = 0.02
FACTORS = {"yes": 0.6, "i would like to": 2.4, "one two three four five six": 0.0, "one two": 2.4, "la": 9.0, "x": 0.1}


@dataclass
class Story:
    """An endpointing and what it said, with the times at which it did."""

    it: Endpointing
    found: list[tuple[float, Found]] = field(default_factory=list)
    now: float = 0.0

    def at(self, now: float) -> Story:
        """Let time pass up to a moment."""
        while self.now + FRAME < now:
            self.now += FRAME
            self._take(self.it.poll(self.now))
        self.now = now
        return self

    def _take(self, found: list[Found]) -> Story:
        self.found += [(round(self.now, 2), one) for one in found]
        return self

    def speech(self) -> Story:
        return self._take(self.it.speech(self.now, self.now - 0.1))

    def quiet(self) -> Story:
        """The voice stopped 200 ms ago, as the detector says it."""
        return self._take(self.it.quiet(self.now, self.now - 0.2))

    def interim(self, text: str, ended: float | None = None) -> Story:
        return self._take(self.it.interim(text, self.now, None, ended))

    def final(self, text: str, confidence: float = 1.0, ended: float | None = None) -> Story:
        return self._take(self.it.final(text, self.now, None, ended, confidence))

    def turn(self, text: str) -> Story:
        return self._take(self.it.turn(text, self.now, None, None))

    def ends(self) -> list[tuple[Any, str, str]]:
        """When each utterance was ended, its words, and why."""
        return [(at, one.text, one.why) for at, one in self.found if isinstance(one, Ended)]


def story(*, transcribed: bool = True, turns: bool = False) -> Story:
    it = Endpointing(transcribed=transcribed, turns=turns)
    it.rules = Rules(0.7, 20.0, lambda text: FACTORS.get(text.lower(), 1.0))
    return Story(it)


def test_voice_words_and_silence_are_an_utterance() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().at(2.3).final("hello there", 0.8).at(5.0)
    assert told.found == [
        (1.0, Began(0.9)),
        (2.0, Quiet()),
        (2.5, Ended("hello there", 0.9, 1.8, "silence", 0.8)),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("yes", 0.42, id="an answer: sooner"),
        pytest.param("hello", 0.7, id="any words: speech_end"),
        pytest.param("i would like to", 1.68, id="a sentence that stops in the middle: later"),
        pytest.param("x", SHORTEST, id="never within a word"),
        pytest.param("la", LONGEST, id="never longer than that"),
    ],
)
def test_how_long_it_waits_depends_on_the_words(text: str, seconds: float) -> None:
    told = story().at(1.0).speech().at(1.4).interim(text).at(2.0).quiet().final(text).at(8.0)
    ((at, _, why),) = told.ends()
    assert why == "silence"
    assert at - 1.8 == pytest.approx(max(seconds, 0.2), abs=FRAME + 0.01)


def test_the_sixth_digit_ends_it_at_once() -> None:
    told = story().at(1.0).speech().at(3.0).final("one two three four").final("five six").at(9.0)
    assert told.ends() == [(3.0, "one two three four five six", "complete")]


def test_interim_words_that_are_complete_must_be_stable() -> None:
    six = "one two three four five six"
    told = story().at(1.0).speech().at(3.0).interim(six).at(3.2).interim(six + " seven").at(3.3).interim(six).at(9.0)
    assert told.ends() == [(pytest.approx(3.3 + STABLE, abs=FRAME), six, "complete")]


def test_a_pause_inside_of_a_number_does_not_end_it() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().final("one two").at(3.2).speech().at(4.0)
    told.final("three four five six")
    assert told.ends() == [(4.0, "one two three four five six", "complete")]


def test_speech_that_goes_on_takes_the_silence_back() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().final("hello").at(2.4).speech().at(4.0).quiet().final("again")
    assert told.at(9.0).ends() == [(pytest.approx(4.5, abs=0.03), "hello again", "silence")]


def test_case_22_a_noise_without_words_is_told_as_one() -> None:
    told = story().at(1.0).speech().at(1.5).quiet().at(9.0)
    assert told.ends() == [(pytest.approx(1.3 + NO_TRANSCRIPT, abs=FRAME), "", "noise")]
    told.at(20.0).speech()
    assert told.found[-1] == (20.0, Began(19.9))


def test_final_words_are_waited_for_but_not_for_ever() -> None:
    told = story().at(1.0).speech().at(1.5).interim("hello").at(2.0).quiet().at(9.0)
    assert told.ends() == [(pytest.approx(2.0 + FINAL, abs=FRAME), "hello", "silence")]


def test_words_without_a_voice_open_an_utterance() -> None:
    told = story().at(3.0).interim("hello", ended=2.8).final("hello", ended=2.8).at(9.0)
    assert told.found[:2] == [(3.0, Began(3.0)), (3.0, Quiet())]
    assert told.ends() == [(pytest.approx(2.8 + 0.7, abs=FRAME), "hello", "silence")]


def test_words_that_come_too_late_belong_to_nothing() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().at(2.1).final("hello").at(3.0)
    assert len(told.ends()) == 1
    told.at(3.2).final("hello").at(3.5).interim("there", ended=1.7).at(9.0)
    assert len(told.ends()) == 1
    assert told.it.late == 2


def test_words_of_a_noise_show_that_it_was_none() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().at(3.2).final("hello", ended=1.8).at(9.0)
    assert [(text, why) for _, text, why in told.ends()] == [("", "noise"), ("hello", "silence")]
    assert told.it.late == 0


def test_words_that_may_come_late_are_waited_for() -> None:
    def broken(*, words: bool) -> list[tuple[Any, str, str]]:
        told = story(turns=True).at(1.0).speech().at(1.5).interim("hello").at(2.0).quiet().at(2.9)
        told.it.words_late(told.now)
        return (told.at(4.5).turn("hello there") if words else told).at(9.0).ends()

    assert broken(words=True) == [(4.5, "hello there", "turn")]
    assert broken(words=False) == [(pytest.approx(1.8 + LONGEST, abs=0.03), "hello", "silence")]


def test_and_so_is_a_voice_of_which_nothing_was_told() -> None:
    def broken(*, words: bool) -> list[tuple[Any, str, str]]:
        told = story(turns=True).at(1.0).speech().at(1.4)
        told.it.words_late(told.now)
        told.at(1.6).quiet()
        return (told.at(3.5).turn("hello") if words else told).at(9.0).ends()

    assert broken(words=True) == [(3.5, "hello", "turn")]
    assert broken(words=False) == [(pytest.approx(1.4 + LATE_WORDS, abs=0.03), "", "noise")]


def test_but_not_for_words_to_which_nothing_can_be_added() -> None:
    told = story().at(1.0).speech().at(1.5).interim("one two three four five six").at(1.6)
    told.it.words_late(told.now)
    assert told.at(9.0).ends() == [(pytest.approx(1.5 + STABLE, abs=0.03), "one two three four five six", "complete")]


def test_the_end_of_a_word_may_lie_a_little_behind_that_of_its_voice() -> None:
    told = story().at(1.0).speech().at(1.9).interim("one two three four five six", ended=1.8).at(2.0).quiet()
    told.at(2.5).final("one two three four five six", ended=1.85).at(9.0)
    assert [text for _, text, _ in told.ends()] == ["one two three four five six"]


def test_what_is_said_after_them_is_new() -> None:
    told = story().at(1.0).speech().at(2.0).quiet().final("hello").at(3.0).speech().at(3.5).quiet().final("more")
    assert [text for _, text, _ in told.at(9.0).ends()] == ["hello", "more"]


def test_the_longest_utterance() -> None:
    told = story().at(1.0).speech().at(15.0).interim("on and on").at(30.0)
    assert told.ends()[0] == (pytest.approx(20.9, abs=0.03), "on and on", "long")


def test_a_transcriber_that_tells_turns_is_earlier_than_silence() -> None:
    told = story(turns=True).at(1.0).speech().at(2.0).quiet().at(2.1).turn("hello there").at(9.0)
    assert told.ends() == [(2.1, "hello there", "turn")]


def test_silence_gets_twice_the_time_beside_it() -> None:
    told = story(turns=True).at(1.0).speech().at(1.5).interim("hello").at(2.0).quiet().at(9.0)
    assert told.ends() == [(pytest.approx(1.8 + 0.7 * TURNS, abs=FRAME), "hello", "silence")]


def test_its_end_does_not_end_words_that_are_not_all_there() -> None:
    told = story(turns=True).at(1.0).speech().at(2.0).quiet().at(2.1).turn("one two").at(3.0).speech()
    told.at(4.0).turn("three four five six").at(9.0)
    assert told.ends() == [(4.0, "one two three four five six", "complete")]


def test_what_a_turn_goes_on_with_does_not_begin_with_what_was_taken() -> None:
    six = "one two three four five six"
    told = story(turns=True).at(1.0).speech().at(3.0).interim(six).at(3.5)
    assert told.ends() == [(pytest.approx(3.0 + STABLE, abs=0.03), six, "complete")]
    told.interim(six).at(3.7).turn(six).at(9.0)
    assert len(told.ends()) == 1
    told.at(10.0).speech().at(10.5).interim("hello").at(11.0).quiet().turn("hello there").at(15.0)
    assert told.ends()[1][1] == "hello there"


def test_and_what_is_new_in_it_is_an_utterance_of_its_own() -> None:
    six = "one two three four five six"
    told = story(turns=True).at(1.0).speech().at(3.0).interim(six).at(5.0).speech()
    told.at(6.0).interim(f"{six} and more").at(6.5).quiet().turn(f"{six} and more please").at(9.0)
    assert [text for _, text, _ in told.ends()] == [six, "and more please"]


def test_and_the_rest_that_never_comes_is_not_waited_for_for_ever() -> None:
    told = story(turns=True).at(1.0).speech().at(2.0).quiet().at(2.1).turn("one two").at(9.0)
    assert told.ends() == [(pytest.approx(1.8 + 0.7 * 2.4, abs=FRAME), "one two", "silence")]


def test_without_a_transcriber_the_voice_is_all_there_is() -> None:
    told = story(transcribed=False).at(1.0).speech().at(2.0).quiet().at(9.0)
    assert [one for _, one in told.found if isinstance(one, Quiet)] == []
    assert told.ends() == [(pytest.approx(2.5, abs=FRAME), "", "noise")]


def test_a_transcriber_that_is_lost_leaves_what_it_had_told() -> None:
    told = story().at(1.0).speech().at(1.5).interim("hello").at(1.7)
    told._take(told.it.lost(1.7))
    assert told.ends() == [(1.7, "hello", "lost")]
    told.at(3.0).speech().at(4.0).quiet().at(9.0)
    assert told.ends()[1] == (pytest.approx(3.8 + 0.7, abs=FRAME), "", "noise")


def test_nothing_is_told_of_nothing() -> None:
    told = story().at(1.0).interim("").final("").turn("").quiet().at(9.0)
    assert told.found == []
