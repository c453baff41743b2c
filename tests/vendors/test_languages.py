"""A call that changes its language: other ears and another voice, by the vendors' real SDKs, in real time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from flowengine.cli._voices import local_speech
from flowengine.testing.script import ExpectEnd, Say, Script, WaitAudio, WaitSilence
from flowengine.testing.voices import Speech, Voices
from tests.vendors.world import Vendors, said

FLOWS = Path(__file__).parent / "flows"


def test_the_transcriber_and_the_voice_follow_the_language(tmp_path: Path) -> None:
    vendors = Vendors(tmp_path, FLOWS, "languages")

    async def story() -> list[tuple[float, str, str]]:
        async with local_speech() as speak:
            voices = Voices(speak)
            german, sales = await voices.clip(Speech("German")), await voices.clip(Speech("Verkauf", "de"))
        vendors.knows(german, sales)
        steps = (WaitAudio(0.3), WaitSilence(0.3), Say(german), WaitAudio(0.3), WaitSilence(0.3), Say(sales))
        async with vendors.open():
            report = await vendors.call(Script((*steps, ExpectEnd(15.0))))
            assert report.failures == []
            await vendors.settled()
            return said(await vendors.trace(report.call_id))

    lines = [(who, text) for _, who, text in asyncio.run(story())]
    assert lines == [
        ("bot", "English or German."),
        ("caller", "German"),
        ("bot", "Sagen Sie Verkauf oder Hilfe."),
        ("caller", "Verkauf"),
        ("bot", "Auf Wiederhören."),
    ]
    models = [hearing.query.get("model") for hearing in vendors.deepgram.hearings if hearing.audio]
    assert models == [["flux-general-en"], ["flux-general-multi"]]
    assert vendors.deepgram.hearings[-1].query.get("language_hint") == ["de"]
    spoken = {request["transcript"]: request["language"] for request in vendors.cartesia.requests}
    assert spoken["English or German."] == "en"
    assert spoken["Auf Wiederhören."] == "de"
