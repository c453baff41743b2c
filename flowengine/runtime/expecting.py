"""What a caller may be expected to say, and whether an answer sounds finished.

The shell waits in silence for the end of an utterance; how long is a matter of the words: nobody goes on after the
sixth digit of six, hardly anybody after "yes", everybody after "I would like to".
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from flowengine.flow.languages import folding, language
from flowengine.runtime import numerals, spoken
from flowengine.runtime.effects import Listen
from flowengine.runtime.understanding import agrees, inside, skips, words

COMPLETE, LIKELY, PLAIN, MIDDLE, OPEN = 0.0, 0.6, 1.0, 1.7, 2.4
"""Factors for `speech_end` (0.7 s): none, 0.4 s, 0.7 s, 1.2 s and 1.7 s."""

_TELEPHONE = 7  # digits from which a number may be a whole telephone number
_VALUES = frozenset({"int", "number", "money", "date", "time"})
_SOME_DAY = datetime(2026, 1, 1)  # whether it is a date at all does not depend on today


def patience(listen: Listen, text: str) -> float:
    """Give the factor by which `speech_end` is multiplied when the caller has said this and is quiet."""
    lang, kind = listen.lang, listen.kind
    if kind in ("digits", "phone"):
        return _digits(listen, text)
    if _unfinished(text, lang):
        return OPEN
    if kind == "yesno":
        return LIKELY if agrees(text, lang) is not None else MIDDLE
    if kind in ("choice", "enum"):
        return _choice(listen.phrases, text, lang)
    if kind in _VALUES:
        return LIKELY if spoken.value(kind, text, lang, _SOME_DAY) is not None else MIDDLE
    return PLAIN


def _digits(listen: Listen, text: str) -> float:
    found = numerals.digits(folding.words(text, listen.lang), listen.lang)
    if found is None:
        return LIKELY if skips(text, listen.lang) else MIDDLE
    if listen.kind == "phone":
        return MIDDLE if len(found) >= _TELEPHONE else OPEN
    if listen.most and len(found) >= listen.most:
        return COMPLETE
    return OPEN if len(found) < listen.least or listen.most else MIDDLE


def _choice(phrases: tuple[str, ...], text: str, lang: str) -> float:
    """A whole phrase is an answer, unless it may be the beginning of a longer one; without one it is still to come."""
    said = words(text, lang)
    known = [_phrase(phrase, lang) for phrase in phrases]
    longer = any(len(phrase) > len(said) and phrase[: len(said)] == said for phrase in known)
    if longer:
        return PLAIN
    if any(phrase and phrase == said[-len(phrase) :] for phrase in known):
        return LIKELY
    return PLAIN if any(inside(phrase, said) for phrase in known) else MIDDLE


@lru_cache(maxsize=4096)
def _phrase(text: str, lang: str) -> tuple[str, ...]:
    return words(text, lang)


def _unfinished(text: str, lang: str) -> bool:
    """Say whether a sentence stops where none ends: at a hesitation, an article, a single letter of a spelled name."""
    if text.rstrip().endswith((",", "-", "…", "...")):
        return True
    said = folding.words(text, lang)
    if not said:
        return False
    known = language(lang)
    spells = len(said) > 1 and len(said[-1]) == len(said[-2]) == 1 and said[-1].isalpha() and said[-2].isalpha()
    return spells or any(" ".join(said[-size:]) in known.unfinished for size in (1, 2, 3))
