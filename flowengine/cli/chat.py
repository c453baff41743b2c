"""``flowengine chat``: hold a conversation of a flow by typing, without a phone."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from flowengine.cli import _flows, _settings
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.runtime.events import CallStarted
    from flowengine.runtime.program import Program
    from flowengine.testing.chat import Chat, Line

COLOURS = {"bot": "cyan", "flow": "bright_black", "vars": "yellow", "line": "green"}


@click.command()
@click.argument("flow", metavar="FLOW")
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="An argument of the flow.")
@click.option("--real-time", is_flag=True, help="Let prompts and timers take their time; what is typed cuts in.")
@click.option("--seed", default=1, show_default=True, help="What `one_of` draws by.")
@click.option("--settings", "file", metavar="FILE", help="Settings instead of flowengine.yaml.")
@click.pass_context
def command(ctx: click.Context, flow: str, args: tuple[str, ...], real_time: bool, seed: int, file: str | None) -> None:
    """Talk with a flow by typing: it is the engine of calls, with text in the place of sound.

    Shown are the words, the nodes, the variables that change, and the timers that run. Type what the caller says;
    `:keys 12#` presses keys, `:silence 7s` waits, `:undo` takes the last input back, `:help` lists the rest. What a
    tool or the model answers is asked of you: JSON for a tool (`!http.404` or `!timeout` for a failure), words for the
    model, with `:exit NAME` or `:tool NAME {…}` behind them.

    \b
    Example:
      flowengine chat flows/front-desk.yaml
    """
    from flowengine.testing.chat import Chat

    program = _program(ctx, flow)
    settings = _settings.load(ctx, file)
    started = _started(program, args, seed)

    def ask(prompt: str) -> str:
        _print(chat)
        return _ask(prompt)

    chat = Chat(program, settings.env, started, ask)
    try:
        if real_time:
            _Live(chat).run()
        else:
            _turns(chat)
    except (EOFError, click.Abort, KeyboardInterrupt):
        click.echo()


def _turns(chat: Chat) -> None:
    """Let everything happen at once, then ask: the clock stands while somebody types."""
    while True:
        chat.settle()
        _print(chat)
        waiting = "the call is over; `:undo` takes the last input back, `:quit` ends" if chat.over else chat.waiting
        click.secho(f"         ({waiting})", fg="bright_black")
        if not _take(chat, _ask("> ")):
            return


def _take(chat: Chat, text: str) -> bool:
    """Take a line that was typed; False to end."""
    from flowengine.testing.chat import HELP, TypingError

    command_ = text.strip()
    if command_ in (":quit", ":q"):
        return False
    if command_ == ":help":
        click.echo(HELP)
    elif command_ == ":vars":
        for name, value in chat.player.vars.items():
            click.echo(f"  {name} = {value!r}")
    elif command_ == ":where":
        click.echo(f"  {' → '.join(chat.player.path)}\n  {chat.waiting or 'over'}")
    elif command_:
        try:
            chat.take(text)
        except TypingError as error:
            click.secho(str(error), fg="red")
            return True
        if command_ == ":undo":
            click.echo(f"  taken back; the call is in {chat.player.path[-1]}")
    return True


class _Live:
    """The clock of the call is that of the wall; what is typed is done at once, into a prompt if one is on."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._begin = time.monotonic()

    def run(self) -> None:
        """Hold the call until it is over; when input ends, until it waits for the caller."""
        typed = _Typed()
        while not self._chat.over and (typed.more or not self._chat.player.open):
            now = time.monotonic() - self._begin
            self._chat.player.advance(now)
            _print(self._chat)
            # What tools and the model take to be typed is no time of the call.
            self._begin += max(0.0, time.monotonic() - self._begin - now)
            text = None if self._chat.over else typed.line(self._wait(now))
            if text is not None:
                if not _take(self._chat, text):
                    return
                self._begin = time.monotonic() - self._chat.player.at
        _print(self._chat)

    def _wait(self, now: float) -> float:
        due = self._chat.player.due
        return max(0.0, due - now) if due is not None else 1.0


class _Typed:
    """Lines of standard input, as they come; ``more`` says whether there can be further ones."""

    def __init__(self) -> None:
        self.more = True
        self._held = b""

    def line(self, seconds: float) -> str | None:
        """Give the next line if it comes within so many seconds."""
        import select

        if b"\n" not in self._held:
            files = [sys.stdin] if self.more else []
            if select.select(files, [], [], seconds)[0]:
                # Past Python's own buffer: what that holds, `select` does not know of.
                data = os.read(sys.stdin.fileno(), 4096)
                self.more = bool(data)
                self._held += data
        if b"\n" not in self._held:
            return None
        line, _, self._held = self._held.partition(b"\n")
        return line.decode("utf-8", "replace")


def _ask(prompt: str) -> str:
    text: str = click.prompt("", prompt_suffix=prompt, default="", show_default=False)
    return text


def _print(chat: Chat) -> None:
    for line in chat.lines():
        click.echo(_shown(line))


def _shown(line: Line) -> str:
    text = click.style(line.text, fg=COLOURS.get(line.who, "magenta"))
    return f"{line.at:7.1f}s  {line.who:<6} {text}"


def _program(ctx: click.Context, flow: str) -> Program:
    from flowengine.flow import render

    path = _flows.existing(flow)
    if path.is_dir():
        raise click.UsageError(f"{flow} is a folder; name the file of a flow")
    shelf = _flows.Shelf()
    loaded = shelf.load(str(path))
    if loaded.diagnostics:
        click.echo(render.full(loaded.diagnostics, _flows.sources([loaded]), colour=True), err=True)
    if loaded.flow is None:
        ctx.exit(FAILED)
    return _flows.program(shelf, str(path))


def _started(program: Program, args: tuple[str, ...], seed: int) -> CallStarted:
    """Give the beginning of the call; wrong arguments are wrong usage."""
    from flowengine.runtime import arguments
    from flowengine.runtime.events import CallStarted
    from flowengine.testing.cases import CALLED, CALLER

    given = dict(arg.partition("=")[::2] for arg in args)
    if unknown := set(given) - set(program.flow.args):
        raise click.UsageError(f"the flow has no argument {', '.join(sorted(unknown))}")
    try:
        bound = arguments.bind(program.flow, given)
    except arguments.BadArgumentError as error:
        raise click.UsageError(f"{error}: --arg NAME=VALUE") from None
    call: dict[str, Any] = {"id": "chat", "from": CALLER, "to": CALLED, "direction": "inbound", "carrier": "chat"}
    call |= {"headers": {}, "revision": program.revision, "answered_by": None, "recording": None}
    return CallStarted(0.0, call, datetime.now(UTC).isoformat(timespec="seconds"), seed, bound)
