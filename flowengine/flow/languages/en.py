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


LANGUAGE = Language("en", ordinal, plural)
