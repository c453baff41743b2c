"""Files that a flow includes: they add variables, texts, hours, tools and nodes to it, as if they stood in its file."""

from __future__ import annotations

from pathlib import PurePosixPath

from flowengine.flow import source
from flowengine.flow.diagnostics import Label, Span
from flowengine.flow.document import INCLUDED
from flowengine.flow.kinds import Reading
from flowengine.flow.source import Entry, Mapping, Scalar, Sequence


def paths(root: Mapping, file: str) -> dict[str, Span]:
    """Give the files that a flow includes, beside its own, with the place where each is named."""
    listed = root.get("include")
    items = listed.items if isinstance(listed, Sequence) else []
    folder = PurePosixPath(file).parent
    return {str(folder / item.text): item.span for item in items if isinstance(item, Scalar) and item.text}


def parsed(root: Mapping, file: str, reading: Reading) -> list[source.Document]:
    """Read the included files; what is wrong with their text goes into the report, with their names."""
    report = reading.report
    found: list[source.Document] = []
    for path, span in paths(root, file).items():
        if report.has_error_in(span):
            continue
        data = reading.beside.read(path) if reading.beside else None
        if data is None:
            help_ = "the path is taken from the folder of the flow"
            report.error("missing-file", f"there is no file {path}", span, about=path, help=help_)
            continue
        document = source.read(path, data, report)
        reading.sources[path] = document.lines
        if isinstance(document.root, Mapping):
            found.append(document)
        elif not report.has_error_in(Span(path, 1, 1, len(document.lines) + 2, 1)):
            start = Span(path, 1, 1, 1, 1)
            report.error("not-a-flow", "there is nothing in this file", start, help=f"write {', '.join(INCLUDED)}")
    return found


def merged(root: Mapping, included: list[source.Document], reading: Reading) -> Mapping:
    """Give the flow's tree with what the included files add; a name that is defined twice is reported."""
    entries = dict(root.entries)
    for document in included:
        if not isinstance(document.root, Mapping):
            continue
        for section in INCLUDED:
            more = document.root.entries.get(section)
            if more is None or not isinstance(more.value, Mapping):
                continue
            present = entries.get(section)
            own = present.value if present else Mapping({}, more.value.span, flow=False)
            if isinstance(own, Mapping):
                joined = Mapping(dict(own.entries), own.span, own.flow, own.repeated)
                _add(joined, more.value, reading)
                entries[section] = Entry(present.key if present else more.key, joined)
    return Mapping(entries, root.span, root.flow, root.repeated)


def _add(own: Mapping, more: Mapping, reading: Reading) -> None:
    for name, entry in more.entries.items():
        first = own.entries.setdefault(name, entry)
        if first is not entry:
            reading.report.error(
                "defined-twice",
                f'"{name}" is defined a second time',
                entry.key.span,
                about=name,
                help="rename or delete one of the two",
                related=(Label(first.key.span, "first here"),),
            )
