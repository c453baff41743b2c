"""The flows of a server and their recordings."""

from __future__ import annotations

import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowengine import plugins
from flowengine.audio import mulaw
from flowengine.audio.level import dbfs
from flowengine.errors import EnvironmentProblem
from flowengine.flow.loader import load
from flowengine.server.library import FlowFolder, flow_files, load_recordings, read_wav
from flowengine.store.memory import MemoryStore
from flowengine.testing import virtual_time

FLOW = "flow: {name}\nversion: 1\nnodes:\n  a: {{say: {words}, goto: end}}\n"


def write_wav(path: Path, pcm: Any, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm if isinstance(pcm, bytes) else np.asarray(pcm, "<i2").tobytes())
    return path


def opened(folder: Path, store: MemoryStore | None = None) -> tuple[FlowFolder, list[Any]]:
    library = FlowFolder(store or MemoryStore(), plugins.node_types())
    findings = virtual_time.run(library.open(folder))
    return library, [(d.code, Path(file).name) for loaded, file in findings for d in loaded.diagnostics]


def test_flow_files_are_found_in_order_without_tests(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "a.test.yaml", "x.test.yml", "deep/c.yaml", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in flow_files(tmp_path)] == [
        "a.yml",
        "b.yaml",
        "deep/c.yaml",
    ]


def test_two_flows_of_one_name_are_told_and_the_first_is_served(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FLOW.format(name="same", words="First"))
    (tmp_path / "b.yaml").write_text(FLOW.format(name="same", words="Second"))
    (tmp_path / "c.yaml").write_text(FLOW.format(name="other", words="Third"))
    library, findings = opened(tmp_path)
    assert findings == [("duplicate-flow", "b.yaml")]
    assert {name: Path(program.flow.file).name for name, program in library.programs.items()} == {
        "same": "a.yaml",
        "other": "c.yaml",
    }


def test_a_flow_with_errors_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FLOW.format(name="good", words="Hello"))
    (tmp_path / "b.yaml").write_text("flow: bad\nversion: 1\nnodes:\n  a: {sey: Hello., goto: end}\n")
    library, findings = opened(tmp_path)
    assert list(library.programs) == ["good"]
    assert {file for _, file in findings} == {"b.yaml"}


def test_an_older_revision_comes_from_the_store(tmp_path: Path) -> None:
    """A call that began before the flow was changed, taken up by a process that has only the new one."""
    store = MemoryStore()
    path = tmp_path / "a.yaml"
    path.write_text(FLOW.format(name="test", words="Old words"), encoding="utf-8-sig")
    old, _ = opened(tmp_path, store)
    revision = old.programs["test"].flow.revision
    path.write_text(FLOW.format(name="test", words="New words"))
    new, _ = opened(tmp_path, store)

    async def look() -> tuple[Any, Any, Any, Any]:
        named = await new.named("test")
        kept = await new.at_revision(revision)
        return named, kept, await new.at_revision("0" * 64), await new.named("nowhere")

    named, kept, unknown, nowhere = virtual_time.run(look())
    assert named.flow.revision != revision
    assert (kept.flow.revision, kept.flow.file) == (revision, named.flow.file)
    assert (unknown, nowhere) == (None, None)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000])
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings_of_usual_rates_are_played(tmp_path: Path, rate: int, channels: int) -> None:
    time = np.arange(rate) / rate
    tone = (np.sin(2 * np.pi * 440 * time) * 8000).astype(np.int16)
    other = np.zeros_like(tone)
    frames = tone if channels == 1 else np.stack([tone, other], axis=1)
    audio = mulaw.decode(read_wav(write_wav(tmp_path / "a.wav", frames, rate, channels)))
    assert len(audio) == pytest.approx(8000, abs=8)
    middle = audio[2000:6000].astype(float)
    assert dbfs(audio[2000:6000]) == pytest.approx(dbfs(tone[: rate // 2]), abs=0.5)
    # The tone is where it was: 440 periods in a second.
    crossings = np.count_nonzero(np.diff(np.signbit(middle)))
    assert crossings == pytest.approx(440, abs=2)


def truncated(path: Path) -> None:
    data = write_wav(path, [100] * 1000).read_bytes()
    path.write_bytes(data[:-501])


UNPLAYABLE: dict[str, Callable[[Path], Any]] = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "no WAV": lambda path: path.write_bytes(b"ID3 an MP3"),
    "nothing": lambda path: path.write_bytes(b""),
    "half a header": lambda path: path.write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt "),
    "8 bits": lambda path: write_wav(path, b"\x80" * 100, width=1),
    "44.1 kHz": lambda path: write_wav(path, [0] * 100, rate=44100),
    "µ-law": lambda path: path.write_bytes(
        b"RIFF" + struct.pack("<I", 38) + b"WAVEfmt " + struct.pack("<IHHIIHH", 18, 7, 1, 8000, 8000, 1, 8) + b"\0\0"
    ),
}
RECORDED = "flow: t\nversion: 1\nnodes:\n  a:\n    say: [{{audio: hello.wav{words}}}]\n    goto: end\n"


@pytest.mark.parametrize("what", UNPLAYABLE)
@pytest.mark.parametrize("words", ["", ", text: Hello."])
def test_a_recording_that_can_not_be_played_needs_words(tmp_path: Path, what: str, words: str) -> None:
    UNPLAYABLE[what](tmp_path / "hello.wav")
    flow = load((tmp_path / "f.yaml").as_posix(), RECORDED.format(words=words), plugins.node_types()).flow
    assert flow is not None
    if words:
        assert load_recordings(flow) == {}
    else:
        with pytest.raises(EnvironmentProblem) as caught:
            load_recordings(flow)
        assert "f.yaml:5" in str(caught.value)
        assert "hello.wav" in str(caught.value)
        assert "text" in str(caught.value)


@pytest.mark.parametrize("pcm", [[], [5], [100] * 333])
def test_recordings_of_any_length_are_read(tmp_path: Path, pcm: list[int]) -> None:
    assert len(read_wav(write_wav(tmp_path / "a.wav", pcm))) == len(pcm)
    read_wav(write_wav(tmp_path / "b.wav", pcm, rate=16000))


def test_a_recording_that_was_cut_off_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    truncated(path)
    assert len(read_wav(path)) == 749


def test_recordings_stand_beside_their_flow(tmp_path: Path) -> None:
    write_wav(tmp_path / "hello.wav", [1000] * 800)
    flow = load((tmp_path / "f.yaml").as_posix(), RECORDED.format(words=""), plugins.node_types()).flow
    assert flow is not None
    assert {Path(name).name: len(audio) for name, audio in load_recordings(flow).items()} == {"hello.wav": 800}
