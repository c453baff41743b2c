"""Opening hours: when they are open, and when they open next.

Times are those of the clock on the wall in the hours' zone. Where daylight saving changes, RFC 5545 (3.3.5) says what
a time means: one that comes twice is the first of the two, one that is left out counts from before the gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flowengine.flow.diagnostics import Span

DAY = 24 * 60
_YEAR = timedelta(days=366)


class TimeSpan(NamedTuple):
    """A stretch of a day in minutes from midnight; ``end`` is exclusive, and beyond ``DAY`` it is the next day's."""

    begin: int
    end: int


class Day(NamedTuple):
    """A day of the calendar; ``year`` 0 means every year."""

    year: int
    month: int
    day: int


class Days(NamedTuple):
    """The days from ``first`` to ``last``, both included; without years they may go over the turn of the year."""

    first: Day
    last: Day

    def holds(self, day: date) -> bool:
        """Say whether the day is one of them."""
        if self.first.year:
            return self.first <= (day.year, day.month, day.day) <= self.last
        first, last, one = self.first[1:], self.last[1:], (day.month, day.day)
        return first <= one <= last if first <= last else one >= first or one <= last

    @property
    def rank(self) -> tuple[bool, bool]:
        """What wins where several hold a day, the least first: a single day, then one with its year."""
        return (self.first != self.last, not self.first.year)


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours. ``week`` has the spans of each day from Monday on; ``zone`` is empty for the flow's zone,
    ``span`` is the place of the name.
    """

    zone: str = ""
    week: tuple[tuple[TimeSpan, ...], ...] = ((),) * 7
    closed: tuple[Days, ...] = ()
    special: tuple[tuple[Days, tuple[TimeSpan, ...]], ...] = ()
    span: Span | None = field(default=None, compare=False)

    def spans(self, day: date) -> tuple[TimeSpan, ...]:
        """Give the spans that begin on a day: `special` wins over `closed`, `closed` over the week."""
        special = [one for one in self.special if one[0].holds(day)]
        if special:
            return min(special, key=lambda one: one[0].rank)[1]
        return () if any(days.holds(day) for days in self.closed) else self.week[day.weekday()]


@dataclass(frozen=True)
class OpenHours:
    """Hours at a moment: what expressions read under the name of the hours."""

    hours: Hours
    now: datetime

    @property
    def open(self) -> bool:
        """Whether they are open now."""
        return is_open(self.hours, self.now)

    @cached_property
    def opens(self) -> datetime | None:
        """The next beginning after now; None without one in a year."""
        return opens(self.hours, self.now)


def is_open(hours: Hours, now: datetime) -> bool:
    """Say whether the hours are open at a moment (aware; in the flow's zone where the hours have none)."""
    zone, moment = _local(hours, now)
    return any(begin <= moment < end for begin, end in _around(hours, moment.astimezone(zone).date(), zone))


def opens(hours: Hours, now: datetime) -> datetime | None:
    """Give the next moment after now at which closed becomes open, in the hours' zone; None without one in a year.

    Where one span follows another without a gap, as of days of `24h`, the second does not open anything.
    """
    zone, moment = _local(hours, now)
    first = moment.astimezone(zone).date()
    for offset in range(_YEAR.days + 1):
        try:
            day = first + timedelta(days=offset)
        except OverflowError:
            return None
        for begin, _ in sorted(_of_day(hours, day, zone)):
            if begin > moment + _YEAR:
                return None
            before = any(other < begin <= end for other, end in _around(hours, day, zone))
            if begin > moment and not before:
                return begin.astimezone(zone)
    return None


def _local(hours: Hours, now: datetime) -> tuple[tzinfo, datetime]:
    """Give the zone, and now in UTC: only there moments of one zone are compared and not its wall clock."""
    zone = ZoneInfo(hours.zone) if hours.zone else now.tzinfo
    if zone is None or now.tzinfo is None:
        raise ValueError("hours are asked about a moment with its zone")
    return zone, now.astimezone(UTC)


def _around(hours: Hours, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans that can hold a moment of the day: its own, and those of the day before."""
    if day > date.min:
        yield from _of_day(hours, day - timedelta(days=1), zone)
    yield from _of_day(hours, day, zone)


def _of_day(hours: Hours, day: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    for span in hours.spans(day):
        begin, end = _moment(day, span.begin, zone), _moment(day, span.end, zone)
        if begin < end:  # the gap of a change of daylight saving may have swallowed it
            yield begin, end


@lru_cache(maxsize=256)
def _moment(day: date, minutes: int, zone: tzinfo) -> datetime:
    """Give a time of the wall clock as a moment in UTC."""
    days, minutes = divmod(minutes, DAY)
    try:
        wall = datetime.combine(day, time(minutes // 60, minutes % 60)) + timedelta(days=days)
        return wall.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
