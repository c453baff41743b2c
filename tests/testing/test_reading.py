"""Files of tests: every mistake with its place and words, and what is read from a right one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flowengine.flow import render, source
from flowengine.flow.diagnostics import Report
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types
from flowengine.testing import cases, reading
from flowengine.testing.reading import LoadedTests, load_tests

HERE = Path(__file__).parent
MISTAKES = sorted((HERE / "mistakes").glob("*.test.yaml"))


@dataclass
class One:
    """A folder with one flow."""

    flow: Loaded
    lost: bool = False

    def named(self, name: str) -> Loaded | None:
        return self.flow if name in self.names() else None

    def names(self) -> list[str]:
        return [self.flow.name.text] if self.flow.name else []

    def unreadable(self) -> bool:
        return self.lost


def shop() -> One:
    path = HERE / "mistakes" / "shop.yaml"
    return One(load(path.name, path.read_bytes(), node_types()))


def read(text: str, flows: One | None = None) -> LoadedTests:
    return load_tests("shop.test.yaml", text, flows or shop())


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.name.partition(".")[0])
def test_mistakes_are_told_as_the_golden_file_has_it(path: Path) -> None:
    loaded = load_tests(path.name, path.read_bytes(), shop())
    assert loaded.suite is None
    told = render.full(loaded.diagnostics, {path.name: loaded.lines})
    assert told == path.with_name(path.name.replace(".test.yaml", ".out")).read_text(encoding="utf-8")


WHOLE = """
flow: shop
tests:
  - name: everything that a test may say
    args: {desk: "+15550199"}
    env: {API: 12.50}
    call: {from: +1555, to: anonymous, direction: outbound}
    clock: "2026-12-25T10:00+01:00"
    seed: 9
    model: [{say: "Which order?"}, [{say: Bye.}, {exit: human, fill: {order: 3}}], {option: small}]
    talk:
      - bot: "  press   1 "
      - not: /[23]/
      - keys: 007
      - {keys: hash, at: 1.5s}
      - {hear: 2.50, at: 50%}
      - silence: 7s
      - {event: {name: paid, data: [1, {a: 2026-01-05}]}}
      - event: paid
      - transfer: busy
      - machine: true
      - node: shop/main
      - {hang_up: true, at: 100%}
      - {end: return, return: done}
    path: [main, shop/bye]
    vars: {count: 3, shop/size: small}
"""


def test_everything_is_read_with_its_type() -> None:
    loaded = read(WHOLE)
    assert loaded.diagnostics == ()
    assert loaded.suite is not None
    (case,) = loaded.suite.tests
    assert [type(step).__name__ for step in case.talk] == [
        *("Bot", "Not", "Keys", "Keys", "Hear", "Silence", "Happening", "Happening"),
        *("TransferEnds", "Machine", "Enter", "HangUp", "End"),
    ]
    bot, _, first, second, hear, silence, event, short, transfer, _, node, hang_up, end = case.talk
    assert isinstance(bot, cases.Bot)
    assert bot.words.pattern.search("PRESS 1.")
    assert isinstance(first, cases.Keys)
    assert (first.digits, first.at) == ("007", None)
    assert isinstance(second, cases.Keys)
    assert (second.digits, second.at) == ("#", cases.Moment("1.5s", None, 1.5))
    assert isinstance(hear, cases.Hear)
    assert (hear.text, hear.at) == ("2.50", cases.Moment("50%", 0.5))
    assert isinstance(silence, cases.Silence)
    assert silence.seconds == 7.0
    assert isinstance(event, cases.Happening)
    assert (event.name, event.data) == ("paid", [1, {"a": "2026-01-05"}])
    assert isinstance(short, cases.Happening)
    assert (short.name, short.data) == ("paid", None)
    assert isinstance(transfer, cases.TransferEnds)
    assert transfer.outcome == "busy"
    assert isinstance(node, cases.Enter)
    assert node.node == "shop/main"
    assert isinstance(hang_up, cases.HangUp)
    assert hang_up.at == cases.Moment("100%", 1.0)
    assert isinstance(end, cases.End)
    assert (end.how, end.outcome) == ("return", "done")
    assert (case.env, case.caller, case.called, case.direction) == ({"API": "12.50"}, "+1555", "anonymous", "outbound")
    assert (case.clock, case.seed) == ("2026-12-25T10:00+01:00", 9)
    assert case.path is not None
    assert [name.text for name in case.path] == ["main", "shop/bye"]
    assert [given.name for given in case.vars] == ["count", "shop/size"]


def test_what_is_not_said_has_the_defaults_of_the_manual() -> None:
    loaded = read("flow: shop\ntests:\n  - {name: short, talk: []}\n")
    assert loaded.suite is not None
    (case,) = loaded.suite.tests
    assert case == cases.Case("short", case.span)
    assert (case.clock, case.path, case.vars) == ("2026-01-05T10:00", None, ())


def test_a_flow_that_can_not_be_read_is_not_told_of_again() -> None:
    assert read("flow: x\ntests: []\n", One(load("x.yaml", "a: [", node_types()), lost=True)).diagnostics == ()


def test_a_flow_with_mistakes_is_not_held_against_its_tests() -> None:
    broken = One(load("shop.yaml", "flow: shop\nversion: 1\nnodes: {main: {goto: nowhere}}\n", node_types()))
    assert read("flow: shop\ntests: [{name: a, talk: [{node: main}], vars: {x: 1}}]\n", broken).diagnostics == ()


def test_a_needed_argument() -> None:
    flow = "flow: shop\nversion: 1\nargs: {who: {type: text, required: true}}\nnodes: {main: {say: Hi., goto: end}}\n"
    needy = One(load("shop.yaml", flow, node_types()))
    found = read("flow: shop\ntests: [{name: a, talk: []}]\n", needy).diagnostics
    assert [(d.code, d.about, d.span.column) for d in found] == [("missing-argument", "who", 16)]
    assert read("flow: shop\ntests: [{name: a, talk: [], args: {who: Ann}}]\n", needy).diagnostics == ()


def test_an_editor_takes_a_right_file_and_no_wrong_one() -> None:
    validator = Draft202012Validator(json.loads(json.dumps(reading.tests_schema())))
    validator.validate(source.to_plain(source.read("x", WHOLE, Report()).root))
    wrong = source.to_plain(source.read("x", (HERE / "mistakes" / "form.test.yaml").read_bytes(), Report()).root)
    assert not validator.is_valid(wrong)
