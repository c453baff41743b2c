"""A model's words into pieces that are spoken well, whatever the pieces are in which they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowengine.runtime.clauses import LONGEST, Clauses, heard_of, speakable, unspoken

TABLE = [
    ("en-US", "Hello there. How can I help?", ["Hello there.", "How can I help?"]),
    (
        "en-US",
        "Of course, your balance is 12.50 dollars. Anything else?",
        ["Of course, your balance is 12.50 dollars.", "Anything else?"],
    ),
    ("en-US", "I have found it, your order left us on Monday.", ["I have found it,", "your order left us on Monday."]),
    (
        "en-US",
        "Dr. Miller is here at 9:30, and Mr. Smith at 10 a.m. today.",
        ["Dr. Miller is here at 9:30,", "and Mr. Smith at 10 a.m. today."],
    ),
    ("en-US", "The total is 1,200.50 euros, e.g. in cash!", ["The total is 1,200.50 euros,", "e.g. in cash!"]),
    ("en-US", "**Good news**: your _card_ is `active`.", ["Good news:", "your card is active."]),
    ("en-US", "We have:\n- white bread\n- rolls\n", ["We have:", "white bread.", "rolls."]),
    ("en-US", "1. Open the app\n2. Press send\n", ["1, Open the app.", "2, Press send."]),
    ("en-US", "# Opening hours\nNine to five.", ["Opening hours.", "Nine to five."]),
    ("en-US", "See [our page](https://example.com/a) or https://example.com/b now.", ["See our page or now."]),
    ("en-US", "Great! 😀 Bye.", ["Great!", "Bye."]),
    ("en-US", "J. R. Ewing called. Yes.", ["J. R. Ewing called.", "Yes."]),
    ("en-US", "No", ["No"]),
    ("en-US", "  \n ", []),
    ("en-US", "...", []),
    (
        "de-DE",
        "Am 3. Mai um 9 Uhr, z.B. bei Dr. Weber. Passt das?",
        ["Am 3. Mai um 9 Uhr, z.B. bei Dr. Weber.", "Passt das?"],
    ),
    ("de-DE", "Gern. Die Nr. 5 kostet 3,50 Euro.", ["Gern.", "Die Nr. 5 kostet 3,50 Euro."]),
]


def cut(lang: str, text: str, size: int) -> list[str]:
    clauses = Clauses(lang)
    found: list[str] = []
    for at in range(0, len(text), size):
        found += clauses.push(text[at : at + size])
    return [*found, *clauses.finish()]


@pytest.mark.parametrize(("lang", "text", "expected"), TABLE)
def test_the_pieces_of_a_text(lang: str, text: str, expected: list[str]) -> None:
    assert cut(lang, text, len(text) or 1) == expected


@pytest.mark.parametrize("size", [1, 2, 5, 13])
@pytest.mark.parametrize(("lang", "text", "expected"), TABLE)
def test_how_it_comes_loses_nothing(lang: str, text: str, expected: list[str], size: int) -> None:
    """What is cut early may be cut elsewhere; what is said is the same."""
    assert " ".join(cut(lang, text, size)).replace(".", "") == " ".join(expected).replace(".", "")


def test_the_first_piece_comes_at_a_comma_and_later_ones_at_the_end_of_a_sentence() -> None:
    clauses = Clauses("en-US")
    assert clauses.push("Well, let me see, ") == ["Well, let me see,"]
    assert clauses.push("I have found it, and more, ") == []
    assert clauses.push("for you. ") == ["I have found it, and more, for you."]


def test_it_is_there_as_soon_as_its_sign_is_followed_by_something() -> None:
    clauses = Clauses("en-US")
    assert clauses.push("That is fine.") == []  # "fine.5" could follow
    assert clauses.push(" ") == ["That is fine."]


def test_a_sentence_without_an_end_is_cut_all_the_same() -> None:
    text = "word " * 200
    pieces = cut("en-US", text, 7)
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert " ".join(pieces).split() == text.split()


@given(st.text(alphabet="ab1 .,!?*\n-", max_size=300), st.integers(1, 9))
def test_no_word_is_lost_or_made_up(text: str, size: int) -> None:
    letters = [c for c in speakable(text.replace("\n", " \n ")) if c.isalpha()]
    assert [c for piece in cut("en-US", text, size) for c in piece if c.isalpha()] == letters


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, ""),
        (0.5, "one"),
        (1.0, "one two"),
        (1.9, "one two three"),
        (2.0, "one two three four"),
        (9.0, "one two three four"),
    ],
)
def test_what_was_heard_goes_by_words(seconds: float, expected: str) -> None:
    words = [("one", 0.0, 0.5), ("two", 0.5, 1.0), ("three", 1.0, 1.5), ("four", 1.5, 2.0)]
    assert heard_of("one two three four", words, seconds, 2.0) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.0, ""), (1.0, "one two"), (1.99, "one two three"), (2.0, "one two three four")]
)
def test_without_their_times_by_the_share_of_the_time(seconds: float, expected: str) -> None:
    assert heard_of("one two three four", [], seconds, 2.0) == expected


def test_a_voice_that_counts_words_in_its_own_way() -> None:
    words = [("twelve", 0.0, 0.4), ("fifty", 0.4, 1.0)]
    assert heard_of("12.50", words, 0.5, 1.0) == ""
    assert heard_of("It is 12.50", [("it", 0, 0.2), ("is", 0.2, 0.4), *words], 0.45, 1.0) == "It is"


@pytest.mark.parametrize(
    ("seconds", "words", "rest"),
    [
        (0.0, [], "one two three four"),
        (0.27, [], "two three four"),
        (9.0, [], ""),
        (1.0, [("one", 0.0, 0.5), ("two", 0.5, 1.0), ("three", 1.0, 1.5)], "three four"),
    ],
)
def test_what_is_left_of_a_text(seconds: float, words: list[tuple[str, float, float]], rest: str) -> None:
    assert unspoken("one two three four", words, seconds) == rest


@pytest.mark.parametrize(
    ("pieces", "spoken"),
    [
        (["Hi\n\n", "How are you? "], ["Hi.", "How are you?"]),
        (["\N{GRINNING FACE}\n", "How are you? "], ["How are you?"]),
        (["1.\n", "How are you? "], ["1, How are you?"]),
        (["a.\n", "x" * (LONGEST + 40)], []),  # nothing in it ends: it waits, and not for ever
    ],
)
def test_a_first_piece_that_is_too_short_holds_nothing_back(pieces: list[str], spoken: list[str]) -> None:
    clauses = Clauses("en-US")
    assert [one for piece in pieces for one in clauses.push(piece)] == spoken
