"""What callers were recorded saying: one WAV file each, in a folder that nobody else may read."""

from __future__ import annotations

import asyncio
import os
import re
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

from flowengine.errors import RemoteError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MULAW = 7  # WAVE_FORMAT_MULAW (RFC 2361)
_RATE = 8000


class RecordingFiles:
    """The port ``RecordingStore`` over a folder (mode 0700, files 0600). A file is there when it is whole."""

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)

    def address(self, name: str) -> str:
        """Give where a recording is or will be: its file."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name of a recording: {name!r}")
        return (self._folder / f"{name}.wav").as_posix()

    async def put(self, name: str, audio: bytes) -> str:
        """Write µ-law audio at 8000 Hz as a WAV file; give its address. Raises ``RemoteError`` when the disk fails."""
        path = Path(self.address(name))
        try:
            await asyncio.to_thread(self._write, path, wav(audio))
        except OSError as error:
            raise RemoteError(f"the recording {name} was not written: {error.strerror}") from error
        return path.as_posix()

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, part = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with open(file, "wb") as out:
                out.write(data)
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                os.unlink(part)
            raise


def wav(audio: bytes) -> bytes:
    """Give a WAV file of µ-law audio, as the line had it: nothing is converted, every player reads it."""
    form = struct.pack("<HHIIHHH", _MULAW, 1, _RATE, _RATE, 1, 8, 0)
    fact = struct.pack("<I", len(audio))
    pad = b"\0" * (len(audio) % 2)
    chunks = (
        b"".join(tag + struct.pack("<I", len(body)) + body for tag, body in ((b"fmt ", form), (b"fact", fact)))
        + b"data"
        + struct.pack("<I", len(audio))
        + audio
        + pad
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
