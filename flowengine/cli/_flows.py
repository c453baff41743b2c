"""Which files a command means, what each of them is, and what stands beside it; every file is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flowengine.cli import _files
from flowengine.errors import Bug

if TYPE_CHECKING:
    from flowengine.flow.folder import Folder
    from flowengine.flow.loader import Loaded
    from flowengine.runtime.program import Program

SETTINGS = "flowengine.yaml"
YAML = (".yaml", ".yml")


def is_test(path: Path) -> bool:
    """Whether this file holds the tests of a flow."""
    return path.suffix in YAML and path.stem.endswith(".test")


def is_settings(path: Path) -> bool:
    """Whether this file holds the settings of a server."""
    return path.name == SETTINGS


def below(folder: Path) -> Iterator[Path]:
    """Give the YAML files of a folder and its subfolders in a stable order; what is hidden belongs to other tools."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in YAML and not hidden and path.is_file():
            yield path


def existing(path: str) -> Path:
    """Give a file or folder that is there; another one is wrong usage."""
    found = Path(path)
    if not found.exists():
        raise click.UsageError(f"there is no file or folder {path}")
    return found


def load(path: Path, data: bytes | None = None) -> Loaded:
    """Load the flow in a file, or in ``data`` as if it stood there, with what it includes and the flows beside it.

    Raises ``EnvironmentProblem`` where the file can not be read.
    """
    from flowengine.flow.loader import load as load_text
    from flowengine.plugins import node_types

    text = _files.read(path) if data is None else data
    return load_text(str(path), text, node_types(), folder(path.parent))


def load_included(path: Path, data: bytes) -> Loaded:
    """Check a file that flows include by itself."""
    from flowengine.flow.loader import load_included as check
    from flowengine.plugins import node_types

    return check(str(path), data, node_types())


@lru_cache(maxsize=64)
def folder(path: Path) -> Folder:
    """Give what a flow sees of the other files of its folder; each is read at most once."""
    from flowengine.flow.folder import Folder
    from flowengine.plugins import node_types

    return Folder(lambda: [str(file) for file in flow_files(path)], _read, node_types())


def forget() -> None:
    """Read every file again when it is next asked for."""
    folder.cache_clear()


def _read(path: str) -> bytes | None:
    file = Path(path)
    return file.read_bytes() if file.is_file() else None


def flow_files(path: Path) -> Iterator[Path]:
    """Give the files below a folder that may be flows: neither tests nor settings."""
    return (file for file in below(path) if not is_test(file) and not is_settings(file))


def flows(files: Iterable[Path]) -> list[Loaded]:
    """Load flows; a file that another one includes is none."""
    loaded = [load(file) for file in files]
    included = {file for one in loaded for file in one.included}
    return [one for one in loaded if one.file not in included]


def sources(flows: Sequence[Loaded]) -> Mapping[str, Sequence[str]]:
    """Give the lines of every file that findings may point into."""
    return {file: lines for loaded in flows for file, lines in {loaded.file: loaded.lines, **loaded.sources}.items()}


class Shelf:
    """The flows that a command has loaded, by file."""

    def __init__(self) -> None:
        self._loaded: dict[str, Loaded] = {}

    def load(self, file: str, data: bytes | None = None) -> Loaded:
        """Load a flow; with ``data`` in the place of what the file holds."""
        if data is not None or file not in self._loaded:
            self._loaded[file] = load(Path(file), data)
        return self._loaded[file]

    def beside(self, tests: Path) -> Beside:
        """Give the flows that a file of tests may name."""
        return Beside(self, tests)


def program(shelf: Shelf, file: str) -> Program:
    """Make a flow without errors ready to run, with the flows of its folder that it can come to."""
    from flowengine.flow.loader import compile_templates
    from flowengine.runtime.program import Program, runs

    flow = shelf.load(file).flow
    if flow is None:
        raise Bug(f"{file} has errors")
    beside: dict[str, Program] = {}
    made = beside[flow.name] = Program(flow, beside)
    compile_templates(flow)
    waiting = list(runs(flow))
    while waiting:
        name = waiting.pop()
        files = (str(path) for path in flow_files(Path(file).parent))
        found = next((one.flow for one in map(shelf.load, files) if one.flow and one.flow.name == name), None)
        if found is not None and name not in beside:
            compile_templates(found)
            beside[name] = Program(found, beside)
            waiting += runs(found)
    return made


class Beside:
    """The flows beside a file of tests: ``NAME.yaml`` for ``NAME.test.yaml`` first, then the others of its folder."""

    def __init__(self, shelf: Shelf, tests: Path) -> None:
        self._shelf = shelf
        stem = tests.name.removesuffix(tests.suffix).removesuffix(".test")
        self._own = [path for path in (tests.with_name(stem + suffix) for suffix in YAML) if path.is_file()]
        self._folder = tests.parent

    def named(self, name: str) -> Loaded | None:
        """Give a flow by its name, with or without errors."""
        return next((loaded for loaded in self._all() if loaded.name and loaded.name.text == name), None)

    def names(self) -> list[str]:
        """Name every flow of the folder."""
        return [loaded.name.text for loaded in self._all() if loaded.name]

    def unreadable(self) -> bool:
        """Whether the flow of the same name is there, but can not be read."""
        return any(self._shelf.load(str(path)).name is None for path in self._own)

    def _all(self) -> Iterator[Loaded]:
        for path in dict.fromkeys([*self._own, *self._others()]):
            yield self._shelf.load(str(path))

    def _others(self) -> Iterable[Path]:
        listed = sorted(self._folder.iterdir())
        return (p for p in listed if p.suffix in YAML and p.is_file() and not is_test(p) and not is_settings(p))
