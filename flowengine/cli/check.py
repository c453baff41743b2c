"""``flowengine check``: are these files right? Every mistake with its place, its reason and its remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from flowengine.cli import _files, _flows
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.flow.diagnostics import Diagnostic

STDIN = "-"
_STDIN_NAME = "<stdin>"


class Checked(Protocol):
    """What was found in one file, whatever it holds."""

    @property
    def file(self) -> str:
        """Its name."""

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """What is wrong with it."""

    @property
    def lines(self) -> Sequence[str]:
        """Its lines."""

    @property
    def readable(self) -> bool:
        """Whether it is a YAML mapping."""


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--output-format",
    "form",
    type=click.Choice(["full", "concise", "json", "github", "sarif", "junit"]),
    default="full",
    show_default=True,
    help="How findings are printed.",
)
@click.option("--fix", "mend", is_flag=True, help="Mend what is certain, in the file; the text of - is printed.")
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], form: str, mend: bool) -> None:
    """Check flows, their tests and the settings, and report every mistake with its place, reason and remedy.

    PATH is a flow, the tests of one (NAME.test.yaml), settings (flowengine.yaml), a folder of these, or - for a flow on
    standard input; without any, the folder flows/ is checked. With a folder goes the flowengine.yaml beside it. What
    the environment holds makes no difference: ${NAME} is taken as set. Warnings alone are no failure. `flowengine
    explain CODE` says more of a finding.

    \b
    Example:
      flowengine check flows/front-desk.yaml
      flowengine check --fix flows/
      flowengine check --output-format sarif flows/ > findings.sarif
    """
    from flowengine.flow.loader import Loaded, duplicate_flows

    shelf = _flows.Shelf()
    files = list(_read(paths or ("flows",)))
    order = {name: number for number, (name, _) in enumerate(files)}
    checked: list[Checked] = []
    # Tests are held against their flows, which are mended first.
    for name, data in sorted(files, key=lambda file: _flows.is_test(Path(file[0]))):
        judge = _judge(name, shelf)
        first = judge(data)
        checked.append(_mended(name, data, judge, first) if mend else first)
    checked = _without_included(checked, dict(files), mend)
    checked.sort(key=lambda one: order[one.file])
    # A file that several flows include is told of once.
    found = {(d.code, d.span, d.about): d for one in checked for d in one.diagnostics}
    findings = [*found.values(), *duplicate_flows(one for one in checked if isinstance(one, Loaded))]
    findings.sort(key=lambda d: order.get(d.span.file, len(order)))
    # With --fix the standard output belongs to the text that came in by the standard input.
    _print(form, findings, checked, err=mend and _STDIN_NAME in order)
    if any(d.severity == "error" for d in findings):
        ctx.exit(FAILED)


def _without_included(checked: list[Checked], data: Mapping[str, bytes], mend: bool) -> list[Checked]:
    """Check the files that flows include as what they are: they are no flows."""
    included = {file for one in checked for file in getattr(one, "included", ())}
    found: list[Checked] = []
    for one in checked:
        if one.file in included:
            path = Path(one.file)
            one = _flows.load_included(path, _files.read(path) if mend else data[one.file])
        found.append(one)
    return found


def _judge(name: str, shelf: _flows.Shelf) -> Callable[[bytes], Checked]:
    """Give what checks a file: as tests, as settings or as a flow, by its name."""
    path = Path(name)
    if name != _STDIN_NAME and _flows.is_test(path):
        from flowengine.testing.reading import load_tests

        return lambda data: load_tests(name, data, shelf.beside(path))
    if name != _STDIN_NAME and _flows.is_settings(path):
        from flowengine.settings import check_file

        return lambda data: check_file(name, data)
    return lambda data: shelf.load(name, data)


def _print(form: str, findings: Sequence[Diagnostic], checked: Sequence[Checked], *, err: bool) -> None:
    sources = {file: lines for one in checked for file, lines in getattr(one, "sources", {}).items()}
    sources |= {one.file: one.lines for one in checked}
    if findings or form != "full":
        _print_findings(form, findings, sources, err=err)
    for one in checked:
        if not any(d.severity == "error" for d in one.diagnostics):
            click.echo(f"{one.file}: ok ({_told(one)})", err=True)


def _print_findings(
    form: str, findings: Sequence[Diagnostic], sources: Mapping[str, Sequence[str]], *, err: bool
) -> None:
    from flowengine.flow import render

    if form == "json":
        click.echo(render.json_text(findings), nl=False, err=err)
    elif form == "concise":
        click.echo(render.concise(findings, colour=True), nl=False, err=err)
    elif form != "full":
        click.echo(_exported(form, findings, sources), nl=False, err=err)
    elif findings:
        click.echo(render.full(findings, sources, colour=True), err=err)
    if findings:
        click.echo(render.summary(findings, len({d.span.file for d in findings})), err=True)


def _told(one: Checked) -> str:
    """Say what a file without errors holds."""
    flow, suite = getattr(one, "flow", None), getattr(one, "suite", None)
    if flow:
        size = f"{len(flow.nodes)} node{'' if len(flow.nodes) == 1 else 's'}"
        return f"{flow.name}, {size}, revision {flow.revision[:12]}"
    if suite:
        return f"{len(suite.tests)} test{'' if len(suite.tests) == 1 else 's'} of {suite.flow.text}"
    return "settings" if _flows.is_settings(Path(one.file)) else "included by a flow"


def _exported(form: str, findings: Sequence[Diagnostic], sources: Mapping[str, Sequence[str]]) -> str:
    from flowengine.flow import formats

    if form == "github":
        return formats.github(findings)
    if form == "junit":
        return formats.junit(findings, sources)
    from importlib.metadata import version

    return formats.sarif(findings, sources, version("flowengine"))


def _mended(name: str, data: bytes, judge: Callable[[bytes], Checked], found: Checked) -> Checked:
    """Mend one file, say so, and give what the checker says of it then."""
    from flowengine.flow.fixing import fix

    fixed = fix(data, judge, found)
    if name == _STDIN_NAME:
        sys.stdout.buffer.write(fixed.data)
    elif fixed.count:
        _files.replace(Path(name), fixed.data)
    if fixed.count:
        rest = len(fixed.loaded.diagnostics)
        number = f"{fixed.count} finding{'' if fixed.count == 1 else 's'}"
        click.echo(f"Fixed {number} in {name}; {rest} remain{'s' if rest == 1 else ''}.", err=True)
    return fixed.loaded


def _read(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Give the name and content of every file once, in the order of the command line."""
    done: set[str] = set()
    for path in paths:
        for name in [STDIN] if path == STDIN else _named(path):
            if name not in done:
                done.add(name)
                yield (_STDIN_NAME, sys.stdin.buffer.read()) if name == STDIN else (name, _files.read(Path(name)))


def _named(path: str) -> list[str]:
    """Give the files that a path means; with a folder of flows go the settings beside it."""
    found = _flows.existing(path)
    if not found.is_dir():
        return [path]
    files = list(_flows.below(found))
    if all(_flows.is_test(file) or _flows.is_settings(file) for file in files):
        raise click.UsageError(f"there is no flow (*.yaml) in the folder {path}")
    beside = found.parent / _flows.SETTINGS
    return [str(file) for file in ([beside] if beside.is_file() and beside not in files else []) + files]
