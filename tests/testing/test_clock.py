"""The clock of a test: with and without an offset, and what is no moment."""

from __future__ import annotations

import pytest

from flowengine.testing import clock


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2026-01-05T10:00", "UTC", "2026-01-05T10:00:00+00:00"),
        ("2026-01-05T10:00", "Europe/Berlin", "2026-01-05T09:00:00+00:00"),
        ("2026-07-05T10:00:30", "Europe/Berlin", "2026-07-05T08:00:30+00:00"),
        ("2026-12-25T10:00+01:00", "America/New_York", "2026-12-25T09:00:00+00:00"),
        ("2026-12-25T10:00Z", "America/New_York", "2026-12-25T10:00:00+00:00"),
    ],
)
def test_a_moment_is_local_unless_it_has_an_offset(text: str, zone: str, utc: str) -> None:
    assert clock.started(text, zone) == utc


@pytest.mark.parametrize("text", ["", "2026-01-05", "2026-02-30T10:00", "2026-01-05T25:00", "10:00", "2026-1-5T10:00"])
def test_what_is_no_moment(text: str) -> None:
    assert clock.moment(text) is None
    with pytest.raises(ValueError, match="no moment"):
        clock.started(text, "UTC")
