"""``flowengine calls``: what happened in past calls, run again, and made into tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flowengine.cli import _files, _flows, _settings
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.flow.loader import Loaded
    from flowengine.runtime.program import Program
    from flowengine.runtime.replay import Again, Recorded
    from flowengine.settings import Settings

_SETTINGS = click.option("--settings", "file", metavar="FILE", help="Settings instead of flowengine.yaml.")
_FLOW = click.option("--flow", metavar="FILE", help="The flow. [default: the one of the call, by its revision]")
_SHOWN = 3


@click.group()
def command() -> None:
    """Look at past calls: list them, read one, run it again, make a test of it.

    CALL is the id of a call (`calls ls` has them) or the file of its trace. Private values are covered in traces.
    """


@command.command()
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print whole records, one JSON object per line.")
@_SETTINGS
@click.pass_context
def ls(ctx: click.Context, limit: int, as_json: bool, file: str | None) -> None:
    """List the newest calls that have ended."""
    settings = _settings.load(ctx, file)
    if not _store(settings).is_file():
        raise click.UsageError(
            f"there is no store at {_store(settings)}: run this where flowengine.yaml of the server is"
        )
    records = asyncio.run(_records(settings, limit))
    for record in records:
        if as_json:
            click.echo(json.dumps(record, ensure_ascii=False))
            continue
        click.echo(
            f"{record['id']}  {record['started'][:19]}  {record['seconds']:6.1f} s  {record['flow']:<16} "
            f"{record['ended_reason']:<18} {' → '.join(record['path'][-_SHOWN:])}"
        )
    if not records:
        click.echo("no call has ended yet", err=True)


@command.command()
@click.argument("call", metavar="CALL")
@_SETTINGS
@click.pass_context
def show(ctx: click.Context, call: str, file: str | None) -> None:
    """Print a call as it went: what was said and pressed, by the second."""
    from flowengine.cli._live import Conversation

    settings = _settings.load(ctx, file)
    recorded, path = _recorded(call, settings)
    known = recorded.call
    click.echo(f"{known.get('flow', '')} {str(known.get('revision', ''))[:12]}, {known.get('carrier', '')}  ({path})")
    conversation = Conversation()
    for text in _files.read(path).decode("utf-8").splitlines()[1:]:
        line = json.loads(text)
        conversation.on_fact(line)
        conversation.on_trace(line)


@command.command()
@click.argument("call", metavar="CALL")
@_FLOW
@_SETTINGS
@click.pass_context
def replay(ctx: click.Context, call: str, flow: str | None, file: str | None) -> None:
    """Run a call again: with its own flow it does the same, with a changed one the first difference is shown.

    Exit codes: 0 the same effects, 1 a difference.

    \b
    Example:
      flowengine calls replay traces/2Gb3.jsonl
      flowengine calls replay traces/2Gb3.jsonl --flow flows/front-desk.yaml
    """
    from flowengine.runtime.replay import replay as run

    settings = _settings.load(ctx, file)
    recorded, _ = _recorded(call, settings)
    program = _program(ctx, recorded, flow, settings)
    if program.revision != recorded.call.get("revision"):
        click.echo(f"another revision of the flow than that of the call: {program.revision[:12]}", err=True)
    hidden: list[int] = []
    count = 0
    for again in run(program, settings.env, recorded):
        if again.moment.hidden:
            hidden.append(again.moment.line)
        if not again.same:
            _print_difference(again)
            if hidden:
                click.echo(f"private values are covered in line {hidden[0]}; they were taken as zeros", err=True)
            ctx.exit(FAILED)
        count += 1
    click.echo(f"the same: {count} facts had the same effects")


@command.command()
@click.argument("call", metavar="CALL")
@click.option("--as-test", is_flag=True, required=True, help="As a test of the flow (NAME.test.yaml).")
@click.option("--output", "-o", metavar="FILE", help="Write it to a file that is not there yet.")
@_FLOW
@_SETTINGS
@click.pass_context
def export(
    ctx: click.Context, call: str, as_test: bool, output: str | None, flow: str | None, file: str | None
) -> None:
    """Make a test of a call, and say whether it passes.

    What was covered in the trace is not known: keys are zeros, words stay covered. Phone numbers are left out.

    \b
    Example:
      flowengine calls export traces/2Gb3.jsonl --as-test -o flows/front-desk.test.yaml
    """
    from flowengine.testing.export import exported

    settings = _settings.load(ctx, file)
    recorded, path = _recorded(call, settings)
    program = _program(ctx, recorded, flow, settings)
    text = exported(program, settings.env, recorded, f"the call {path.stem}")
    if output is None:
        click.echo(text, nl=False)
    else:
        if Path(output).exists():
            raise click.UsageError(f"{output} is there already; write to another file and copy the test over")
        _files.write(Path(output), text)
    failure = _failure(program, text)
    if failure:
        click.echo(f"the test does not pass as it is: {failure}", err=True)


def _failure(program: Program, text: str) -> str:
    """Run a new test; give what is wrong with it."""
    from flowengine.testing import runner
    from flowengine.testing.reading import load_tests

    loaded = load_tests("exported.test.yaml", text.encode(), _Only(program))
    if loaded.suite is None or any(d.severity == "error" for d in loaded.diagnostics):
        return "; ".join(d.message for d in loaded.diagnostics)
    result = runner.run(program, loaded.suite.tests[0])
    return result.failure.finding.message if result.failure else ""


class _Only:
    """The flows beside an exported test: those that the call could come to."""

    def __init__(self, program: Program) -> None:
        self._flows = {one.flow.name: one.flow for one in program.all}

    def named(self, name: str) -> Loaded | None:
        from flowengine.flow.loader import Loaded

        flow = self._flows.get(name)
        return Loaded(flow, (), (), flow.file) if flow else None

    def names(self) -> list[str]:
        return list(self._flows)

    def unreadable(self) -> bool:
        return False


async def _records(settings: Settings, limit: int) -> list[dict[str, Any]]:
    from flowengine.store.sqlite import SqliteStore
    from flowengine.store.traces import TraceFiles

    store = SqliteStore(_store(settings), TraceFiles(Path(settings.store.traces)))
    await store.start()
    try:
        return await store.records(limit)
    finally:
        await store.aclose()


def _recorded(call: str, settings: Settings) -> tuple[Recorded, Path]:
    """Read the trace of a call."""
    from flowengine.runtime.replay import BadTraceError, read

    path = Path(call) if call.endswith(".jsonl") else Path(settings.store.traces) / f"{call}.jsonl"
    if not path.is_file():
        raise click.UsageError(f"there is no trace at {path}")
    try:
        return read(_files.read(path).decode("utf-8", "replace").splitlines()), path
    except BadTraceError as error:
        raise click.UsageError(f"{path}: {error}") from None


def _program(ctx: click.Context, recorded: Recorded, flow: str | None, settings: Settings) -> Program:
    """Give the flow that is asked for, else the call's own: from the store, or a file of the same revision."""
    from flowengine.flow import render

    shelf = _flows.Shelf()
    if flow is not None:
        loaded = shelf.load(str(_flows.existing(flow)))
        if loaded.flow is None:
            click.echo(render.full(loaded.diagnostics, _flows.sources([loaded]), colour=True), err=True)
            ctx.exit(FAILED)
        return _flows.program(shelf, flow)
    revision = str(recorded.call.get("revision", ""))
    kept = asyncio.run(_kept(settings, revision)) if _store(settings).is_file() else None
    if kept is not None:
        return kept
    folder = Path(settings.flows.folder)
    for path in _flows.flow_files(folder) if folder.is_dir() else ():
        if shelf.load(str(path)).flow and _flows.program(shelf, str(path)).revision == revision:
            return _flows.program(shelf, str(path))
    raise click.UsageError(
        f'neither the store nor the folder {folder} has the flow "{recorded.call.get("flow", "")}" as it was '
        f"(revision {revision[:12]}); name a file with --flow"
    )


def _store(settings: Settings) -> Path:
    """Give the file of the store; to look into one must not make it."""
    return Path(settings.store.url.removeprefix("sqlite:///"))


async def _kept(settings: Settings, revision: str) -> Program | None:
    from flowengine.plugins import node_types
    from flowengine.server.library import FlowFolder
    from flowengine.store.sqlite import SqliteStore
    from flowengine.store.traces import TraceFiles

    store = SqliteStore(_store(settings), TraceFiles(Path(settings.store.traces)))
    await store.start()
    try:
        return await FlowFolder(store, node_types()).at_revision(revision)
    finally:
        await store.aclose()


def _print_difference(again: Again) -> None:
    event = again.moment.event
    click.echo(f"line {again.moment.line}, {event.at:.2f} s: after {type(event).__name__}")
    was, now = again.difference or (None, None)
    click.echo(click.style(f"  - {_brief(was)}", fg="red"))
    click.echo(click.style(f"  + {_brief(now)}", fg="green"))


def _brief(effect: Mapping[str, Any] | None) -> str:
    """Give an effect on one line."""
    if effect is None:
        return "nothing"
    if effect["type"] == "PlayPrompt":
        return f"PlayPrompt in {effect['node']}: {' '.join(_words(effect['parts']))}"
    fields = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in effect.items() if key != "type")
    return f"{effect['type']} {' '.join(fields)}"


def _words(parts: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for part in parts:
        yield str(part.get("text") or part.get("file") or f"({part.get('seconds', '…')} s)")
