"""The driver, on virtual time, with the engine that there is; a key is what stops a prompt of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flowengine.server.run import Application, Ports
from flowengine.settings import Settings
from flowengine.testing.labels import Timeline
from flowengine.testing.script import HangUp, Keys, Say, Script, Silence, WaitAudio
from flowengine.testing.voices import Speech
from tests.bench import ears
from tests.ears.baselines import Energy, baseline, energy
from tests.ears.driver import TimelineOf, keys_only, on_virtual_time
from tests.ears.following import Track, follow, reference
from tests.ears.scenarios import REFERENCE, Scenario, scenarios
from tests.ears.scoring import interruption, undisturbed
from tests.ears.voice import ThreadedVoice, opened


@pytest.fixture(scope="module")
def voice() -> Iterator[ThreadedVoice]:
    with opened() as voice:
        yield voice


@pytest.fixture(scope="module")
def prompt(voice: ThreadedVoice) -> Track:
    (quiet,) = on_virtual_time(keys_only, [REFERENCE], voice)
    assert quiet.report.failures == []
    return reference(quiet.report.samples(quiet.report.played))


def scene(*steps: Any) -> Scenario:
    return Scenario("interruption", "clean", "ears", Script((WaitAudio(0.1), *steps, HangUp())), 5)


def test_the_prompt_is_long_and_followed_to_its_end(voice: ThreadedVoice, prompt: Track) -> None:
    assert 40 < len(prompt) / 8000 < 60
    (again,) = on_virtual_time(keys_only, [REFERENCE], voice)
    scored = undisturbed(again.report, prompt)
    assert (scored.stopped, scored.pauses) == (False, 0)
    assert scored.seconds == pytest.approx(len(prompt) / 8000)


def test_a_key_stops_the_prompt_where_it_is_pressed(voice: ThreadedVoice, prompt: Track) -> None:
    (run,) = on_virtual_time(keys_only, [scene(Silence(3.0), Keys("1"), Silence(2.0))], voice)
    heard = follow(run.report.samples(run.report.played), prompt)
    (key,) = run.report.of("key")
    assert not heard.whole
    assert heard.end == pytest.approx(key.at, abs=0.15)


def test_the_engine_without_ears_is_not_interrupted_and_the_timeline_of_a_call_is_found(
    voice: ThreadedVoice, prompt: Track
) -> None:
    found: list[Timeline] = []

    class Watching(Application):
        """Looks up what was said when a stream is over."""

        timeline_of: TimelineOf

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, send)
            if scope["type"] == "websocket":
                found.extend(self.timeline_of(session) for session in self.engine.store.carrier_ids)  # type: ignore[attr-defined]

    def watching(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
        application = Watching(settings, ports)
        application.timeline_of = timeline_of
        return application

    (run,) = on_virtual_time(watching, [scene(Silence(2.0), Say(Speech("Sales, please.")), Silence(2.5))], voice)
    assert interruption(run.report, prompt).latency is None
    assert [said.clip.text for said in found[0].said] == ["Sales please"]


def test_the_benchmark_writes_a_table_a_picture_and_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ears.main(["--kinds", "aside", "--calls", "1", "--folder", str(tmp_path), "--systems", "alone", "--seed", "3"])
    told = capsys.readouterr().out
    assert "ears: seed 3, 1 calls a cell, virtual time" in told
    assert (tmp_path / "table.txt").read_text() + "\n" == told
    assert (tmp_path / "picture.svg").read_text().startswith("<svg")
    whole = json.loads((tmp_path / "scores.json").read_text())
    assert whole["settings"]["seed"] == 3
    assert [one["kept"] for one in whole["systems"]["alone"]["asides"]["backchannel"]] == [True] * 5


def test_the_same_seed_gives_the_same_calls(voice: ThreadedVoice) -> None:
    chosen = scenarios(2, 1, ("aside", "interruption"))[::12]

    def once() -> list[Any]:
        runs = on_virtual_time(energy, chosen, voice, seed=2)
        return [(run.report.events, run.report.played, run.report.spoken, run.report.timelines) for run in runs]

    assert once() == once()


def test_a_system_that_breaks_is_no_bad_listener(voice: ThreadedVoice) -> None:
    class Breaking(Energy):
        """Says of a window that it broke, as a server logs a bug of its own."""

        def detect(self, windows: Sequence[bytes], states: Sequence[Any]) -> tuple[list[float], list[Any]]:
            logging.getLogger("flowengine.call").error("a bug of ours")
            return super().detect(windows, states)

    with pytest.raises(RuntimeError, match=r"errors were logged.*a bug of ours"):
        ears.measure(baseline(Breaking, 0.2), voice, seed=2, calls=1, kinds=[], cells=[], sockets=False, lines=4)


def test_what_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for given, why in ((["--systems", "best"], "there is no best"), (["--kinds", "x"], "known are noise")):
        with pytest.raises(SystemExit):
            ears.arguments(given)
        assert why in capsys.readouterr().err
