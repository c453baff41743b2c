"""The wall clock of a test: a text with or without an offset -> the moment in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?$"


def moment(text: str) -> datetime | None:
    """Give the moment that a text names, as it was written; None where the calendar has no such day or time."""
    if not re.match(PATTERN, text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def started(text: str, zone: str) -> str:
    """Give the moment as ISO 8601 in UTC; a text without an offset is local to the zone."""
    found = moment(text)
    if found is None:
        raise ValueError(f"{text} is no moment of the calendar")
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(zone))
    return found.astimezone(UTC).isoformat()
