"""Opening hours: which spans count, the clock on the wall, and the next beginning."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowengine.flow.diagnostics import Report
from flowengine.flow.hours import DAY, Day, Days, Hours, OpenHours, TimeSpan, is_open, opens
from flowengine.flow.kinds import Reading
from flowengine.flow.source import read
from flowengine.flow.timetable import HoursKind

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
OFFICE = """
zone: Europe/Berlin
open: {mon-fri: ["09:00-12:00", "13:00-17:30"], wed: "10:00-11:00", fri: ["22:00-02:00", "09:00-10:00"], sat: 24h}
closed: ["2026-12-24..2026-12-26", "01-01", "12-29..01-02"]
special: {"2026-12-25": "09:00-10:00", "12-31": "11:00-12:00", "2026-12-31": "09:00-12:00", "12-30..12-31": []}
"""


def hours(text: str) -> Hours:
    report = Report()
    document = read("flow.yaml", "office:\n" + "".join(f"  {line}\n" for line in text.strip().splitlines()), report)
    assert document.root is not None
    found = HoursKind().read(document.root, Reading(report, document.lines))
    assert report.diagnostics == []
    return found["office"]


@pytest.mark.parametrize(
    ("text", "moment", "open_"),
    [
        (OFFICE, "2026-01-05 08:59:59", False),  # a Monday
        (OFFICE, "2026-01-05 09:00", True),
        (OFFICE, "2026-01-05 11:59:59", True),
        (OFFICE, "2026-01-05 12:00", False),
        (OFFICE, "2026-01-05 13:00", True),
        (OFFICE, "2026-01-05 17:30", False),
        (OFFICE, "2026-01-07 09:30", False),  # Wednesday alone wins over mon-fri
        (OFFICE, "2026-01-07 10:30", True),
        (OFFICE, "2026-01-09 21:59", False),  # Friday night
        (OFFICE, "2026-01-09 22:00", True),
        (OFFICE, "2026-01-10 01:59", True),
        (OFFICE, "2026-01-10 23:59", True),  # all Saturday
        (OFFICE, "2026-01-11 00:00", False),
        (OFFICE, "2026-12-24 09:30", False),  # both ends of `..` are closed
        (OFFICE, "2026-12-26 09:30", False),
        (OFFICE, "2026-12-25 09:30", True),  # special wins over closed
        (OFFICE, "2026-12-25 10:30", False),  # and over open, a Friday
        (OFFICE, "2026-12-25 22:30", False),
        (OFFICE, "2025-12-26 23:00", True),  # another year
        (OFFICE, "2026-12-31 09:30", True),  # the day with its year over the one of every year
        (OFFICE, "2027-12-31 09:30", False),
        (OFFICE, "2027-12-31 11:30", True),
        (OFFICE, "2026-12-30 10:30", False),  # special without hours
        (OFFICE, "2027-01-01 10:30", False),  # every year's
        (OFFICE, "2027-12-29 10:30", False),  # a range over the turn of the year
        (OFFICE, "2028-01-02 10:30", False),
        (OFFICE, "2028-01-03 10:30", True),
        # A span over midnight belongs to the day on which it begins.
        ('open: {mon: "22:00-06:00"}\nclosed: "2026-01-06"', "2026-01-06 05:59", True),
        ('open: {mon: "22:00-06:00"}\nclosed: "2026-01-06"', "2026-01-06 06:00", False),
        ('open: {mon-sun: "22:00-06:00"}\nclosed: "2026-01-05"', "2026-01-05 05:00", True),
        ('open: {mon-sun: "22:00-06:00"}\nclosed: "2026-01-05"', "2026-01-05 23:00", False),
        ('open: {mon-sun: "22:00-06:00"}\nclosed: "2026-01-05"', "2026-01-06 05:00", False),
        ('open: {mon: "22:00-00:00"}', "2026-01-05 23:59", True),
        ('open: {mon: "22:00-24:00"}', "2026-01-05 23:59", True),
        ('open: {mon: "22:00-24:00"}', "2026-01-06 00:00", False),
        ('open: {fri-mon: "09:00-10:00"}', "2026-01-05 09:00", True),
        ('open: {fri-mon: "09:00-10:00"}', "2026-01-06 09:00", False),
        ('open: {mon: "09:00-10:00"}\nspecial: {"02-29": 24h}', "2028-02-29 23:00", True),
        ('open: {mon: "09:00-10:00"}\nspecial: {"02-20..03-10": [], "03-01": 24h}', "2027-03-01 23:00", True),
    ],
)
def test_open_or_closed(text: str, moment: str, open_: bool) -> None:
    assert is_open(hours(text), datetime.fromisoformat(moment).replace(tzinfo=BERLIN)) is open_


EVERY_NIGHT = 'open: {mon-sun: "22:00-06:00"}'
CHANGES = [
    # The clocks go forward: 02:00 is 03:00. A night shift has seven hours, and nine when they go back.
    (EVERY_NIGHT, BERLIN, "2026-03-28T21:00+00:00", "2026-03-29T04:00+00:00", 7),
    (EVERY_NIGHT, BERLIN, "2026-10-24T20:00+00:00", "2026-10-25T05:00+00:00", 9),
    (EVERY_NIGHT, NEW_YORK, "2026-03-08T03:00+00:00", "2026-03-08T10:00+00:00", 7),
    (EVERY_NIGHT, NEW_YORK, "2026-11-01T02:00+00:00", "2026-11-01T11:00+00:00", 9),
    ("open: {sun: 24h}", BERLIN, "2026-03-28T23:00+00:00", "2026-03-29T22:00+00:00", 23),
    ("open: {sun: 24h}", BERLIN, "2026-10-24T22:00+00:00", "2026-10-25T23:00+00:00", 25),
    ("open: {sun: 24h}", NEW_YORK, "2026-11-01T04:00+00:00", "2026-11-02T05:00+00:00", 25),
    # Opening at nine is at nine on the wall, before and after.
    ('open: {mon: "09:00-10:00"}', BERLIN, "2026-03-30T07:00+00:00", "2026-03-30T08:00+00:00", 1),
    ('open: {mon: "09:00-10:00"}', BERLIN, "2026-10-26T08:00+00:00", "2026-10-26T09:00+00:00", 1),
    # 02:30 is left out: it counts from before the gap, and is 03:30. In October the first 02:30 is meant.
    ('open: {sun: "02:30-04:00"}', BERLIN, "2026-03-29T01:30+00:00", "2026-03-29T02:00+00:00", 0.5),
    ('open: {sun: "02:30-04:00"}', BERLIN, "2026-10-25T00:30+00:00", "2026-10-25T03:00+00:00", 2.5),
    ('open: {sun: "01:00-02:30"}', BERLIN, "2026-10-24T23:00+00:00", "2026-10-25T00:30+00:00", 1.5),
    ('open: {sun: "01:30-03:00"}', NEW_YORK, "2026-11-01T05:30+00:00", "2026-11-01T08:00+00:00", 2.5),
]


@pytest.mark.parametrize(("text", "zone", "begin", "end", "long"), CHANGES)
def test_where_the_clocks_change(text: str, zone: ZoneInfo, begin: str, end: str, long: float) -> None:
    office = hours(f"zone: {zone.key}\n{text}")
    first, last = datetime.fromisoformat(begin), datetime.fromisoformat(end)
    assert last - first == timedelta(hours=long)
    tick = timedelta(seconds=1)
    moments = (first - tick, first, last - tick, last)
    assert [is_open(office, moment) for moment in moments] == [False, True, True, False]
    found = opens(office, first - tick)
    # Python calls no time that comes twice equal to one of another zone.
    assert found is not None
    assert found.astimezone(UTC) == first


def test_a_span_that_the_gap_swallows_opens_nothing() -> None:
    office = hours('zone: Europe/Berlin\nopen: {sun: "02:30-03:00"}')
    assert not any(is_open(office, datetime(2026, 3, 29, 0, minute, tzinfo=UTC)) for minute in range(60))
    assert opens(office, datetime(2026, 3, 28, tzinfo=UTC)) == datetime(2026, 4, 5, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment", "next_"),
    [
        (OFFICE, "2026-01-05 08:00", "2026-01-05 09:00"),
        (OFFICE, "2026-01-05 09:00", "2026-01-05 13:00"),  # strictly after now
        (OFFICE, "2026-01-05 17:30", "2026-01-06 09:00"),
        (OFFICE, "2026-01-09 12:00", "2026-01-09 22:00"),
        (OFFICE, "2026-01-09 22:00", "2026-01-12 09:00"),  # Saturday follows Friday's night without a gap
        (OFFICE, "2026-12-23 10:30", "2026-12-25 09:00"),
        (OFFICE, "2026-12-27 00:00", "2026-12-28 09:00"),
        (OFFICE, "2026-12-29 00:00", "2026-12-31 09:00"),
        ("open: {mon-sun: 24h}", "2026-01-05 08:00", None),  # it never closes
        ("open: {mon: []}", "2026-01-05 08:00", None),
        ('open: {mon-sun: "09:00-10:00"}\nclosed: "01-01..12-31"', "2026-01-05 08:00", None),
        ('open: {mon: []}\nspecial: {"2027-01-06": 24h}', "2026-01-05 08:00", "2027-01-06 00:00"),
        ('open: {mon: []}\nspecial: {"2027-01-08": 24h}', "2026-01-05 08:00", None),  # more than a year ahead
        ('open: {mon: "09:00-12:00", tue: ["12:00-14:00", "10:00-12:00"]}', "2026-01-06 08:00", "2026-01-06 10:00"),
        ('open: {mon: "09:00-12:00", tue: ["12:00-14:00", "10:00-12:00"]}', "2026-01-06 10:00", "2026-01-12 09:00"),
    ],
)
def test_the_next_beginning(text: str, moment: str, next_: str | None) -> None:
    found = opens(hours(text), datetime.fromisoformat(moment).replace(tzinfo=BERLIN))
    assert (f"{found:%Y-%m-%d %H:%M}" if found else None) == next_


def test_the_zone_of_the_hours_wins_over_that_of_now() -> None:
    nine = 'open: {mon: "09:00-10:00"}'
    now = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert not is_open(hours(nine), now)
    assert is_open(hours(nine), now.astimezone(BERLIN))
    office = OpenHours(hours(f"zone: Europe/Berlin\n{nine}"), now)
    assert office.open
    assert office.opens == datetime(2026, 1, 12, 9, tzinfo=BERLIN)
    assert office.opens.tzinfo == BERLIN
    with pytest.raises(ValueError, match="zone"):
        is_open(hours(nine), datetime(2026, 1, 5))


def test_the_end_of_the_calendar() -> None:
    office = hours("open: {mon: []}")
    assert opens(office, datetime(9999, 12, 31, 12, tzinfo=UTC)) is None
    assert not is_open(office, datetime(1, 1, 1, tzinfo=UTC))


ZONES = st.sampled_from(["", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
SPANS = st.lists(st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY)), max_size=3).map(
    lambda pairs: tuple(sorted(TimeSpan(begin, begin + length) for begin, length in pairs))
)
DAYS = st.tuples(st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.integers(0, 20), st.booleans()).map(
    lambda given: Days(
        *(Day(day.year * given[2], day.month, day.day) for day in (given[0], given[0] + timedelta(given[1])))
    )
)
HOURS = st.builds(
    Hours,
    ZONES,
    st.tuples(*[SPANS] * 7),
    st.lists(DAYS, max_size=3).map(tuple),
    st.lists(st.tuples(DAYS, SPANS), max_size=3).map(tuple),
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.sampled_from([UTC, BERLIN, NEW_YORK]))


@given(HOURS, MOMENTS)
def test_closed_just_before_it_opens_and_open_then(office: Hours, now: datetime) -> None:
    found = opens(office, now)
    tick = timedelta(microseconds=1)
    if found is None:
        return
    moment = found.astimezone(UTC)
    assert now.astimezone(UTC) < moment <= now.astimezone(UTC) + timedelta(days=366)
    assert is_open(office, moment.astimezone(now.tzinfo))
    if not is_open(office, now):
        # Nothing opens between.
        between = now.astimezone(UTC) + (moment - now.astimezone(UTC)) / 2
        assert not is_open(office, between.astimezone(now.tzinfo))
    assert not is_open(office, (moment - tick).astimezone(now.tzinfo))
