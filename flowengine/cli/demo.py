"""``flowengine demo``: two calls side by side, answered by the shipped flow, printed live, recorded and checked."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import wave
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from flowengine.cli import _flows
from flowengine.cli.main import FAILED

if TYPE_CHECKING:
    from flowengine.cli._live import Conversation
    from flowengine.cli._local import LocalServer
    from flowengine.testing.report import CallReport
    from flowengine.testing.script import Script

FLOW = "flows/front-desk.yaml"
HEARD = -45.0  # dBFS: a prompt is louder, silence is not
AFTER_CLEAR = 0.06
RATE = 8000


@dataclass(frozen=True)
class Plan:
    """One call of the demo: who calls how, and which way through the flow it has to take."""

    carrier: Literal["twilio", "vobiz"]
    script: Script
    path: tuple[str, ...]


def plans() -> tuple[Plan, Plan]:
    """Give the two calls."""
    from flowengine.testing.script import Dialled, ExpectEnd, Keys, Script, Silence, WaitAudio, WaitSilence

    to_adviser = Script(
        (
            WaitAudio(0.3),
            WaitSilence(0.4),
            Keys("1"),
            WaitAudio(0.3),
            WaitSilence(0.4),
            Keys("123456", gap=0.15),
            WaitAudio(1.0),
            WaitSilence(0.4),
            Keys("1"),
            ExpectEnd(40),
        ),
        transfers=(Dialled("busy"),),
    )
    in_a_hurry = Script(
        # Types ahead into the greeting, then interrupts the menu's long prompt.
        (Silence(0.6), Keys("2"), WaitAudio(4.5), Keys("0"), ExpectEnd(40)),
        carrier="vobiz",
        transfers=(Dialled("ended", talk=2.0),),
    )
    return (
        Plan("twilio", to_adviser, ("greet", "main", "account", "thanks", "agent", "busy", "bye")),
        Plan("vobiz", in_a_hurry, ("greet", "main", "hours", "main", "agent", "bye")),
    )


@click.command()
@click.argument("flow", default=FLOW)
@click.option("--folder", default="demo", show_default=True, help="Where the recordings and the drawing go.")
@click.pass_context
def command(ctx: click.Context, flow: str, folder: str) -> None:
    """Place two calls side by side to the front desk, and print, record and check them.

    One is a Twilio call with keys and a transfer that is busy, the other a Vobiz call that types ahead and interrupts.

    \b
    Example:
      flowengine demo
    """
    if not Path(flow).is_file():
        raise click.UsageError(f"there is no flow at {flow}")
    target = Path(folder)
    target.mkdir(exist_ok=True)
    problems = asyncio.run(_demo(Path(flow), target))
    _draw(Path(flow), target / "front-desk.svg")
    for plan in plans():
        click.echo(f"recorded {target / plan.carrier}.wav (left: caller, right: what the caller heard)")
        click.echo(f"traced   {target / plan.carrier}.jsonl (`flowengine calls replay` runs it again)")
    click.echo(f"drawn    {target / 'front-desk.svg'}")
    for problem in problems:
        click.echo(f"wrong: {problem}", err=True)
    if problems:
        click.echo(f"the server's own words are in {target / 'server.log'}", err=True)
        ctx.exit(FAILED)
    click.echo("both calls took the expected way, and the recordings agree with what was played")


async def _demo(flow: Path, folder: Path) -> list[str]:
    from flowengine.cli._local import local_server

    async with local_server(flow) as server:
        found = await asyncio.gather(*(_call(plan, server, folder) for plan in plans()))
        shutil.copy(server.log, folder / "server.log")
    return [problem for problems in found for problem in problems]


async def _call(plan: Plan, server: LocalServer, folder: Path) -> list[str]:
    """Place one call; give what was wrong with it."""
    from flowengine.cli import _live
    from flowengine.testing.network import SocketNetwork
    from flowengine.testing.phone import Phone

    conversation = _live.Conversation(plan.carrier)
    network = SocketNetwork()
    phone = Phone(
        plan.carrier,
        network,
        answer_url=f"{server.url}/answer/{plan.carrier}",
        token=server.token,
        seed=secrets.randbits(32),
        on_event=conversation.on_event,
    )
    follower = asyncio.create_task(
        _live.follow(server.traces, lambda: phone.call_id, conversation, str(folder / f"{plan.carrier}.jsonl"))
    )
    try:
        report = await phone.run(plan.script)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                await follower
    finally:
        follower.cancel()
        await network.aclose()
    wav = folder / f"{plan.carrier}.wav"
    report.save_wav(wav)
    problems = [f"{plan.carrier}: not as scripted: {failure}" for failure in report.failures]
    problems += _check_way(plan, conversation)
    return problems + [f"{plan.carrier}: {problem}" for problem in check_recording(report, wav)]


def _check_way(plan: Plan, conversation: Conversation) -> list[str]:
    if tuple(conversation.path) != plan.path:
        return [f"{plan.carrier}: went {' → '.join(conversation.path)}, not {' → '.join(plan.path)}"]
    if conversation.ended != "flow.hangup":
        return [f"{plan.carrier}: ended with {conversation.ended or 'nothing'}, not flow.hangup"]
    return []


def check_recording(report: CallReport, wav: Path) -> list[str]:
    """Hold a recording against the phone's diary: sound where a prompt was played, none after each clear."""
    import numpy as np

    from flowengine.audio.level import dbfs

    with wave.open(str(wav), "rb") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, file.getnchannels())
    heard = pcm[:, -1]

    def level(begin: float, end: float) -> float:
        return dbfs(heard[round(begin * RATE) : round(end * RATE)])

    problems: list[str] = []
    starts = report.of("audio_started")
    for started in starts:
        stopped = next((e for e in report.of("audio_stopped", "cleared") if e.at > started.at), None)
        end = stopped.at if stopped else report.duration
        if level(started.at, end) <= HEARD:
            problems.append(f"nothing is heard of the prompt at {started.at:.1f} s")
    for cleared in report.of("cleared"):
        following = next((e.at for e in starts if e.at >= cleared.at), report.duration)
        begin = cleared.at + AFTER_CLEAR
        if following > begin and level(begin, following) > HEARD:
            problems.append(f"something is heard after the clear at {cleared.at:.1f} s")
    if not starts:
        problems.append("nothing was played at all")
    return problems


def _draw(flow: Path, target: Path) -> None:
    from flowengine.flow.draw import draw

    loaded = _flows.load(flow).flow
    if loaded is not None:
        target.write_text(draw(loaded, "svg"), encoding="utf-8")
