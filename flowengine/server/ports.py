"""What the embedded server stands on: its SQLite store, the cache of prompts, voice and ears, and who runs tools."""

from __future__ import annotations

from pathlib import Path

from flowengine import plugins
from flowengine.call.ports import Synthesizer, ToolRunner, Transcriber, VoiceDetector
from flowengine.errors import EnvironmentProblem
from flowengine.server.run import Ports
from flowengine.settings import Settings, ToolSettings, TranscriberSettings, VoiceSettings
from flowengine.store.prompts import PromptFiles
from flowengine.store.recordings import RecordingFiles
from flowengine.store.sqlite import SqliteStore
from flowengine.store.traces import TraceFiles
from flowengine.tools.hosts import Hosts
from flowengine.tools.http import HttpTools
from flowengine.tools.python import PythonTools


async def open_ports(settings: Settings) -> tuple[SqliteStore, Ports]:
    """Open the store, and make voice (which the application starts) and ears. Raises ``EnvironmentProblem``."""
    tools = tool_runners(settings.tools)
    ears = transcriber(settings.transcriber)
    path = Path(settings.store.url.removeprefix("sqlite:///"))
    store = SqliteStore(path, TraceFiles(Path(settings.store.traces)))
    await store.start()
    voice = synthesizer(settings.voice)
    detector: VoiceDetector | None = None
    if settings.detector.use != "none":
        detector = plugins.provider(settings.detector.use).make({})
    return store, Ports(
        store,
        voice,
        PromptFiles(Path(settings.store.cache)),
        tools=tools,
        detector=detector,
        transcriber=ears,
        recordings=RecordingFiles(Path(settings.store.recordings)),
    )


def synthesizer(settings: VoiceSettings) -> Synthesizer:
    """Make who speaks; raises ``EnvironmentProblem``."""
    options = {name: getattr(settings, name) for name in ("library", "url", "model", "voice", "key")}
    made: Synthesizer = plugins.provider(settings.use).make(options)
    return made


def transcriber(settings: TranscriberSettings) -> Transcriber | None:
    """Make who understands what callers say; None where nobody does. Raises ``EnvironmentProblem``."""
    if settings.use == "none":
        return None
    options = {"url": settings.url, "model": settings.model, "key": settings.key}
    made: Transcriber = plugins.provider(settings.use).make(options)
    return made


def tool_runners(settings: ToolSettings) -> dict[str, ToolRunner]:
    """Make who runs tools, by their kind; raises ``EnvironmentProblem``, also where an extra is missing."""
    runners: dict[str, ToolRunner] = {
        "http": HttpTools(Hosts(settings.hosts)),
        "python": PythonTools(settings.python, plugins.function),
    }
    if settings.mcp:
        try:
            from flowengine.tools.mcp import McpTools
        except ModuleNotFoundError as error:
            raise EnvironmentProblem(
                f"tools.mcp names servers, which needs the package {error.name}: install flowengine[mcp]"
            ) from None
        runners["mcp"] = McpTools(settings.mcp)
    return runners
