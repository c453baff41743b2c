"""The flows of a server: loaded from a folder at start, by name; older revisions from the store."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from flowengine.audio import mulaw
from flowengine.audio.resample import Resampler
from flowengine.call.ports import Store
from flowengine.errors import EnvironmentProblem
from flowengine.flow.diagnostics import Diagnostic
from flowengine.flow.folder import Folder
from flowengine.flow.loader import Loaded, compile_templates, duplicate_flows, included_files, load
from flowengine.flow.model import Flow, NodeType, Segment, parts, walk
from flowengine.runtime.program import Program
from flowengine.runtime.prompts import audio_path
from flowengine.runtime.ready import unready

RATE = 8000


class FlowFolder:
    """Implements the port ``Library`` over a folder of flows.

    ``judge`` says what this server does not let a flow do.
    """

    def __init__(
        self,
        store: Store,
        types: Mapping[str, NodeType],
        judge: Callable[[Flow], Iterable[Diagnostic]] = lambda flow: (),
    ) -> None:
        self.programs: dict[str, Program] = {}
        self._store = store
        self._types = types
        self._judge = judge
        self._revisions: dict[str, Program] = {}

    async def open(self, folder: Path) -> list[tuple[Loaded, str]]:
        """Load every flow; give those with findings and their file. Flows with errors are not served."""
        texts = {path.as_posix(): path.read_bytes() for path in flow_files(folder)}
        beside = Folder(lambda: texts, texts.get, self._types)
        flows = [load(file, text, self._types, beside) for file, text in texts.items()]
        included = {file for loaded in flows for file in loaded.included}
        flows = [loaded for loaded in flows if loaded.file not in included]
        twice = {finding.span.file: finding for finding in duplicate_flows(flows)}
        found: list[tuple[Loaded, str]] = []
        for loaded in flows:
            if loaded.file in twice:
                loaded = replace(loaded, flow=None, diagnostics=(*loaded.diagnostics, twice[loaded.file]))
            if loaded.flow is not None and (missing := (*unready(loaded.flow), *self._judge(loaded.flow))):
                loaded = replace(loaded, flow=None, diagnostics=(*loaded.diagnostics, *missing))
            if loaded.diagnostics:
                found.append((loaded, loaded.file))
            flow = loaded.flow
            if flow is not None:
                compile_templates(flow)
                self.programs[flow.name] = self._revisions[flow.revision] = Program(flow)
                # The name of the file goes with the text: prompts from files stand beside it.
                await self._store.keep_flow(flow.revision, flow.file, texts[flow.file].decode("utf-8-sig"))
                for file in flow.included:
                    await self._store.keep_flow(f"{flow.revision}/{file}", file, texts[file].decode("utf-8-sig"))
        return found

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
        texts: dict[str, bytes] = {}
        for file in included_files(*kept):
            part = await self._store.flow_text(f"{revision}/{file}")
            if part is not None:
                texts[file] = part[1].encode("utf-8")
        flow = load(kept[0], kept[1], self._types, Folder(lambda: (), texts.get, self._types)).flow
        if flow is None:
            return None
        compile_templates(flow)
        self._revisions[revision] = Program(flow)
        return self._revisions[revision]


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
