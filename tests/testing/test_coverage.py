"""What tests reach: each kind of thing, and what looks as if it had been reached and was not."""

from __future__ import annotations

import pytest

from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types
from flowengine.runtime.program import Program
from flowengine.testing import runner
from flowengine.testing.coverage import Coverage
from flowengine.testing.reading import load_tests

FLOW = """flow: x
version: 1
vars: {pin: digits}
always: [{key: star, name: help, goto: bye}]
catch:
  noinput: {say: Flow.}
  error: {say: Oh., goto: bye}
  hangup: {set: {pin: "0"}}
  ended: {set: {pin: "1"}}
nodes:
  main:
    say: Press.
    tries: 3
    menu:
      - {key: 1, name: one}
      - {key: 2, name: two, goto: pin}
      - {key: 3, name: three, goto: broken}
      - {key: 4, name: four, goto: again}
    catch:
      nomatch:
        - {say: First.}
        - {say: Second.}
        - {say: Third.}
      toomany: {goto: bye}
    goto: {one: dial}
  pin:
    say: PIN.
    tries: 1
    collect: {into: pin, length: 4, optional: true}
    catch:
      invalid: {say: Bad.}
    goto: {done: bye, skipped: bye}
  broken: {say: "{{ pin }}", goto: bye}
  dial: {transfer: "+15550100", goto: {ended: bye, busy: bye, else: bye}}
  bye: {say: Bye., goto: end}
"""


class One:
    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded

    def named(self, name: str) -> Loaded:
        return self.loaded

    def names(self) -> list[str]:
        return []

    def unreadable(self) -> bool:
        return False


def reached(*talks: str) -> list[str]:
    loaded = load("x.yaml", FLOW, node_types())
    assert loaded.flow is not None, loaded.diagnostics
    coverage = Coverage(loaded.flow)
    program = Program(loaded.flow)
    text = "flow: x\ntests:\n" + "".join(f"  - {{name: t{i}, talk: [{talk}]}}\n" for i, talk in enumerate(talks))
    suite = load_tests("x.test.yaml", text, One(loaded)).suite
    assert suite is not None
    for case in suite.tests:
        result = runner.run(program, case, coverage)
        assert result.failure is None, result.failure
    return [str(item) for item in sorted(coverage.reached, key=lambda item: item.span) if item.kind != "node"]


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        ("{bot: Press}", []),
        ("{keys: 1}, {transfer: ended}, {node: bye}", ['option "one" of "main"', 'exit "ended" of "dial"']),
        ("{keys: 1}, {transfer: failed}, {node: bye}", ['option "one" of "main"', 'exit "else" of "dial"']),
        ("{keys: star}, {node: bye}", ['option "help"']),
        ("{silence: 6s}", ['handler "noinput"']),
        ("{keys: 9}", ['handler "nomatch 1" of "main"']),
        ("{keys: 9}, {keys: 9}", ['handler "nomatch 1" of "main"', 'handler "nomatch 2" of "main"']),
        ("{keys: 4}, {keys: 9}, {keys: 4}", ['option "four" of "main"', 'handler "nomatch 1" of "main"']),
        # The third failure is toomany: its own handler does not run.
        (
            "{keys: 9}, {keys: 9}, {keys: 9}, {node: bye}",
            ['handler "nomatch 1" of "main"', 'handler "nomatch 2" of "main"', 'handler "toomany" of "main"'],
        ),
        # The only failure ends an optional collect: no handler runs.
        ("{keys: 2}, {keys: '1#'}, {node: bye}", ['option "two" of "main"', 'exit "skipped" of "pin"']),
        ("{keys: 2}, {silence: 6s}, {node: bye}", ['option "two" of "main"', 'exit "skipped" of "pin"']),
        ("{keys: 2}, {keys: 1234}, {node: bye}", ['option "two" of "main"', 'exit "done" of "pin"']),
        ("{keys: 3}, {bot: Oh}", ['handler "error"', 'option "three" of "main"']),
        ("{hang_up: true}", ['handler "hangup"', 'handler "ended"']),
        ("{keys: star}, {end: hangup}", ['option "help"', 'handler "ended"']),
    ],
)
def test_what_a_talk_reaches(talk: str, found: list[str]) -> None:
    assert reached(talk) == found


def test_every_kind_is_counted_over_all_tests() -> None:
    loaded = load("x.yaml", FLOW, node_types())
    assert loaded.flow is not None
    coverage = Coverage(loaded.flow)
    assert coverage.counts() == {"node": (0, 5), "option": (0, 5), "exit": (0, 5), "handler": (0, 9)}
    coverage.reach_node("pin")
    coverage.reach_way("main", "two")
    coverage.reach_way("dial", "declined")
    coverage.reach_command("help")
    assert coverage.counts() == {"node": (1, 5), "option": (2, 5), "exit": (1, 5), "handler": (0, 9)}
    assert len(coverage.missing) == 20
    assert str(coverage.missing[0]) == 'handler "noinput"'
    assert coverage.missing[0].span.line == 6


def test_a_plain_goto_is_no_exit_of_its_own() -> None:
    text = "flow: x\nversion: 1\nnodes:\n  a: {transfer: '+15550100', goto: b}\n  b: {say: Hi., goto: end}\n"
    loaded = load("x.yaml", text, node_types())
    assert loaded.flow is not None
    assert Coverage(loaded.flow).counts() == {"node": (0, 2)}


def test_two_commands_of_one_name_are_reached_together() -> None:
    text = (
        "flow: x\nversion: 1\nalways: [{key: star, goto: b}, {key: hash, goto: b}]\n"
        "nodes:\n  a: {say: Hi., menu: [{key: 1, goto: b}]}\n  b: {say: Bye., goto: end}\n"
    )
    loaded = load("x.yaml", text, node_types())
    assert loaded.flow is not None
    coverage = Coverage(loaded.flow)
    coverage.reach_command("b")
    assert coverage.counts()["option"] == (2, 3)
