"""``flowengine test``: run the tests of flows, without a phone and without waiting."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from flowengine.cli import _files, _flows
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.flow.diagnostics import Diagnostic
    from flowengine.runtime.program import Program
    from flowengine.testing.cases import Case
    from flowengine.testing.coverage import Coverage, Item
    from flowengine.testing.verdict import Ran

LOOK = 0.5


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
@click.option("--jobs", "-j", type=click.IntRange(1), default=1, show_default=True, help="How many processes share it.")
@click.option("--audio", is_flag=True, help="Place real calls instead, with sound: it takes its time.")
@click.option("--watch", is_flag=True, help="Run them again whenever a file changes, until Ctrl-C.")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[str, ...],
    junit: str | None,
    fail_under: int | None,
    part: str | None,
    jobs: int,
    audio: bool,
    watch: bool,
) -> None:
    """Run the tests of flows (NAME.test.yaml) and say what they do not reach.

    PATH is a file of tests, a flow that has one beside it, or a folder; without any, the folder flows/. A test talks to
    the flow itself: no phone, no sound, no waiting. A flow of the folder that has no tests counts as not reached.

    \b
    Example:
      flowengine test
      flowengine test flows/front-desk.test.yaml -k "six digits"
      flowengine test --junit-xml results.xml --fail-under 90
    """
    wanted = _Wanted(paths or ("flows",), part or "", jobs, junit, fail_under)
    if audio and (watch or junit or fail_under is not None or jobs > 1):
        raise click.UsageError("--audio goes with PATH and -k only")
    if audio:
        if not _audible(wanted):
            ctx.exit(FAILED)
    elif watch:
        _watch(wanted)
    elif not _once(wanted):
        ctx.exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for."""

    paths: tuple[str, ...]
    part: str
    jobs: int
    junit: str | None
    fail_under: int | None


def _once(wanted: _Wanted) -> bool:
    """Run the tests and print what came of them; False for failures."""
    from flowengine.testing import verdict

    tests, flows = _targets(wanted.paths)
    run = _Run(wanted.part)
    for ran in run.files(tests, wanted.jobs):
        click.echo(verdict.line(ran, colour=True))
    for path in flows:
        run.untested(str(path))
    if not any(ran.results or ran.findings for ran in run.rans):
        raise click.UsageError(f'no test has "{wanted.part}" in its name' if wanted.part else "there is no test to run")
    _print(run)
    if wanted.junit:
        _files.write(Path(wanted.junit), verdict.junit(run.rans, run.sources))
    reached, least = verdict.percent(run.covered), wanted.fail_under
    low = least is not None and reached < least
    if low:
        click.echo(f"error: the tests reach {reached} %, less than {least} %", err=True)
    return not (low or any(ran.failed or ran.findings for ran in run.rans))


def _audible(wanted: _Wanted) -> bool:
    """Place a call for each test; those that can not be one are named, with the reason. False for failures."""
    import asyncio

    from flowengine.cli import _audio

    tests, _ = _targets(wanted.paths)
    run = _Run(wanted.part)
    passed = failed = skipped = 0
    for path in tests:
        meant = run.cases(path)
        if meant is None:
            failed += 1
            continue
        file, cases = meant
        results = asyncio.run(_audio.run(Path(file), run.program(file), cases)) if cases else []
        for case, why, problem in results:
            verdict_ = f"not called: {why}" if why else problem or "passed"
            colour = "yellow" if why else "red" if problem else "green"
            click.echo(f"{path}: {case.name}: {click.style(verdict_, fg=colour)}")
            passed, failed, skipped = passed + (not why and not problem), failed + bool(problem), skipped + bool(why)
    _print_findings(run)
    click.echo(f"\n{passed} passed, {failed} failed, {skipped} not called")
    return not failed


def _watch(wanted: _Wanted) -> None:
    """Run the tests, and again whenever a file beside them has changed."""
    seen: dict[Path, float] | None = None
    while True:
        now = _changed(wanted.paths)
        if now != seen:
            seen = now
            click.clear()
            _flows.forget()
            try:
                _once(wanted)
            except click.UsageError as error:
                click.echo(f"error: {error.message}", err=True)
            click.echo("\nwaiting for a change; Ctrl-C ends", err=True)
        time.sleep(LOOK)


def _changed(paths: Iterable[str]) -> dict[Path, float]:
    """Give when each YAML file of the folders that are meant was last written."""
    folders = {path if path.is_dir() else path.parent for path in map(Path, paths)}
    found: dict[Path, float] = {}
    for folder in folders:
        for file in _flows.below(folder):
            with suppress(OSError):  # an editor may replace it just now
                found[file] = file.stat().st_mtime
    return found


def _print(run: _Run) -> None:
    """Print the failures in full, what was not reached, and the last line."""
    from flowengine.testing import verdict

    _print_findings(run)
    for ran in run.rans:
        for result in ran.failed:
            if result.failure:
                click.echo("\n" + verdict.failure(result, result.failure, run.sources, colour=True), nl=False)
    if run.covered:
        click.echo("\n" + verdict.coverage(run.covered), nl=False)
    click.echo("\n" + verdict.summary(run.rans, run.covered))


def _print_findings(run: _Run) -> None:
    from flowengine.flow import render

    for ran in run.rans:
        if ran.findings:
            click.echo("\n" + render.full(ran.findings, run.sources, colour=True), nl=False)


class _Run:
    """One run of files of tests: their results, the flows that they cover, and the lines for excerpts."""

    def __init__(self, part: str) -> None:
        self.part = part.casefold()
        self.shelf = _flows.Shelf()
        self.rans: list[Ran] = []
        self.sources: dict[str, tuple[str, ...]] = {}
        self._programs: dict[str, Program] = {}
        self._coverage: dict[str, Coverage] = {}

    @property
    def covered(self) -> list[Coverage]:
        """The coverage of every flow that was meant, by the names of their files; what other flows ran counts, too."""
        return [self._coverage[file] for file in sorted(self._programs)]

    def files(self, paths: Sequence[Path], jobs: int) -> Iterator[Ran]:
        """Run files of tests, in this process or shared by several, in their order."""
        if jobs == 1 or len(paths) < 2:
            yield from filter(None, map(self.file, paths))
            return
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(min(jobs, len(paths))) as pool:
            for done in pool.map(_alone, paths, [self.part] * len(paths)):
                self.sources |= done.sources
                for file in done.tested:
                    self.program(file)
                for file, reached in done.reached.items():
                    self._coverage[file].reached |= reached
                if done.ran:
                    self.rans.append(done.ran)
                    yield done.ran

    def done(self) -> _Done:
        """Give what another process has to know of this run of one file."""
        reached = {one.flow.file: one.reached for one in self._coverage.values()}
        return _Done(self.rans[0] if self.rans else None, self.sources, list(self._programs), reached)

    def file(self, path: Path) -> Ran | None:
        """Run one file of tests; None where none of its tests was asked for."""
        ran, flow, cases = self._load(path)
        if flow and cases:
            self._run(cases, flow, ran)
        elif flow and self.part:
            return None
        self.rans.append(ran)
        return ran

    def cases(self, path: Path) -> tuple[str, list[Case]] | None:
        """Give the file of the tested flow and the tests that were asked for; None where there are findings."""
        ran, flow, cases = self._load(path)
        if flow:
            return flow, cases
        self.rans.append(ran)
        return None

    def _load(self, path: Path) -> tuple[Ran, str, list[Case]]:
        """Read one file of tests: its findings, or its flow's file and the tests that were asked for."""
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
        if not loaded.suite or not flow or findings:
            return ran, "", []
        return ran, flow.file, [case for case in loaded.suite.tests if self.part in case.name.casefold()]

    def _run(self, cases: Sequence[Case], file: str, ran: Ran) -> None:
        from flowengine.testing import runner
        from flowengine.testing.coverage import Together

        program = self.program(file)
        observer = Together([self._coverage[one.flow.file] for one in program.all])
        for case in cases:
            begin = perf_counter()
            ran.results.append(runner.run(program, case, observer))
            ran.seconds.append(perf_counter() - begin)

    def untested(self, file: str) -> None:
        """Count a flow that no test is for, unless only some tests were asked for."""
        if not self.part and file not in self._programs and self.shelf.load(file).flow:
            self.program(file)

    def program(self, file: str) -> Program:
        """Give a flow made ready, once for all its files of tests."""
        from flowengine.testing.coverage import Coverage

        if file not in self._programs:
            program = self._programs[file] = _flows.program(self.shelf, file)
            for one in program.all:
                self.sources[one.flow.file] = self.shelf.load(one.flow.file).lines
                self._coverage.setdefault(one.flow.file, Coverage(one.flow))
        return self._programs[file]


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one file in a process of its own: its run, the lines for excerpts, and what was reached by file."""

    ran: Ran | None
    sources: dict[str, tuple[str, ...]]
    tested: list[str]
    reached: dict[str, set[Item]]


def _alone(path: Path, part: str) -> _Done:
    run = _Run(part)
    run.file(path)
    return run.done()


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
