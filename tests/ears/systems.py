"""What is compared: our ears in three companies, a threshold of energy, and our own detector used naively."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flowengine.call.ports import Heard
from flowengine.providers.silero import Silero
from flowengine.server.run import Application, Ports
from flowengine.settings import Settings
from flowengine.testing.transcriber import TURNS, WORDS, ScriptedTranscriber
from tests.ears.baselines import baseline, energy
from tests.ears.driver import System, TimelineOf


def with_words(ports: Ports, timeline_of: TimelineOf) -> Ports:
    """Give ports with our ears, and a transcriber that gives words after a quarter of a second."""
    words: ScriptedTranscriber[Heard] = ScriptedTranscriber(timeline_of, Heard, words=replace(WORDS, spread=0.2))
    return replace(ports, detector=Silero(), transcriber=words)


def ours(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
    """Make the engine as it is, with a transcriber of words."""
    return Application(settings, with_words(ports, timeline_of))


def turns(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
    """Make the engine with a transcriber that also says when a turn is over, as late as Flux does."""
    words: ScriptedTranscriber[Heard] = ScriptedTranscriber(
        timeline_of, Heard, ends_turns=True, words=replace(WORDS, spread=0.2), turns=replace(TURNS, spread=0.5)
    )
    return Application(settings, replace(ports, detector=Silero(), transcriber=words))


def alone(settings: Settings, ports: Ports, timeline_of: TimelineOf) -> Application:
    """Make the engine without a transcriber."""
    return Application(settings, replace(ports, detector=Silero()))


naive = baseline(Silero, 0.0)
"""The same detector, whose first window of speech stops the prompt."""

SYSTEMS: Mapping[str, System] = {"ours": ours, "turns": turns, "alone": alone, "energy": energy, "naive": naive}
"""By the names of the table."""
