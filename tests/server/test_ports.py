"""What the embedded server stands on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flowengine.errors import EnvironmentProblem
from flowengine.server.ports import open_ports
from flowengine.settings import Settings, StoreSettings, VoiceSettings


def settings(folder: Path, voice: VoiceSettings | None = None) -> Settings:
    store = StoreSettings(f"sqlite:///{folder / 'calls.db'}", str(folder / "traces"), str(folder / "cache"))
    return Settings(voice=voice or VoiceSettings(), store=store)


def test_the_store_is_where_the_settings_say(tmp_path: Path) -> None:
    async def work() -> tuple[bytes, bytes]:
        secrets = []
        for _ in range(2):
            store, ports = await open_ports(settings(tmp_path))
            secrets.append(await ports.store.secret())
            assert ports.synthesizer.name
            assert ports.audio_store is not None
            await ports.audio_store.put("0" * 64, b"\x01" * 10)
            await store.aclose()
        return secrets[0], secrets[1]

    first, second = asyncio.run(work())
    # Made once and kept: a document of before a restart is still good afterwards.
    assert first == second
    assert len(first) >= 32
    assert (tmp_path / "calls.db").is_file()
    assert list((tmp_path / "cache").iterdir())


def test_an_unknown_provider_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match='there is no provider "nobody"'):
        asyncio.run(open_ports(settings(tmp_path, VoiceSettings("nobody"))))
