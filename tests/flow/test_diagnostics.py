"""Reports: one finding a place, warnings can be silenced, and the nearest word is found."""

from __future__ import annotations

import pytest

from flowengine.flow.diagnostics import Report, Span, did_you_mean, one_of

SPAN = Span("f", 2, 3, 2, 6)


def test_the_same_finding_is_kept_once() -> None:
    report = Report()
    for _ in range(2):
        report.error("c", "m", SPAN, about="x")
    report.error("c", "m", SPAN, about="y")
    assert [d.about for d in report.diagnostics] == ["x", "y"]
    assert report.failed


def test_a_line_silences_warnings_and_no_errors() -> None:
    report = Report(ignored={("f", 2): frozenset({"c"})})
    report.warning("c", "m", SPAN)
    report.warning("d", "m", SPAN)
    assert not report.failed
    report.error("c", "m", SPAN)
    assert [(d.code, str(d.severity)) for d in report.diagnostics] == [("d", "warning"), ("c", "error")]


def test_findings_are_sorted_as_they_stand() -> None:
    report = Report()
    report.error("b", "m", Span("f", 9, 1, 9, 2))
    report.error("a", "m", Span("f", 2, 7, 2, 8))
    report.error("c", "m", SPAN)
    assert [d.code for d in report.sorted()] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("inner", "inside"),
    [(SPAN, True), (Span("f", 2, 4, 2, 5), True), (Span("f", 2, 4, 2, 7), False), (Span("g", 2, 4, 2, 5), False)],
)
def test_an_error_inside_a_span(inner: Span, inside: bool) -> None:
    report = Report()
    report.error("c", "m", inner)
    assert report.has_error_in(SPAN) is inside


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("mian", ["main", "menu"], 'did you mean "main"?'),
        ("sey", ["say", "set"], 'did you mean "say"?'),
        ("xyz", ["main"], ""),
        ("x", [], ""),
    ],
)
def test_did_you_mean(word: str, known: list[str], near: str) -> None:
    assert did_you_mean(word, known) == near


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_one_of(words: list[str], text: str) -> None:
    assert one_of(words) == text
