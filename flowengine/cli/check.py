"""``flowengine check``: is this flow right? Every mistake with its place, its reason and its remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from flowengine.cli import _files
from flowengine.cli.main import FAILED

STDIN = "-"


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--output-format",
    "form",
    type=click.Choice(["full", "concise", "json"]),
    default="full",
    show_default=True,
    help="How findings are printed.",
)
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], form: str) -> None:
    """Check flows and report every mistake with its place, reason and remedy.

    PATH is a flow, a folder of flows, or - for standard input; without any, the folder flows/ is checked. Warnings
    alone are no failure.

    \b
    Example:
      flowengine check flows/front-desk.yaml
      flowengine check --output-format json flows/ > findings.json
    """
    from flowengine.flow import render
    from flowengine.flow.loader import duplicate_flows, load
    from flowengine.plugins import node_types

    flows = [load(name, data, node_types()) for name, data in _read(paths or ("flows",))]
    findings = [d for loaded in flows for d in loaded.diagnostics] + duplicate_flows(flows)
    findings.sort(key=lambda d: [loaded.file for loaded in flows].index(d.span.file))
    if form == "json":
        click.echo(render.json_text(findings), nl=False)
    elif form == "concise":
        click.echo(render.concise(findings, colour=True), nl=False)
    elif findings:
        click.echo(render.full(findings, {loaded.file: loaded.lines for loaded in flows}, colour=True))
    for loaded in flows:
        if loaded.flow:
            size = f"{len(loaded.flow.nodes)} node{'' if len(loaded.flow.nodes) == 1 else 's'}"
            click.echo(
                f"{loaded.file}: ok ({loaded.flow.name}, {size}, revision {loaded.flow.revision[:12]})", err=True
            )
    if findings:
        click.echo(render.summary(findings, len({d.span.file for d in findings})), err=True)
    if any(d.severity == "error" for d in findings):
        ctx.exit(FAILED)


def _read(paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Give the name and content of every file once, in the order of the command line."""
    done: set[str] = set()
    for path in paths:
        for name in [STDIN] if path == STDIN else _flows(Path(path)):
            if name not in done:
                done.add(name)
                yield ("<stdin>", sys.stdin.buffer.read()) if name == STDIN else (name, _files.read(Path(name)))


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
