"""When a vendor that failed is tried again."""

from __future__ import annotations

import pytest

from flowengine.call.breaker import BUSY, FAILURES, OPEN, REFUSED, WINDOW, Breaker
from flowengine.errors import ProviderError


def error(kind: str, *, lasting: bool = False) -> ProviderError:
    return ProviderError("x", kind, retryable=not lasting, lasting=lasting)


def failing(times: int, apart: float, failure: ProviderError | None = None) -> tuple[Breaker, float]:
    breaker, now = Breaker(), 0.0
    for number in range(times):
        now = 100.0 + number * apart
        breaker.failed(failure or error("unavailable"), now)
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
def test_an_account_that_is_refused_opens_it_at_once_and_for_longer(kind: str) -> None:
    breaker, now = failing(1, 0.0, error(kind, lasting=True))
    assert not breaker.allows(now + REFUSED - 0.1)
    assert breaker.allows(now + REFUSED)


def test_a_request_that_is_refused_is_its_own_affair() -> None:
    breaker, now = failing(FAILURES + 1, 0.1, error("rejected"))
    assert breaker.allows(now)


def test_a_request_too_many_opens_it_for_a_moment() -> None:
    breaker, now = failing(1, 0.0, error("quota"))
    assert not breaker.allows(now + BUSY - 0.1)
    assert breaker.allows(now + BUSY)


def test_after_its_time_one_try_decides() -> None:
    breaker, now = failing(FAILURES, 0.1)
    later = now + OPEN
    assert breaker.allows(later)
    breaker.failed(error("timeout"), later)
    assert not breaker.allows(later + 1)


def test_an_answer_mends_everything() -> None:
    breaker, now = failing(FAILURES, 0.1)
    breaker.worked()
    assert breaker.allows(now)
    breaker.failed(error("timeout"), now)
    assert breaker.allows(now)
