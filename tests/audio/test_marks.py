from __future__ import annotations

from flowengine.audio.marks import MarkLedger


def test_names_are_unique_and_carry_the_prefix() -> None:
    ledger = MarkLedger("c7.2")
    assert [ledger.issue("a", n, n, last=False).name for n in (1, 2, 3)] == ["c7.2.1", "c7.2.2", "c7.2.3"]


def test_taking_one_takes_those_before_it() -> None:
    ledger = MarkLedger("s")
    first, second, third = (ledger.issue("a", n, n, last=False) for n in (10, 20, 30))
    assert ledger.take("s.2") == second
    assert ledger.take(first.name) is None
    assert ledger.take("s.2") is None
    assert list(ledger.out) == [third]


def test_cancelling_an_item_or_all() -> None:
    ledger = MarkLedger("s")
    a = ledger.issue("a", 10, 10, last=True)
    b = ledger.issue("b", 20, 10, last=True)
    ledger.cancel({"a"})
    assert list(ledger.out) == [b]
    assert ledger.take("s.1") is None
    assert ledger.take_cancelled("s.1") == a
    assert ledger.take_cancelled("s.1") is None
    ledger.cancel()
    assert list(ledger.out) == []


def test_cancelled_marks_are_forgotten_in_the_end() -> None:
    ledger = MarkLedger("s")
    for n in range(100):
        ledger.issue("a", n, n, last=False)
    ledger.cancel()
    assert ledger.take_cancelled("s.1") is None
    assert ledger.take_cancelled("s.100") is not None
