"""Node types, dialects and providers are found by their names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowengine import plugins
from flowengine.errors import EnvironmentProblem


def test_node_types_are_found_by_their_key() -> None:
    found = plugins.node_types()
    assert {"", "menu", "collect", "transfer", "hangup"} <= set(found)
    assert all(node.key == key for key, node in found.items())
    running = [found[key] for key in ("", "menu", "collect", "transfer", "hangup")]
    assert all(callable(getattr(node, "enter", None)) and callable(getattr(node, "handle", None)) for node in running)


def test_dialects_are_found_by_their_name() -> None:
    found = plugins.dialects()
    assert {"twilio", "vobiz"} <= set(found)
    assert all(dialect.name == name for name, dialect in found.items())


def test_a_function_stands_where_the_server_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_here.py").write_text("def book(): return 1\n")
    (tmp_path / "json.py").write_text("def loads(text): raise SystemExit\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    assert plugins.function("acme_here:book")() == 1
    # What is installed goes before what stands here.
    assert plugins.function("json:loads")("1") == 1


def test_a_provider_is_a_module_of_its_name() -> None:
    assert callable(plugins.provider("local").make)


@pytest.mark.parametrize("name", ["nobody", "no-body", "class", "", "..", "local.x", "../local", "espeak worker"])
def test_an_unknown_provider_is_an_environment_problem(name: str) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no provider"):
        plugins.provider(name)
