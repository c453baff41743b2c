"""``flowengine graph``: draw a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from flowengine.cli import _files, _flows
from flowengine.cli.main import FAILED


@click.command()
@click.argument("flow", metavar="FLOW")
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "dot", "svg", "json"]),
    default="mermaid",
    show_default=True,
    help="The form of the drawing.",
)
@click.option("--output", metavar="FILE", help="Write to this file instead of standard output.")
@click.pass_context
def command(ctx: click.Context, flow: str, form: Literal["mermaid", "dot", "json", "svg"], output: str | None) -> None:
    """Draw a flow as a graph of its nodes.

    FLOW is the flow's file. A flow with mistakes is not drawn; they are printed instead. In JSON, `nodes` are boxes,
    `transitions` the ways from them, `everywhere` what leads away from every node; later versions only add fields.

    \b
    Example:
      flowengine graph flows/front-desk.yaml
      flowengine graph flows/front-desk.yaml --format svg --output front-desk.svg
    """
    from flowengine.flow import render
    from flowengine.flow.draw import draw

    path = Path(flow)
    if not path.is_file():
        raise click.UsageError(f"there is no file {flow}")
    loaded = _flows.load(path)
    if loaded.flow is None:
        click.echo(render.full(loaded.diagnostics, _flows.sources([loaded]), colour=True), err=True)
        click.echo(render.summary(loaded.diagnostics, 1), err=True)
        ctx.exit(FAILED)
    drawing = draw(loaded.flow, form)
    if output:
        _files.write(Path(output), drawing)
    else:
        click.echo(drawing, nl=not drawing.endswith("\n"))
