"""The command ``flowengine``: one command per module of this package.

A module ``flowengine/cli/NAME.py`` is the command ``NAME`` and exposes it as ``command``, a ``click.Command``; it is
imported only when it is the one that runs (or when the list of commands is shown). This module, and those whose name
begins with ``_``, are no commands. A command prints data to standard output and all else to standard error; it calls
``ctx.exit(FAILED)`` for findings, raises ``click.UsageError`` for wrong usage (2) and ``EnvironmentProblem`` for what
the machine does not allow (3). Heavy imports stand inside the command's function. Colours may always be written
through ``click.echo``: it removes them for a pipe, and everywhere when ``NO_COLOR`` or ``CI=true`` is set.
"""

from __future__ import annotations

import pkgutil
from typing import Any

import click

import flowengine.cli
from flowengine.errors import AuthorError, EnvironmentProblem

FAILED, WRONG_USAGE, ENVIRONMENT = 1, 2, 3


class Commands(click.Group):
    """Finds commands by module name and turns our exceptions into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        names = (info.name for info in pkgutil.iter_modules(flowengine.cli.__path__))
        return sorted(name for name in names if name != "main" and not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command's module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = pkgutil.resolve_name(f"flowengine.cli.{cmd_name}:command")
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except EnvironmentProblem as problem:
            click.echo(f"error: {problem}", err=True)
            ctx.exit(ENVIRONMENT)
        except AuthorError as mistake:
            click.echo(f"error: {mistake}", err=True)
            ctx.exit(FAILED)


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version  # reading the installed packages costs milliseconds

        click.echo(f"flowengine {version('flowengine')}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`flowengine COMMAND --help` explains each command with an example.",
)
@click.option("--no-color-if", "no_color", envvar="NO_COLOR", hidden=True)
@click.option("--ci-if", "ci", envvar="CI", hidden=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def main(ctx: click.Context, no_color: str | None, ci: str | None) -> None:
    """Phone conversations from one YAML file: check it, draw it, call it, serve it."""
    # click itself takes colours out of what goes to a pipe or file.
    if no_color or (ci or "").lower() in ("true", "1"):
        ctx.color = False


def run() -> None:
    """Run the command line; the console script."""
    main(prog_name="flowengine")
