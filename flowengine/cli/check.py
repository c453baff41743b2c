"""``flowengine check``: is this flow right? Every mistake with its place, its reason and its remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowengine.cli import _files
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.flow.diagnostics import Diagnostic
    from flowengine.flow.loader import Loaded

STDIN = "-"
_STDIN_NAME = "<stdin>"


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
    """Check flows and report every mistake with its place, reason and remedy.

    PATH is a flow, a folder of flows, or - for standard input; without any, the folder flows/ is checked. Warnings
    alone are no failure. `flowengine explain CODE` says more of a finding.

    \b
    Example:
      flowengine check flows/front-desk.yaml
      flowengine check --fix flows/
      flowengine check --output-format sarif flows/ > findings.sarif
    """
    from flowengine.flow.loader import duplicate_flows, load
    from flowengine.plugins import node_types

    flows = []
    for name, data in _read(paths or ("flows",)):
        loaded = load(name, data, node_types())
        flows.append(_mended(loaded, data) if mend else loaded)
    findings = [d for loaded in flows for d in loaded.diagnostics] + duplicate_flows(flows)
    order = {loaded.file: number for number, loaded in enumerate(flows)}
    findings.sort(key=lambda d: order[d.span.file])
    # With --fix the standard output belongs to the text that came in by the standard input.
    _print(form, findings, flows, err=mend and _STDIN_NAME in order)
    if any(d.severity == "error" for d in findings):
        ctx.exit(FAILED)


def _print(form: str, findings: Sequence[Diagnostic], flows: Sequence[Loaded], *, err: bool) -> None:
    from flowengine.flow import render

    sources = {loaded.file: loaded.lines for loaded in flows}
    if form == "json":
        click.echo(render.json_text(findings), nl=False, err=err)
    elif form == "concise":
        click.echo(render.concise(findings, colour=True), nl=False, err=err)
    elif form != "full":
        click.echo(_exported(form, findings, sources), nl=False, err=err)
    elif findings:
        click.echo(render.full(findings, sources, colour=True), err=err)
    for loaded in flows:
        if loaded.flow:
            size = f"{len(loaded.flow.nodes)} node{'' if len(loaded.flow.nodes) == 1 else 's'}"
            click.echo(
                f"{loaded.file}: ok ({loaded.flow.name}, {size}, revision {loaded.flow.revision[:12]})", err=True
            )
    if findings:
        click.echo(render.summary(findings, len({d.span.file for d in findings})), err=True)


def _exported(form: str, findings: Sequence[Diagnostic], sources: Mapping[str, Sequence[str]]) -> str:
    from flowengine.flow import formats

    if form == "github":
        return formats.github(findings)
    if form == "junit":
        return formats.junit(findings, sources)
    from importlib.metadata import version

    return formats.sarif(findings, sources, version("flowengine"))


def _mended(loaded: Loaded, data: bytes) -> Loaded:
    """Mend one file, say so, and give what the checker says of it then."""
    from flowengine.flow.fixing import fix
    from flowengine.flow.loader import load
    from flowengine.plugins import node_types

    fixed = fix(data, lambda text: load(loaded.file, text, node_types()), loaded)
    if loaded.file == _STDIN_NAME:
        sys.stdout.buffer.write(fixed.data)
    elif fixed.count:
        _files.replace(Path(loaded.file), fixed.data)
    if fixed.count:
        rest = len(fixed.loaded.diagnostics)
        number = f"{fixed.count} finding{'' if fixed.count == 1 else 's'}"
        click.echo(f"Fixed {number} in {loaded.file}; {rest} remain{'s' if rest == 1 else ''}.", err=True)
    return fixed.loaded


def _read(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Give the name and content of every file once, in the order of the command line."""
    done: set[str] = set()
    for path in paths:
        for name in [STDIN] if path == STDIN else _flows(Path(path)):
            if name not in done:
                done.add(name)
                yield (_STDIN_NAME, sys.stdin.buffer.read()) if name == STDIN else (name, _files.read(Path(name)))


def _flows(path: Path) -> list[str]:
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
        flows = [str(p) for p in found if not _is_test(p)]
        if not flows:
            raise click.UsageError(f"there is no flow (*.yaml) in the folder {path}")
        return flows
    if not path.exists():
        raise click.UsageError(f"there is no file or folder {path}")
    if _is_test(path):
        click.echo(f"{path}: skipped (tests of a flow)", err=True)
        return []
    return [str(path)]


def _is_test(path: Path) -> bool:
    return path.stem.endswith(".test")
