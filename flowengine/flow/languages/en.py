"""English."""

from __future__ import annotations

import re

from flowengine.flow.languages.language import Language

_IRREGULAR = {"child": "children", "person": "people", "man": "men", "woman": "women", "foot": "feet", "half": "halves"}


def ordinal(number: int) -> str:
    """Give ``1st``, ``2nd``, ``11th``."""
    last = abs(number) % 100
    ending = "th" if 10 <= last <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(last % 10, "th")
    return f"{number}{ending}"


def plural(word: str) -> str:
    """Give the plural of a word by the rules of English spelling and a few exceptions."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if re.search(r"[^aeiouAEIOU\W]y\Z", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)\Z", word) else f"{word}s"


_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
LANGUAGE = Language(
    "en",
    ordinal,
    plural,
    numbers={**{word: str(number) for number, word in enumerate(_NUMBERS)}, "star": "*", "hash": "#", "pound": "#"},
    around_keys=frozenset({"press", "key", "number", "the", "option", "please", "uh", "um"}),
    fillers=frozenset(
        {"please", "uh", "um", "er", "well", "i", "want", "would", "like", "to", "the", "a", "an", "just", "ok", "okay"}
    ),
    yes=frozenset({"yes", "yeah", "yep", "yup", "right", "correct", "sure", "ok", "okay", "exactly"}),
    no=frozenset({"no", "nope", "nah", "wrong", "incorrect", "not"}),
    skip=frozenset({"skip", "none", "nothing", "pass"}),
)
