"""The provider of the README, done as the README says: one file, an entry point, a line in the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowengine.call.ports import ModelRequest, Said
from flowengine.server.ports import models
from flowengine.settings import parse
from tests.providers.leaks import run

README = (Path(__file__).parents[2] / "flowengine" / "providers" / "README.md").read_text(encoding="utf-8")


def block(language: str, begin: str) -> str:
    """Give the block of a language that begins so."""
    (found,) = re.findall(rf"^```{language}\n({re.escape(begin)}.*?)^```", README, re.DOTALL | re.MULTILINE)
    return str(found)


def test_a_provider_of_ones_own_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parrot.py").write_text(block("python", "# parrot.py"), encoding="utf-8")
    (group, point) = block("toml", '[project.entry-points."flowengine.providers"]').splitlines()
    assert group
    # What installing the package leaves behind.
    info = tmp_path / "parrot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n", encoding="utf-8")
    name, module = (part.strip(' "') for part in point.split("="))
    (info / "entry_points.txt").write_text(f"[flowengine.providers]\n{name} = {module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    (line,) = re.findall(r"^3\. Use it: `(.*)`", README, re.MULTILINE)
    settings, mistakes = parse("flowengine.yaml", line.encode(), {})
    assert settings is not None, mistakes

    async def scenario() -> list[object]:
        model = models(settings.models)["default"]
        await model.start()
        request = ModelRequest("default", "", "", [{"role": "user", "text": "Hello?"}])
        await model.warm(request)
        async with model.answer(request) as answer:
            found: list[object] = [part async for part in answer]
        await model.aclose()
        return found

    assert run(scenario()) == [Said("You said: "), Said("Hello?")]


def test_the_settings_of_the_models_are_settings() -> None:
    (text,) = re.findall(r"^```yaml\n(models:\n.*?)^```", README, re.DOTALL | re.MULTILINE)
    settings, _ = parse("flowengine.yaml", text.encode(), {"ANTHROPIC_API_KEY": "k"})
    assert settings is not None
    assert {name: model.name for name, model in models(settings.models).items()} == {
        "help": "anthropic",
        "near": "openai",
        "default": "anthropic",
    }
