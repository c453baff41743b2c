"""The flows of a server: loaded from a folder at start, by name; older revisions from the store."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.call.ports import Store
from flowengine.errors import EnvironmentProblem
from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.folder import Folder
from flowengine.flow.loader import Loaded, compile_templates, duplicate_flows, load
from flowengine.flow.model import Flow, NodeType, Segment, parts, walk
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import audio_path
from flowengine.runtime.ready import unready

RATE = 8000


class FlowFolder:
    """Implements the port ``Library`` over a folder of flows.

    ``judge`` says what this server does not let a flow do; ``words``: it has a transcriber;
    ``models`` are the names of its language models.
    """

    def __init__(
        self,
        store: Store,
        types: Mapping[str, NodeType],
        judge: Callable[[Flow], Iterable[Diagnostic]] = lambda flow: (),
        *,
        words: bool = False,
        models: Collection[str] = (),
    ) -> None:
        self.programs: dict[str, Program] = {}
        self._store = store
        self._types = types
        self._judge = judge
        self._words = words
        self._models = models
        self._revisions: dict[str, Program] = {}

    async def open(self, folder: Path) -> list[tuple[Loaded, str]]:
        """Load every flow; give those with findings and their file. Flows with errors are not served."""
        texts = {path.as_posix(): path.read_bytes() for path in flow_files(folder)}
        beside = Folder(lambda: texts, texts.get, self._types)
        flows = [load(file, text, self._types, beside) for file, text in texts.items()]
        included = {file for loaded in flows for file in loaded.included}
        flows = [loaded for loaded in flows if loaded.file not in included]
        twice = {finding.span.file: finding for finding in duplicate_flows(flows)}
        for number, loaded in enumerate(flows):
            if loaded.file in twice:
                flows[number] = _refused(loaded, [twice[loaded.file]])
            elif loaded.flow is not None and (
                missing := (*unready(loaded.flow, words=self._words, models=self._models), *self._judge(loaded.flow))
            ):
                flows[number] = _refused(loaded, missing)
        flows = _without_those_that_run_others(flows)
        self.programs = self._ready(flows)
        for program in self.programs.values():
            await self._keep(program, texts)
        return [(loaded, loaded.file) for loaded in flows if loaded.diagnostics]

    def _ready(self, flows: Iterable[Loaded]) -> dict[str, Program]:
        """Make flows ready to run; they can run each other."""
        programs: dict[str, Program] = {}
        for loaded in flows:
            if loaded.flow is not None:
                compile_templates(loaded.flow)
                programs[loaded.flow.name] = Program(loaded.flow, programs)
        for program in programs.values():
            self._revisions[program.revision] = program
        return programs

    async def _keep(self, program: Program, texts: Mapping[str, bytes]) -> None:
        """Keep every text that a program was made of: its own by its revision, the others by that and their file.

        The name of the file goes with the text: prompts from files stand beside it.
        """
        own = program.flow
        files = [file for one in program.all for file in (one.flow.file, *one.flow.included)]
        others = [file for file in dict.fromkeys(files) if file != own.file]
        await self._store.keep_flow(program.revision, own.file, _text(texts[own.file]))
        await self._store.keep_flow(f"{program.revision}/", own.file, json.dumps(others))
        for file in others:
            await self._store.keep_flow(f"{program.revision}/{file}", file, _text(texts[file]))

    async def named(self, name: str) -> Program | None:
        """Give the present revision of a flow."""
        return self.programs.get(name)

    async def at_revision(self, revision: str) -> Program | None:
        """Give a flow as it was when the call began, from another process's folder if need be."""
        if revision in self._revisions:
            return self._revisions[revision]
        kept = await self._store.flow_text(revision)
        if kept is None:
            return None
        own, text = kept
        texts = {own: text.encode()}
        listed = await self._store.flow_text(f"{revision}/")
        for file in json.loads(listed[1]) if listed else ():
            part = await self._store.flow_text(f"{revision}/{file}")
            if part is not None:
                texts[file] = part[1].encode()
        beside = Folder(lambda: texts, texts.get, self._types)
        programs = self._ready(load(file, data, self._types, beside) for file, data in texts.items())
        return next((program for program in programs.values() if program.flow.file == own), None)


def _refused(loaded: Loaded, why: Iterable[Diagnostic]) -> Loaded:
    return replace(loaded, flow=None, diagnostics=(*loaded.diagnostics, *why))


def _without_those_that_run_others(flows: list[Loaded]) -> list[Loaded]:
    """Refuse flows that run a flow that is not served, until nothing more is refused."""
    while True:
        served = {loaded.flow.name for loaded in flows if loaded.flow is not None}
        after = [_refused(loaded, found) if (found := list(_missing(loaded, served))) else loaded for loaded in flows]
        if after == flows:
            return flows
        flows = after


def _missing(loaded: Loaded, served: Collection[str]) -> Iterator[Diagnostic]:
    for node in loaded.flow.nodes.values() if loaded.flow else ():
        name = node.type.runs(node.spec)
        if name and name not in served:
            message = f'a server does not run the flow "{name}", which this one runs'
            help_ = f'see the findings of "{name}"'
            yield Diagnostic("not-run-yet", message, node.name_span, about=name, help=help_)


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig")


def flow_files(folder: Path) -> Iterator[Path]:
    """Give the flow files below a folder, without tests, in a stable order."""
    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        if not path.name.endswith((".test.yaml", ".test.yml")):
            yield path


def load_recordings(flow: Flow) -> dict[str, bytes]:
    """Read the flow's audio files as µ-law at 8 kHz; a missing one with words is spoken instead.

    Raises ``EnvironmentProblem`` for a file that can not be played and has no words.
    """
    found: dict[str, bytes] = {}
    for part in walk(parts(flow)):
        if isinstance(part, Segment) and part.audio is not None:
            path = audio_path(part)
            try:
                found[path] = read_wav(Path(path))
            except (OSError, wave.Error, EOFError, EnvironmentProblem) as error:
                if part.text is None:
                    where = f"{part.span.file}:{part.span.line}"
                    raise EnvironmentProblem(
                        f"{where}: {path} can not be played ({error}); add `text` as its words"
                    ) from None
    return found


def read_wav(path: Path) -> bytes:
    """Read a mono or stereo PCM16 WAV of 8, 16, 22.05 or 24 kHz as µ-law at 8 kHz."""
    with wave.open(str(path), "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        if width != 2 or rate not in (8000, 16000, 22050, 24000):
            raise EnvironmentProblem(
                f"it has {8 * width} bits at {rate} Hz; 16 bits at 8, 16, 22.05 or 24 kHz are played"
            )
        data = file.readframes(file.getnframes())
        # A file that was cut off may end within a frame.
        whole = data[: len(data) // (2 * channels) * (2 * channels)]
        pcm = np.frombuffer(whole, dtype="<i2").reshape(-1, channels)[:, 0]
    if rate == RATE:
        return mulaw.encode(pcm)
    resampler = Resampler(rate, RATE)
    return mulaw.encode(np.concatenate([resampler.process(pcm), resampler.flush()]))
