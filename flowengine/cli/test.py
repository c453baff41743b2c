"""``flowengine test``: run the tests of flows, without a phone and without waiting."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from flowengine.cli import _files, _flows
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.flow.diagnostics import Diagnostic
    from flowengine.runtime.program import Program
    from flowengine.testing.cases import Suite
    from flowengine.testing.coverage import Coverage
    from flowengine.testing.verdict import Ran


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--junit-xml", "junit", metavar="FILE", help="Write the results as JUnit XML, too.")
@click.option(
    "--fail-under",
    type=click.IntRange(0, 100),
    metavar="N",
    help="Fail when the tests reach less than N percent of nodes, options, exits and handlers.",
)
@click.option("-k", "part", metavar="TEXT", help="Run only tests with this text in their name; case does not count.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], junit: str | None, fail_under: int | None, part: str) -> None:
    """Run the tests of flows (NAME.test.yaml) and say what they do not reach.

    PATH is a file of tests, a flow that has one beside it, or a folder; without any, the folder flows/. A test talks to
    the flow itself: no phone, no sound, no waiting. A flow of the folder that has no tests counts as not reached.

    \b
    Example:
      flowengine test
      flowengine test flows/front-desk.test.yaml -k "six digits"
      flowengine test --junit-xml results.xml --fail-under 90
    """
    from flowengine.testing import verdict

    run = _Run(part or "")
    tests, flows = _targets(paths or ("flows",))
    for path in tests:
        ran = run.file(path)
        if ran:
            click.echo(verdict.line(ran, colour=True))
    for path in flows:
        run.untested(str(path))
    if not any(ran.results or ran.findings for ran in run.rans):
        raise click.UsageError(f'no test has "{part}" in its name' if part else "there is no test to run")
    _print(run)
    if junit:
        _files.write(Path(junit), verdict.junit(run.rans, run.sources))
    low = fail_under is not None and verdict.percent(run.covered) < fail_under
    if low:
        click.echo(f"error: the tests reach {verdict.percent(run.covered)} %, less than {fail_under} %", err=True)
    if low or any(ran.failed or ran.findings for ran in run.rans):
        ctx.exit(FAILED)


def _print(run: _Run) -> None:
    """Print the failures in full, what was not reached, and the last line."""
    from flowengine.flow import render
    from flowengine.testing import verdict

    for ran in run.rans:
        if ran.findings:
            click.echo("\n" + render.full(ran.findings, run.sources, colour=True), nl=False)
        for result in ran.failed:
            if result.failure:
                click.echo("\n" + verdict.failure(result, result.failure, run.sources, colour=True), nl=False)
    if run.covered:
        click.echo("\n" + verdict.coverage(run.covered), nl=False)
    click.echo("\n" + verdict.summary(run.rans, run.covered))


class _Run:
    """One run of files of tests: their results, the flows that they cover, and the lines for excerpts."""

    def __init__(self, part: str) -> None:
        self.part = part.casefold()
        self.shelf = _flows.Shelf()
        self.rans: list[Ran] = []
        self.sources: dict[str, tuple[str, ...]] = {}
        self._programs: dict[str, tuple[Program, Coverage]] = {}

    @property
    def covered(self) -> list[Coverage]:
        """The coverage of every flow, by the names of their files."""
        return [coverage for _, (_, coverage) in sorted(self._programs.items())]

    def file(self, path: Path) -> Ran | None:
        """Run one file of tests; None where none of its tests was asked for."""
        from flowengine.flow.diagnostics import Severity
        from flowengine.testing.reading import load_tests
        from flowengine.testing.verdict import Ran

        name = str(path)
        beside = self.shelf.beside(path)
        loaded = load_tests(name, _files.read(path), beside)
        self.sources[name] = loaded.lines
        findings: list[Diagnostic] = [d for d in loaded.diagnostics if d.severity is Severity.ERROR]
        flow = beside.named(loaded.suite.flow.text) if loaded.suite else None
        if flow is not None:
            self.sources[flow.file] = flow.lines
            if flow.flow is None:
                findings += [d for d in flow.diagnostics if d.severity is Severity.ERROR]
        ran = Ran(name, findings=findings)
        if loaded.suite and flow and not findings:
            if self.part and not any(self.part in case.name.casefold() for case in loaded.suite.tests):
                return None
            self._run(loaded.suite, flow.file, ran)
        self.rans.append(ran)
        return ran

    def _run(self, suite: Suite, file: str, ran: Ran) -> None:
        from flowengine.testing import runner

        program, coverage = self._program(file)
        for case in suite.tests:
            if self.part in case.name.casefold():
                begin = perf_counter()
                ran.results.append(runner.run(program, case, coverage))
                ran.seconds.append(perf_counter() - begin)

    def untested(self, file: str) -> None:
        """Count a flow that no test is for, unless only some tests were asked for."""
        if not self.part and file not in self._programs and self.shelf.load(file).flow:
            self._program(file)

    def _program(self, file: str) -> tuple[Program, Coverage]:
        """Give a flow made ready, once for all its files of tests."""
        from flowengine.testing.coverage import Coverage

        if file not in self._programs:
            program = _flows.program(self.shelf, file)
            self.sources |= {one.flow.file: self.shelf.load(one.flow.file).lines for one in program.all}
            self._programs[file] = program, Coverage(program.flow)
        return self._programs[file]


def _targets(paths: Iterable[str]) -> tuple[list[Path], list[Path]]:
    """Give the files of tests that are meant, each once, and the flows of the folders that are meant."""
    tests: dict[Path, None] = {}
    flows: dict[Path, None] = {}
    for path in paths:
        found = _flows.existing(path)
        if not found.is_dir():
            tests[found if _flows.is_test(found) else _beside(found)] = None
            continue
        listed = list(_flows.below(found))
        tests |= dict.fromkeys(file for file in listed if _flows.is_test(file))
        flows |= dict.fromkeys(file for file in listed if not _flows.is_test(file) and not _flows.is_settings(file))
        if not any(_flows.is_test(file) for file in listed):
            raise click.UsageError(f"there are no tests (*.test.yaml) in the folder {path}")
    return list(tests), list(flows)


def _beside(flow: Path) -> Path:
    for suffix in _flows.YAML:
        tests = flow.with_name(f"{flow.stem}.test{suffix}")
        if tests.is_file():
            return tests
    raise click.UsageError(f"{flow} has no tests: write {flow.stem}.test.yaml beside it")
