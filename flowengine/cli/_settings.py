"""How commands read the settings: findings are printed like those of a flow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.settings import Settings


def load(ctx: click.Context, file: str | None) -> Settings:
    """Give the settings; ends the command with 1 when they are wrong."""
    from flowengine import settings
    from flowengine.flow import render

    found, diagnostics = settings.load(file)
    if diagnostics:
        files = {d.span.file for d in diagnostics}
        lines = {
            name: tuple(Path(name).read_text("utf-8", "replace").splitlines()) for name in files if Path(name).is_file()
        }
        click.echo(render.full(diagnostics, lines, colour=sys.stderr.isatty()), err=True)
    if found is None:
        ctx.exit(FAILED)
    return found
