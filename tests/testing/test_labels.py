from __future__ import annotations

from flowengine.testing.labels import Clip, Said, Timeline, Word

CLIP = Clip(
    bytes(8000),
    (Word("I", 0.1, 0.2), Word("want", 0.2, 0.4), Word("bread", 0.9, 0.98)),
    onset=0.1,
    end=0.98,
)


def test_a_clip_knows_its_words_length_and_pauses() -> None:
    assert (CLIP.text, CLIP.seconds) == ("I want bread", 1.0)
    assert CLIP.pauses() == ((0.4, 0.9),)
    assert CLIP.pauses(0.6) == ()


def test_times_of_a_clip_are_samples_of_the_stream_and_times_of_the_call() -> None:
    said = Said(160, CLIP)
    assert said.sample(0.1) == 960
    assert Timeline(2.0, [said]).time(said, 0.1) == 2.12
