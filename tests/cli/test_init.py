"""`flowengine init`: every template is a working project, and nothing is ever overwritten."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from flowengine import settings
from flowengine.cli import init
from flowengine.cli.main import main

ROOT = Path(__file__).parents[2]
NAMES = init.names()
EVERY = pytest.mark.parametrize("name", NAMES)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(here: Path, name: str) -> set[str]:
    assert run("init", "project", "--template", name).exit_code == 0
    folder = here / "project"
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@EVERY
def test_a_project_is_complete(here: Path, name: str) -> None:
    assert made(here, name) == {
        f"flows/{name}.yaml",
        f"flows/{name}.test.yaml",
        "flowengine.yaml",
        ".vscode/settings.json",
        ".vscode/extensions.json",
        ".github/workflows/flows.yml",
        ".pre-commit-config.yaml",
        ".gitignore",
        "README.md",
        "schemas/flow.schema.json",
        "schemas/included.schema.json",
        "schemas/tests.schema.json",
        "schemas/settings.schema.json",
    }


@EVERY
def test_a_project_is_right_and_tested_to_the_last_handler(
    here: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(here, name)
    monkeypatch.chdir(here / "project")
    checked = run("check")
    assert (checked.exit_code, checked.stdout) == (0, "")
    assert [line.partition(": ")[0] for line in checked.stderr.splitlines()] == [
        "flowengine.yaml",
        f"flows/{name}.test.yaml",
        f"flows/{name}.yaml",
    ]
    assert run("check", ".").exit_code == 0
    tested = run("test", "--fail-under", "100")
    assert tested.exit_code == 0, tested.output
    assert "100 % reached" in tested.stdout


@EVERY
def test_the_modelines_lead_to_the_schemas_and_those_take_the_files(here: Path, name: str) -> None:
    made(here, name)
    project = here / "project"
    for file, which in (
        (f"flows/{name}.yaml", "flow"),
        (f"flows/{name}.test.yaml", "tests"),
        ("flowengine.yaml", "settings"),
    ):
        text = (project / file).read_text(encoding="utf-8")
        target = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        schema = (project / file).parent / target
        assert schema.resolve() == (project / "schemas" / f"{which}.schema.json").resolve()
        assert schema.read_bytes() == (ROOT / "schemas" / schema.name).read_bytes()
        Draft202012Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(yaml.safe_load(text))


def test_the_editor_maps_each_schema_that_is_there(here: Path) -> None:
    made(here, "front-desk")
    settings = json.loads((here / "project/.vscode/settings.json").read_text(encoding="utf-8"))
    assert all((here / "project" / schema).is_file() for schema in settings["yaml.schemas"])
    extensions = json.loads((here / "project/.vscode/extensions.json").read_text(encoding="utf-8"))
    assert extensions["recommendations"] == ["redhat.vscode-yaml"]


def commands_of(path: Path) -> list[str]:
    """Give the commands of ours that a file of a project runs."""
    lines = path.read_text(encoding="utf-8").splitlines()
    words = (line.partition("run: ")[2] or line.partition("entry: ")[2] or line for line in lines)
    return [word for word in words if word.startswith("flowengine ") and "=" not in word.split()[1]]


@EVERY
def test_every_command_that_a_project_names_is_there_and_takes_its_options(here: Path, name: str) -> None:
    made(here, name)
    project = here / "project"
    named = [
        c
        for f in ("README.md", ".github/workflows/flows.yml", ".pre-commit-config.yaml")
        for c in commands_of(project / f)
    ]
    assert {command.split()[1] for command in named} >= {"check", "test", "graph", "call"}
    for command in named:
        _, which, *options = command.split()
        told = run(which, "--help")
        assert told.exit_code == 0, command
        assert all(option in told.stdout for option in options if option.startswith("--")), command
    text = (project / "README.md").read_text(encoding="utf-8")
    assert "__" not in text
    assert "__" not in (project / "flowengine.yaml").read_text(encoding="utf-8")


def test_the_keys_of_the_readme_go_through_the_flow(here: Path) -> None:
    """They are those of a call, so each of them has to be one that the flow takes where it is pressed."""
    for name in NAMES:
        about = yaml.safe_load((init.TEMPLATES / name / init.ABOUT).read_text(encoding="utf-8"))
        steps = "".join(f", {{keys: '{keys}'}}" for keys in about["keys"].split())
        folder = here / name
        assert run("init", name, "--template", name).exit_code == 0
        more = folder / "flows" / "keys.test.yaml"
        more.write_text(
            f"flow: {name}\ntests:\n  - name: keys\n    talk: [{{node: welcome}}{steps}, {{not: Sorry}}]\n",
            encoding="utf-8",
        )
        result = run("test", str(more))
        assert result.exit_code == 0, result.output


def test_what_to_do_next_is_told(here: Path) -> None:
    result = run("init", "my-line")
    assert result.exit_code == 0
    assert "my-line/flows/front-desk.yaml\n" in result.stdout
    assert "cd my-line\n  flowengine check\n  flowengine test\n" in result.stderr


def test_a_folder_that_has_other_files_is_taken(here: Path) -> None:
    (here / "line").mkdir()
    (here / "line" / "notes.txt").write_text("mine")
    assert run("init", "line").exit_code == 0
    assert (here / "line" / "notes.txt").read_text() == "mine"


def test_files_in_the_way_are_listed_and_nothing_is_written(here: Path) -> None:
    (here / "line" / "flows").mkdir(parents=True)
    (here / "line" / "README.md").write_text("mine")
    (here / "line" / "flows" / "front-desk.yaml").symlink_to("nowhere")
    result = run("init", "line")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "line/README.md" in result.stderr
    assert "line/flows/front-desk.yaml" in result.stderr
    assert (here / "line" / "README.md").read_text() == "mine"
    assert sorted(path.name for path in (here / "line").rglob("*")) == ["README.md", "flows", "front-desk.yaml"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Missing argument"),
        (("x", "--template", "none"), 2, "is not one of 'account', 'front-desk', 'survey'"),
        (("file",), 2, "file is a file, not a folder"),
        (("file/inside",), 3, "can not make the folder"),
    ],
)
def test_wrong_usage_and_what_the_machine_does_not_allow(
    here: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    (here / "file").write_text("")
    result = run("init", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


def test_the_templates_are_part_of_the_package() -> None:
    """The build leaves out what git ignores and nothing else below the package."""
    files = [path for path in init.TEMPLATES.rglob("*") if path.is_file()]
    assert not [path for path in files if any(part.startswith(".") for part in path.relative_to(ROOT).parts)]
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout == ""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["flowengine"]}


def test_no_server_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from flowengine.cli.main import main; main(['init', sys.argv[1]], standalone_mode=False);"
        "heavy = {'numpy', 'httpx', 'starlette', 'uvicorn', 'deepgram', 'anthropic'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@EVERY
def test_a_server_starts_from_the_settings_as_they_are(here: Path, name: str) -> None:
    made(here, name)
    found, diagnostics = settings.load("project/flowengine.yaml", {})
    assert diagnostics == []
    assert found is not None
    found.check()
    assert found.flows.default == name


def test_with_a_carrier_only_its_own_requests_are_answered(here: Path) -> None:
    made(here, "front-desk")
    path = here / "project" / "flowengine.yaml"
    head, _, rest = path.read_text(encoding="utf-8").partition("# carriers:")
    path.write_text(head + "carriers:" + rest.replace("\n# ", "\n"), encoding="utf-8")
    found, diagnostics = settings.load(str(path), {"TWILIO_AUTH_TOKEN": "t", "PUBLIC_URL": "https://voice.example.com"})
    assert diagnostics == []
    assert found is not None
    found.check()
    assert found.carrier("twilio") == settings.CarrierSettings("", "t", "required", "")
    assert run("check", str(path)).exit_code == 0
