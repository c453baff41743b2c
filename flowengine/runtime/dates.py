"""Dates and times of day that were said.

A date without a year is the first from today on; a weekday is the next one strictly after today. A time without a part
of the day is the one from 7:00 to 18:59: "half past nine" is 09:30, "three" is 15:00. Hours that a clock of twelve
does not have, and figures that begin with a nought, are taken as they are: "14 Uhr", "06:30".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from functools import lru_cache

from flowengine.flow.languages import language
from flowengine.flow.languages.folding import fold, pieces
from flowengine.flow.languages.spoken import Spoken, plain_int
from flowengine.flow.writing import locale
from flowengine.runtime.numerals import noughts, trimmed

BUSINESS = 7
"""The first hour of the twelve among which a bare time of day is looked for."""

_FIGURES = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})(?:\2([0-9]{2}|[0-9]{4})?)?")
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?::[0-9]{2})?")
_HALF_DAY = 12 * 60
# "five minutes before half past nine" has six; the readers of times call each other for what is left.
_MOST_WORDS = 10
# 29 February comes back after eight years at the latest (1896, 1904).
_YEARS = 9


@lru_cache(maxsize=64)
def order(lang: str) -> str:
    """Give the order in which a language writes day, month and year: ``mdy``, ``dmy`` or ``ymd``."""
    pattern = str(locale(lang).date_formats["short"].pattern)
    return "".join(sorted("dmy", key=lambda part: pattern.lower().find(part)))


@lru_cache(maxsize=64)
def _months(lang: str) -> Mapping[str, int]:
    known = locale(lang).months["format"]
    short = {fold(str(name), lang).rstrip("."): number for number, name in known["abbreviated"].items()}
    wide = {fold(str(name), lang): number for number, name in known["wide"].items()}
    return {**short, **wide, **_base(lang, "months"), **language(lang).spoken.months}


def _base(lang: str, which: str) -> dict[str, int]:
    """Give the names of the language itself beside those of a country: an Austrian may say Januar."""
    known = getattr(locale(lang.partition("-")[0]), which)["format"]["wide"]
    return {fold(str(name), lang): int(number) for number, name in known.items()}


@lru_cache(maxsize=64)
def _weekdays(lang: str) -> Mapping[str, int]:
    return {**_base(lang, "days"), **language(lang).spoken.weekdays}


def date_of(text: str, lang: str, today: date) -> date | None:
    """Give the date that was said; None where it is none, or one that does not exist."""
    try:
        return _date(pieces(text, lang), lang, today)
    except (ValueError, OverflowError):
        return None


def _date(said: Sequence[str], lang: str, today: date) -> date | None:
    known = language(lang).spoken
    words = trimmed(said, known.around - known.coming)
    around = (known.around | known.around_dates) - known.coming
    readings = (words, trimmed(words, around), trimmed(_without_part(words, known), around))
    far = next((found for found in (_distance(one, known) for one in readings) if found is not None), None)
    if far is not None:
        return today + timedelta(days=far)
    weekday, words = _weekday(trimmed(_without_part(words, known), around), lang)
    words = [word for word in words if word not in known.around_dates]
    if not words:
        return None if weekday is None else today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    found = _figures(words[0], lang, today) if len(words) == 1 else None
    found = found or _calendar(words, lang, today)
    return found if found is None or weekday in (None, found.weekday()) else None


def _distance(words: Sequence[str], known: Spoken) -> int | None:
    """Give how many days from today a phrase is: "tomorrow", "in three days", "two weeks from now"."""
    phrase = " ".join(words)
    if phrase in known.days:
        return known.days[phrase]
    after = next((one for one in known.hence if phrase.endswith(f" {one}")), "")
    if words and words[0] in known.within:
        words = words[1:]
    elif after:
        words = words[: -len(after.split())]
    else:
        return None
    if len(words) < 2 or words[-1] not in known.spans:
        return None
    count = (1, 1) if words[0] in known.articles else known.number(words, 0)
    return count[0] * known.spans[words[-1]] if count and count[1] == len(words) - 1 else None


def _without_part(words: list[str], known: Spoken) -> list[str]:
    """Leave out the part of the day at the end of a date: "tomorrow morning"."""
    for size in (3, 2, 1):
        if len(words) > size and " ".join(words[-size:]) in known.parts:
            return words[:-size]
    return words


def _weekday(words: list[str], lang: str) -> tuple[int | None, list[str]]:
    """Take the weekday from the beginning of a date; "next" alone says nothing."""
    known = language(lang).spoken
    coming = 0
    while coming < len(words) and words[coming] in known.coming:
        coming += 1
    weekday = _weekdays(lang).get(words[coming]) if coming < len(words) else None
    if weekday is None:
        return None, words
    return weekday, words[coming + 1 :]


def _figures(word: str, lang: str, today: date) -> date | None:
    """Read ``5/1``, ``5/1/27``, ``5.1.2027`` and ``2027-01-05``; between dots the day stands first."""
    # The dot at the end may be that of the sentence.
    match = _FIGURES.fullmatch(word) or _FIGURES.fullmatch(word.removesuffix("."))
    if match is None:
        return None
    first, sign, second, third = match.groups()
    if len(first) > 2:
        return date(int(first), int(second), int(third)) if third else None
    day_first = sign == "." or order(lang) == "dmy"
    day, month = (int(first), int(second)) if day_first else (int(second), int(first))
    return _dated(day, month, _year(int(third), len(third), today) if third else None, today)


def _calendar(words: list[str], lang: str, today: date) -> date | None:
    """Read a day and a month in words, with a year or without: "the fifth of January 2027"."""
    parts = _parts(words, lang)
    kinds = "".join(kind for kind, _ in parts)
    numbers = [value for _, value in parts]
    if kinds == "o":
        return _next_day(numbers[0], today)
    years = numbers[2:]
    if kinds[2:] not in ("", "n", "nn"):
        return None
    year = None
    if len(years) == 1:
        year = _year(years[0], 2 if years[0] < 100 else 4, today)
    elif len(years) == 2:
        if not (10 <= years[0] < 100 and 0 <= years[1] < 100):
            return None
        year = years[0] * 100 + years[1]
    if kinds[:2] in ("mo", "mn"):
        return _dated(numbers[1], numbers[0], year, today)
    # fünfter Erster
    if kinds[:2] in ("om", "nm") or (kinds[:2] == "oo" and language(lang).spoken.dotted):
        return _dated(numbers[0], numbers[1], year, today)
    return None


def _parts(words: list[str], lang: str) -> list[tuple[str, int]]:
    """Cut a date into months (m), ranks (o) and numbers (n); what is none of these gives a part x."""
    known = language(lang).spoken
    months = _months(lang)
    found: list[tuple[str, int]] = []
    at = 0
    while at < len(words):
        rank, count = known.ordinal(words, at), known.number(words, at)
        if words[at] in months:
            found.append(("m", months[words[at]]))
            at += 1
        elif known.homophones.get(words[at]) == "0" and at and at + 1 < len(words):
            # twenty oh five
            at += 1
        elif rank is not None:
            found.append(("o", rank[0]))
            at = rank[1]
        elif count is not None:
            found.append(("n", count[0]))
            at = count[1]
        else:
            return [("x", 0)]
    return found


def _year(number: int, digits: int, today: date) -> int:
    """Give the year of two digits that is not more than twenty years ahead; four digits are the year."""
    if digits > 2:
        return number
    year = today.year // 100 * 100 + number
    return year - 100 if year > today.year + 20 else year


def _dated(day: int, month: int, year: int | None, today: date) -> date | None:
    """Give a date; without a year the first from today on that exists."""
    if year is not None:
        return date(year, month, day) if year >= 1000 else None
    for ahead in range(_YEARS):
        try:
            found = date(today.year + ahead, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def _next_day(day: int, today: date) -> date | None:
    """Give the first such day of a month from today on."""
    dates = (_dated(day, (today.month - 1 + ahead) % 12 + 1, None, today) for ahead in range(3))
    return min((one for one in dates if one is not None), default=None)


def time_of(text: str, lang: str) -> time | None:
    """Give the time of day that was said; None where it is none."""
    known = language(lang).spoken
    around = known.around | known.around_times
    words = trimmed(pieces(text, lang), known.around - known.articles)
    for rest, part in _daytimes(words, known):
        rest = trimmed(rest, around)
        found = _clock(rest, known) if 0 < len(rest) <= _MOST_WORDS else None
        if found is not None:
            minute = _placed(*found, part)
            if minute is not None:
                return time(minute // 60, minute % 60)
    return None


def _daytimes(words: list[str], known: Spoken) -> Iterator[tuple[list[str], int | None]]:
    """Give the words without a part of the day at their end or beginning, and its hour; the longest phrase first."""
    for phrase in sorted(known.parts, key=lambda one: -len(one.split())):
        parts = phrase.split()
        if words[-len(parts) :] == parts:
            yield words[: -len(parts)], known.parts[phrase]
        elif words[: len(parts)] == parts:
            yield words[len(parts) :], known.parts[phrase]
    yield words, None


def _placed(minute: int, fixed: bool, part: int | None) -> int | None:
    """Give the minute of the day that is meant: of a clock of twelve hours the one in the part of the day."""
    if minute > 2 * _HALF_DAY:
        return None
    if fixed and part is None:
        return minute % (2 * _HALF_DAY)
    begin = (BUSINESS if part is None else part) * 60
    meant = begin + (minute - begin) % _HALF_DAY
    return meant % (2 * _HALF_DAY) if not fixed or meant % (2 * _HALF_DAY) == minute % (2 * _HALF_DAY) else None


def _clock(words: list[str], known: Spoken) -> tuple[int, bool] | None:
    """Read minutes and hour; gives the minute of the day, and whether the hour is one of twenty-four."""
    for at, word in enumerate(words):
        if at and word in known.past | known.to:
            minutes, hour = _minutes(words[:at], known), _hour(words[at + 1 :], known)
            if minutes is not None and hour is not None:
                return hour[0] + (minutes if word in known.past else -minutes), hour[1]
    return _hour(words, known) or _hour_and_minutes(words, known)


def _minutes(words: list[str], known: Spoken) -> int | None:
    words = words[:-1] if len(words) > 1 and words[-1] in known.units else words
    if " ".join(words) in known.minutes:
        return known.minutes[" ".join(words)]
    found = known.number(words, 0) if words else None
    return found[0] if found and found[1] == len(words) and 0 < found[0] < 60 else None


def _hour(words: list[str], known: Spoken) -> tuple[int, bool] | None:
    """Read an hour: "nine", "neun Uhr", "noon", "half nine", "halb zehn"."""
    for size in (2, 1):
        if len(words) > size and " ".join(words[:size]) in known.halves:
            hour = _hour(words[size:], known)
            return (hour[0] + known.halves[" ".join(words[:size])], hour[1]) if hour else None
    named = len(words) > 1 and words[-1] in known.clock
    words = words[:-1] if named else words
    if len(words) == 1 and words[0] in known.hours:
        return known.hours[words[0]] * 60, True
    if not words or (_is_figure(words[0]) and len(words[0].removesuffix(".")) > 2):
        return None
    # ein Uhr
    found = (1, 1) if named and len(words) == 1 and words[0] in known.articles else known.number(words, 0)
    return _hours(found[0], words[0]) if found is not None and found[1] == len(words) else None


def _is_figure(word: str) -> bool:
    return plain_int(word) is not None


def _hours(hour: int, word: str) -> tuple[int, bool] | None:
    if not 0 <= hour <= 24:
        return None
    return hour * 60, not 1 <= hour <= 12 or (word.startswith("0") and _is_figure(word))


def _hour_and_minutes(words: list[str], known: Spoken) -> tuple[int, bool] | None:
    """Read "nine thirty", "nine oh five", "neun Uhr dreißig", "9:30", "0930", "fourteen hundred hours"."""
    words = words[:-1] if len(words) > 1 and words[-1] in known.clock | known.units else words
    if not words:
        return None
    if len(words) == 1:
        return _figure(words[0])
    early = _early(words, known)
    if early is not None:
        return early
    # ein Uhr dreißig
    one = words[0] in known.articles and words[1] in known.clock
    first = (1, 1) if one else known.number(words, 0)
    if first is None:
        return None
    if first[1] == len(words):
        # fourteen hundred
        return _figure(str(first[0])) if first[0] >= 100 and not _is_figure(words[0]) else None
    rest = words[first[1] :]
    rest = rest[1:] if rest[0] in known.clock else rest
    rest = rest[1:] if len(rest) > 1 and rest[0] in known.joints else rest
    oh = len(rest) == 2 and noughts(rest[0], known)
    minutes = known.number(rest, 1 if oh else 0) if rest else None
    hour = _hours(first[0], words[0])
    if minutes is None or hour is None or minutes[1] != len(rest) or not 0 <= minutes[0] < (10 if oh else 60):
        return None
    # Nobody says "nine five" for 9:05.
    if not oh and minutes[0] < 10 and not rest[0].startswith("0") and words[first[1]] not in known.clock:
        return None
    return hour[0] + minutes[0], hour[1]


def _early(words: list[str], known: Spoken) -> tuple[int, bool] | None:
    """Read "oh six hundred" and "zero nine thirty", which are of twenty-four hours."""
    if not noughts(words[0], known):
        return None
    rest = [] if words[1] in known.clock else words[1:]
    found = (_hour(rest, known) or _hour_and_minutes(rest, known)) if rest else None
    return (found[0], True) if found and found[0] < 600 else None


def _figure(word: str) -> tuple[int, bool] | None:
    """Read ``9:30``, ``14.30`` and ``0930``."""
    word = word.removesuffix(".")
    match = _CLOCK.fullmatch(word)
    if match is None:
        match = re.fullmatch(r"([0-9]{1,2})([0-9]{2})", word)
    if match is None or int(match[1]) > 24 or int(match[2]) > 59:
        return None
    hour = _hours(int(match[1]), match[1])
    return (hour[0] + int(match[2]), hour[1]) if hour else None
