from __future__ import annotations

import json
import os
import re
import xml.etree.ElementTree as ET  # our own output
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flowengine import plugins
from flowengine.flow.draw import Form, draw
from flowengine.flow.graph import PREFIX, Graph
from flowengine.flow.loader import load
from flowengine.flow.model import Flow

FRONT_DESK = Path(__file__).parents[2] / "flows/front-desk.yaml"
FORMS: tuple[Form, ...] = get_args(Form)


def big() -> str:
    """Give a flow of forty nodes: three departments with menus, loops, hubs, conditions and handlers."""
    lines = """\
flow: big
version: 1
about: A large company.
vars: {account: {type: digits}}
always: [{key: star, goto: agent}, {key: '9', name: home, goto: main}]
catch: {toomany: {say: Let me get you a person., goto: agent}}
nodes:
  greet: {say: Welcome to the company that has it all., goto: hours}
  hours: {say: One moment., goto: [{if: not account, goto: main}, {goto: closed}]}
  closed: {say: We are closed., goto: bye}
  main:
    say: For sales press 1. For support press 2. For billing press 3. For a person press 0.
    menu:
      - {key: 1, name: sales, goto: sales}
      - {key: 2, name: support, goto: support}
      - {key: 3, name: billing, goto: billing}
      - {key: 0, name: person, goto: agent}
      - {key: 5, name: boss, goto: agent}
      - {key: 4, name: again, goto: again}
  agent:
    say: One moment please.
    transfer: {to: '+15550100', ring: 20s}
    goto: {ended: bye, busy: busy, else: nobody}
  busy: {say: All lines are busy., goto: nobody}
  nobody: {say: Nobody is here., goto: end}
  bye: {say: Goodbye., hangup: }
""".splitlines()
    for team in ("sales", "support", "billing"):
        lines += [f"  {team}:", f"    say: This is {team}. Choose one of five.", "    menu:"]
        lines += [f"      - {{key: {n}, name: topic{n}, goto: {team}_topic{n}}}" for n in range(1, 6)]
        lines += ["      - {key: 7, name: up, goto: main}", "      - {key: 8, name: back, goto: back}"]
        for n in range(1, 6):
            lines += [f"  {team}_topic{n}:", f"    say: Here is what there is to know about topic {n} of {team}."]
            lines += [f"    goto: {team}_ask{n}" if n < 4 else "    goto: main"]
        for n in range(1, 4):
            lines += [f"  {team}_ask{n}:", "    say: Please enter it.", "    collect: {into: account, length: 6}"]
            lines += ["    catch: {noinput: {say: Nothing heard., goto: main}}"]
            lines += [f"    goto: {team}_topic{n + 1}" if n < 3 else "    goto: agent"]
    return "\n".join(lines) + "\n"


ODD = """\
flow: odd
version: 1
about: 'Ends with <b> & "quotes" -- and \\back #1'
nodes:
  end_: {say: "<&\\"'>]]> `x` \\\\ {{ call.id }} \\x07 漢字", goto: graph}
  graph:
    say: "1 < 2 && \\"3\\" > 2"
    goto: [{if: '"<&" in call.id', goto: class}, {goto: end_}]
  class: {say: Bye., hangup: }
"""


def flow_of(text: str) -> Flow:
    loaded = load("test.yaml", text, plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    return loaded.flow


@pytest.fixture(params=["front-desk", "big", "odd"])
def flow(request: pytest.FixtureRequest) -> Flow:
    """Give one flow after the other: a small one, one of forty nodes, one with odd texts."""
    return flow_of({"front-desk": FRONT_DESK.read_text(), "big": big(), "odd": ODD}[request.param])


def machine_transitions(flow: Flow) -> Counter[tuple[str, str, str]]:
    """Ask the machine itself."""
    found = Graph(flow).machine.get_transitions()
    by_trigger = Counter[tuple[str, str, str]]()
    for trigger, event in Graph(flow).machine.events.items():
        for source, transitions in event.transitions.items():
            by_trigger.update((source, trigger.removeprefix(PREFIX), str(way.dest)) for way in transitions)
    assert by_trigger.total() == len(found)
    return by_trigger


def tree(flow: Flow) -> ET.Element:
    return ET.fromstring(draw(flow, "svg"))  # noqa: S314  # our own output


def groups(root: ET.Element, name: str) -> list[ET.Element]:
    return [group for group in root.iter("{http://www.w3.org/2000/svg}g") if group.get("class") == name]


def test_the_large_flow_is_large() -> None:
    assert len(flow_of(big()).nodes) >= 35


@pytest.mark.parametrize("form", FORMS)
def test_the_same_flow_gives_the_same_text(flow: Flow, form: Form) -> None:
    text = draw(flow, form)
    assert text == draw(flow, form)
    assert text.endswith("\n")


def test_json_has_exactly_the_transitions_of_the_machine(flow: Flow) -> None:
    value = json.loads(draw(flow, "json"))
    ways = [way for way in value["transitions"] if way["kind"] != "event"]
    assert Counter((w["source"], w["outcome"], w["target"]) for w in ways) == machine_transitions(flow)
    assert [node["name"] for node in value["nodes"]] == list(flow.nodes)
    assert (value["flow"], value["start"], value["revision"]) == (flow.name, flow.start, flow.revision)


def test_every_form_has_a_line_for_each_pair_of_the_machine(flow: Flow) -> None:
    value = json.loads(draw(flow, "json"))
    lines = {(way["source"], way["target"], way["kind"] == "event") for way in value["transitions"]}
    pairs = Counter((source, target) for source, target, _ in lines)
    assert {(source, target) for source, _, target in machine_transitions(flow)} <= set(pairs)
    drawn = Counter((str(g.get("data-source")), str(g.get("data-target"))) for g in groups(tree(flow), "link"))
    assert drawn == pairs
    # One more: the start.
    assert len(re.findall(r"^  \w+ (?:-->|-\.->)", draw(flow, "mermaid"), re.MULTILINE)) == len(lines) + 1
    assert len(re.findall(r"^  \w+ -> ", draw(flow, "dot"), re.MULTILINE)) == len(lines) + 1


def test_every_node_is_there(flow: Flow) -> None:
    places = groups(tree(flow), "place")
    assert [place.get("data-name") for place in places] == list(flow.nodes)
    for form in ("mermaid", "dot"):
        assert len(re.findall(r"^  n\d+ ?[\[({/]", draw(flow, form), re.MULTILINE)) == len(flow.nodes)


def test_parallel_ways_are_one_line_and_loops_stay() -> None:
    mermaid = draw(flow_of(big()), "mermaid")
    assert '|"keys 0, 5"|' in mermaid
    assert re.search(r'(n\d+) -->\|"again: key 4"\| \1\n', mermaid)


def test_ways_from_everywhere_are_a_box_and_not_lines() -> None:
    flow = flow_of(FRONT_DESK.read_text())
    assert json.loads(draw(flow, "json"))["everywhere"] == [
        {"target": "agent", "do": "", "labels": ["key *", "toomany"]}
    ]
    assert "key *, toomany → agent" in draw(flow, "svg")
    assert "key *, toomany → agent" in draw(flow, "dot")
    assert "key #42;, toomany → agent" in draw(flow, "mermaid")


def test_authors_words_never_become_the_drawings_language() -> None:
    flow = flow_of(ODD)
    root = tree(flow)
    assert '"<&" in call.id' in "".join(root.itertext())
    assert "<b>" not in draw(flow, "svg")
    readable(flow)


def readable(flow: Flow) -> None:
    """Hold the quotes and escapes of Mermaid and DOT against their rules."""
    for line in draw(flow, "mermaid").splitlines():
        assert re.fullmatch(r'[^"]*("[^"<&\\`]*(<br/>[^"<&\\`]*)*"[^"]*)?', line), line
    for line in draw(flow, "dot").splitlines():
        assert len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2 == 0, line
    json.loads(draw(flow, "json"))


GOLDEN = Path(__file__).parent / "pictures"


@pytest.mark.parametrize("form", FORMS)
def test_a_small_flow_in_every_form(form: Form) -> None:
    loaded = load("small.yaml", (GOLDEN / "small.yaml").read_bytes(), plugins.node_types())
    assert loaded.flow is not None, loaded.diagnostics
    text, golden = draw(loaded.flow, form), GOLDEN / f"small.{form}"
    if os.environ.get("FLOWENGINE_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp")), max_size=40
)
NAMES = ("graph", "end_", "class", "subgraph", "n0", "node", "a-b", "start", "strict", "default")


@st.composite
def texts_of_flows(given_: st.DrawFn) -> str:
    """Write a flow of any nodes that lead anywhere."""
    names = given_(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    target = st.sampled_from((*names, "again", "back", "end"))

    def cases() -> list[dict[str, str]]:
        return [{"if": "n > 1", "goto": given_(target)}, {"else": given_(target)}]

    def handlers() -> dict[str, object]:
        return {"error": [{"say": "x"}, {"goto": given_(target)}], "noinput": {"goto": given_(target)}}

    def node() -> dict[str, object]:
        say = json.dumps(given_(WORDS)).replace("{", "(").replace("}", ")")
        common = {"say": json.loads(say) or "x", "goto": given_(st.one_of(target, st.builds(cases)))}
        ways = [{"key": key, "goto": given_(target)} for key in range(given_(st.integers(1, 4)))]
        kinds: dict[str, object] = {
            "step": {},
            "menu": {"menu": [*ways, {"key": 9, "name": "other"}], "catch": handlers()},
            "collect": {"collect": {"into": "n", "optional": True}, "catch": handlers(), "resume": given_(target)},
            "chat": {"chat": {"prompt": "x", "exits": {"done": {"when": "x"}}}, "catch": handlers()},
            "tool": {"tool": "t"},
            "subflow": {"subflow": "other"},
            "transfer": {"transfer": "+15550100"},
            "wait": {"wait": {"for": "5s", "options": ways}},
            "press": {"press": "1w"},
            "return": {"return": "done", "goto": None},
            "hangup": {"hangup": None, "goto": None},
        }
        chosen = {**common, **dict(kinds[given_(st.sampled_from(sorted(kinds)))])}  # type: ignore[call-overload]
        return {key: value for key, value in chosen.items() if value is not None or key == "hangup"}

    document = {
        "flow": "any",
        "version": 1,
        "about": given_(WORDS) or "x",
        "vars": {"n": {"type": "int", "default": 0}},
        "tools": {"t": {"python": "x:y"}},
        "always": [{"key": "star", "goto": given_(st.sampled_from(names))}, {"key": "hash", "do": "repeat"}],
        "nodes": {name: node() for name in names},
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


@given(texts_of_flows())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_flow_that_loads_is_drawn_in_every_form(text: str) -> None:
    flow = load("any.yaml", text, plugins.node_types()).flow
    assume(flow is not None)
    assert flow is not None
    value = json.loads(draw(flow, "json"))
    assert [node["name"] for node in value["nodes"]] == list(flow.nodes)
    drawn = Counter((group.get("data-source"), group.get("data-target")) for group in groups(tree(flow), "link"))
    assert set(drawn) == {(way["source"], way["target"]) for way in value["transitions"]}
    readable(flow)
