"""A model's words, as they come, into pieces that are spoken well: cut where a speaker would breathe, without markup.

The first piece is cut as early as it can be (at a comma, when something has been said), because the caller waits for
it; later ones at the ends of sentences, because a voice speaks a sentence better than its halves. What a model writes
for the eye is left out: emphasis, headings, bullets, links, code marks. A number is never torn (`1.5`, `9:30`,
`1,200`), nor an abbreviation (`Dr.`, `e.g.`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from flowengine.flow.languages import language

FIRST = 12
"""Characters from which the first piece may end at a comma."""

SHORTEST = 3
"""Characters that a piece has at least: "1." alone is no sentence."""

LONGEST = 220
"""Characters after which a sentence is cut at a comma, or at a space."""

LETTER = 0.065
"""Seconds that a letter takes where a voice does not tell its words."""

_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*(?=\s)|\n+")
_PAUSE = re.compile(r"[,;:–—](?=\s)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
_ADDRESS = re.compile(r"https?://\S+")
_BULLET = re.compile(r"^\s*(?:[-*•+]|#{1,6}|>)\s+")
_NUMBERED = re.compile(r"^\s*(\d{1,2})[.)]\s+")
_MARKS = re.compile(r"\*\*|__|[*_`~|#]{1,3}|\\(?=[^\w\s])")
_PICTURES = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]")
_LAST_WORD = re.compile(r"(\S+)$")


def speakable(text: str) -> str:
    """Give what is to be spoken of a piece: no markup, no addresses, single spaces."""
    plain = _ADDRESS.sub("", _LINK.sub(r"\1", text))
    plain = _NUMBERED.sub(r"\1, ", _BULLET.sub("", plain))
    plain = _PICTURES.sub("", _MARKS.sub("", plain))
    return " ".join(plain.split())


class Clauses:
    """Takes text in any pieces; gives clauses. ``lang`` is a BCP 47 tag."""

    def __init__(self, lang: str) -> None:
        known = language(lang)
        self._short = known.abbreviations
        self._ranks = known.spoken.dotted
        self._text = ""
        self._first = True

    def push(self, text: str) -> list[str]:
        """Take more text; give the clauses that are complete now, as they are to be spoken."""
        self._text += text
        return self._cut(whole=False)

    def finish(self) -> list[str]:
        """No more text comes: give the rest."""
        found = self._cut(whole=True)
        rest, self._text = speakable(self._text), ""
        return [*found, rest] if _audible(rest) else found

    def _cut(self, *, whole: bool) -> list[str]:
        found: list[str] = []
        start = 0
        while (end := self._end(start)) is not None:
            piece, rest = self._text[:end], self._text[end:]
            said = speakable(piece)
            start = 0
            if _audible(said) and len(said) < SHORTEST and not (len(said) > 1 and said.isalpha()) and not whole:
                start = end  # it is spoken together with what follows
                continue
            self._text = rest
            if _audible(said):
                found.append(_closed(said, piece))
                self._first = False
        return found

    def _end(self, start: int) -> int | None:
        """Give where the next piece ends, behind ``start``; None where that is not known yet."""
        for match in _END.finditer(self._text, start):
            if self._sentence(match):
                return match.end()
        early = self._first and len(self._text) > FIRST
        if early or len(self._text) > LONGEST:
            least = FIRST if early else LONGEST // 2
            for match in _PAUSE.finditer(self._text, start):
                if match.end() >= least:
                    return match.end()
        if len(self._text) > LONGEST and (space := self._text.rfind(" ", start, LONGEST)) > start:
            return space + 1
        return None

    def _sentence(self, match: re.Match[str]) -> bool:
        """Say whether a sign ends a sentence: not that of an abbreviation, an initial, or a number of a list."""
        if match[0][0] != "." or match[0] != ".":
            return bool(self._text[: match.start()].strip())
        word = _LAST_WORD.search(self._text, 0, match.start())
        if word is None:
            return False
        last = word[1].lstrip("(\"'*_").casefold()
        alone = self._text[: match.start()].strip() == word[1]
        numbered = last.isdigit() and (alone or (self._ranks and len(last) < 3))
        return not (last in self._short or (len(last) == 1 and last.isalpha()) or numbered)


def _audible(text: str) -> bool:
    return any(map(str.isalnum, text))


def _closed(said: str, piece: str) -> str:
    """A line of a list, or a heading, is spoken as a sentence."""
    return said + "." if piece.endswith("\n") and said[-1].isalnum() else said


def heard_of(clause: str, words: list[tuple[str, float, float]], seconds: float, length: float) -> str:
    """Give what was heard of a clause after so many seconds of its ``length``: whole words.

    ``words`` are its words with begin and end where the voice told them; else the share of the time counts.
    """
    if seconds >= length:
        return clause
    spaces = [match.start() for match in re.finditer(r"\s", clause)]
    if words:
        count = sum(end <= seconds for _, _, end in words)
        # The voice may cut words in its own way: they are counted, not compared.
        whole = len(clause.split())
        # And it may have told of the first ones only.
        count = round(count * whole / max(len(words), whole))
        return clause if count >= whole else clause[: spaces[count - 1]] if count else ""
    reached = int(len(clause) * seconds / length) if length > 0 else 0
    return clause[: max((place for place in spaces if place <= reached), default=0)]


def speaks(text: str) -> bool:
    """Say whether there is anything in a text that a voice would speak: a letter or a digit."""
    return any(letter.isalnum() for letter in text)


def unspoken(text: str, words: Sequence[tuple[str, float, float]], seconds: float) -> str:
    """Give what of a text was not spoken yet after so many seconds of its audio: whole words, one too many at most.

    ``words`` are as in ``heard_of``.
    """
    written = text.split()
    if words:
        share = sum(end <= seconds for _, _, end in words) / max(len(words), len(written))
        return " ".join(written[int(share * len(written)) :])
    letters = int(seconds / LETTER)
    at = 0
    while written and at + len(written[0]) <= letters:
        at += len(written.pop(0)) + 1
    return " ".join(written)
