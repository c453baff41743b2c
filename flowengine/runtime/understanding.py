"""What a caller's words mean here: phrases of options and commands, held against an utterance word by word.

Deterministic: case, punctuation and accents are folded, numbers are spelled alike, whole words count. What belongs to a
language (the words of numbers, the words around an answer) is in ``flow/languages``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from flowengine.flow.languages import language
from flowengine.flow.model import Phrases


class Meant(Protocol):
    """An option, an exit or a command: what it is called by voice and by key."""

    @property
    def hear(self) -> Phrases:
        """The phrases that mean it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that take it."""


_Meant = TypeVar("_Meant", bound=Meant)
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[*#]")


def words(text: str, lang: str) -> tuple[str, ...]:
    """Give the words of a text as they are compared: folded, with numbers as digits."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c)).replace("’", "'")
    numbers = language(lang).numbers
    return tuple(numbers.get(word, word) for word in _WORD.findall(plain))


def inside(phrase: Sequence[str], said: Sequence[str]) -> bool:
    """Say whether a phrase stands in what was said, as whole words one after another."""
    size = len(phrase)
    return bool(size) and any(tuple(said[at : at + size]) == tuple(phrase) for at in range(len(said) - size + 1))


def choose(text: str, things: Iterable[_Meant], lang: str, default: str) -> _Meant | None:
    """Give the one thing that is meant; None where none is, or two are with phrases of equally many words.

    A phrase may stand anywhere in what was said, and the one with more words wins. A key that is spoken alone ("two",
    "press two") takes what has that key.
    """
    said = words(text, lang)
    best: list[_Meant] = []
    size = 0
    for thing in things:
        found = [words(phrase.text, lang) for phrase in thing.hear.spoken_in(lang, default)]
        here = max((len(phrase) for phrase in found if inside(phrase, said)), default=0)
        if _key_alone(said, thing.keys, lang):
            here = max(here, len(said))
        if here > size:
            best, size = [thing], here
        elif here and here == size:
            best.append(thing)
    return best[0] if len(best) == 1 else None


def _key_alone(said: Sequence[str], keys: Iterable[str], lang: str) -> bool:
    around = language(lang).around_keys
    bare = "".join(word for word in said if word not in around)
    return bool(bare) and bare in keys


def whole(text: str, things: Iterable[_Meant], lang: str, default: str) -> _Meant | None:
    """Give the thing of which a phrase is the whole utterance, but for words such as please or uh."""
    said = without_fillers(words(text, lang), lang)
    for thing in things:
        for phrase in thing.hear.spoken_in(lang, default):
            if without_fillers(words(phrase.text, lang), lang) == said:
                return thing
    return None


def without_fillers(said: Sequence[str], lang: str) -> tuple[str, ...]:
    """Leave out the words that mean nothing."""
    fillers = language(lang).fillers
    return tuple(word for word in said if word not in fillers) or tuple(said)


def agrees(text: str, lang: str) -> bool | None:
    """Give the yes or no of an answer; None where it is neither."""
    said = set(words(text, lang))
    known = language(lang)
    yes, no = bool(said & known.yes), bool(said & known.no)
    return yes if yes is not no else None


def skips(text: str, lang: str) -> bool:
    """Say whether the caller wants to leave a question out."""
    return bool(set(without_fillers(words(text, lang), lang)) & language(lang).skip)
