"""One file per call: a trace as JSON lines, ``CALL.jsonl``, that can be followed while the call goes on."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_CALL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
OPEN_FILES = 256


class TraceFiles:
    """Appends lines to the traces in ``folder`` (mode 0700, files 0600). Used by one thread at a time.

    A file stays open between lines; of more than ``open_files`` the one that was idle for longest is closed.
    """

    def __init__(self, folder: Path | str, *, open_files: int = OPEN_FILES) -> None:
        self._folder = Path(folder)
        self._limit = open_files
        self._open: OrderedDict[str, int] = OrderedDict()

    def path(self, call_id: str) -> Path:
        """Give the file of a call; ``ValueError`` for what is no id of a call (it would name another folder)."""
        if not _CALL_ID.fullmatch(call_id):
            raise ValueError(f"not an id of a call: {call_id!r}")
        return self._folder / f"{call_id}.jsonl"

    def append(self, call_id: str, lines: Sequence[str]) -> None:
        """Append lines so that a follower sees them at once; raises ``OSError``."""
        # What is no UTF-8 (half a surrogate pair) becomes its escape, which is what JSON calls it as well.
        data = memoryview("".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace"))
        try:
            file = self._file(call_id)
            while data:
                data = data[os.write(file, data) :]
        except OSError:
            # Half a line may be written: the next append opens the file again and ends that line first.
            self.release(call_id)
            raise

    def release(self, call_id: str) -> None:
        """Close a call's file, if it is open; a later line opens it again."""
        file = self._open.pop(call_id, None)
        if file is not None:
            with suppress(OSError):
                os.close(file)

    def close(self) -> None:
        """Close all files."""
        for call_id in list(self._open):
            self.release(call_id)

    def _file(self, call_id: str) -> int:
        if call_id in self._open:
            self._open.move_to_end(call_id)
            return self._open[call_id]
        path = self.path(call_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        while len(self._open) >= self._limit:
            self.release(next(iter(self._open)))
        self._open[call_id] = file
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
        return file
