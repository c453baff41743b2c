"""The kinds of fields that hold opening hours and time zones."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from datetime import date
from itertools import combinations, pairwise

from flowengine.flow.diagnostics import Label, Span, did_you_mean
from flowengine.flow.hours import DAY, Day, Days, Hours, TimeSpan
from flowengine.flow.kinds import VARIABLE, Field, Fields, Kind, ListOf, Pattern, Reading, Schema, Shaped, say
from flowengine.flow.operators import WEEKDAYS
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value

_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SPAN = rf"^(24h|{_TIME}-({_TIME}|24:00))$"
WEEKDAY = r"^[a-z]+(-[a-z]+)?$"
_DATE, _EVERY_YEAR = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}-[0-9]{2}"
DATES = rf"^({_DATE}(\.\.{_DATE})?|{_EVERY_YEAR}(\.\.{_EVERY_YEAR})?)$"
ZONE = r"^[A-Za-z][A-Za-z0-9_+/-]*$"
# In it every day of a year without number can be found, the 29th of February too.
_LEAP_YEAR = 2024

Spans = tuple[TimeSpan, ...]


class ZoneKind(Kind):
    """A time zone by its name in the IANA database."""

    def schema(self) -> Schema:
        return say({"type": "string", "pattern": ZONE}, "must be a time zone such as Europe/Berlin or UTC")

    def read(self, value: Value, reading: Reading) -> str | None:
        if not isinstance(value, Scalar) or not re.match(ZONE, value.text):
            return None
        try:
            return zoneinfo.ZoneInfo(value.text).key
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # a folder such as `Europe` is an OSError
            help_ = _near_zone(value.text) or "zones are written as Europe/Berlin or America/New_York"
            message = f'unknown time zone "{value.text}"'
            reading.report.error("unknown-zone", message, value.span, about=value.text, help=help_)
            return None


def _near_zone(word: str) -> str:
    known = sorted(zoneinfo.available_timezones())
    city = word.lower().replace(" ", "_")
    named = [zone for zone in known if zone.lower() == city or zone.lower().rpartition("/")[2] == city]
    return f'did you mean "{named[0]}"?' if named else did_you_mean(word, known)


class SpansKind(Kind):
    """The spans of one day: one, or a list; an empty list is a day without any."""

    shaped = Shaped(
        "must be hours such as 09:00-17:30, or a list of them",
        scalar=Pattern(SPAN, "must be hours such as 09:00-17:30, or 24h"),
        sequence=ListOf(Pattern(SPAN, "must be hours such as 09:00-17:30, or 24h")),
    )

    def schema(self) -> Schema:
        return self.shaped.schema()

    def read(self, value: Value, reading: Reading) -> Spans:
        items = value.items if isinstance(value, Sequence) else [value]
        found: list[tuple[TimeSpan, Span]] = []
        for item in items:
            if isinstance(item, Scalar) and re.match(SPAN, item.text):
                span = _span(item, reading)
                if span:
                    found.append((span, item.span))
        found.sort()
        for (first, place), (second, later) in pairwise(found):
            if second.begin < first.end:
                _overlap("these hours overlap others of the same day", (place, later), reading)
        return tuple(span for span, _ in found)


def _span(value: Scalar, reading: Reading) -> TimeSpan | None:
    if value.text == "24h":
        return TimeSpan(0, DAY)
    begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in value.text.split("-"))
    if begin == end:
        message = f"`{value.text}` ends when it begins"
        help_ = "write 24h for the whole day, or [] for a day without hours"
        place = reading.locate(value.span, value.text)
        reading.report.error("empty-span", message, place, about=value.text, help=help_)
        return None
    return TimeSpan(begin, end if begin < end else end + DAY)


def _overlap(message: str, places: tuple[Span, Span], reading: Reading) -> None:
    first, second = sorted(places)
    help_ = "leave one of the two out, or let one end where the other begins"
    related = (Label(first, "the others are here"),)
    reading.report.error("overlapping-hours", message, second, help=help_, related=related)


class WeekKind(Kind):
    """`open`: spans by day of the week or by a range of days, as a tuple from Monday on."""

    spans = SpansKind()

    def schema(self) -> Schema:
        names = {"pattern": WEEKDAY, "errorMessage": "must be a day or a range of days such as mon or mon-fri"}
        spans = self.spans.schema()
        schema = {
            "type": "object",
            "propertyNames": names,
            # Any other range fits as well; an editor proposes these.
            "properties": {
                days: {**spans, "description": "The hours of these days."} for days in ("mon-fri", *WEEKDAYS)
            },
            "additionalProperties": spans,
        }
        return say({**schema, "minProperties": 1}, "must be a map from days to hours")

    def read(self, value: Value, reading: Reading) -> tuple[Spans, ...]:
        chosen: dict[str, tuple[Spans, Span, bool]] = {}
        for name, entry in value.entries.items() if isinstance(value, MappingValue) else ():
            days = _weekdays(entry.key, reading) if re.match(WEEKDAY, name) else ()
            spans, place, alone = self.spans.read(entry.value, reading), entry.key.span, len(days) == 1
            for day in days:
                if day not in chosen or (alone and not chosen[day][2]):
                    chosen[day] = (spans, place, alone)
                elif chosen[day][2] == alone:
                    _overlap(f"{day} is in another range of days as well", (chosen[day][1], place), reading)
        return tuple(chosen[day][0] if day in chosen else () for day in WEEKDAYS)


def _weekdays(key: Scalar, reading: Reading) -> tuple[str, ...]:
    """Give the days of `wed` or of `mon-fri`; a range may go over the end of the week."""
    words = key.text.split("-")
    for word in words:
        if word not in WEEKDAYS:
            near = f'did you mean "{word[:3]}"?' if word[:3] in WEEKDAYS else did_you_mean(word, WEEKDAYS)
            help_ = near or f"known: {', '.join(WEEKDAYS)}"
            place = reading.locate(key.span, word)
            reading.report.error("unknown-day", f'unknown day "{word}"', place, about=word, help=help_)
            return ()
    first, last = WEEKDAYS.index(words[0]), WEEKDAYS.index(words[-1])
    return tuple(WEEKDAYS[(first + number) % 7] for number in range((last - first) % 7 + 1))


class ClosedKind(Kind):
    """`closed`: dates and ranges of dates."""

    one = Pattern(DATES, "must be a date such as 2026-12-24 or 12-24, or a range such as 12-24..12-26")
    shaped = Shaped("must be a date, or a list of dates", scalar=one, sequence=ListOf(one))

    def schema(self) -> Schema:
        return self.shaped.schema()

    def read(self, value: Value, reading: Reading) -> tuple[Days, ...]:
        items = value.items if isinstance(value, Sequence) else [value]
        found = (_days(item, reading) for item in items if isinstance(item, Scalar))
        return tuple(days for days in found if days)


class SpecialKind(Kind):
    """`special`: spans by date or range of dates."""

    spans = SpansKind()

    def schema(self) -> Schema:
        sentence = "must be a date such as 2026-12-24 or 12-24, or a range such as 12-24..12-26"
        names = {"pattern": DATES, "errorMessage": sentence}
        schema = {"type": "object", "propertyNames": names, "additionalProperties": self.spans.schema()}
        return say(schema, "must be a map from dates to hours")

    def read(self, value: Value, reading: Reading) -> tuple[tuple[Days, Spans], ...]:
        found: list[tuple[Days, Spans, Span]] = []
        for entry in value.entries.values() if isinstance(value, MappingValue) else ():
            days = _days(entry.key, reading)
            spans = self.spans.read(entry.value, reading)
            if days:
                found.append((days, spans, entry.key.span))
        _check_special(((days, place) for days, _, place in found), reading)
        return tuple((days, spans) for days, spans, _ in found)


def _check_special(found: Iterable[tuple[Days, Span]], reading: Reading) -> None:
    """Report ranges that hold a day of each other: nothing says which one counts. A single day beats any range."""
    ranges = [(days, place) for days, place in found if days.first != days.last]
    for (one, place), (other, later) in combinations(ranges, 2):
        same = bool(one.first.year) == bool(other.first.year)
        if same and (one.holds(_example(other.first)) or other.holds(_example(one.first))):
            _overlap("a day of these is in another range of dates as well", (place, later), reading)


def _example(day: Day) -> date:
    return date(day.year or _LEAP_YEAR, day.month, day.day)


def _days(value: Scalar, reading: Reading) -> Days | None:
    """Read `2026-12-24`, `12-24`, or a range of such; what the schema has reported gives None."""
    if not re.match(DATES, value.text):
        return None
    ends: list[Day] = []
    for text in value.text.split(".."):
        numbers = [int(part) for part in text.split("-")]
        day = Day(*numbers) if len(numbers) == 3 else Day(0, *numbers)
        try:
            # The year 0000, which is no year here, is found as well.
            date(day.year if len(numbers) == 3 else _LEAP_YEAR, day.month, day.day)
        except ValueError:
            place = reading.locate(value.span, text)
            help_ = "write year, month and day, or month and day: 2026-12-24, 12-24"
            reading.report.error("impossible-date", f"there is no day {text}", place, about=text, help=help_)
            return None
        ends.append(day)
    if ends[0].year and ends[0] > ends[-1]:
        first, last = value.text.split("..")
        help_ = f"write {last}..{first}"
        message = "this range of dates ends before it begins"
        reading.report.error("backward-range", message, value.span, about=value.text, help=help_)
        return None
    return Days(ends[0], ends[-1])


class HoursKind(Kind):
    """`hours`: opening hours by name."""

    mapping = Fields(
        (
            Field("zone", ZoneKind(), "The time zone of these hours; default: that of `defaults`."),
            Field("open", WeekKind(), "When it is open: spans by day of the week.", required=True),
            Field("closed", ClosedKind(), "Days on which it is closed; without a year they are so every year."),
            Field("special", SpecialKind(), "Days with hours of their own; they win over `closed` and `open`."),
        ),
        'must be opening hours such as `{open: {mon-fri: "09:00-17:30"}}`',
    )

    def schema(self) -> Schema:
        names = {"pattern": VARIABLE, "errorMessage": "must be a name such as office"}
        schema = {"type": "object", "propertyNames": names, "additionalProperties": self.mapping.schema()}
        return say(schema, "must be a map from names to opening hours")

    def read(self, value: Value, reading: Reading) -> dict[str, Hours]:
        found: dict[str, Hours] = {}
        for name, entry in value.entries.items() if isinstance(value, MappingValue) else ():
            read = self.mapping.read(entry.value, reading)
            week = read.get("open", ((),) * 7)
            found[name] = Hours(
                read.get("zone", ""), week, read.get("closed", ()), read.get("special", ()), entry.key.span
            )
        return found
