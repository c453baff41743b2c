"""The explanations of what is wrong with opening hours."""

from __future__ import annotations

from flowengine.flow.explanation import Explanation, flow


def _hours(*fields: str) -> str:
    lines = "".join(f"    {field}\n" for field in fields)
    nodes = "nodes:\n  bye:\n    say: Goodbye.\n    goto: end\n"
    return flow(f"defaults: {{zone: Europe/Berlin}}\nhours:\n  office:\n{lines}{nodes}")


HOURS = (
    Explanation(
        "backward-range",
        "a range of dates that ends before it begins",
        "No day would be in it. Only ranges without a year go over the turn of the year: 12-24..01-02.",
        "write the earlier date first",
        _hours('open: {mon-fri: "09:00-17:00"}', 'closed: ["2026-12-26..2026-12-24"]'),
    ),
    Explanation(
        "empty-span",
        "hours that end when they begin",
        "Nobody can tell whether the whole day is meant, or nothing.",
        "write 24h for the whole day, [] for a day without hours, or another end",
        _hours('open: {mon-fri: "09:00-09:00"}'),
    ),
    Explanation(
        "impossible-date",
        "a day that is in no calendar",
        "The day would never come.",
        "correct the month or the day; 02-29 is a day of leap years",
        _hours('open: {mon-fri: "09:00-17:00"}', 'closed: ["02-30"]'),
    ),
    Explanation(
        "overlapping-hours",
        "hours, or ranges of days, that overlap",
        "The same time is told twice, so one of the two is a mistake; of two ranges nothing says which one counts.",
        "let one end where the other begins; a single day (wed) may stand beside a range (mon-fri) and wins",
        _hours('open: {mon-fri: ["09:00-13:00", "12:00-17:00"]}'),
    ),
    Explanation(
        "unknown-day",
        "a day of the week that there is not",
        "Days are mon, tue, wed, thu, fri, sat and sun, and ranges such as mon-fri.",
        "write the first three letters of the English word",
        _hours('open: {monday-fri: "09:00-17:00"}'),
    ),
    Explanation(
        "unknown-zone",
        "a time zone that there is not",
        "Without its zone nobody knows when nine o'clock is.",
        "write a name of the IANA database, such as Europe/Berlin",
        _hours("zone: Berlin", 'open: {mon-fri: "09:00-17:00"}'),
    ),
)
