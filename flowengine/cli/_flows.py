"""How commands load flows: each with the files that it includes and the flows beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flowengine.cli import _files
from flowengine.plugins import node_types

if TYPE_CHECKING:
    from flowengine.flow.folder import Folder
    from flowengine.flow.loader import Loaded

SUFFIXES = (".yaml", ".yml")


def load(path: Path) -> Loaded:
    """Load the flow in a file; raises ``EnvironmentProblem`` where it can not be read."""
    return load_text(path.as_posix(), _files.read(path), path.parent)


def load_text(file: str, data: bytes, folder: Path) -> Loaded:
    """Load a flow from its text as if it stood in a folder."""
    from flowengine.flow.loader import load

    return load(file, data, node_types(), beside(folder))


@lru_cache(maxsize=64)
def beside(folder: Path) -> Folder:
    """Give what a flow sees of the other files of its folder; each is read at most once."""
    from flowengine.flow.folder import Folder

    def files() -> list[str]:
        return [path.as_posix() for path in flow_files(folder)]

    return Folder(files, _read, node_types())


def _read(path: str) -> bytes | None:
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def flow_files(folder: Path) -> list[Path]:
    """Give the YAML files below a folder that are no tests of flows, in a stable order."""
    found = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.stem.endswith(".test"))


def sources(flows: Sequence[Loaded]) -> Mapping[str, Sequence[str]]:
    """Give the lines of every file that findings may point into."""
    return {file: lines for loaded in flows for file, lines in {loaded.file: loaded.lines, **loaded.sources}.items()}
