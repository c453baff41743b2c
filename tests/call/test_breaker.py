"""When a vendor that failed is tried again."""

from __future__ import annotations

import pytest

from flowengine.call.breaker import FAILURES, OPEN, REFUSED, WINDOW, Breaker


def failing(times: int, apart: float, kind: str = "unavailable") -> tuple[Breaker, float]:
    breaker, now = Breaker(), 0.0
    for number in range(times):
        now = 100.0 + number * apart
        breaker.failed(kind, now)
    return breaker, now


@pytest.mark.parametrize(
    ("times", "apart", "open_"),
    [
        (FAILURES - 1, 0.1, False),
        (FAILURES, 0.1, True),
        (FAILURES, WINDOW / (FAILURES - 1), True),
        (FAILURES, 10.0, False),
    ],
)
def test_five_failures_in_half_a_minute_open_it(times: int, apart: float, open_: bool) -> None:
    breaker, now = failing(times, apart)
    assert breaker.allows(now) is not open_
    assert breaker.allows(now + OPEN)


@pytest.mark.parametrize("kind", ["rejected", "quota"])
def test_a_refusal_opens_it_at_once_and_for_longer(kind: str) -> None:
    breaker, now = failing(1, 0.0, kind)
    assert not breaker.allows(now + REFUSED - 0.1)
    assert breaker.allows(now + REFUSED)


def test_after_its_time_one_try_decides() -> None:
    breaker, now = failing(FAILURES, 0.1)
    later = now + OPEN
    assert breaker.allows(later)
    breaker.failed("timeout", later)
    assert not breaker.allows(later + 1)


def test_an_answer_mends_everything() -> None:
    breaker, now = failing(FAILURES, 0.1)
    breaker.worked()
    assert breaker.allows(now)
    breaker.failed("timeout", now)
    assert breaker.allows(now)
