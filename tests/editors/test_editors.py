"""What an author sees while writing, of the language server that editors use for YAML, with the schemas of a project.

A § in a text is the cursor. The server is a program of its own: `make editors` installs it, and without it these tests
are skipped.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flowengine.cli.main import main
from tests.editors.language_server import PROGRAM, LanguageServer

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not PROGRAM.exists() or not shutil.which("node"), reason="no yaml-language-server: run `make editors`"
)
HEAD = "flow: x\nversion: 1\n"
NODES = f"{HEAD}nodes:\n"
NODE = f"{NODES}  main:\n"
LATER = "nodes:\n  main: {say: Hello., goto: end}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `flowengine init` makes it."""
    folder = tmp_path_factory.mktemp("editors") / "project"
    assert CliRunner().invoke(main, ["init", str(folder)]).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def server(project: Path) -> Iterator[LanguageServer]:
    """The server with the settings of the project, as Visual Studio Code starts it."""
    settings = json.loads((project / ".vscode" / "settings.json").read_text(encoding="utf-8"))
    with LanguageServer(project, settings, "flows/wrong.yaml") as running:
        yield running


@dataclass(frozen=True)
class Place:
    """A text with a cursor, in the file of that name."""

    text: str
    file: str = "flows/mine.yaml"

    def at(self) -> tuple[str, int, int]:
        before, after = self.text.split("§")
        return before + after, before.count("\n"), len(before) - before.rfind("\n") - 1


def proposals(server: LanguageServer, place: Place) -> dict[str, str]:
    """What is proposed at a place, and what each would insert."""
    text, line, column = place.at()
    uri = server.open(place.file, text)
    found = server.completions(uri, line, column)
    server.close(uri)
    return {item["label"]: item.get("insertText", "") for item in found}


FIELDS_OF_A_NODE = "say reprompt barge_in tries catch set add goto always timeouts voice lang model max_visits resume"
TYPES_OF_NODES = "chat collect hangup menu press record return subflow tool transfer wait"
OPTION = "key hear if set add name goto"
TIMERS = "noinput interdigit final speech_end max_speech tool model_first node call"
EVENTS = "noinput nomatch invalid toomany maxvisits hangup error error.http error.tool.timeout timeout.node machine"
TEST = Place("flow: front-desk\ntests:\n  - name: one\n    §\n", "flows/mine.test.yaml")
STEP = Place("flow: front-desk\ntests:\n  - name: one\n    talk:\n      - §\n", "flows/mine.test.yaml")
COMPLETIONS = {
    "a file": (Place("§"), "flow version start about args vars texts hours tools defaults always catch include nodes"),
    "below the nodes": (Place(f"{HEAD}{LATER}§\n"), "start args vars texts hours tools defaults always catch include"),
    "a node": (Place(f"{NODE}    §\n"), f"{FIELDS_OF_A_NODE} {TYPES_OF_NODES} about tags"),
    "a node with fields": (Place(f"{NODE}    say: Hi.\n    §\n    goto: end\n"), f"{TYPES_OF_NODES} tries catch"),
    "a node with a type": (
        Place(f"{NODE}    menu:\n      - {{key: 1, goto: end}}\n    §\n"),
        "say reprompt tries goto",
    ),
    "a node in braces": (Place(f"{NODES}  main: {{say: Hi., g§}}\n"), FIELDS_OF_A_NODE.replace("say ", "")),
    "an option": (Place(f"{NODE}    menu:\n      - §\n"), OPTION),
    "an option with a key": (Place(f"{NODE}    menu:\n      - key: 1\n        §\n"), OPTION.replace("key ", "")),
    "an option in braces": (Place(f"{NODE}    menu:\n      - {{key: 1, g§}}\n"), OPTION.replace("key ", "")),
    "a menu": (Place(f"{NODE}    menu:\n      §\n"), "options understand"),
    "an option of a menu": (Place(f"{NODE}    menu:\n      options:\n        - §\n"), OPTION),
    "understand": (Place(f"{NODE}    menu:\n      understand: §\n"), "phrases model"),
    "collect": (
        Place(f"{NODE}    collect:\n      into: x\n      §\n"),
        "type length range end_key clear_key by match check confirm optional from show page",
    ),
    "by": (Place(f"{NODE}    collect:\n      by:\n        - §\n"), "keys speech"),
    "chat": (
        Place(f"{NODE}    chat:\n      prompt: Help.\n      §\n"),
        "tools exits temperature history opens max_turns keys filler",
    ),
    "an exit": (
        Place(f"{NODE}    chat:\n      exits:\n        done:\n          §\n"),
        "when key hear if fill set add goto",
    ),
    "opens": (Place(f"{NODE}    chat:\n      opens: §\n"), "bot caller"),
    "history": (Place(f"{NODE}    chat:\n      history: §\n"), "keep fresh summary"),
    "transfer": (
        Place(f"{NODE}    transfer:\n      to: '1'\n      §\n"),
        "mode ring caller_id headers brief accept_key hold max",
    ),
    "mode": (Place(f"{NODE}    transfer:\n      mode: §\n"), "dial blind warm"),
    "outcomes": (
        Place(f"{NODE}    transfer: '1'\n    goto:\n      §\n"),
        "ended busy noanswer declined failed else",
    ),
    "outcomes in braces": (
        Place(f"{NODE}    transfer: '1'\n    goto: {{busy: end, e§}}\n"),
        "ended noanswer declined failed else",
    ),
    "wait": (Place(f"{NODE}    wait:\n      for: 1m\n      §\n"), "play say every events options"),
    "record": (Place(f"{NODE}    record:\n      into: x\n      §\n"), "max silence end_key beep"),
    "a target": (Place(f"{NODE}    say: Hi.\n    goto: §\n"), "again back end"),
    "a case": (Place(f"{NODE}    goto:\n      - §\n"), "if set add goto else"),
    "a prompt": (Place(f"{NODE}    say:\n      - §\n"), "text audio one_of t pause if voice lang barge_in"),
    "barge_in": (Place(f"{NODE}    barge_in: §\n"), "true false keys speech"),
    "barge_in of a prompt": (Place(f"{NODE}    say: {{text: Hi., barge_in: §}}\n"), "true false keys speech"),
    "always of a node": (Place(f"{NODE}    always: §\n"), "true false"),
    "timers": (Place(f"{NODE}    timeouts:\n      §\n"), TIMERS),
    "events of a node": (Place(f"{NODE}    catch:\n      §\n"), EVENTS),
    "events": (Place(f"{HEAD}catch:\n  §\n"), EVENTS),
    "a handler": (Place(f"{HEAD}catch:\n  noinput:\n    §\n"), "say set add tool goto"),
    "a command": (Place(f"{HEAD}always:\n  - key: 1\n    §\n"), "hear when goto do cooldown name"),
    "do": (Place(f"{HEAD}always:\n  - key: 1\n    do: §\n"), "repeat louder slower"),
    "a tool": (
        Place(f"{HEAD}tools:\n  a:\n    §\n"),
        "http url headers query body take python mcp about args timeout retry idempotent save filler when_interrupted",
    ),
    "http": (Place(f"{HEAD}tools:\n  a:\n    http: §\n"), "GET POST"),
    "hours": (Place(f"{HEAD}hours:\n  office:\n    §\n"), "zone open closed special"),
    "days": (Place(f"{HEAD}hours:\n  office:\n    open:\n      §\n"), "mon-fri mon tue wed thu fri sat sun"),
    "a variable": (Place(f"{HEAD}vars:\n  a:\n    §\n"), "type default private required values about"),
    "a type": (Place(f"{HEAD}vars:\n  a:\n    type: §\n"), "text digits int number money bool yesno date time enum"),
    "a type for short": (Place(f"{HEAD}vars:\n  a: §\n"), "text digits int number money bool yesno date time enum"),
    "defaults": (
        Place(f"{HEAD}defaults:\n  §\n"),
        "lang zone currency voice barge_in type_ahead persona timeouts limits",
    ),
    "settings": (Place("§", "flowengine.yaml"), "server flows carriers speech"),
    "a carrier": (Place("carriers:\n  twilio:\n    §\n", "flowengine.yaml"), "account token signatures stream_key"),
    "signatures": (
        Place("carriers:\n  twilio:\n    signatures: §\n", "flowengine.yaml"),
        "required if-present off",
    ),
    "a file that is included": (Place("§", "flows/parts/mine.yaml"), "vars texts hours tools nodes"),
    "a node in such a file": (Place("nodes:\n  main:\n    §\n", "flows/parts/mine.yaml"), TYPES_OF_NODES),
    "a test": (TEST, "talk path vars args env call clock seed tools model"),
    "a step": (STEP, "bot not keys hear silence event transfer"),
}


@pytest.mark.parametrize("case", COMPLETIONS)
def test_it_completes(server: LanguageServer, case: str) -> None:
    place, wanted = COMPLETIONS[case]
    assert set(wanted.split()) - set(proposals(server, place)) == set()


# Only what fits is proposed: an editor that knows the type alone would offer true, false and null to every text.
NOTHING = {
    "a text": Place(f"{NODE}    say: §\n"),
    "a name": Place(f"{NODE}    collect:\n      into: §\n"),
    "a number to dial": Place(f"{NODE}    transfer: §\n"),
    "a target": Place(f"{NODE}    goto: §\n"),
    "a kind of variable": Place(f"{HEAD}vars:\n  a: §\n"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_it_proposes_nothing_that_does_not_fit(server: LanguageServer, case: str) -> None:
    assert {"true", "false", "null"} & set(proposals(server, NOTHING[case])) == set()


INSERTED = {
    "menu": "menu:\n  - key: 1\n    hear:\n      - balance\n      - account\n    goto: balance\n",
    "collect": "collect:\n  into: account\n  length: 6\n  confirm: ",
    "transfer": 'transfer:\n  to: "+15550123"\n  ring: 20s',
    "say": "say: ",
    "timeouts": "timeouts:\n  ",
    "tries": "tries: ${1:3}",
}


@pytest.mark.parametrize("label", INSERTED)
def test_what_is_chosen_is_written_as_an_author_goes_on(server: LanguageServer, label: str) -> None:
    inserted = proposals(server, Place(f"{NODE}    §\n"))[label]
    assert inserted.startswith(INSERTED[label])
    assert label != "timeouts" or inserted == INSERTED[label], "not every timer"


HOVERS = {
    "a field": (Place(f"{NODE}    s§ay: Hi.\n    goto: end\n"), "Spoken on entry."),
    "a field of the file": (Place(f"{HEAD}{LATER}sta§rt: main\n"), "The first node; default: the first in the file."),
    "a node type": (Place(f"{NODE}    me§nu:\n      - {{key: 1, goto: end}}\n"), "One choice by key or voice"),
    "its example": (Place(f"{NODE}    me§nu:\n      - {{key: 1, goto: end}}\n"), "```yaml\nmain:\n  say: For your"),
    "a node type for short": (Place(f"{NODE}    tran§sfer: '1'\n    goto: {{else: end}}\n"), "Hands the caller over"),
    "a node type without a value": (Place(f"{NODE}    say: Bye.\n    hang§up:\n"), "Ends the call"),
    "code in a description": (Place(f"{NODE}    menu:\n      - {{k§ey: 1, goto: end}}\n"), "this option: `1`, `12`"),
    "an outcome": (Place(f"{NODE}    transfer: '1'\n    goto: {{bu§sy: end, else: end}}\n"), "The number is busy."),
    "an event": (Place(f"{NODE}    say: Hi.\n    catch: {{nom§atch: {{goto: end}}}}\n"), "is not one of the choices"),
    "a timer": (Place(f"{NODE}    say: Hi.\n    timeouts: {{no§input: 5s}}\n"), "Silence after the prompt was heard."),
    "a word": (Place(f"{NODE}    transfer: {{to: '1', mode: di§al}}\n"), "* `blind`"),
    "a type": (Place(f"{HEAD}vars: {{a: {{ty§pe: text}}}}\n{LATER}"), "The type of the values it may hold."),
    "a setting": (Place("server: {po§rt: 80}\n", "flowengine.yaml"), "The port to listen on."),
}


@pytest.mark.parametrize("case", HOVERS)
def test_it_explains(server: LanguageServer, case: str) -> None:
    place, wanted = HOVERS[case]
    text, line, column = place.at()
    uri = server.open(place.file, text)
    shown = server.hover(uri, line, column)
    server.close(uri)
    assert wanted in shown
    assert not shown.startswith("####"), "a title of the whole file would stand over every field"


# Each text, what is underlined in it, and what is said of it: one finding for one cause.
MISTAKES = {
    "a misspelt field": (f"{NODE}    sya: Hi.\n    goto: end\n", "sya", "Property sya is not allowed."),
    "a misspelt field of the file": (f"{HEAD}vers: {{}}\n{LATER}", "vers", "Property vers is not allowed."),
    "a misspelt field of a type": (
        f"{NODE}    collect: {{into: x, lenght: 4}}\n",
        "lenght",
        "Property lenght is not allowed.",
    ),
    "a misspelt field of an option": (f"{NODE}    menu: [{{kye: 1}}]\n", "kye", "Property kye is not allowed."),
    "a missing field": (f"{NODE}    transfer: {{ring: 5s}}\n", "transfer", 'Missing property "to".'),
    "no nodes": (HEAD, "f", 'Missing property "nodes".'),
    "a wrong word": (
        f"{NODE}    transfer: {{to: '1', mode: blnd}}\n",
        "blnd",
        'Value is not accepted. Valid values: "dial", "blind", "warm".',
    ),
    "a wrong word with other forms": (
        f"{NODE}    barge_in: yess\n",
        "yess",
        "must be true, false, keys, speech, or a mapping",
    ),
    "no unit": (
        f"{NODE}    timeouts: {{noinput: 55}}\n",
        "55",
        "must be a duration with its unit, such as 800ms, 6s, 2m or 1h",
    ),
    "a wrong unit": (
        f"{NODE}    timeouts: {{noinput: 5sec}}\n",
        "5sec",
        "must be a duration with its unit, such as 800ms, 6s, 2m or 1h",
    ),
    "a text for a number": (f"{NODE}    tries: three\n", "three", "must be a whole number from 1 to 20"),
    "a number out of range": (f"{NODE}    tries: 77\n", "77", "Value is above the maximum of 20."),
    "a text for a list": (f"{NODE}    menu: press\n", "press", "must be a list of options"),
    "a wrong key": (f"{NODE}    menu: [{{key: x1, goto: end}}]\n", "x1", "must be keys of a telephone"),
    "two types": (
        f"{NODE}    transfer: '1'\n    menu: [{{key: 1, goto: end}}]\n",
        "transfer",
        "must not stand beside menu: a node has one type",
    ),
    "a name in capitals": (f"{NODES}  Main: {{say: Hi.}}\n", "Main", "must be a name such as main or ask-number"),
    "a reserved name": (f"{NODES}  back: {{say: Hi.}}\n", "back", "must be a name such as main or ask-number"),
    "a target that is no name": (f"{NODE}    goto: 55\n", "55", "must be the name of a node, or again, back or end"),
    "a repeated field": (f"{NODE}    say: Hi.\n    say: Ho.\n", "say: Ho", "Map keys must be unique"),
}


def flows() -> list[Path]:
    """Every flow, file of tests and file of settings in the repository that has no mistake."""
    globs = (
        *("flows/*.yaml", "tests/flow/flows/**/*.yaml", "tests/flow/valid/**/*.yaml"),
        *("flowengine/templates/*/flows/*.yaml", "flowengine/templates/shared/flowengine.yaml"),
    )
    return [path for glob in globs for path in sorted(ROOT.glob(glob))]


def file_of(path: Path) -> str:
    """Give the place in a project at which a file of the repository belongs to its schema."""
    if path.name == "flowengine.yaml":
        return path.name
    name = "-".join(path.relative_to(ROOT).parts)
    return f"flows/parts/{name}" if path.parent.name == "parts" else f"flows/{name}"


@pytest.fixture(scope="module")
def findings(server: LanguageServer) -> dict[str, list[dict[str, Any]]]:
    """What is found in every mistake and every file: all are open at once, for the server lets a document rest."""
    texts = {case: (f"flows/{case.replace(' ', '-')}.yaml", text) for case, (text, _, _) in MISTAKES.items()}
    # The line that names a schema names it from where the file is in the repository.
    named = re.compile(r"^# yaml-language-server: \$schema=\.\./\.\./\.\./.*")
    texts |= {str(path): (file_of(path), named.sub("#", path.read_bytes().decode("utf-8-sig"))) for path in flows()}
    opened = {name: server.open(file, text) for name, (file, text) in texts.items()}
    found = {name: server.diagnostics(uri) for name, uri in opened.items()}
    for uri in opened.values():
        server.close(uri)
    return found


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_found_once_and_where_it_is(findings: dict[str, list[dict[str, Any]]], case: str) -> None:
    text, underlined, sentence = MISTAKES[case]
    found = findings[case]
    assert [one["message"][: len(sentence)] for one in found] == [sentence]
    start = found[0]["range"]["start"]
    assert text.split("\n")[start["line"]][start["character"] :].startswith(underlined)


@pytest.mark.parametrize("path", flows(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_found_in_a_file_without_mistakes(findings: dict[str, list[dict[str, Any]]], path: Path) -> None:
    assert [one["message"] for one in findings[str(path)]] == []


def test_the_files_of_a_project_belong_to_their_schemas(server: LanguageServer) -> None:
    def schema(file: str) -> str:
        uri = server.open(file, "no_field_of_ours: 1\n")
        found = {source for one in server.diagnostics(uri) for source in re.findall(r"(\w+)\.schema\.json", str(one))}
        server.close(uri)
        return " ".join(sorted(found))

    files = ("flows/a.yaml", "flows/below/a.yaml", "flows/a.test.yaml", "flows/below/a.test.yaml", "flowengine.yaml")
    assert [schema(file) for file in files] == ["flow", "flow", "tests", "tests", "settings"]
    assert schema("flows/parts/a.yaml") == "included"
    assert schema(".github/workflows/flows.yml") == ""
