from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from flowengine.testing.line import Line
from flowengine.testing.report import Diary
from flowengine.testing.virtual_time import let_pass, run

LOUD, QUIET = b"\x80", b"\xff"


def scene(play: Callable[[Line], Coroutine[Any, Any, None]]) -> list[tuple[float, str, dict[str, Any]]]:
    async def inner() -> list[tuple[float, str, dict[str, Any]]]:
        diary = Diary(None)
        await play(Line(diary.clock, diary.emit, lambda _: None))
        return [(round(event.at, 3), event.kind, event.data) for event in diary.report.events]

    return run(inner())


def test_audio_plays_from_its_arrival_without_gaps_or_with_them() -> None:
    async def play(line: Line) -> None:
        line.audio(LOUD * 160)
        await let_pass(0.01)
        line.audio(LOUD * 160)
        assert line.position() == 80
        await let_pass(0.1)
        assert line.position() == 0
        line.audio(LOUD * 80)
        await let_pass(0.1)
        assert [len(stretch.audio) for stretch in line.played] == [320, 80]

    assert scene(play) == [
        (0, "audio_started", {}),
        (0.04, "audio_stopped", {"samples": 320}),
        (0.11, "audio_started", {}),
        (0.12, "audio_stopped", {"samples": 80}),
    ]


def test_marks_of_one_instant_keep_their_order() -> None:
    async def play(line: Line) -> None:
        line.audio(LOUD * 160)
        for name in "zyxw":
            line.mark(name, needs_audio=True)
        await let_pass(1)

    assert [data["name"] for _, kind, data in scene(play) if kind == "mark_played"] == list("zyxw")


def test_clear_forgets_that_there_was_audio() -> None:
    async def play(line: Line) -> None:
        line.audio(LOUD * 800)
        await let_pass(0.05)
        assert line.clear() == (400, [])
        line.mark("a", needs_audio=True)
        line.mark("b", needs_audio=False)

    assert [(kind, data) for _, kind, data in scene(play)][2:] == [
        ("mark_ignored", {"name": "a"}),
        ("mark_played", {"name": "b"}),
    ]


def test_what_is_audible() -> None:
    async def play(line: Line) -> None:
        assert line.quiet() is None
        line.audio(QUIET * 1600 + LOUD * 1600 + QUIET * 1600 + LOUD * 800 + QUIET * 8000)
        await let_pass(0.15)
        assert not line.heard(0, 0.0)
        assert line.quiet() is None
        await let_pass(0.3)
        assert line.heard(0, 0.2)
        assert not line.heard(0, 0.3)
        await let_pass(0.75)  # a breath does not end the sound; it ended at 0.7
        quiet = line.quiet()
        assert quiet is not None
        assert abs(quiet - 0.5) < 1e-6
        assert line.heard(0, 0.5)
        assert not line.heard(0.8, 0.0)

    scene(play)
