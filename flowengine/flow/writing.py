"""The written form of values in a language: numbers, money, dates, times, telephone numbers.

CLDR's data come from Babel, which is imported where it is used first: checking a flow needs none of it. Its no-break
spaces become plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowengine.flow.languages import language
from flowengine.flow.operators import MAX_NUMBER, Refusal, is_number, kind, plain_number, present
from flowengine.flow.values import UnfitValueError, fit

if TYPE_CHECKING:
    from babel import Locale

FORMAT = "format "
"""The key of the ``Format`` in a scope: no author can write a name with a space."""

_SPACES = re.compile("[\u00a0\u2007\u2009\u202f]")
_YEAR_AT_END = re.compile(r"[\s,]*('[^']*'\s*)?y+\Z")
# Which money a country has is told for a fixed day: the same flow says the same every day.
_CURRENCIES_OF = date(2026, 1, 2)
# ITU-T E.164: the country codes of one digit, and of two; all others have three.
_ONE_DIGIT = frozenset("17")
_TWO_DIGITS = frozenset(
    str(code)
    for first, last in (
        (20, 20),
        (27, 27),
        (30, 34),
        (36, 36),
        (39, 41),
        (43, 49),
        (51, 58),
        (60, 66),
        (81, 82),
        (84, 84),
        (86, 86),
        (90, 95),
        (98, 98),
    )
    for code in range(first, last + 1)
)


@dataclass(frozen=True, slots=True)
class Format:
    """How values are written: the language, and the money of amounts.

    An empty ``currency`` is that of the region of ``home`` (the flow's own language; empty: of ``lang``), so that an
    amount keeps its currency where one node speaks another language.
    """

    lang: str = "en-US"
    currency: str = ""
    home: str = ""

    @property
    def money(self) -> str:
        """The code of the currency."""
        return self.currency or currency_of(self.home or self.lang)


def form_of(scope: Mapping[str, Any]) -> Format:
    """Give the format that a scope carries; US English without one."""
    form = scope.get(FORMAT)
    return form if isinstance(form, Format) else Format()


@lru_cache(maxsize=64)
def locale(lang: str) -> Locale:
    """Give Babel's locale: of the tag, else of its language, else US English."""
    from babel import Locale, UnknownLocaleError

    for tag in (lang, lang.partition("-")[0]):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en", "US")


@lru_cache(maxsize=64)
def currency_of(lang: str) -> str:
    """Give the currency of a language tag's region, or of the region where the language is mostly spoken."""
    from babel.core import get_global
    from babel.numbers import get_territory_currencies

    found = locale(lang)
    region = found.territory or str(get_global("likely_subtags").get(found.language, "")).rpartition("_")[2]
    return next(iter(get_territory_currencies(region, _CURRENCIES_OF, _CURRENCIES_OF)), "USD")


@lru_cache(maxsize=64)
def _decimal_sign(lang: str) -> str:
    from babel.numbers import get_decimal_symbol

    return get_decimal_symbol(locale(lang))


def printed(value: Any, form: Format) -> str:
    """Give the text of a value that is printed without a filter; refuses null, lists, maps and hours.

    A number has the decimal sign of the language and nothing else of it, dates and times keep their ISO form: the
    same text may be spoken or sent.
    """
    if isinstance(present(value), str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        text = plain_number(value)
        return text.replace(".", _decimal_sign(form.lang)) if "." in text else text
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}" if value.year >= 1000 else value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.replace(tzinfo=None).isoformat("auto" if value.second else "minutes")
    if value is None:
        raise Refusal("null can not be printed; use `default`, or test with `is set`")
    remedy = "; use `join`" if isinstance(value, list | tuple) else ""
    raise Refusal(f"{kind(value)} can not be printed{remedy}")


def number(value: Any, sign: str) -> Any:
    """Give a number, also one that is written as a text; refuses anything else, for the filter ``sign``."""
    try:
        found = fit("money", present(value)) if isinstance(value, str) else value
    except UnfitValueError:
        found = None
    if not is_number(found):
        raise Refusal(f"`{sign}` takes a number, not {kind(value)}")
    if not abs(found) <= MAX_NUMBER:
        raise Refusal(f"`{sign}` takes numbers of 15 digits at most")
    return found


def amount(value: Any, form: Format, code: str) -> str:
    """Give an amount of money such as ``$12.50``, rounded half up to the places that the currency has."""
    from babel.numbers import format_currency, get_currency_precision, is_currency

    if not is_currency(code):
        raise Refusal("this is no currency; they are written as USD, EUR or GBP")
    exact = Decimal(plain_number(number(value, "money")))
    places = Decimal(1).scaleb(-get_currency_precision(code))
    rounded = exact.quantize(places, context=Context(prec=60, rounding=ROUND_HALF_UP))
    return _plain(format_currency(rounded or abs(rounded), code, locale=locale(form.lang)))


def day(value: Any, form: Format) -> str:
    """Give a date such as ``Monday, January 5``."""
    from babel.dates import parse_pattern

    try:
        found = fit("date", present(value))
    except UnfitValueError:
        found = None
    if found is None:
        raise Refusal(f"`date` takes a date, not {kind(value)}")
    return _plain(parse_pattern(_day_pattern(form.lang)).apply(found, locale(form.lang)))


@lru_cache(maxsize=64)
def _day_pattern(lang: str) -> str:
    """Give the pattern of weekday, day and month written out: CLDR's full date without its year."""
    from babel.dates import match_skeleton

    known, own = locale(lang), language(lang)
    if own.date and locale_is(lang, own.tag):
        return own.date
    skeletons = known.datetime_skeletons
    full = str(known.date_formats["full"].pattern)
    if "MMMMEEEEd" not in skeletons and _YEAR_AT_END.search(full):
        return _YEAR_AT_END.sub("", full)
    return str(skeletons[match_skeleton("MMMMEEEEd", skeletons)].pattern)


def clock(value: Any, form: Format) -> str:
    """Give a time of day such as ``9:30 AM``."""
    from babel.dates import parse_pattern

    try:
        found = fit("time", present(value))
    except UnfitValueError:
        found = None
    if found is None:
        raise Refusal(f"`time` takes a time, not {kind(value)}")
    known, own = locale(form.lang), language(form.lang)
    pattern = own.time if own.time and locale_is(form.lang, own.tag) else known.time_formats["short"].pattern
    return _plain(parse_pattern(pattern).apply(found.replace(tzinfo=None), known))


def locale_is(lang: str, tag: str) -> bool:
    """Say whether Babel's locale of ``lang`` is of the language of ``tag``, and not of one that stands in for it."""
    return locale(lang).language == tag.partition("-")[0]


def telephone(text: str) -> str:
    """Give a telephone number in groups: ``+1 555 123 4567``."""
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if not text.lstrip().startswith("+"):
        return " ".join(_groups(digits))
    country = 1 if digits[:1] in _ONE_DIGIT else 2 if digits[:2] in _TWO_DIGITS else 3
    return " ".join([f"+{digits[:country]}", *_groups(digits[country:])])


def _groups(digits: str) -> list[str]:
    """Cut digits in threes; no digit stands alone at the end."""
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def singular(value: Any, lang: str) -> bool:
    """Say whether the language counts this many in the singular."""
    return locale(lang).plural_form(abs(value)) == "one"


def prepare(lang: str) -> None:
    """Read what a language needs, so that no call waits for it (70 ms for the first language of a process)."""
    day(date(2026, 1, 5), Format(lang))
    clock(time(9, 30), Format(lang))
    amount(1, Format(lang), Format(lang).money)


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text)
