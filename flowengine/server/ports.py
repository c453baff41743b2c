"""What the embedded server stands on: its store, the cache of prompts, voice, ears and models, and who runs tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowengine import plugins
from flowengine.call.ports import LanguageModel, Synthesizer, ToolRunner, Transcriber, VoiceDetector
from flowengine.errors import EnvironmentProblem
from flowengine.server.run import Ports
from flowengine.settings import ModelSettings, Settings, ToolSettings, TranscriberSettings, VoiceSettings
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
    minds = models(settings.models)
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
        models=minds,
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


def models(settings: Mapping[str, ModelSettings]) -> dict[str, LanguageModel]:
    """Make the language models by the names that flows call them; raises ``EnvironmentProblem``.

    `default` is always among them where there is one at all: the first, if none is called so.
    """
    made: dict[str, LanguageModel] = {}
    for name, one in settings.items():
        try:
            model = plugins.provider(one.use).make({"url": one.url, "model": one.model, "key": one.key})
        except EnvironmentProblem as problem:
            raise EnvironmentProblem(f"models.{name}: {problem}") from None
        if not hasattr(model, "answer"):
            raise EnvironmentProblem(f"models.{name}: the provider {one.use} is no language model")
        made[name] = model
    if made:
        made.setdefault("default", next(iter(made.values())))
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
