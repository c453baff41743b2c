"""A server of our own for a simulated call: another process, in a folder of its own, with a token made for it."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flowengine.cli import _flows
from flowengine.errors import EnvironmentProblem
from flowengine.settings import child_environment

START_WITHIN = 30.0
STOP_WITHIN = 20.0
CARRIERS = ("twilio", "vobiz")


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server: its address, its process, the carriers' auth token, and its files."""

    url: str
    pid: int
    token: str
    store: Path
    traces: Path
    log: Path


@asynccontextmanager
async def local_server(
    flows: Path, settings: Mapping[str, str] | None = None, author: Path | None = None
) -> AsyncIterator[LocalServer]:
    """Start a server on a free port with the flows of a folder, or with one flow; stop it at the end.

    ``settings`` (by ``SECTION__KEY``) win over those that it is given here, so that two servers may share a store.
    Of the ``author``'s file of settings it takes what flows depend on: what tools may reach, the names in `env`, and
    who listens to callers and understands them.
    Raises ``EnvironmentProblem`` when it does not start, with what it said.
    """
    with tempfile.TemporaryDirectory(prefix="flowengine-") as name:
        folder = Path(name)
        served = flows.resolve()
        wanted: dict[str, str] = {}
        if served.is_file():
            served = folder / "flows"
            served.mkdir()
            name_of_flow, files = _files_of(flows)
            wanted["FLOWS__DEFAULT"] = name_of_flow
            for file in files:
                copy = served / file.relative_to(flows.parent)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
        token = secrets.token_urlsafe(16)
        wanted["STORE__URL"] = f"sqlite:///{folder / 'flowengine.db'}"
        wanted["STORE__TRACES"] = str(folder / "traces")
        for carrier in CARRIERS:
            wanted[f"CARRIERS__{carrier.upper()}__TOKEN"] = token
            wanted[f"CARRIERS__{carrier.upper()}__SIGNATURES"] = "required"
        own = folder / "flowengine.yaml"
        own.write_text(yaml.safe_dump(_of_flows(author)), encoding="utf-8")
        command = [sys.executable, "-m", "flowengine", "serve", str(served), "--port", "0", "--settings", str(own)]
        wanted.update(settings or {})
        log = folder / "server.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=child_environment(wanted),
                # Modules of tools stand beside the settings that name them.
                cwd=author.parent if author else folder,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        try:
            url = await _address(process, log)
            yield LocalServer(url, process.pid, token, folder / "flowengine.db", folder / "traces", log)
        finally:
            await _stop(process)


def _of_flows(author: Path | None) -> dict[str, Any]:
    """Give the sections of a file of settings that flows depend on; of a file that can not be read none.

    What is wrong in them the server says, as it would in the file itself.
    """
    try:
        text = author.read_text("utf-8-sig") if author else ""
        # Every value as the text that it is: our own reader says what kind of value that may be.
        found = yaml.load(text, yaml.BaseLoader)  # noqa: S506  # it makes texts, lists and mappings, nothing else
    except (OSError, ValueError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        return {}
    sections = {name: found[name] for name in ("tools", "env") if name in found}
    if isinstance(speech := found.get("speech"), dict):
        # Who listens and understands decides what a caller can do; the voice stays ours.
        sections["speech"] = {name: speech[name] for name in ("detector", "transcriber") if name in speech}
    return sections


def _files_of(path: Path) -> tuple[str, list[Path]]:
    """Give a flow's name, and the files that it needs: itself, what it includes, the flows that it can come to."""
    shelf = _flows.Shelf()
    loaded = shelf.load(str(path))
    if loaded.flow is None:
        return loaded.name.text if loaded.name else "", [path, *map(Path, loaded.included)]
    program = _flows.program(shelf, str(path))
    return program.flow.name, [Path(file) for one in program.all for file in (one.flow.file, *one.flow.included)]


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    line = b""
    if process.stdout is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(START_WITHIN):
                line = await process.stdout.readline()
    if not line.strip():
        said = log.read_text("utf-8", "replace").strip()
        raise EnvironmentProblem(f"the server did not start:\n{said}")
    return line.decode().strip()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
