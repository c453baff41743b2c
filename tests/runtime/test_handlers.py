"""Where an event's handler is looked for."""

from __future__ import annotations

import pytest

from flowengine.runtime.handlers import chain

CHAINS = [
    ("noinput", ["noinput"]),
    ("timeout.call", ["timeout.call"]),
    ("error.tts", ["error.tts", "error"]),
    ("error.template", ["error.template", "error"]),
    ("error.http.404", ["error.http.404", "error.http.4xx", "error.http", "error.tool", "error"]),
    ("error.http.503", ["error.http.503", "error.http.5xx", "error.http", "error.tool", "error"]),
    ("error.http", ["error.http", "error.tool", "error"]),
    ("error.http.40", ["error.http.40", "error.tool", "error"]),
    ("error.tool.book", ["error.tool.book", "error.tool", "error"]),
    ("error.tool", ["error.tool", "error"]),
    ("errors", ["errors"]),
]


@pytest.mark.parametrize(("event", "names"), CHAINS)
def test_the_most_specific_name_comes_first(event: str, names: list[str]) -> None:
    assert list(chain(event)) == names
