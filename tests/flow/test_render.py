"""Diagnostics as text: the caret stands under the word, whatever the line holds."""

from __future__ import annotations

import json

import pytest

from flowengine.flow import render
from flowengine.flow.diagnostics import Diagnostic, Label, Severity, Span


def place(line: int, column: int, length: int, file: str = "f.yaml") -> Span:
    return Span(file, line, column, line, column + length)


def caret(line: str, word: str) -> tuple[str, str]:
    span = place(1, line.index(word) + 1, len(word))
    text = render.full([Diagnostic("code", "message", span)], {"f.yaml": [line]})
    return text.splitlines()[3], text.splitlines()[4]


def test_full() -> None:
    diagnostic = Diagnostic(
        "duplicate-key",
        'the key "b" stands here a second time',
        place(12, 3, 1),
        about="b",
        help="rename one",
        fix="  c: 2",
        related=(Label(place(2, 3, 1), "first here"),),
    )
    lines = ["a:", "  b: 1", *[""] * 9, "  b: 2"]
    assert render.full([diagnostic], {"f.yaml": lines}) == (
        'error[duplicate-key]: the key "b" stands here a second time\n'
        "  --> f.yaml:12:3\n"
        "   |\n"
        " 2 |   b: 1\n"
        "   |   - first here\n"
        "...\n"
        "12 |   b: 2\n"
        "   |   ^\n"
        "   = help: rename one\n"
        "   = fix: c: 2\n"
    )


def test_a_label_in_another_file_has_its_own_place() -> None:
    diagnostic = Diagnostic("c", "m", place(1, 1, 1), related=(Label(place(1, 1, 1, "g.yaml"), "first here"),))
    text = render.full([diagnostic], {"f.yaml": ["x"], "g.yaml": ["y"]})
    assert " --> f.yaml:1:1" in text
    assert " ::: g.yaml:1:1\n  |\n1 | y\n  | - first here" in text


@pytest.mark.parametrize(
    "line", ["say: bad", "\tsay:\tbad", "say: 您好 bad", "say: e\u0301e\u0301 bad", "say: 👋 bad", "say: नमस्ते bad"]
)
def test_the_caret_stands_under_the_word(line: str) -> None:
    shown, marked = caret(line, "bad")
    assert render.columns(shown[: shown.index("bad")]) == marked.index("^")
    assert marked.count("^") == 3


def test_wide_words_have_wide_carets() -> None:
    assert caret("say: 您好", "您好")[1].count("^") == 4


@pytest.mark.parametrize("before", [0, 40, 5000])
@pytest.mark.parametrize("after", [0, 40, 5000])
def test_a_long_line_is_cut_around_the_place(before: int, after: int) -> None:
    shown, marked = caret("x" * before + "bad" + "y" * after, "bad")
    assert shown[marked.index("^") :].startswith("bad")
    assert render.columns(shown) <= render.EXCERPT + 10
    assert ("…" in shown) is (before + after > 200)


def test_a_place_behind_the_end_still_has_a_caret() -> None:
    text = render.full([Diagnostic("c", "m", place(1, 50, 3))], {"f.yaml": ["ab"]})
    assert text.splitlines()[4] == "  |   ^"


def test_a_file_without_lines_has_no_excerpt() -> None:
    assert render.full([Diagnostic("c", "m", place(1, 1, 1))], {}) == "error[c]: m\n --> f.yaml:1:1\n"


def test_nothing_of_a_file_reaches_the_terminal_as_a_command() -> None:
    diagnostic = Diagnostic("c", "\x1b[2Jm\u202e", place(1, 1, 1), about="\x1b", help="\x07")
    for text in (
        render.full([diagnostic], {"f.yaml": ["\x1b[31mred\x9b"]}),
        render.concise([diagnostic]),
    ):
        assert not set(text) & set("\x1b\x07\x9b\u202e")


def test_colour_only_when_asked() -> None:
    diagnostics = [Diagnostic("c", "m", place(1, 1, 1)), Diagnostic("c", "m", place(1, 1, 1), Severity.WARNING)]
    sources = {"f.yaml": ["x"]}
    assert "\x1b" not in render.full(diagnostics, sources) + render.concise(diagnostics)
    assert "\x1b[1;31merror[c]\x1b[0m" in render.full(diagnostics, sources, colour=True)
    assert "\x1b[1;33mwarning[c]\x1b[0m" in render.concise(diagnostics, colour=True)


def test_concise() -> None:
    found = [Diagnostic("c", "m", place(3, 7, 1), help="h"), Diagnostic("d", "n", place(4, 1, 1), Severity.WARNING)]
    assert render.concise(found) == "f.yaml:3:7: error[c] m (h)\nf.yaml:4:1: warning[d] n\n"


def test_json() -> None:
    diagnostic = Diagnostic("c", "m", place(3, 7, 2), about="x", related=(Label(place(1, 1, 1), "first here"),))
    assert json.loads(render.json_text([diagnostic])) == {
        "diagnostics": [
            {
                "code": "c",
                "severity": "error",
                "file": "f.yaml",
                "line": 3,
                "column": 7,
                "end_line": 3,
                "end_column": 9,
                "about": "x",
                "message": "m",
                "help": "",
                "fix": None,
                "related": [{"file": "f.yaml", "line": 1, "column": 1, "message": "first here"}],
            }
        ]
    }


@pytest.mark.parametrize(
    ("errors", "warnings", "files", "text"),
    [
        (0, 0, 1, ""),
        (1, 0, 1, "Found 1 error in 1 file."),
        (3, 1, 2, "Found 3 errors and 1 warning in 2 files."),
        (0, 2, 1, "Found 2 warnings in 1 file."),
    ],
)
def test_summary(errors: int, warnings: int, files: int, text: str) -> None:
    found = [Diagnostic("c", "m", place(1, 1, 1))] * errors
    found += [Diagnostic("c", "m", place(1, 1, 1), Severity.WARNING)] * warnings
    assert render.summary(found, files) == text
