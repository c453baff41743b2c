"""What the embedded server stands on: the SQLite store, the prompt cache's files, and the provider of the voice."""

from __future__ import annotations

from pathlib import Path

from flowengine import plugins
from flowengine.call.ports import Synthesizer
from flowengine.server.run import Ports
from flowengine.settings import Settings
from flowengine.store.prompts import PromptFiles
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles


async def open_ports(settings: Settings) -> tuple[SqliteStore, Ports]:
    """Open the store and make the voice (which the application starts). Raises ``EnvironmentProblem``."""
    path = Path(settings.store.url.removeprefix("sqlite:///"))
    store = SqliteStore(path, TraceFiles(Path(settings.store.traces)))
    await store.start()
    voice: Synthesizer = plugins.provider(settings.voice.use).make({"library": settings.voice.library})
    return store, Ports(store, voice, PromptFiles(Path(settings.store.cache)))
