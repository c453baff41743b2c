"""``flowengine serve``: the server for production."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from flowengine.cli import _flows, _settings
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.settings import Settings


@click.command()
@click.argument("flows", required=False, metavar="[FLOWS]")
@click.option("--settings", "file", metavar="FILE", help="Settings instead of flowengine.yaml.")
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port to listen on; 0 takes a free one.")
@click.pass_context
def command(ctx: click.Context, flows: str | None, file: str | None, host: str | None, port: int | None) -> None:
    """Answer calls with the flows of a folder (default: flows/).

    Prints the address that it listens on to standard output when calls are taken. SIGTERM ends it: no new calls are
    taken, those under way may end within `server.drain`.

    \b
    Example:
      flowengine serve flows/ --port 8080
    """
    settings = _settings.load(ctx, file)
    if host is not None or port is not None:
        changed = replace(
            settings.server,
            host=settings.server.host if host is None else host,
            port=settings.server.port if port is None else port,
        )
        settings = replace(settings, server=changed)
    if flows is not None:
        settings = replace(settings, flows=replace(settings.flows, folder=flows))
    settings.check()
    # Of others only warnings: uvicorn would write each WebSocket's address (with its token), transitions each step.
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("flowengine").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    from flowengine.server.run import bind

    raw, settings = bind(settings)
    with raw:
        if not _run(settings, raw):
            ctx.exit(FAILED)


def _run(settings: Settings, raw: socket.socket) -> bool:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(_serve(settings, raw))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(settings, raw))


async def _serve(settings: Settings, raw: socket.socket) -> bool:
    """Serve until a signal; False when the flows have errors."""
    from flowengine.errors import EnvironmentProblem, ProviderError
    from flowengine.flow import render
    from flowengine.flow.diagnostics import Severity
    from flowengine.server.ports import open_ports
    from flowengine.server.run import Application, serve

    store, ports = await open_ports(settings)
    try:
        application = Application(settings, ports)
        try:
            await application.start()
        except ProviderError as error:
            raise EnvironmentProblem(f"there is no voice: {error}") from None
        findings = [d for loaded, _ in application.findings for d in loaded.diagnostics]
        if findings:
            lines = _flows.sources([loaded for loaded, _ in application.findings])
            click.echo(render.full(findings, lines, colour=sys.stderr.isatty()), err=True)
        if any(d.severity is Severity.ERROR for d in findings):
            return False
        await serve(application, raw, lambda: click.echo(settings.local_url))
    finally:
        await store.aclose()
    return True
