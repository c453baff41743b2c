"""How commands read and write the files that the command line names."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from flowengine.errors import EnvironmentProblem


def read(path: Path) -> bytes:
    """Read a file; raises ``EnvironmentProblem`` where the machine does not allow it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(f"can not read {path}: {error.strerror}") from error


def write(path: Path, text: str) -> None:
    """Write a text file; raises ``EnvironmentProblem`` where the machine does not allow it."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentProblem(f"can not write {path}: {error.strerror}") from error


def replace(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all, with the mode and owner that it had; a link stays a link to the file."""
    target = path.resolve()
    if not target.is_file():
        raise EnvironmentProblem(f"can not write {path}: it is no regular file")
    try:
        before = target.stat()
        number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if os.name == "posix" and os.geteuid() == 0:
                os.chown(name, before.st_uid, before.st_gid)  # as in a container that mounts its user's folder
            Path(name).chmod(before.st_mode & 0o7777)
            Path(name).replace(target)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentProblem(f"can not write {path}: {error.strerror}") from error
