"""What the tests name and the flow does not have: the way out that is offered. The places are in `mistakes/`."""

from __future__ import annotations

import pytest

from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types
from flowengine.testing.reading import load_tests

FLOWS = {
    "bare": "flow: bare\nversion: 1\nnodes: {main: {say: Hi., goto: end}}\n",
    "rich": "flow: rich\nversion: 1\nargs: {who: text}\nvars: {n: int}\nnodes: {main: {say: Hi., goto: end}}\n",
    "broken": "flow: broken\nversion: 1\nnodes: {main: {say: Hi., goto: nowhere}}\n",
}


class Folder:
    """The flows above, in one folder."""

    def named(self, name: str) -> Loaded | None:
        return load(f"{name}.yaml", FLOWS[name], node_types()) if name in FLOWS else None

    def names(self) -> list[str]:
        return list(FLOWS)

    def unreadable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("flow", "test", "found"),
    [
        ("bare", "args: {x: 1}", [("unknown-argument", "the flow has no arguments")]),
        ("bare", "vars: {x: 1}", [("unknown-variable", "the flow declares no variables")]),
        ("rich", "args: {xyz: 1}", [("unknown-argument", "known here: who")]),
        ("rich", "vars: {nn: 1}", [("unknown-variable", 'did you mean "n"?')]),
        ("bare", "vars: {rich/n: 1}", []),
        ("bare", "vars: {rich/n: many}", [("wrong-type", "")]),
        ("bare", "path: [rich/mian]", [("unknown-node", 'did you mean "main"?')]),
        ("bare", "path: [broken/mian]", []),
        ("bare", "path: [reich/main]", [("unknown-flow", 'did you mean "rich"?')]),
        ("xyzzy", "path: [main]", [("unknown-flow", "here: bare, rich, broken")]),
        ("broken", "path: [nowhere]", []),
    ],
)
def test_a_name_that_is_not_there(flow: str, test: str, found: list[tuple[str, str]]) -> None:
    text = f"flow: {flow}\ntests:\n  - name: a\n    talk: []\n    {test}\n"
    diagnostics = load_tests("x.test.yaml", text, Folder()).diagnostics
    assert [(d.code, d.help) for d in diagnostics] == found
