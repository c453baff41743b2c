"""What the checks must not report: correct flows that look like mistakes. The mistakes are in ``errors/``."""

from __future__ import annotations

import pytest

from flowengine.flow.loader import load
from flowengine.plugins import node_types

HEAD = "flow: x\nversion: 1\nargs: {who: text}\nvars: {num: {type: int, default: 0}, code: digits, day: date}\n"
BYE = "  bye:\n    say: Bye.\n    goto: end\n"
CLEAN = {
    "a silent round that waits for a key": "nodes:\n  a:\n    goto: b\n  b:\n    menu:\n      - {key: 1, goto: a}\n",
    "a round of steps that speaks": "nodes:\n  a:\n    say: Hm.\n    goto: b\n  b:\n    goto: a\n",
    "the same key under different conditions": (
        "nodes:\n  a:\n    say: Press 1.\n    menu:\n      - {key: 1, name: x, if: num > 1, goto: bye}\n"
        "      - {key: 1, name: y, if: num < 1, goto: bye}\n" + BYE
    ),
    "a node that only a handler leads to": (
        "catch:\n  error: {goto: bye}\nnodes:\n  a:\n    say: Hello.\n    goto: end\n" + BYE
    ),
    "a node that only a command leads to": (
        "always:\n  - {key: star, goto: bye}\nnodes:\n  a:\n    say: Hello.\n    goto: end\n" + BYE
    ),
    "back where a command can interrupt": (
        "always:\n  - {key: star, goto: bye}\nnodes:\n  a:\n    say: Hello.\n    goto: end\n"
        "  bye:\n    say: Help.\n    goto: back\n"
    ),
    "a name of the engine in every place": (
        'nodes:\n  a:\n    say: "{{ call.from }} {{ env.X }} {{ args.who | default(1) }} {{ shared.y }}"\n'
        '    set: {shared.y: 1, shared.lang: de, num: "{{ num + 1 }}"}\n    goto: end\n'
    ),
    "constants of every type": (
        'nodes:\n  a:\n    say: Hi.\n    set: {num: "3", code: "007", day: 2026-01-05}\n'
        "    goto:\n      - {if: {day: 2026-01-05, num: 3, code: '1'}, goto: end}\n      - {else: end}\n"
    ),
    "null for every type": "nodes:\n  a:\n    say: Hi.\n    set: {num: null, code: null, day: null}\n    goto: end\n",
    "a handler for what a menu raises": (
        "nodes:\n  a:\n    say: Hi.\n    menu: [{key: 1, goto: end}]\n"
        "    catch: {noinput: {goto: end}, toomany: {goto: end}}\n"
    ),
    "errors of http by number": "catch:\n  error.http.404: {goto: bye}\n  error.http.5xx: {goto: bye}\nnodes:\n" + BYE,
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_correct_flow_is_clean(name: str) -> None:
    assert load("x", HEAD + CLEAN[name], node_types()).diagnostics == ()


def test_a_large_flow_is_checked_in_one_pass() -> None:
    nodes = "".join(f"  n{i}:\n    say: Hi.\n    goto: n{i + 1}\n" for i in range(3000))
    flow = load("x", HEAD + "nodes:\n" + nodes + "  n3000:\n    say: Bye.\n    goto: end\n", node_types()).flow
    assert flow is not None
    assert len(flow.nodes) == 3001
