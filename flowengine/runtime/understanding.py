"""What a caller's words mean here: phrases of options and commands, held against an utterance word by word.

Deterministic: case, punctuation and accents are folded, numbers are spelled alike, whole words count. What belongs to a
language (the words of numbers, the words around an answer) is in ``flow/languages``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from flowengine.flow.languages import folding, language
from flowengine.flow.model import Phrases
from flowengine.runtime.effects import Listen, Policy
from flowengine.runtime.numerals import digits


class Meant(Protocol):
    """An option, an exit or a command: what it is called by voice and by key."""

    @property
    def hear(self) -> Phrases:
        """The phrases that mean it."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that take it."""


_Meant = TypeVar("_Meant", bound=Meant)


def words(text: str, lang: str) -> tuple[str, ...]:
    """Give the words of a text as they are compared: folded, with numbers and ranks as they are written."""
    said = folding.words(text, lang)
    known = language(lang)
    found: list[str] = []
    at = 0
    while at < len(said):
        rank = known.spoken.ordinal(said, at)
        number = known.spoken.number(said, at) if rank is None else None
        if rank is not None:
            found.append(known.ordinal(rank[0]))
            at = rank[1]
        elif number is not None:
            found.append(str(number[0]) if number[1] > at + 1 or not said[at].isdigit() else said[at])
            at = number[1]
        else:
            found.append(known.signs.get(said[at], said[at]))
            at += 1
    return tuple(found)


@lru_cache(maxsize=4096)
def _phrase(text: str, lang: str) -> tuple[str, ...]:
    """Give the words of an author's phrase. What callers say is not kept."""
    return words(text, lang)


def counted(text: str, policy: Policy, listen: Listen) -> int:
    """Give how many of the words over a prompt want the floor: not those to be ignored, nor those of a mere listener.

    What is expected counts whole: an "okay" that is a choice here, an "mhm" where yes or no is asked.
    """
    lang = listen.lang
    said = folding.words(text, lang)
    if listen.kind == "yesno" and agrees(text, lang) is not None:
        return len(said)
    known = language(lang)
    passing = known.backchannels | {" ".join(folding.words(phrase, lang)) for phrase in policy.ignore}
    written = words(text, lang)
    if any(inside(_phrase(phrase, lang), written) for phrase in listen.phrases if phrase not in policy.ignore):
        return len(said)
    count = at = 0
    while at < len(said):
        size = _longest(said, at, passing)
        count += not size
        at += size or 1
    return count


def inside(phrase: Sequence[str], said: Sequence[str]) -> bool:
    """Say whether a phrase stands in what was said, as whole words one after another."""
    size = len(phrase)
    return bool(size) and any(tuple(said[at : at + size]) == tuple(phrase) for at in range(len(said) - size + 1))


def choose(text: str, things: Iterable[_Meant], lang: str, default: str) -> _Meant | None:
    """Give the one thing that is meant; None where none is, or two are with phrases of equally many words.

    A phrase may stand anywhere in what was said, and the one with more words wins. A key that is spoken alone ("two",
    "press two") takes what has that key, as a phrase of its words would; where it is called a key ("press", "number")
    it goes before phrases of as many words, and phrases of nothing but such words say nothing beside it.
    """
    said = words(text, lang)
    key = key_alone(text, lang)
    idle = language(lang).around_keys if key else frozenset()
    named = [word for word in said if word not in idle]
    # Half a word more: a longer phrase wins all the same.
    key_size = 2 * len(named) + (len(without_fillers(said, lang)) > len(named))
    best: list[_Meant] = []
    size = 0
    for thing in things:
        found = [_phrase(phrase.text, lang) for phrase in thing.hear.spoken_in(lang, default)]
        fits = [2 * len(phrase) for phrase in found if not idle.issuperset(phrase) and inside(phrase, said)]
        here = max([*fits, key_size] if key and key in thing.keys else fits, default=0)
        if here > size:
            best, size = [thing], here
        elif here and here == size:
            best.append(thing)
    return best[0] if len(best) == 1 else None


def phrases(things: Iterable[Meant], lang: str, default: str) -> tuple[str, ...]:
    """Give what may be said to mean one of these things: their phrases, and their keys where one digit is a key."""
    found: dict[str, None] = {}
    for thing in things:
        found.update(dict.fromkeys(phrase.text for phrase in thing.hear.spoken_in(lang, default)))
        found.update(dict.fromkeys(key for key in thing.keys if len(key) == 1 and key.isdigit()))
    return tuple(found)


def key_alone(text: str, lang: str) -> str:
    """Give the keys that were named, and nothing beside them: "two", "press two", "die zwei", "star"; else empty.

    What transcribers write for a digit alone ("to", "for") counts, because nothing else was said.
    """
    around = language(lang).around_keys
    return digits([word.removesuffix(".") for word in folding.words(text, lang) if word not in around], lang) or ""


def whole(text: str, things: Iterable[_Meant], lang: str, default: str) -> _Meant | None:
    """Give the thing of which a phrase is the whole utterance, but for words such as please or uh."""
    said = without_fillers(words(text, lang), lang)
    for thing in things:
        for phrase in thing.hear.spoken_in(lang, default):
            if said and without_fillers(_phrase(phrase.text, lang), lang) == said:
                return thing
    return None


def without_fillers(said: Sequence[str], lang: str) -> tuple[str, ...]:
    """Leave out the words that mean nothing."""
    fillers = language(lang).fillers
    return tuple(word for word in said if word not in fillers) or tuple(said)


def agrees(text: str, lang: str) -> bool | None:
    """Give the yes or no of an answer; None where it is neither, or both.

    An answer has nothing beside it but words such as *that is*. It may have other words behind a firm yes and behind
    any no, and a no up to three before it ("the date is wrong"), because a question that is asked again does less harm
    than a false yes. A mere okay counts where nothing else answers ("okay, no").
    """
    said = folding.words(text, lang)
    known = language(lang)
    answers: dict[bool, set[bool]] = {True: set(), False: set()}
    negation = -3
    strange, opened = 0, False
    at = 0
    while at < len(said):
        no, yes = _longest(said, at, known.no), _longest(said, at, known.yes)
        size = max(no, yes)
        if (neither := _longest(said, at, known.spoken.neither)) and neither >= size:
            return None
        if size:
            weak = size == 1 and said[at] in known.fillers
            answer = yes > no and not _turned(said, at, yes, negation, lang)
            answers[weak].add(answer)
            opened = opened or (not strange and (not answer or " ".join(said[at : at + size]) in known.spoken.firm))
        elif said[at] not in known.fillers and said[at] not in known.spoken.around_answers:
            strange += 1
        if yes <= no:
            negation = next((n for n in range(at, at + (size or 1)) if said[n] in known.spoken.negations), negation)
        at += size or 1
    found = answers[False] or answers[True]
    if len(found) != 1:
        return None
    (answer,) = found
    return answer if opened or not strange or (not answer and strange <= 3) else None


def _turned(said: Sequence[str], at: int, size: int, negation: int, lang: str) -> bool:
    """Say whether a negation turns a yes into a no: at most two words before it, or behind a verb (*stimmt nicht*)."""
    known = language(lang).spoken
    after = said[at + size : at + size + 2] if said[at] in known.turned_behind else []
    return at - negation <= 2 or not known.negations.isdisjoint(after)


def _longest(said: Sequence[str], at: int, phrases: frozenset[str]) -> int:
    """Give how many words the longest phrase has that begins here; 0 for none."""
    return next(
        (size for size in (5, 4, 3, 2, 1) if at + size <= len(said) and " ".join(said[at : at + size]) in phrases), 0
    )


def skips(text: str, lang: str) -> bool:
    """Say whether the caller wants to leave a question out, and says nothing else."""
    return _only(text, language(lang).skip, lang)


def wants_more(text: str, lang: str) -> bool:
    """Say whether the caller wants to hear the next entries of a list, and says nothing else."""
    return _only(text, language(lang).more, lang)


def _only(text: str, phrases: frozenset[str], lang: str) -> bool:
    """Say whether a text is one of these phrases or several, but for words that mean nothing."""
    said = folding.words(text, lang)
    fillers = language(lang).fillers
    found = False
    at = 0
    while at < len(said):
        size = _longest(said, at, phrases)
        if not size and said[at] not in fillers:
            return False
        found = found or bool(size)
        at += size or 1
    return found


def rank(text: str, lang: str) -> int | None:
    """Give the rank that was named alone: "the second one" is 2, "the last one" -1; None where none was, or two."""
    said = folding.words(text, lang)
    known = language(lang)
    beside = known.fillers | known.spoken.things
    found: set[int] = set()
    at = 0
    while at < len(said):
        size = next((n for n in (4, 3, 2, 1) if " ".join(said[at : at + n]) in known.spoken.last), 0)
        step = None if size else known.spoken.ordinal(said, at)
        if size:
            found.add(known.spoken.last[" ".join(said[at : at + size])])
            at += size
        elif step is not None:
            found.add(step[0])
            at = step[1]
        elif said[at] in beside:
            at += 1
        else:
            return None
    return found.pop() if len(found) == 1 else None
