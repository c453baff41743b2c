"""The filters and tests of expressions, each with what the language's reference says of it.

A filter is called with the format, the value, and the arguments that the author wrote; null is refused before that,
except by ``default``. What it gives is bounded before it is built.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from flowengine.flow.filter import Example, Filter, Test
from flowengine.flow.hours import DAY, Hours, OpenHours, TimeSpan
from flowengine.flow.languages import language
from flowengine.flow.operators import MAX_RESULT, Missing, Refusal, kind, plain_number
from flowengine.flow.writing import Format, amount, clock, day, number, printed, singular, telephone

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def _text(form: Format, value: Any) -> str:
    """Give a value's text; refuses one that is too long to be worked on."""
    text = printed(value, form)
    if len(text) > MAX_RESULT:
        raise Refusal(f"the text is longer than {MAX_RESULT} characters")
    return text


def _entries(name: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise Refusal(f"`{name}` takes a list, not {kind(value)}")
    if len(value) > MAX_RESULT:
        raise Refusal(f"`{name}` takes {MAX_RESULT} entries at most")
    return value


def _whole(name: str, value: Any) -> int:
    found = number(value, name)
    if found != int(found):
        raise Refusal(f"`{name}` takes a whole number")
    return int(found)


def _spell(form: Format, value: Any) -> str:
    return " ".join("".join(_text(form, value).split()))


def _digits(form: Format, value: Any) -> str:
    return "".join(c for c in _text(form, value) if c.isascii() and c.isdigit())


def _money(form: Format, value: Any, currency: Any = None) -> str:
    if currency is not None and not isinstance(currency, str):
        raise Refusal("the currency of `money` is a text such as 'EUR'")
    return amount(value, form, currency or form.money)


def _date(form: Format, value: Any) -> str:
    return day(value, form)


def _time(form: Format, value: Any) -> str:
    return clock(value, form)


def _ordinal(form: Format, value: Any) -> str:
    return language(form.lang).ordinal(_whole("ordinal", value))


def _phone(form: Format, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\+?[0-9 ()./-]{1,40}", value):
        raise Refusal("`phone` takes a telephone number such as +15551234567")
    return telephone(value)


def _last4(form: Format, value: Any) -> str:
    return printed(value, form)[-4:]


def _plural(form: Format, value: Any, one: Any, many: Any = None) -> str:
    count = number(value, "plural")
    count = int(count) if count == int(count) else count
    if singular(count, form.lang):
        return f"{printed(count, form)} {_text(form, one)}"
    if many is None:
        rule = language(form.lang).plural
        if rule is None:
            raise Refusal(f"`plural` needs both forms in this language ({form.lang}), the word for one and for several")
        many = rule(_text(form, one))
    return f"{printed(count, form)} {_text(form, many)}"


def _each(form: Format, value: Any, name: Any) -> list[Any]:
    entries = _entries("each", value)
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise Refusal(f"`each` takes a list of maps; there is {kind(entry)} in it")
    return [entry.get(_text(form, name)) for entry in entries]


def _default(form: Format, value: Any, other: Any = "") -> Any:
    return other if value is None or isinstance(value, Missing) else value


def _round(form: Format, value: Any, places: Any = 0) -> Any:
    behind = _whole("round", places)
    if not 0 <= behind <= 10:
        raise Refusal("`round` gives 0 to 10 places")
    found = number(value, "round")
    exact = Decimal(plain_number(found)).quantize(
        Decimal(1).scaleb(-behind), context=Context(prec=60, rounding=ROUND_HALF_UP)
    )
    if isinstance(found, Decimal):
        return exact
    return float(exact) if behind and isinstance(found, float) else int(exact)


def _join(form: Format, value: Any, between: Any = ", ") -> str:
    separator = _text(form, between)
    parts: list[str] = []
    length = 0
    for entry in _entries("join", value):
        parts.append(printed(entry, form))
        length += len(parts[-1]) + len(separator) * (len(parts) > 1)
        if length > MAX_RESULT:
            raise Refusal(f"`join` gives {MAX_RESULT} characters at most")
    return separator.join(parts)


def _length(form: Format, value: Any) -> int:
    if not isinstance(value, str | list | tuple | Mapping):
        raise Refusal(f"{kind(value)} has no length; texts, lists and maps have")
    return len(value)


def _lower(form: Format, value: Any) -> str:
    return _text(form, value).lower()


def _upper(form: Format, value: Any) -> str:
    return _text(form, value).upper()


def _title(form: Format, value: Any) -> str:
    # str.title would begin anew after an apostrophe: Don'T.
    return _WORD.sub(lambda match: match[0][0].upper() + match[0][1:].lower(), _text(form, value))


def _trim(form: Format, value: Any) -> str:
    return _text(form, value).strip()


def _first(form: Format, value: Any) -> Any:
    return _end("first", value, 0)


def _last(form: Format, value: Any) -> Any:
    return _end("last", value, -1)


def _end(name: str, value: Any, index: int) -> Any:
    if not isinstance(value, str | list | tuple):
        raise Refusal(f"`{name}` takes a list or a text, not {kind(value)}")
    return value[index] if value else None


def _replace(form: Format, value: Any, old: Any, new: Any) -> str:
    text, before, after = _text(form, value), _text(form, old), _text(form, new)
    if not before:
        raise Refusal("the text that `replace` takes away is empty")
    if len(text) + text.count(before) * (len(after) - len(before)) > MAX_RESULT:
        raise Refusal(f"`replace` gives {MAX_RESULT} characters at most")
    return text.replace(before, after)


def _example(source: str, result: str, lang: str = "en-US", **values: Any) -> Example:
    return Example(source, values, lang, result)


_ALWAYS = OpenHours(Hours(week=((TimeSpan(0, DAY),),) * 7), datetime(2026, 1, 5, 9, 30, tzinfo=UTC))
_NAMES = [{"name": "Ann"}, {"name": "Bob"}]
_ALL = (
    Filter(
        "spell",
        _spell,
        "The characters one by one, with a space between.",
        (
            _example("{{ code | spell }}", "0 0 4 2", code="0042"),
            _example("{{ code | spell }}", "A 1 B 2", code="A1 B2"),
        ),
    ),
    Filter(
        "digits",
        _digits,
        "Only the digits of a text.",
        (_example("{{ code | digits }}", "5550100", code="555-01 00"),),
    ),
    Filter(
        "money",
        _money,
        "An amount of money in the flow's currency, or in the one that is named.",
        (
            _example("{{ price | money }}", "$12.50", price=Decimal("12.5")),
            _example("{{ price | money('EUR') }}", "€1,234.00", price=1234),
            _example("{{ price | money('JPY') }}", "¥13", price=12.5),
            _example("{{ price | money }}", "12,50 €", "de", price=Decimal("12.5")),
            _example("{{ price | money }}", "£12.50", "en-GB", price="12.5"),
        ),
        texts=r"[A-Z]{3}\Z",
        remedy="write its three letters: USD, EUR, GBP",
    ),
    Filter(
        "date",
        _date,
        "A date with its weekday, without its year.",
        (
            _example("{{ due | date }}", "Monday, January 5", due=date(2026, 1, 5)),
            _example("{{ due | date }}", "Montag, 5. Januar", "de-DE", due=date(2026, 1, 5)),
        ),
    ),
    Filter(
        "time",
        _time,
        "A time of day.",
        (
            _example("{{ at | time }}", "9:30 AM", at=time(9, 30)),
            _example("{{ at | time }}", "9:30 Uhr", "de", at=time(9, 30)),
        ),
    ),
    Filter(
        "ordinal",
        _ordinal,
        "The rank of a whole number.",
        (_example("{{ n | ordinal }}", "2nd", n=2), _example("{{ n | ordinal }}", "2.", "de", n=2)),
    ),
    Filter(
        "phone",
        _phone,
        "A telephone number in groups.",
        (
            _example("{{ call.from | phone }}", "+1 555 123 4567", call={"from": "+15551234567"}),
            _example("{{ number | phone }}", "555 123 4567", number="5551234567"),
        ),
    ),
    Filter(
        "last4",
        _last4,
        "The last four characters; what a private value shows of itself.",
        (_example("{{ account | last4 | spell }}", "3 4 5 6", account="123456"),),
    ),
    Filter(
        "plural",
        _plural,
        "A number with its word, in the singular or the plural; the second form may be given, in German it must be.",
        (
            _example("{{ 2 | plural('item') }}", "2 items"),
            _example("{{ 1 | plural('item') }}", "1 item"),
            _example("{{ n | plural('child', 'children') }}", "3 children", n=3),
            _example("{{ n | plural('Stück', 'Stücke') }}", "3 Stücke", "de", n=3),
        ),
        texts="(?s:.*)",
    ),
    Filter(
        "each",
        _each,
        "From a list of maps the list of what stands under one key.",
        (_example("{{ people | each('name') | join(' and ') }}", "Ann and Bob", people=_NAMES),),
        texts="(?s:.*)",
    ),
    Filter(
        "default",
        _default,
        "Something else in the place of null.",
        (_example("{{ name | default('you') }}", "you", name=None),),
        lenient=True,
    ),
    Filter(
        "round",
        _round,
        "A number rounded half up to whole ones, or to as many places as are named.",
        (
            _example("{{ n | round }}", "3", n=2.5),
            _example("{{ n | round(1) }}", "2.3", n=2.25),
            _example("{{ n | round(1) }}", "2,3", "de", n=2.25),
        ),
    ),
    Filter(
        "join",
        _join,
        "The entries of a list as one text, with a comma or what is named between them.",
        (
            _example("{{ sizes | join }}", "small, large", sizes=["small", "large"]),
            _example("{{ sizes | join(' or ') }}", "small or large", sizes=["small", "large"]),
        ),
    ),
    Filter(
        "length",
        _length,
        "The number of characters of a text, or of entries.",
        (_example("{{ orders | length | plural('order') }}", "2 orders", orders=[17, 18]),),
    ),
    Filter("lower", _lower, "All letters small.", (_example("{{ name | lower }}", "ann", name="Ann"),)),
    Filter("upper", _upper, "All letters capital.", (_example("{{ name | upper }}", "ANN", name="Ann"),)),
    Filter(
        "title",
        _title,
        "Each word with a capital first letter.",
        (_example("{{ name | title }}", "Ann O'neill-Lee", name="ANN O'NEILL-LEE"),),
    ),
    Filter("trim", _trim, "Without the space around it.", (_example("{{ name | trim }}!", "Ann!", name=" Ann "),)),
    Filter(
        "first",
        _first,
        "The first entry of a list, or the first character of a text; null if it is empty.",
        (_example("{{ sizes | first }}", "small", sizes=["small", "large"]),),
    ),
    Filter(
        "last",
        _last,
        "The last entry of a list, or the last character of a text; null if it is empty.",
        (_example("{{ sizes | last }}", "large", sizes=["small", "large"]),),
    ),
    Filter(
        "replace",
        _replace,
        "One text in the place of another, wherever it stands.",
        (_example("{{ code | replace('-', ' ') }}", "A 1", code="A-1"),),
    ),
)
FILTERS: Mapping[str, Filter] = {one.name: one for one in _ALL}


def _is_open(value: Any) -> bool:
    if not isinstance(value, OpenHours):
        raise Refusal(f"`is open` asks opening hours, not {kind(value)}")
    return value.open


def _is_set(value: Any) -> bool:
    return value is not None and not isinstance(value, Missing)


TESTS: Mapping[str, Test] = {
    one.name: one
    for one in (
        Test(
            "set",
            _is_set,
            "There is a value, and it is not null.",
            (_example("{% if name is set %}{{ name }}{% else %}you{% endif %}", "you", name=None),),
            lenient=True,
        ),
        Test(
            "open",
            _is_open,
            "The opening hours are open now.",
            (_example("{{ 'Come in.' if office is open else 'Call again.' }}", "Come in.", office=_ALWAYS),),
        ),
    )
}
