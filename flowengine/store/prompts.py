"""Rendered prompts on disk: they outlive the server, so a restart does not pay for them again.

A file is the digest of its audio followed by the audio: what a crash or a full disk left incomplete is never played.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

LIMIT_BYTES = 256 * 1024 * 1024
_KEY = re.compile(r"[0-9a-f]{64}")
_DIGEST_BYTES = 32
_KEPT_SHARE = 0.9
"""Down to how much of the limit is removed at once, so that not every prompt of a full cache lists the folder."""


class PromptFiles:
    """The port ``AudioStore`` over a folder of at most about ``limit_bytes``; the longest unused go first.

    Keys are 64 lower-case hex digits (``ValueError`` for others). The disk's failures are counted in ``failures`` and
    never raised: a prompt that is not here is rendered.
    """

    def __init__(self, folder: Path | str, limit_bytes: int = LIMIT_BYTES) -> None:
        self.failures = 0
        self._folder = Path(folder)
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._size: int | None = None

    async def get(self, key: str) -> bytes | None:
        """Give the µ-law audio of a key; None when there is none, or none that is whole."""
        return await asyncio.to_thread(self._get, self._path(key))

    async def put(self, key: str, audio: bytes) -> None:
        """Keep the µ-law audio of a key; empty audio and what alone is beyond the limit are not kept."""
        path = self._path(key)
        if audio and len(audio) + _DIGEST_BYTES <= self._limit:
            await asyncio.to_thread(self._put, path, audio)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key of a prompt: {key!r}")
        return self._folder / key

    def _get(self, path: Path) -> bytes | None:
        try:
            data = path.read_bytes()
            digest, audio = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
            if not audio or hashlib.sha256(audio).digest() != digest:
                self._failed()
                return None
            os.utime(path)  # Used now: the oldest are removed first.
        except FileNotFoundError:
            return None
        except OSError:
            self._failed()
            return None
        return audio

    def _put(self, path: Path, audio: bytes) -> None:
        try:
            # One at a time: making room must not remove what another thread has not renamed yet.
            with self._lock:
                self._write(path, audio)
                self._trim(_DIGEST_BYTES + len(audio))
        except OSError:
            self._failed()

    def _write(self, path: Path, audio: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with open(file, "wb") as out:
                out.write(hashlib.sha256(audio).digest() + audio)
            os.replace(name, path)
        except OSError:
            with suppress(OSError):
                os.unlink(name)
            raise

    def _trim(self, added: int) -> None:
        if self._size is not None:
            self._size += added
        if self._size is not None and self._size <= self._limit:
            return
        # Counted again from the folder: other servers write here too, and a key may have been written twice.
        files = self._files()
        self._size = sum(size for _, size, _ in files)
        if self._size <= self._limit:
            return
        for _, size, path in sorted(files):
            if self._size <= self._limit * _KEPT_SHARE:
                return
            with suppress(FileNotFoundError):
                os.unlink(path)
            self._size -= size

    def _files(self) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                # Another server may remove a file between its listing and this look at it.
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        found.append((status.st_mtime_ns, status.st_size, entry.path))
        return found

    def _failed(self) -> None:
        with self._lock:
            self.failures += 1
