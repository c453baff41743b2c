"""The repository keeps what its pages promise: pinned dependencies, true examples, links that lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from flowengine.cli.main import main
from flowengine.flow.diagnostics import Severity
from flowengine.flow.loader import Loaded, load
from flowengine.plugins import node_types
from flowengine.server.library import flow_files

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "CHANGELOG.md",
    "flowengine/README.md",
    "flowengine/providers/README.md",
    "flows/README.md",
    "schemas/README.md",
    "tests/semantics/README.md",
    "tests/ears/README.md",
)
BINARY = {".wav", ".png", ".gz", ".db"}


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def whole_flows(name: str) -> list[str]:
    """Give the YAML blocks of a page that are whole flows."""
    blocks: list[str] = re.findall(r"^```yaml\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if block.startswith("flow:")]


def loaded(name: str, text: str) -> Loaded:
    return load(name, text, node_types())


def names(requirements: list[str]) -> set[str]:
    """Give the packages of requirements, in the one spelling of their names."""
    found = (re.match(r"[A-Za-z0-9._-]+", line) for line in requirements)
    return {re.sub(r"[-_.]+", "-", match[0]).lower() for match in found if match}


def tracked() -> Iterator[Path]:
    """Give the files of the repository; without git, those that are no cache and no environment."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        yield from (path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
        return
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", "__")) and name != "demo"]
        yield from (Path(folder) / name for name in files)


def test_the_constraints_pin_every_dependency_and_name_no_place_to_get_it() -> None:
    text = page("constraints.txt")
    assert "://" not in text
    assert " @ " not in text
    lines = [line for line in text.splitlines() if line]
    assert all("==" in line for line in lines)
    project = tomllib.loads(page("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert names(wanted) <= names(lines)


def test_the_readme_is_short_and_its_example_has_twenty_lines_without_findings() -> None:
    assert len(page("README.md").splitlines()) <= 160
    (example,) = whole_flows("README.md")
    assert len(example.splitlines()) == 20
    flow = loaded("bakery.yaml", example)
    assert flow.diagnostics == ()
    assert flow.flow is not None


@pytest.mark.parametrize("name", ["flows/README.md", "schemas/README.md"])
def test_every_whole_flow_of_a_page_loads_without_findings(name: str) -> None:
    flows = whole_flows(name)
    assert flows
    for number, text in enumerate(flows, 1):
        found = loaded(f"{name}, flow {number}", text)
        assert found.diagnostics == (), text
        assert found.flow is not None


def test_the_tutorial_begins_with_four_lines() -> None:
    assert len(whole_flows("flows/README.md")[0].splitlines()) == 4


def test_the_tests_of_the_tutorial_pass(tmp_path: Path) -> None:
    page_ = page("flows/README.md")
    (tests,) = re.findall(r"^```yaml\n(# my.test.yaml\n.*?)^```", page_, re.DOTALL | re.MULTILINE)
    (flow,) = (text for text in whole_flows("flows/README.md") if "busy: busy" in text)
    (tmp_path / "my.yaml").write_text(flow, encoding="utf-8")
    (tmp_path / "my.test.yaml").write_text(tests, encoding="utf-8")
    result = CliRunner().invoke(main, ["test", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "(2 passed)" in result.output


@pytest.mark.parametrize("path", list(flow_files(ROOT / "flows")), ids=lambda path: path.stem)
def test_every_shipped_flow_is_without_findings(path: Path) -> None:
    found = loaded(path.as_posix(), path.read_text(encoding="utf-8"))
    assert found.diagnostics == ()
    assert found.flow is not None
    assert found.flow.name == path.stem
    assert f"[{path.name}]({path.name})" in page("flows/README.md")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_within_the_repository_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}


def test_the_map_names_every_module() -> None:
    text = page("flowengine/README.md")
    modules = [path for path in (ROOT / "flowengine").rglob("*.py") if path.name != "__init__.py"]
    assert [path.name for path in modules if f"`{path.name}`" not in text] == []


def test_the_reference_explains_every_finding_of_the_golden_files() -> None:
    golden = (ROOT / "tests" / "flow" / "errors").glob("*.out")
    texts = [path.read_text(encoding="utf-8") for path in golden]
    codes = {code for text in texts for code in re.findall(r"^(?:error|warning)\[([a-z0-9-]+)\]", text, re.MULTILINE)}
    assert codes
    text = page("schemas/README.md")
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = ["pypi." + "org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian.org"]
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        if path.suffix not in BINARY
        for host in hosts
        if host.encode() in path.read_bytes()
    ]
    assert found == []


def test_ci_runs_make_test_and_nothing_else() -> None:
    commands = [line for line in page(".ci/run").splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_hooks_for_commits_run_commands_that_there_are() -> None:
    hooks = yaml.safe_load(page(".pre-commit-hooks.yaml"))
    assert [hook["id"] for hook in hooks] == ["flowengine-check", "flowengine-test"]
    for hook in hooks:
        program, *arguments = hook["entry"].split()
        assert program in tomllib.loads(page("pyproject.toml"))["project"]["scripts"]
        assert CliRunner().invoke(main, [*arguments, "--help"]).exit_code == 0
    template = yaml.safe_load(page("flowengine/templates/shared/dot-pre-commit-config.yaml"))
    ours = [{key: hook[key] for key in ("id", "name", "entry", "files", "pass_filenames")} for hook in hooks]
    assert [{key: hook[key] for key in ours[0]} for hook in template["repos"][0]["hooks"]] == ours


def test_the_set_up_names_the_line_that_mends_a_machine_without_python(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    for name in (".ci/setup", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dirname", "cat", "cksum", "id"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    # A Python that is too old, as the one of many a distribution.
    (tools / "python3").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2\nexit 1\n')
    (tools / "python3").chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, str(tmp_path / ".ci" / "setup")], env={"PATH": str(tools)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert "mend it with:" in done.stderr


def test_errors_of_shipped_pages_would_be_seen() -> None:
    broken = loaded("x", whole_flows("README.md")[0].replace("goto: choice", "goto: choise"))
    assert any(d.severity is Severity.ERROR for d in broken.diagnostics)
