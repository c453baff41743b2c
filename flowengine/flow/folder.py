"""A folder of flows, as one flow of it sees the others: what they take, how they return, which flows they run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from flowengine.flow import including, source
from flowengine.flow.declaring import VariablesKind
from flowengine.flow.diagnostics import Report
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Header, NodeType, Variable
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar

_NAME = re.compile(rb"^[\"']?flow[\"']?\s*:\s*[\"']?([a-z][a-z0-9_-]*)", re.MULTILINE)

Read = Callable[[str], bytes | None]


class Folder:
    """Implements ``Beside`` over files that are read when they are asked for, each once."""

    def __init__(self, files: Callable[[], Iterable[str]], read: Read, types: Mapping[str, NodeType]) -> None:
        """Take the names of the folder's files, asked for at most once, and what reads one."""
        self._files = files
        self._read = read
        self._types = types
        self._kept: dict[str, bytes | None] = {}
        self._index: dict[str, str] | None = None
        self._headers: dict[str, Header | None] = {}

    def read(self, path: str) -> bytes | None:
        """Give the content of a file, None where there is none."""
        if path not in self._kept:
            self._kept[path] = self._read(path)
        return self._kept[path]

    def names(self) -> tuple[str, ...]:
        """Name the flows of the folder."""
        return tuple(self._flows())

    def flow(self, name: str) -> Header | None:
        """Give what is known of a flow of the folder."""
        if name not in self._headers:
            file = self._flows().get(name)
            data = self.read(file) if file else None
            self._headers[name] = header(file, data, self._types, self) if file and data is not None else None
        return self._headers[name]

    def _flows(self) -> dict[str, str]:
        """Give the file of each flow by its name; a look at the text is enough, and the first of a name counts."""
        if self._index is None:
            self._index = {}
            for file in self._files():
                found = _NAME.search(self.read(file) or b"")
                if found:
                    self._index.setdefault(found[1].decode(), file)
        return self._index


def header(file: str, data: bytes, types: Mapping[str, NodeType], folder: Folder) -> Header | None:
    """Give what others may know of a flow; what is wrong in it is told where it is checked itself."""
    reading = Reading(Report(), (), beside=_Files(folder))
    parsed = source.read(file, data, reading.report)
    root = parsed.root
    if not isinstance(root, MappingValue):
        return None
    root = including.merged(root, including.parsed(root, file, reading), reading)
    written = root.get("flow")
    if not isinstance(written, Scalar):
        return None
    args = root.get("args")
    declared: dict[str, Variable] = VariablesKind().read(args, reading) if args is not None else {}
    outcomes: dict[str, None] = {}
    subflows: dict[str, None] = {}
    nodes = root.get("nodes")
    for entry in nodes.entries.values() if isinstance(nodes, MappingValue) else ():
        node = entry.value
        if not isinstance(node, MappingValue):
            continue
        kind = next((types[key] for key in node.entries if key in types), None)
        if kind is None or not kind.crosses:
            continue
        spec = kind.read(node.get(kind.key), reading)
        outcomes |= dict.fromkeys(filter(None, [kind.returns(spec)]))
        subflows |= dict.fromkeys(filter(None, [kind.runs(spec)]))
    return Header(written.text, file, written.span, declared, tuple(outcomes), tuple(subflows), parsed.lines)


class _Files:
    """The files of a folder without its flows: a header asks for no other header, so that none waits for itself."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def read(self, path: str) -> bytes | None:
        return self._folder.read(path)

    def flow(self, name: str) -> Header | None:
        return None

    def names(self) -> tuple[str, ...]:
        return ()
