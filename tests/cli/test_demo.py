"""`flowengine demo` holds its recordings against what the phone saw: here recordings that are wrong on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from flowengine.audio import mulaw
from flowengine.audio.tones import sine
from flowengine.cli.demo import check_recording, plans
from flowengine.cli.main import main
from flowengine.testing.report import CallReport, Event, Stretch

TONE = mulaw.encode(sine(440.0, 1.0))
QUIET = b"\xff" * 8000


def report(played: list[tuple[float, bytes]], *events: tuple[float, str]) -> CallReport:
    return CallReport(
        events=[Event(at, kind, {"unplayed": 0, "marks": []}) for at, kind in events],
        played=[Stretch(at, bytearray(audio)) for at, audio in played],
        duration=5.0,
    )


CASES = [
    # what was played when, what the phone wrote down, what is wrong
    ("right", [(1.0, TONE)], [(1.0, "audio_started"), (2.0, "audio_stopped")], []),
    ("two", [(0.5, TONE), (2.5, TONE)], [(0.5, "audio_started"), (1.5, "audio_stopped"), (2.5, "audio_started"),
                                         (3.5, "audio_stopped")], []),
    ("silent", [(1.0, QUIET)], [(1.0, "audio_started"), (2.0, "audio_stopped")],
     ["nothing is heard of the prompt at 1.0 s"]),
    ("one silent", [(0.5, TONE), (2.5, QUIET)], [(0.5, "audio_started"), (1.5, "audio_stopped"),
                                                 (2.5, "audio_started"), (3.5, "audio_stopped")],
     ["nothing is heard of the prompt at 2.5 s"]),
    ("missing", [], [(1.0, "audio_started")], ["nothing is heard of the prompt at 1.0 s"]),
    ("cleared", [(1.0, TONE[:4000])], [(1.0, "audio_started"), (1.5, "cleared")], []),
    # One frame that was under way is heard, more is not.
    ("cleared late", [(1.0, TONE[:4160])], [(1.0, "audio_started"), (1.5, "cleared")], []),
    ("not cleared", [(1.0, TONE)], [(1.0, "audio_started"), (1.5, "cleared")],
     ["something is heard after the clear at 1.5 s"]),
    ("the next prompt", [(1.0, TONE[:4000]), (2.0, TONE)],
     [(1.0, "audio_started"), (1.5, "cleared"), (2.0, "audio_started"), (3.0, "audio_stopped")], []),
    ("nothing", [], [], ["nothing was played at all"]),
]  # fmt: skip


@pytest.mark.parametrize(("played", "events", "wrong"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_recording_is_held_against_the_diary(
    tmp_path: Path, played: list[tuple[float, bytes]], events: list[tuple[float, str]], wrong: list[str]
) -> None:
    one = report(played, *events)
    wav = tmp_path / "call.wav"
    one.save_wav(wav)
    assert check_recording(one, wav) == wrong


def test_the_two_calls_are_of_different_carriers_and_end_alike() -> None:
    one, two = plans()
    assert {one.carrier, two.carrier} == {"twilio", "vobiz"}
    assert one.path[0] == two.path[0]
    assert one.path[-1] == two.path[-1] == "bye"


def test_without_its_flow_the_demo_is_used_wrongly(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "nowhere.yaml")])
    assert result.exit_code == 2
    assert "there is no flow at" in result.stderr
