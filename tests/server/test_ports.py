"""What the embedded server stands on."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flowengine.call.chain import ModelChain, TranscriberChain, VoiceChain
from flowengine.call.ports import Synthesizer
from flowengine.errors import EnvironmentProblem
from flowengine.server.ports import models, open_ports, synthesizer, tool_runners, transcriber
from flowengine.settings import (
    McpServer,
    ModelSettings,
    Settings,
    StoreSettings,
    ToolSettings,
    TranscriberSettings,
    VoiceSettings,
)


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


def test_a_vendor_speaks_where_the_settings_say_so(tmp_path: Path) -> None:
    voice = VoiceSettings("cartesia", url="http://127.0.0.1:1", model="sonic-3", voice="anna", key="k")

    async def work() -> Synthesizer:
        store, ports = await open_ports(settings(tmp_path, voice))
        await store.aclose()
        await ports.synthesizer.aclose()
        return ports.synthesizer

    assert asyncio.run(work()).version == "sonic-3/anna/1"
    with pytest.raises(EnvironmentProblem, match=r"speech\.synthesizer\.voice is empty"):
        synthesizer(VoiceSettings("cartesia", key="k"))


@pytest.mark.parametrize("model", ["flux-general-en", "nova-3"])
def test_a_vendor_listens_where_the_settings_say_so(model: str) -> None:
    ears = transcriber(TranscriberSettings("deepgram", model=model, key="k"))
    assert ears is not None
    assert (ears.name, ears.ends_turns) == ("deepgram", model != "nova-3")
    with pytest.raises(EnvironmentProblem, match=r"speech\.transcriber\.key is empty"):
        transcriber(TranscriberSettings("deepgram"))


@pytest.mark.parametrize("use", ["sphinx", "vosk", "whisper"])
def test_callers_are_understood_by_whom_the_settings_say(tmp_path: Path, use: str) -> None:
    async def work() -> tuple[str, bool]:
        store, ports = await open_ports(replace(settings(tmp_path), transcriber=TranscriberSettings(use)))
        await store.aclose()
        assert ports.transcriber is not None
        await ports.transcriber.aclose()
        return ports.transcriber.name, ports.transcriber.ends_turns

    assert asyncio.run(work()) == (use, False)


def test_by_default_callers_answer_with_keys() -> None:
    assert transcriber(TranscriberSettings()) is None
    with pytest.raises(EnvironmentProblem, match='there is no provider "nobody"'):
        transcriber(TranscriberSettings("nobody"))


HELP = ModelSettings("anthropic", key="k")
NEAR = ModelSettings("openai", "http://127.0.0.1:11434/v1")


def test_models_answer_by_the_names_of_the_settings_and_one_is_the_default(tmp_path: Path) -> None:
    assert models({}) == {}
    made = models({"help": HELP, "near": NEAR})
    assert {name: model.name for name, model in made.items()} == {
        "help": "anthropic",
        "near": "openai",
        "default": "anthropic",
    }
    assert made["default"] is made["help"]
    assert models({"help": HELP, "default": NEAR})["default"].name == "openai"

    async def work() -> list[str]:
        store, ports = await open_ports(replace(settings(tmp_path), models={"help": HELP}))
        await store.aclose()
        return sorted(ports.models)

    assert asyncio.run(work()) == ["default", "help"]


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (ModelSettings("anthropic"), "needs a key"),
        (ModelSettings("nobody"), 'there is no provider "nobody"'),
        (ModelSettings("whisper"), "the provider whisper is no language model"),
    ],
)
def test_a_model_that_can_not_be_made_is_told_by_its_name(one: ModelSettings, says: str) -> None:
    with pytest.raises(EnvironmentProblem, match=rf"^models\.help: .*{says}"):
        models({"help": one})


CRM = ToolSettings(mcp={"crm": McpServer(url="http://127.0.0.1:1/mcp")})


def test_tools_of_every_kind_have_who_runs_them() -> None:
    assert sorted(tool_runners(ToolSettings())) == ["http", "python"]
    assert sorted(tool_runners(CRM)) == ["http", "mcp", "python"]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "flowengine.tools.mcp", raising=False)
    # As it is where the package is not installed.
    for name in [name for name in sys.modules if name == "mcp" or name.startswith("mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sys.meta_path", [_Without("mcp"), *sys.meta_path])
    with pytest.raises(EnvironmentProblem, match=r"needs the package mcp: install flowengine\[mcp\]$"):
        tool_runners(CRM)


class _Without:
    """Finds everything but one package."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def test_a_host_that_is_none_is_told() -> None:
    with pytest.raises(EnvironmentProblem, match=r"tools\.hosts: 10\.0\.0\.300/8"):
        tool_runners(ToolSettings(hosts=("10.0.0.300/8",)))


def test_who_stands_behind_a_provider_takes_over(tmp_path: Path) -> None:
    voice = VoiceSettings("cartesia", key="k", voice="v", fallback=VoiceSettings("local"))
    assert isinstance(synthesizer(voice), VoiceChain)
    assert isinstance(
        transcriber(TranscriberSettings("deepgram", key="k", fallback=TranscriberSettings("vosk"))), TranscriberChain
    )
    made = models({"a": ModelSettings("anthropic", key="k", fallback="b"), "b": ModelSettings("anthropic", key="k")})
    assert isinstance(made["default"], ModelChain)
    assert not isinstance(made["b"], ModelChain)


@pytest.mark.parametrize(
    ("fallbacks", "why"),
    [
        ({"a": "c", "b": ""}, 'models.a.fallback is "c", which is not among them: a, b'),
        ({"a": "b", "b": "a"}, "models.b.fallback goes round in a circle: a -> b -> a"),
    ],
)
def test_a_fallback_that_leads_nowhere_is_told(fallbacks: dict[str, str], why: str) -> None:
    with pytest.raises(EnvironmentProblem, match=re.escape(why)):
        models({name: ModelSettings("anthropic", key="k", fallback=behind) for name, behind in fallbacks.items()})
