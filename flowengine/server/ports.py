"""What the embedded server stands on: its store, the cache of prompts, voice, ears and models, and who runs tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowengine import plugins
from flowengine.call.chain import ModelChain, TranscriberChain, VoiceChain
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
    """Make who speaks, and who speaks in their place; raises ``EnvironmentProblem``."""
    made: list[Synthesizer] = []
    one: VoiceSettings | None = settings
    while one is not None:
        options = {name: getattr(one, name) for name in ("library", "url", "model", "voice", "key")}
        made.append(plugins.provider(one.use).make(options))
        one = one.fallback
    return VoiceChain(made) if len(made) > 1 else made[0]


def transcriber(settings: TranscriberSettings) -> Transcriber | None:
    """Make who understands what callers say, and who does in their place; None where nobody does.

    Raises ``EnvironmentProblem``.
    """
    made: list[Transcriber] = []
    one: TranscriberSettings | None = settings
    while one is not None and one.use != "none":
        made.append(plugins.provider(one.use).make({"url": one.url, "model": one.model, "key": one.key}))
        one = one.fallback
    return TranscriberChain(made) if len(made) > 1 else made[0] if made else None


def models(settings: Mapping[str, ModelSettings]) -> dict[str, LanguageModel]:
    """Make the language models by the names that flows call them; raises ``EnvironmentProblem``.

    `default` is always among them where there is one at all: the first, if none is called so.
    """
    made = {name: _model(name, one) for name, one in settings.items()}
    chained: dict[str, LanguageModel] = {}
    for name in made:
        links = _links(name, settings)
        chained[name] = ModelChain([made[link] for link in links]) if len(links) > 1 else made[name]
    if chained:
        chained.setdefault("default", next(iter(chained.values())))
    return chained


def _model(name: str, settings: ModelSettings) -> LanguageModel:
    try:
        model = plugins.provider(settings.use).make({"url": settings.url, "model": settings.model, "key": settings.key})
    except EnvironmentProblem as problem:
        raise EnvironmentProblem(f"models.{name}: {problem}") from None
    if not hasattr(model, "answer"):
        raise EnvironmentProblem(f"models.{name}: the provider {settings.use} is no language model")
    made: LanguageModel = model
    return made


def _links(name: str, settings: Mapping[str, ModelSettings]) -> list[str]:
    """Give a model and those that stand behind it, in order."""
    found = [name]
    while behind := settings[found[-1]].fallback:
        if behind not in settings:
            known = ", ".join(settings)
            raise EnvironmentProblem(f'models.{found[-1]}.fallback is "{behind}", which is not among them: {known}')
        if behind in found:
            raise EnvironmentProblem(
                f"models.{found[-1]}.fallback goes round in a circle: {' -> '.join([*found, behind])}"
            )
        found.append(behind)
    return found


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
