"""`flowengine check`: what it prints where, and with which code it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flowengine.cli.main import main

ROOT = Path(__file__).parents[2]
TEN = ROOT / "tests" / "flow" / "errors" / "ten-mistakes.yaml"
GOOD = "flow: {name}\nversion: 1\nnodes:\n  hello:\n    say: Hello.\n    goto: end\n"
WARN = "flow: w\nversion: 1\nnodes:\n  hello:\n    say: Hello.\n    goto: end\n  lost:\n    say: Hm.\n    goto: end\n"
# Written by hand from the file: code, line, column, the word.
TEN_MISTAKES = [
    ("unknown-field", 9, 5, "sey"),
    ("unknown-node", 10, 11, "mian"),
    ("duplicate-menu-key", 16, 15, "1"),
    ("wrong-value", 17, 25, "6"),
    ("unknown-variable", 22, 13, "acount"),
    ("unknown-field", 23, 7, "lenght"),
    ("bad-template", 27, 40, "spel"),
    ("impossible-handler", 29, 7, "nomatch"),
    ("bad-expression", 31, 22, "="),
    ("unmapped-outcome", 37, 5, "busy, noanswer, declined, failed"),
]


def check(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows" / "deep").mkdir(parents=True)
    (tmp_path / "flows" / "a.yaml").write_text(GOOD.format(name="a"))
    (tmp_path / "flows" / "deep" / "b.yml").write_text(GOOD.format(name="b"))
    (tmp_path / "flows" / "a.test.yaml").write_text("flow: a\ntests: []\n")
    return tmp_path / "flows"


def test_a_valid_flow_prints_its_revision_on_stderr_and_nothing_else(flows: Path) -> None:
    result = check("flows/a.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("flows/a.yaml: ok (a, 1 node, revision ")
    assert len(result.stderr.strip().removesuffix(")").rsplit(" ", 1)[1]) == 12


def test_the_default_is_the_folder_flows_with_its_tests_and_the_settings_beside_it(flows: Path) -> None:
    (flows.parent / "flowengine.yaml").write_text("flows: {default: a}\n")
    (flows / ".hidden").mkdir()
    (flows / ".hidden" / "other.yaml").write_text("of: another tool\n")
    result = check()
    assert result.exit_code == 0
    assert [line.partition(" (")[0] for line in result.stderr.splitlines()] == [
        "flowengine.yaml: ok",
        "flows/a.test.yaml: ok",
        "flows/a.yaml: ok",
        "flows/deep/b.yml: ok",
    ]


def test_tests_are_held_against_the_flow_beside_them(flows: Path) -> None:
    (flows / "a.test.yaml").write_text("flow: a\ntests:\n  - {name: one, talk: [{node: helo}, {node: hello}]}\n")
    for arguments in ((), ("flows/a.test.yaml",)):
        result = check("--output-format", "concise", *arguments)
        assert result.exit_code == 1
        assert result.stdout == (
            'flows/a.test.yaml:3:31: error[unknown-node] unknown node "helo" (did you mean "hello"?)\n'
        )
    (flows / "a.test.yaml").write_text("flow: a\ntests:\n  - {name: one, talk: [{node: hello}]}\n")
    result = check("flows/a.test.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "flows/a.test.yaml: ok (1 test of a)\n")


def test_tests_may_be_of_any_flow_of_their_folder(flows: Path) -> None:
    (flows / "more.test.yaml").write_text("flow: a\ntests: []\n")
    (flows / "deep" / "c.test.yaml").write_text("flow: a\ntests: []\n")
    result = check("--output-format", "concise")
    assert result.stdout == (
        'flows/deep/c.test.yaml:1:7: error[unknown-flow] there is no flow "a" in this folder (here: b)\n'
    )


def test_what_a_broken_flow_causes_in_its_tests_is_not_told(flows: Path) -> None:
    (flows / "a.yaml").write_text("flow: a\nnodes: {hello: {say: Hello., goto: [}\n")
    (flows / "a.test.yaml").write_text("flow: a\ntests:\n  - {name: one, talk: [{node: helo}]}\n")
    found = json.loads(check("--output-format", "json").stdout)["diagnostics"]
    assert {d["file"] for d in found} == {"flows/a.yaml"}


def test_tests_are_mended_too(flows: Path) -> None:
    (flows / "a.test.yaml").write_text("flow: a\ntests:\n  - {name: one, talk: [{keys: #}]}\n")
    result = check("--fix")
    assert result.exit_code == 0
    assert "Fixed 1 finding in flows/a.test.yaml; 0 remain." in result.stderr
    assert (flows / "a.test.yaml").read_text().endswith("[{keys: hash}]}\n")


def test_a_flow_is_mended_before_its_tests_are_held_against_it(flows: Path) -> None:
    (flows / "a.yaml").write_bytes(STARS.replace(b"flow: s", b"flow: a"))
    (flows / "a.test.yaml").write_text("flow: a\ntests:\n  - {name: one, talk: [{node: helo}]}\n")
    result = check("--fix", "--output-format", "concise")
    assert [line.split(" ")[1] for line in result.stdout.splitlines()] == ["error[unknown-node]"]


SETTINGS = """
server: {port: "${PORT}", public_url: "${PUBLIC_URL}", drain: "${DRAIN:-15m}"}
flows: {routes: [{to: "${NUMBER}", flow: a}]}
carriers: {twilio: {token: "${TWILIO_AUTH_TOKEN}", signatures: "${SIGNATURES}"}}
"""


def test_settings_are_the_same_on_every_machine(flows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "none")
    monkeypatch.setenv("FLOWENGINE_SERVER__PORT", "none")
    (flows.parent / "flowengine.yaml").write_text(SETTINGS)
    result = check("flowengine.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "flowengine.yaml: ok (settings)\n")


@pytest.mark.parametrize("empty", ["", "# nothing yet\n", "{}"])
def test_settings_may_be_empty(flows: Path, empty: str) -> None:
    (flows / "flowengine.yaml").write_text(empty)
    assert check().exit_code == 0


def test_mistakes_in_settings(flows: Path) -> None:
    (flows.parent / "flowengine.yaml").write_text('server: {prot: 1, port: "${PORT:-x}"}\nnothing: 1\n')
    result = check("--output-format", "concise")
    assert result.exit_code == 1
    assert result.stdout == (
        'flowengine.yaml:1:10: error[unknown-field] unknown field "prot" in server (did you mean "port"?)\n'
        "flowengine.yaml:1:25: error[wrong-value] `port` must be a whole number from 0 to 65535\n"
        'flowengine.yaml:2:1: error[unknown-field] unknown field "nothing" in the settings'
        " (known here: server, flows, carriers, speech, models, prices, tools, env, store)\n"
    )
    (flows.parent / "flowengine.yaml").write_text("- no\n- settings\n")
    assert "flowengine.yaml:1:1: error[wrong-value] these are no settings" in check("--output-format", "concise").stdout


def test_ten_mistakes_are_told_in_one_run_with_their_places() -> None:
    result = check("--output-format", "json", str(TEN))
    assert result.exit_code == 1
    found = json.loads(result.stdout)["diagnostics"]
    assert [(d["code"], d["line"], d["column"], d["about"]) for d in found] == TEN_MISTAKES
    assert {d["file"] for d in found} == {str(TEN)}
    assert set(found[0]) == {
        *("code", "severity", "file", "line", "column", "end_line", "end_column"),
        *("about", "message", "help", "fix", "related"),
    }
    first = found[2]["related"][0]
    assert (first["line"], first["column"], first["message"]) == (15, 15, "first here")
    assert "Found 10 errors in 1 file." in result.stderr


def test_concise_is_one_line_for_each_finding() -> None:
    result = check("--output-format", "concise", str(TEN))
    assert len(result.stdout.splitlines()) == 10
    assert result.stdout.splitlines()[1] == (
        f'{TEN}:10:11: error[unknown-node] unknown node "mian" (did you mean "main"?)'
    )


def test_warnings_alone_are_no_failure(flows: Path) -> None:
    (flows / "a.yaml").write_text(WARN)
    result = check("flows/a.yaml")
    assert result.exit_code == 0
    assert "warning[unreachable-node]" in result.stdout
    assert "Found 1 warning in 1 file." in result.stderr


def test_standard_input() -> None:
    assert check("-", stdin=GOOD.format(name="x")).exit_code == 0
    result = check("-", stdin="flow: x\n")
    assert result.exit_code == 1
    assert "--> <stdin>:1:1" in result.stdout


def test_two_flows_of_one_name(flows: Path) -> None:
    (flows / "deep" / "b.yml").write_text(GOOD.format(name="a"))
    result = check("--output-format", "json")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)["diagnostics"]
    assert (found["code"], found["file"], found["line"], found["column"]) == (
        "duplicate-flow",
        "flows/deep/b.yml",
        1,
        7,
    )
    assert found["related"][0]["file"] == "flows/a.yaml"


def test_one_file_named_twice_is_read_once(flows: Path) -> None:
    assert check("flows/a.yaml", "flows").exit_code == 0


@pytest.mark.parametrize("arguments", [["nowhere.yaml"], ["--output-format", "xml"], ["--no-such-option"]])
def test_wrong_usage(flows: Path, arguments: list[str]) -> None:
    result = check(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_folder_without_flows_is_wrong_usage(tmp_path: Path) -> None:
    assert check(str(tmp_path)).exit_code == 2


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file that exists and can not be read, even by root")
def test_an_unreadable_file_is_the_environment() -> None:
    result = check("/proc/self/mem")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "can not read /proc/self/mem" in result.stderr


def test_a_pipe_has_no_colour() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "flowengine", "check", str(TEN)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "\x1b" not in run.stdout


@pytest.mark.parametrize(
    ("env", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"CI": "true"}, False),
        ({"CI": "false"}, True),
        ({"NO_COLOR": ""}, True),
    ],
)
def test_the_environment_switches_colour_off(env: dict[str, str], coloured: bool) -> None:
    plain: dict[str, str | None] = {"NO_COLOR": None, "CI": None}
    result = CliRunner().invoke(main, ["check", str(TEN)], env={**plain, **env}, color=True)
    assert ("\x1b[" in result.stdout) is coloured


def test_a_folder_without_tests_and_settings_imports_nothing_for_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.format(name="a"))
    code = (
        "import sys; from flowengine.cli.main import main; main(['check', sys.argv[1]], standalone_mode=False);"
        "unneeded = ('flowengine.testing', 'flowengine.settings');"
        "sys.exit(', '.join(name for name in sys.modules if name.startswith(unneeded)) or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_no_vendor_sdk_is_imported() -> None:
    code = (
        "import sys; from flowengine.cli.main import main; main(['check', sys.argv[1]], standalone_mode=False);"
        "heavy = {'anthropic', 'deepgram', 'cartesia', 'numpy', 'httpx', 'rich', 'typer', 'starlette', 'uvicorn'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "flows" / "front-desk.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


STARS = (
    b"flow: s\nversion: 1\nnodes:\n  hello:\n    say: Note: press star.  # said\n    menu:\n"
    b"      - {key: *, goto: end}\n"
)


def test_fix_mends_the_file_says_so_and_keeps_its_mode(flows: Path) -> None:
    path = flows / "a.yaml"
    path.write_bytes(STARS.replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    result = check("--fix", "flows/a.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("Fixed 2 findings in flows/a.yaml; 0 remain.\nflows/a.yaml: ok (s, 1 node")
    assert path.read_bytes() == (
        b'flow: s\nversion: 1\nnodes:\n  hello:\n    say: "Note: press star."  # said\n    menu:\n'
        b"      - {key: star, goto: end}\n"
    ).replace(b"\n", b"\r\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in flows.iterdir()) == ["a.test.yaml", "a.yaml", "deep"]


def test_what_can_not_be_fixed_remains_and_decides_the_exit_code(flows: Path) -> None:
    (flows / "a.yaml").write_bytes(STARS.replace(b"goto: end", b"goto: ende"))
    result = check("--fix", "--output-format", "concise", "flows/a.yaml")
    assert result.exit_code == 1
    assert "Fixed 2 findings in flows/a.yaml; 1 remains." in result.stderr
    assert "error[unknown-node]" in result.stdout


def test_a_file_with_nothing_to_fix_is_not_written(flows: Path) -> None:
    (flows / "a.yaml").write_text(WARN)
    (flows / "a.test.yaml").write_text("flow: w\ntests: []\n")
    before = [path.stat() for path in sorted(flows.rglob("*.y*ml"))]
    assert check("--fix").exit_code == 0
    after = [path.stat() for path in sorted(flows.rglob("*.y*ml"))]
    assert [(s.st_mtime_ns, s.st_ino) for s in after] == [(s.st_mtime_ns, s.st_ino) for s in before]


def test_a_link_stays_a_link(flows: Path) -> None:
    (flows / "real.txt").write_bytes(STARS)
    (flows / "link.yaml").symlink_to("real.txt")
    assert check("--fix", "flows/link.yaml").exit_code == 0
    assert (flows / "link.yaml").is_symlink()
    assert b"star," in (flows / "real.txt").read_bytes()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_what_is_no_regular_file_is_not_replaced(flows: Path) -> None:
    os.mkfifo(flows / "pipe")
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; open('flows/pipe', 'wb').write(sys.stdin.buffer.read())"],
        stdin=subprocess.PIPE,
    ) as writer:
        assert writer.stdin
        writer.stdin.write(STARS)
        writer.stdin.close()
        result = check("--fix", "flows/pipe")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "can not write flows/pipe: it is no regular file" in result.stderr
    assert (flows / "pipe").is_fifo()


@pytest.mark.parametrize("data", [STARS, b"flow: x\n", b"\xff\xfe", b""])
def test_fix_of_standard_input_prints_the_text_and_nothing_else_there(data: bytes) -> None:
    result = check("--fix", "-", stdin=data)
    fixed = data.replace(b"*", b"star").replace(b"Note: press star.", b'"Note: press star."')
    assert result.stdout_bytes == fixed
    assert result.exit_code == (0 if data == STARS else 1)
    assert ("--> <stdin>:1:1" in result.stderr) is (data != STARS)


def test_a_folder_that_takes_no_file_is_the_environment(flows: Path) -> None:
    (flows / ("n" * 248 + ".yaml")).write_bytes(STARS)
    result = check("--fix")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "can not write flows/nnn" in result.stderr


@pytest.mark.parametrize(
    ("form", "beginning"),
    [
        ("github", "::error file=flows/a.yaml,line=1,endLine=1,col=1,endColumn=1,title=missing-field::`version`"),
        ("sarif", '{\n  "$schema": "https://json.schemastore.org/sarif-2.1.0.json",\n'),
        ("junit", '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="flowengine check" tests="4" failures="2"'),
    ],
)
def test_the_formats_of_other_tools(flows: Path, form: str, beginning: str) -> None:
    (flows / "a.yaml").write_text("flow: a\n")
    result = check("--output-format", form)
    assert result.exit_code == 1
    assert result.stdout.startswith(beginning)
    assert "Found 2 errors in 1 file." in result.stderr
