"""Text -> words that can be compared: small, without accents, cut at spaces and signs."""

from __future__ import annotations

import re
import unicodedata

from flowengine.flow.languages import language

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "´": "'", "−": "-", "–": "-", "\u2010": "-", "\u2011": "-"})
_RANK = r"[0-9]+(?:st|nd|rd|th)\b"
_LETTERS = r"[^\W\d_]+(?:'[^\W\d_]+)*"
_WORD = re.compile(rf"{_RANK}|[0-9]+(?:\.(?=\s+[^\W_]))?|{_LETTERS}|[*#]")
_PIECE = re.compile(rf"{_RANK}|[0-9]+(?:[.,:/'-][0-9]+)*(?:\.(?!\w))?|{_LETTERS}|(?<!\w)-(?=[0-9$€£])|[^\s-]")
_SILENT = frozenset(",.;:!?\"()[]…„“”'¿¡")


def fold(text: str, lang: str) -> str:
    """Give a text in the one spelling in which it is compared: small, no accents, and as the language respells it."""
    plain = _bare(_bare(text.translate(_APOSTROPHES)).casefold())
    return language(lang).respell(plain).translate(_APOSTROPHES)


def _bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def words(text: str, lang: str) -> list[str]:
    """Give the folded words of a text; numbers in digits stand alone, other signs than ``*`` and ``#`` are left out."""
    dotted = language(lang).spoken.dotted
    return [word if dotted else word.removesuffix(".") for word in _WORD.findall(fold(text, lang))]


def pieces(text: str, lang: str) -> list[str]:
    """Give the folded words and signs of a text; numbers keep the signs inside: ``1,200``, ``9:30``, ``5.1.``.

    A hyphen stays where it is a minus: before a figure, behind a space.
    """
    dotted = language(lang).spoken.dotted
    found = _PIECE.findall(fold(text, lang))
    return [word if dotted else _undotted(word) for word in found if word not in _SILENT]


def _undotted(word: str) -> str:
    return word.removesuffix(".") if word[0].isdigit() else word
