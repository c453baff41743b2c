"""How commands read and write the files that the command line names."""

from __future__ import annotations

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
