"""Node types, dialects and providers are found by their names."""

from __future__ import annotations

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


def test_a_provider_is_a_module_of_its_name() -> None:
    assert callable(plugins.provider("local").make)


@pytest.mark.parametrize("name", ["nobody", "no-body", "class", "", "..", "local.x", "../local", "espeak worker"])
def test_an_unknown_provider_is_an_environment_problem(name: str) -> None:
    with pytest.raises(EnvironmentProblem, match="there is no provider"):
        plugins.provider(name)
