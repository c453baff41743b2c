"""Numbers that were said: digits one by one, whole numbers, amounts. The words are those of ``flow/languages``.

A transcriber writes what it likes as figures ("1 2 three", "$12.50"), so words and figures are read alike. What has a
word in it that belongs to no number is no number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from flowengine.flow.languages import language
from flowengine.flow.languages.folding import pieces
from flowengine.flow.languages.spoken import Spoken
from flowengine.flow.writing import locale

MOST_DIGITS = 15
"""A number has 15 digits at most, as everywhere in the language of flows; digits of a text may be more."""

_FIGURES = re.compile(r"[0-9][0-9.,:/'-]*")
_SEPARATORS = frozenset("-/.,")
_WRITTEN = re.compile(r"(?P<before>[^\d]*?)(?P<number>\d+(?:[.,'’ ]\d+)*)(?P<after>[^\d]*)")
_SPACES = re.compile("[\u00a0\u2007\u2009\u202f]")
_COINS = ("$", "€", "£", "¥")
_MINUS = frozenset("-−–")


def trimmed(words: Sequence[str], around: frozenset[str]) -> list[str]:
    """Leave out the words around a value, at both ends."""
    first, last = 0, len(words)
    while first < last and words[first] in around:
        first += 1
    while last > first and words[last - 1] in around:
        last -= 1
    return list(words[first:last])


def digits(words: Sequence[str], lang: str, *, single: bool = False) -> str | None:
    """Give the digits (and the keys ``*`` and ``#``) that words spell, and nothing else; None where they spell none.

    Numbers of several digits are put one after another: "twelve thirty four" is 1234. With ``single`` each word
    stands for itself: "twenty two" is 202. What is transcribed for a digit ("to", "oh") counts as one, but a mere
    "oh" does not, and beside other words only where a digit is, too ("for sure").
    """
    known = language(lang).spoken
    found: list[str] = []
    certain = real = beside = False
    at = 0
    while at < len(words):
        word = words[at]
        repeated = known.repeats.get(word, 0)
        step = _group(words, at + 1 if repeated else at, lang, single=single)
        if step is not None and (not repeated or len(step[0]) == 1):
            group, at = step
            found.append(group * (repeated or 1))
            certain = certain or words[at - 1] not in known.sighs
            real = real or words[at - 1] not in known.homophones
        elif not repeated and (word in known.around or word in _SEPARATORS):
            at, beside = at + 1, True
        else:
            return None
    return "".join(found) if real or (certain and not beside) else None


def _group(words: Sequence[str], at: int, lang: str, *, single: bool) -> tuple[str, int] | None:
    """Read what is one group of digits: a figure, a number in words, a sign of a key."""
    if at >= len(words):
        return None
    known = language(lang)
    word = words[at]
    if word in ("*", "#") or word in known.signs:
        return known.signs.get(word, word), at + 1
    step = _number(words[: at + 1] if single else words, at, known.spoken)
    if _FIGURES.fullmatch(word) and (step is None or step[1] == at + 1):
        return "".join(c for c in word if c.isdigit()), at + 1
    if step is not None:
        return str(step[0]), step[1]
    meant = known.spoken.homophones.get(word)
    return (meant, at + 1) if meant else None


def _number(words: Sequence[str], at: int, known: Spoken) -> tuple[int, int] | None:
    """Read a number among digits: in "eight hundred five five five" the hundred is followed by three fives."""
    step = known.number(words, at)
    if step is None or not (_is_digit(words, step[1] - 1, known) and _is_digit(words, step[1], known)):
        return step
    shorter = known.number(words[: step[1] - 1], at) if step[1] - 1 > at else None
    return shorter if shorter and shorter[0] % 100 == 0 else step


def _is_digit(words: Sequence[str], at: int, known: Spoken) -> bool:
    step = known.number(words[at : at + 1], 0) if at < len(words) else None
    return step is not None and step[0] < 10


def spelled(text: str, lang: str, length: tuple[int, int]) -> str | None:
    """Give the digits that were said, of several readings the first that has a fitting length, else the first."""
    words = pieces(text, lang)
    readings = [digits(words, lang), digits(words, lang, single=True)]
    found = [reading for reading in readings if reading is not None and reading.isdigit()]
    return next((one for one in found if length[0] <= len(one) <= length[1]), found[0] if found else None)


def telephone(text: str, lang: str) -> str | None:
    """Give a telephone number of 3 to 15 digits, with a plus where one was said."""
    words = trimmed(pieces(text, lang), language(lang).spoken.around)
    plus = "+" if words and words[0] in language(lang).spoken.plus else ""
    found = digits(words[1:] if plus else words, lang)
    return plus + found if found and found.isdigit() and 3 <= len(found) <= MOST_DIGITS else None


def whole(text: str, lang: str) -> int | None:
    """Give a whole number; digits that were said one by one are one, too."""
    said = pieces(text, lang)
    words = trimmed(said, language(lang).spoken.around)
    found = amount(words, lang)
    if found is not None:
        return int(found) if found == int(found) and not _pointed(words, lang) else None
    each = digits(said, lang)
    return int(each) if each and each.isdigit() and len(each) <= MOST_DIGITS else None


def _pointed(words: Sequence[str], lang: str) -> bool:
    return any(word in language(lang).spoken.point for word in words)


def number(text: str, lang: str) -> int | float | None:
    """Give a number, with a fraction or without."""
    found = amount(trimmed(pieces(text, lang), language(lang).spoken.around), lang)
    if found is None:
        return None
    return int(found) if found == int(found) else float(found)


def amount(words: Sequence[str], lang: str) -> Decimal | None:
    """Give the number that words are from the first to the last: "minus five", "three point one four", "1,200"."""
    known = language(lang).spoken
    negative = bool(words) and words[0] in known.minus
    words = list(words[1:] if negative else words)
    found = _unsigned(words, lang)
    return -found if negative and found is not None else found


def _unsigned(words: list[str], lang: str) -> Decimal | None:
    known = language(lang).spoken
    if not words:
        return None
    if len(words) == 1:
        found = written(words[0], lang) if _FIGURES.fullmatch(words[0]) else _compound(words[0], known)
        if found is not None or _FIGURES.fullmatch(words[0]):
            return found
    if " ".join(words) in known.fractions:
        return Decimal(known.fractions[" ".join(words)]) / 100
    step = known.number(words, 0)
    if step is None and words[0] in known.point:
        step = (0, 0)
    if step is None:
        return None
    value, rest = Decimal(step[0]), words[step[1] :]
    if not rest:
        return value
    if rest[0] in known.point:
        behind = digits(rest[1:], lang) if not any(word in known.around for word in rest[1:]) else None
        return value + Decimal(f"0.{behind}") if behind and behind.isdigit() and len(behind) <= MOST_DIGITS else None
    joined = rest[1:] if rest[0] in known.joints else rest if known.dotted else []
    hundredths = known.fractions.get(" ".join(joined), 0)
    return value + Decimal(hundredths) / 100 if hundredths else None


def _compound(word: str, known: Spoken) -> Decimal | None:
    """Read a number and its fraction in one word, as German writes ``zwölfeinhalb``."""
    for fraction, hundredths in known.fractions.items():
        if not word.endswith(fraction) or word == fraction:
            continue
        before = word.removesuffix(fraction)
        step = (1, 1) if before in known.articles else known.number([before], 0)
        if step is not None:
            return step[0] + Decimal(hundredths) / 100
    return None


def written(figure: str, lang: str) -> Decimal | None:
    """Read a number that is written in figures, in the language's form: ``1,200.50`` or ``1.200,50``.

    A sign that stands where no thousands can end is taken for the decimal sign: "12,50" is twelve and a half in
    English, too.
    """
    figure = figure.replace("’", "'").removesuffix(".")
    if len(figure) > 2 * MOST_DIGITS:
        return None
    if figure.isdigit():
        return Decimal(figure) if len(figure) <= MOST_DIGITS else None
    sign, groups = _signs(lang)
    whole_, _, behind = figure.partition(sign)
    plain = whole_
    for group in groups:
        if re.fullmatch(rf"[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{2,3}})*{re.escape(group)}[0-9]{{3}}", whole_):
            plain = whole_.replace(group, "")
    if plain.isdigit() and (behind.isdigit() or sign not in figure):
        return Decimal(f"{plain}.{behind or 0}") if len(plain) <= MOST_DIGITS else None
    other = re.fullmatch(r"([0-9]+)[.,]([0-9]{1,2})", figure)
    return Decimal(f"{other[1]}.{other[2]}") if other else None


@lru_cache(maxsize=64)
def _signs(lang: str) -> tuple[str, tuple[str, ...]]:
    """Give the decimal sign of a language, and what may stand between its thousands."""
    from babel.numbers import get_decimal_symbol, get_group_symbol

    known = locale(lang)
    group = _SPACES.sub(" ", get_group_symbol(known)).replace("’", "'")
    decimal = get_decimal_symbol(known)
    return decimal, tuple(dict.fromkeys((group, "'", "," if decimal == "." else ".")))


@lru_cache(maxsize=16)
def _currencies(lang: str) -> frozenset[str]:
    """Give the codes, names and signs of all currencies as the language writes them, small."""
    symbols, names = locale(lang).currency_symbols, locale(lang).currencies
    every = (*symbols.values(), *names, *names.values())
    plain = {_SPACES.sub(" ", str(one)).strip().casefold() for one in every}
    return frozenset({*plain, *_COINS, "fr.", "sfr."})


def money(text: str, lang: str) -> Decimal | None:
    """Give an amount of money, in whole units and hundredths; which currency was named does not matter."""
    found = _written_money(_SPACES.sub(" ", text).strip().rstrip("!?"), lang)
    if found is not None:
        return found
    known = language(lang).spoken
    words = _unit_behind(trimmed(pieces(text, lang), known.around), lang)
    negative = bool(words) and words[0] in known.minus
    found = _spoken_money(words[1:] if negative else words, lang)
    return -found if negative and found is not None else found


def _unit_behind(words: list[str], lang: str) -> list[str]:
    """Put the sign of a currency where its word would be said: ``$12 and 50 cents``."""
    at = next((place for place, word in enumerate(words) if word in _COINS), -1)
    if at < 0:
        return words
    rest = words[:at] + words[at + 1 :]
    behind = at + 1 if at < len(rest) and _FIGURES.fullmatch(rest[at]) else at
    return [*rest[:behind], min(language(lang).spoken.money), *rest[behind:]]


def _written_money(text: str, lang: str) -> Decimal | None:
    """Read one figure with a currency before or behind, as the filter ``money`` writes it."""
    if len(text) > 60:
        return None
    match = _WRITTEN.fullmatch(text)
    if match is None or not match["before"].strip() + match["after"].strip(" ."):
        return None
    negative = any(sign in match["before"] for sign in _MINUS)
    for side in (match["before"], match["after"]):
        name = side.strip("-−– ").casefold()
        if name and name not in _currencies(lang) and name.rstrip(".") not in _currencies(lang):
            return None
    found = written(match["number"], lang)
    return -found if negative and found is not None else found


def _spoken_money(words: Sequence[str], lang: str) -> Decimal | None:
    """Read "twelve fifty", "twelve dollars and fifty cents", "a dollar ten", "fifty cents"."""
    known = language(lang).spoken
    at = next((place for place, word in enumerate(words) if word in known.money), -1)
    if at >= 0:
        whole_ = _counted(words[:at], lang)
        rest = list(words[at + 1 :])
        if whole_ is None or not rest:
            return whole_
        rest = rest[1:] if rest[0] in known.joints else rest
        rest = rest[:-1] if rest and rest[-1] in known.cents else rest
        part = _counted(rest, lang)
        return whole_ + part / 100 if part is not None and 0 < part < 100 and part == int(part) else None
    if words and words[-1] in known.cents:
        part = _counted(words[:-1], lang)
        return None if part is None else part / 100
    return amount(words, lang) if amount(words, lang) is not None else _pair(words, lang)


def _counted(words: Sequence[str], lang: str) -> Decimal | None:
    """Give how many units these words say; an article is one."""
    known = language(lang).spoken
    if len(words) == 1 and words[0] in known.articles:
        return Decimal(1)
    if len(words) == 2 and noughts(words[0], known):
        words = words[1:]
    return amount(words, lang)


def noughts(word: str, known: Spoken) -> bool:
    """Say whether a word is a nought that stands before a digit: "twelve oh five"."""
    return known.homophones.get(word) == "0" or known.number([word], 0) == (0, 1)


def _pair(words: Sequence[str], lang: str) -> Decimal | None:
    """Read "twelve fifty" and "twelve oh five"."""
    known = language(lang).spoken
    first = known.number(words, 0) if words else None
    if first is None:
        return None
    rest = list(words[first[1] :])
    oh = len(rest) == 2 and noughts(rest[0], known)
    second = known.number(rest, 1 if oh else 0) if rest else None
    if second is None or second[1] != len(rest) or not (0 < second[0] < 10 if oh else 10 <= second[0] < 100):
        return None
    return Decimal(first[0]) + Decimal(second[0]) / 100
