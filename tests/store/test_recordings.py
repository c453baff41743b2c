"""Recordings of callers as files."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from flowengine.errors import RemoteError
from flowengine.store.recordings import RecordingFiles, wav


def test_a_recording_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    store = RecordingFiles(tmp_path / "recordings")
    address = asyncio.run(store.put("call-1.e2.v3", b"\x7f\xff\x00"))
    path = Path(address)
    assert address == store.address("call-1.e2.v3")
    assert path.read_bytes() == wav(b"\x7f\xff\x00")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["call-1.e2.v3.wav"]


@pytest.mark.parametrize("size", [0, 1, 8000, 8001])
def test_the_file_is_mulaw_at_8000_hz(size: int) -> None:
    data = wav(b"\xff" * size)
    assert len(data) % 2 == 0
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    assert data[8:16] == b"WAVEfmt "
    form = data[20:38]
    assert [int.from_bytes(form[a:b], "little") for a, b in ((0, 2), (2, 4), (4, 8), (8, 12), (14, 16))] == [
        7, 1, 8000, 8000, 8,
    ]  # fmt: skip
    at = data.index(b"data")
    assert int.from_bytes(data[at + 4 : at + 8], "little") == size


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a" * 200])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        RecordingFiles(tmp_path).address(name)


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RemoteError, match="was not written"):
        asyncio.run(RecordingFiles(tmp_path / "file").put("call-1", b"\xff"))
