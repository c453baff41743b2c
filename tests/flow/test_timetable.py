"""Reading opening hours: what an author reads of a mistake, where it is, and that nothing breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.loader import load
from flowengine.plugins import node_types

TAIL = "nodes:\n  bye:\n    say: Goodbye.\n    goto: end\n"


def findings(fields: str) -> tuple[Diagnostic, ...]:
    text = f"flow: x\nversion: 1\nhours:\n  office: {fields}\ndefaults: {{zone: UTC}}\n{TAIL}"
    return load("flow.yaml", text, node_types()).diagnostics


@pytest.mark.parametrize(
    ("fields", "code", "about", "help_"),
    [
        ('{open: {mon: "09:00-09:00"}}', "empty-span", "09:00-09:00", "write 24h for the whole day"),
        ('{open: {mon: "00:00-00:00"}}', "empty-span", "00:00-00:00", "write 24h for the whole day"),
        ("{open: {mon: [24h, 24h]}}", "overlapping-hours", "", "leave one of the two out"),
        ('{open: {mon: ["09:00-12:00", "11:59-13:00"]}}', "overlapping-hours", "", "leave one"),
        ('{open: {mon: ["22:00-02:00", "23:00-23:30"]}}', "overlapping-hours", "", "leave one"),
        ("{open: {mon-wed: 24h, wed-fri: 24h}}", "overlapping-hours", "", "leave one"),
        ("{open: {sat-mon: 24h, mon-fri: 24h}}", "overlapping-hours", "", "leave one"),
        ("{open: {mon: 24h}, special: {12-24..12-26: 24h, 12-26..01-02: 24h}}", "overlapping-hours", "", "leave one"),
        ("{open: {monday: 24h}}", "unknown-day", "monday", 'did you mean "mon"?'),
        ("{open: {wednesday-fri: 24h}}", "unknown-day", "wednesday", 'did you mean "wed"?'),
        ("{open: {mon-fry: 24h}}", "unknown-day", "fry", 'did you mean "fri"?'),
        ("{open: {holidays: 24h}}", "unknown-day", "holidays", "known: mon, tue"),
        ("{open: {mon: 24h}, closed: 02-30}", "impossible-date", "02-30", "write year, month and day"),
        ("{open: {mon: 24h}, closed: [2026-02-29]}", "impossible-date", "2026-02-29", "write year"),
        ("{open: {mon: 24h}, closed: [0000-01-01]}", "impossible-date", "0000-01-01", "write year"),
        ("{open: {mon: 24h}, closed: 12-24..12-32}", "impossible-date", "12-32", "write year"),
        ("{open: {mon: 24h}, special: {13-01: 24h}}", "impossible-date", "13-01", "write year"),
        (
            "{open: {mon: 24h}, closed: 2026-12-26..2026-12-24}",
            "backward-range",
            "2026-12-26..2026-12-24",
            "write 2026-12-24..2026-12-26",
        ),
        ("{zone: Europe/Berlim, open: {mon: 24h}}", "unknown-zone", "Europe/Berlim", 'did you mean "Europe/Berlin"?'),
        ("{zone: berlin, open: {mon: 24h}}", "unknown-zone", "berlin", 'did you mean "Europe/Berlin"?'),
        ("{zone: Europe, open: {mon: 24h}}", "unknown-zone", "Europe", ""),
        ("{zone: Xyzzy, open: {mon: 24h}}", "unknown-zone", "Xyzzy", "zones are written as"),
        # What the schema says.
        ("{zone: ../etc, open: {mon: 24h}}", "wrong-value", "../etc", ""),
        ('{open: {mon: "9-17"}}', "wrong-value", "9-17", ""),
        ('{open: {mon: "25:00-26:00"}}', "wrong-value", "25:00-26:00", ""),
        ("{open: {Mon: 24h}}", "bad-name", "Mon", ""),
        ("{open: {mon: 24h}, closed: christmas}", "wrong-value", "christmas", ""),
        ("{open: {mon: 24h}, closed: 2026-12-24..12-26}", "wrong-value", "2026-12-24..12-26", ""),
        ("{open: {mon: 24h}, special: {easter: 24h}}", "bad-name", "easter", ""),
        ("{closed: 12-24}", "missing-field", "open", ""),
        ("{open: {}}", "wrong-value", "open", ""),
        ("{open: {mon: 24h}, opened: 1}", "unknown-field", "opened", ""),
        ("always", "wrong-value", "always", ""),
    ],
)
def test_a_mistake_is_told_at_its_place(fields: str, code: str, about: str, help_: str) -> None:
    (found,) = findings(fields)
    assert (found.code, found.about) == (code, about)
    assert found.help.startswith(help_)
    assert found.span.line == 4
    if about and code not in ("missing-field", "wrong-value"):
        assert found.span.end_column - found.span.column == len(about)


@pytest.mark.parametrize(
    "fields",
    [
        '{zone: Europe/Berlin, open: {mon-fri: ["09:00-12:00", "13:00-17:30"], sat: "10:00-13:00"}}',
        '{open: {mon-fri: "09:00-17:00", wed: []}}',
        '{open: {mon-wed: 24h, wed: [], wed-fri: 24h, sat-sun: "22:00-00:00"}, closed: 02-29}',
        "{open: {fri-mon: 24h}, closed: [2026-12-24..2026-12-26, 12-24..01-02, 2026-12-24..2026-12-24]}",
        "{open: {mon: 24h}, special: {12-24..12-26: 24h, 12-25: [], 2026-12-25: 24h, 2026-12-01..2026-12-31: 24h}}",
    ],
)
def test_what_is_right(fields: str) -> None:
    found = findings(fields)
    # A day may be in two ranges where it stands alone as well.
    assert [one.code for one in found] == []


VALUES = st.recursive(
    st.sampled_from(
        ["24h", "09:00-17:00", '"22:00-02:00"', "[]", "null", "5", "true", "12-24", "2026-02-30", "a..b", "mon", "x: y"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(
                ["open", "closed", "special", "zone", "mon", "mon-fri", "fri-mon-tue", "-", "12-24", "0000-01-01"]
            ),
            inner,
            max_size=3,
        ).map(lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}")
    ),
    max_leaves=8,
)


@given(VALUES)
def test_whatever_is_written_gives_findings_or_hours(fields: str) -> None:
    text = f"flow: x\nversion: 1\nhours:\n  office: {fields}\ndefaults: {{zone: UTC}}\n{TAIL}"
    loaded = load("flow.yaml", text, node_types())
    assert loaded.flow is not None or loaded.diagnostics
