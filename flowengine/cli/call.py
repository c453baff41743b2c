"""``flowengine call``: a simulated phone places a real call over the carrier's HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowengine.cli import _flows, _settings
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.testing.report import CallReport
    from flowengine.testing.script import Script
    from flowengine.testing.voices import Voiced, Voices

KEYPAD = "0123456789*#ABCD"
DEFAULT_FLOW = "flows/front-desk.yaml"
RECORD_WITHIN = 10.0
NUMBER = r"-?\d+(\.\d+)?"


@click.command()
@click.argument("flow", required=False, metavar="[FLOW]")
@click.option("--to", "url", metavar="URL", help="Call this server (http://HOST:PORT) instead of starting one.")
@click.option("--carrier", type=click.Choice(["twilio", "vobiz"]), help="The carrier to be. [default: twilio]")
@click.option("--script", "script_file", metavar="FILE", help="What the caller does: a small YAML file.")
@click.option("--keys", metavar="KEYS", help="Press these keys, one group (split by blanks) after each prompt.")
@click.option("--say", metavar="TEXT|WAV", help="Speak a text, or a file (mono, 8000 Hz), after the first prompt.")
@click.option("--voice", metavar="NAME", help="Who speaks the text of --say, such as en-us+f3 or de. [default: en-us]")
@click.option("--noise", metavar="KIND:LEVEL", help="Noise around the caller, in dBFS: car:-42, babble:-40, tv:-45 …")
@click.option("--echo", metavar="DB[:MS]", help="What is played comes back, quieter and later: -20:120.")
@click.option("--delay", default=0.0, metavar="MS", help="One-way delay of the line in milliseconds.")
@click.option("--jitter", default=0.0, metavar="MS", help="Jitter of the line in milliseconds, each way.")
@click.option("--record", "wav", metavar="FILE", help="Record both sides to a stereo WAV file.")
@click.option("--trace", metavar="FILE", help="Keep the call's trace (without --to), for `calls replay` and `export`.")
@click.option("--settings", "settings_file", metavar="FILE", help="Settings instead of flowengine.yaml.")
@click.pass_context
def command(
    ctx: click.Context,
    flow: str | None,
    url: str | None,
    carrier: str | None,
    script_file: str | None,
    keys: str | None,
    say: str | None,
    voice: str | None,
    noise: str | None,
    echo: str | None,
    delay: float,
    jitter: float,
    wav: str | None,
    trace: str | None,
    settings_file: str | None,
) -> None:
    """Place a simulated call and print the conversation as it happens.

    Without --to a server is started for the call with FLOW (a file or a folder; default: flows/front-desk.yaml), and
    the words are printed from its trace; of the settings it has `tools`, `env`, and who listens. With --to FLOW
    is the name of a flow, and keys, marks and levels are printed; the carrier's token is taken from the settings.

    \b
    Example:
      flowengine call flows/front-desk.yaml --keys "1 123456 1" --record call.wav
      flowengine call flows/front-desk.yaml --say "I want sales" --noise babble:-42 --echo -20:120
    """
    from flowengine.cli._voices import prepared

    try:
        script = _in_room(_script(script_file, keys, _said(say, voice)), noise, echo)
        voices = asyncio.run(prepared(script, script_file or ""))
    except (OSError, EOFError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    name = carrier or (script.carrier if script_file else "twilio")
    lag = (delay / 1000, jitter / 1000)
    if url is None:
        path = Path(flow or DEFAULT_FLOW)
        if not path.exists():
            raise click.UsageError(f"there is no flow at {path}")
        _check(ctx, path, words=_understands(settings_file))
        report = asyncio.run(_call_own(path, name, script, voices, lag, trace or "", _author(settings_file)))
    else:
        if trace:
            raise click.UsageError(
                "--trace keeps the trace of a server of our own; the other one has it under `traces`"
            )
        token = _settings.load(ctx, settings_file).carrier(name).token
        target = f"{url.rstrip('/')}/answer/{name}" + (f"/{flow}" if flow else "")
        report = asyncio.run(_call_theirs(target, name, script, voices, lag, token or None))
    if wav:
        report.save_wav(Path(wav))
    for failure in report.failures:
        click.echo(f"not as scripted: {failure}", err=True)
    turned_away = report.of("said") and not report.of("stream_opened")
    if (
        turned_away
        or report.failures
        or report.end_reason in ("no answer", "limit")
        or report.end_reason.startswith("refused")
    ):
        reason = "the server turned it away; its log says why" if turned_away else report.end_reason
        click.echo(f"the call ended: {reason}", err=True)
        ctx.exit(FAILED)


def _check(ctx: click.Context, path: Path, *, words: bool) -> None:
    """Say what is wrong with the flows in the author's own file, before a server is started with them."""
    from flowengine.flow import render
    from flowengine.runtime.ready import unready

    flows = _flows.flows(_flows.flow_files(path) if path.is_dir() else [path])
    findings = [finding for loaded in flows for finding in loaded.diagnostics]
    missing = [finding for loaded in flows if loaded.flow for finding in unready(loaded.flow, words=words)]
    findings += missing
    if any(finding.severity == "error" for finding in findings) or (missing and not path.is_dir()):
        click.echo(render.full(findings, _flows.sources(flows), colour=True), err=True)
        ctx.exit(FAILED)


def _script(file: str | None, keys: str | None, said: Voiced | None) -> Script:
    from flowengine.testing import script as steps

    if file is not None:
        if keys or said:
            raise click.UsageError("--script says what the caller does; --keys and --say do not go with it")
        return steps.load_script(Path(file))
    done: list[steps.Step] = []
    if strange := sorted(set("".join((keys or "").split())) - set(KEYPAD)):
        raise click.UsageError(f"--keys takes {KEYPAD} and blanks, not {' '.join(strange)}")
    if said is not None:
        done += [steps.WaitAudio(0.2), steps.WaitSilence(0.5), steps.Say(said)]
    for group in (keys or "").split():
        done += [steps.WaitAudio(0.2), steps.WaitSilence(0.5), steps.Keys(group)]
    return steps.Script((*done, steps.ExpectEnd(120.0)))


def _said(say: str | None, voice: str | None) -> Voiced | None:
    """Give what --say means: a file where there is one, or where the name is that of one; else a text."""
    from flowengine.testing.voices import VOICE, Speech

    is_file = say is not None and (say.lower().endswith(".wav") or Path(say).is_file())
    if voice is not None and (say is None or is_file):
        raise click.UsageError("--voice speaks the text of --say")
    if say is None:
        return None
    return Path(say) if is_file else Speech(say, voice or VOICE)


def _in_room(script: Script, noise: str | None, echo: str | None) -> Script:
    """Put the caller of a script where there is noise or an echo; what the script has of it is replaced."""
    from flowengine.testing import sounds
    from flowengine.testing.microphone import Echo
    from flowengine.testing.voices import Noise

    if noise is not None:
        kind, _, level = noise.partition(":")
        if kind not in sounds.KINDS or not re.fullmatch(NUMBER, level) or float(level) > 0:
            raise click.UsageError(f"--noise takes KIND:LEVEL such as car:-42, not {noise}; {', '.join(sounds.KINDS)}")
        script = replace(script, noise=Noise(kind, float(level)))
    if echo is not None:
        decibel, _, delay = echo.partition(":")
        if not re.fullmatch(NUMBER, decibel) or float(decibel) > 0 or not re.fullmatch(r"\d*", delay):
            raise click.UsageError(f"--echo takes DB or DB:MS such as -20:120, not {echo}")
        script = replace(script, echo=Echo(float(decibel), int(delay) / 1000 if delay else Echo().delay))
    return script


def _understands(file: str | None) -> bool:
    """Say whether the author's settings name who understands words."""
    from flowengine import settings

    author = _author(file)
    found = settings.load(str(author))[0] if author else None
    return found is not None and found.transcriber.use != "none"


def _author(file: str | None) -> Path | None:
    """Give the author's file of settings, where there is one."""
    path = Path(file or "flowengine.yaml").resolve()
    if file is not None and not path.is_file():
        raise click.UsageError(f"there are no settings at {file}")
    return path if path.is_file() else None


async def _call_own(
    path: Path,
    carrier: str,
    script: Script,
    voices: Voices,
    lag: tuple[float, float],
    trace: str,
    author: Path | None,
) -> CallReport:
    """Call a server of our own, and print its words."""
    from flowengine.cli import _live
    from flowengine.cli._local import local_server
    from flowengine.testing.network import SocketNetwork
    from flowengine.testing.phone import Phone

    async with local_server(path, author=author) as server:
        conversation = _live.Conversation()
        network = SocketNetwork()
        phone = Phone(
            "vobiz" if carrier == "vobiz" else "twilio",
            network,
            answer_url=f"{server.url}/answer/{carrier}",
            caller=script.caller,
            called=script.called,
            token=server.token,
            delay=lag[0],
            jitter=lag[1],
            seed=secrets.randbits(32),
            on_event=conversation.on_event,
            voices=voices,
        )
        follower = asyncio.create_task(_live.follow(server.traces, lambda: phone.call_id, conversation, trace))
        try:
            report = await phone.run(script)
            with suppress(TimeoutError):
                async with asyncio.timeout(RECORD_WITHIN):
                    await follower
        finally:
            follower.cancel()
            await network.aclose()
        return report


async def _call_theirs(
    target: str, carrier: str, script: Script, voices: Voices, lag: tuple[float, float], token: str | None
) -> CallReport:
    """Call a server that runs somewhere: what it says is not known, only what is heard."""
    from flowengine.cli import _live
    from flowengine.testing.network import SocketNetwork
    from flowengine.testing.phone import Phone

    network = SocketNetwork()
    phone = Phone(
        "vobiz" if carrier == "vobiz" else "twilio",
        network,
        answer_url=target,
        caller=script.caller,
        called=script.called,
        token=token,
        delay=lag[0],
        jitter=lag[1],
        seed=secrets.randbits(32),
        on_event=_live.Conversation().on_mark,
        voices=voices,
    )
    try:
        return await phone.run(script)
    finally:
        await network.aclose()
