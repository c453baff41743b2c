"""Text -> a checked Flow, or diagnostics: source, schema, model, checks; everything is reported at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from flowengine.flow import checks, document, including, secrets, source
from flowengine.flow.diagnostics import Diagnostic, Label, Report, Span, did_you_mean
from flowengine.flow.expressions import Condition, Equalities, Template
from flowengine.flow.kinds import Fields, Reading
from flowengine.flow.model import Beside, Case, Defaults, Flow, Node, NodeType, Prompt, parts, walk
from flowengine.flow.schema import Checker, flow_schema, included_schema
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Value, to_plain

_YAML_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Loaded:
    """The outcome of a load: a flow when there is no error, and everything that was found.

    ``name`` is where the file writes the flow's name, also when the flow has errors; ``readable`` says that the text
    is a YAML mapping, whatever it holds. ``included`` names the files that it includes, ``sources`` has the lines of
    every other file that findings point into.
    """

    flow: Flow | None
    diagnostics: tuple[Diagnostic, ...]
    lines: tuple[str, ...]
    file: str = ""
    name: Scalar | None = None
    readable: bool = False
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    included: tuple[str, ...] = ()


def load(file: str, data: bytes | str, types: Mapping[str, NodeType], beside: Beside | None = None) -> Loaded:
    """Load one flow. Never raises for what an author wrote.

    ``beside`` gives the included files and the other flows; without it nothing is held against other flows.
    """
    report = Report()
    parsed = source.read(file, data, report)
    reading = Reading(report, parsed.lines, beside)
    flow = None
    if isinstance(parsed.root, MappingValue):
        flow = _Loader(parsed, parsed.root, types, reading).load()
    elif not report.failed:
        start = Span(file, 1, 1, 1, 1)
        report.error("not-a-flow", "there is no flow in this file", start, help="begin with `flow: NAME`")
    written = parsed.root.get("flow") if isinstance(parsed.root, MappingValue) else None
    name = written if isinstance(written, Scalar) and written.text else None
    readable = isinstance(parsed.root, MappingValue)
    flow = None if report.failed else flow
    included = tuple(including.paths(parsed.root, file)) if isinstance(parsed.root, MappingValue) else ()
    return Loaded(flow, tuple(report.sorted()), parsed.lines, file, name, readable, reading.sources, included)


def load_included(file: str, data: bytes | str, types: Mapping[str, NodeType]) -> Loaded:
    """Check a file that flows include, by itself: its text and its form."""
    report = Report()
    parsed = source.read(file, data, report)
    if isinstance(parsed.root, MappingValue):
        _included_checker(_key(types)).check(parsed, to_plain(parsed.root), report)
    return Loaded(None, tuple(report.sorted()), parsed.lines, file, readable=isinstance(parsed.root, MappingValue))


def duplicate_flows(flows: Iterable[Loaded]) -> list[Diagnostic]:
    """Report every flow whose name an earlier one of the same run has."""
    first: dict[str, Span] = {}
    found: list[Diagnostic] = []
    for name in (loaded.name for loaded in flows if loaded.name):
        if name.text in first:
            found.append(
                Diagnostic(
                    "duplicate-flow",
                    f'a second flow is called "{name.text}"',
                    name.span,
                    about=name.text,
                    help="rename one of the two: calls choose a flow by its name",
                    related=(Label(first[name.text], "first here"),),
                )
            )
        first.setdefault(name.text, name.span)
    return found


def _key(types: Mapping[str, NodeType]) -> tuple[tuple[str, NodeType], ...]:
    return tuple(sorted(types.items()))


@lru_cache(maxsize=4)
def _checker(types: tuple[tuple[str, NodeType], ...]) -> Checker:
    return Checker(flow_schema(dict(types)))


@lru_cache(maxsize=4)
def _included_checker(types: tuple[tuple[str, NodeType], ...]) -> Checker:
    return Checker(included_schema(dict(types)), "in a file that is included")


def revision(plain: Any) -> str:
    """Give the SHA-256 of a parsed document: JSON in file order, so comments and layout do not count."""
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Loader:
    def __init__(
        self, parsed: source.Document, root: MappingValue, types: Mapping[str, NodeType], reading: Reading
    ) -> None:
        self.parsed = parsed
        self.root = root
        self.types = types
        self.report = reading.report
        self.reading = reading

    def load(self) -> Flow:
        plain = to_plain(self.root)
        checker = _checker(_key(self.types))
        checker.check(self.parsed, plain, self.report)
        checker.check_repeated(self.parsed, self.report)
        included = including.parsed(self.root, self.parsed.file, self.reading)
        for document_ in included:
            _included_checker(_key(self.types)).check(document_, to_plain(document_.root), self.report)
        if included:
            plain = [plain, *(to_plain(document_.root) for document_ in included)]
            self.root = including.merged(self.root, included, self.reading)
        self._boolean_words()
        secrets.secret_in_file(self.root, self.reading)
        flow = self._flow(revision(plain), tuple(document_.file for document_ in included))
        checks.run(flow, self.types, self.reading)
        return flow

    def _boolean_words(self) -> None:
        """Warn of words that other YAML readers take for booleans."""
        names = [s for key in ("vars", "args", "nodes") if isinstance(s := self.root.get(key), MappingValue)]
        scalars = [entry.key for mapping in names for entry in mapping.entries.values()]
        scalars += list(_under(self.root, {"hear", "lang"}))
        for scalar in scalars:
            if scalar.plain and scalar.text.lower() in _YAML_BOOLEANS:
                self.report.warning(
                    "yaml-boolean-word",
                    f"other YAML readers take an unquoted `{scalar.text}` for a boolean",
                    scalar.span,
                    about=scalar.text,
                    help=f'write "{scalar.text}"',
                    fix=self._quote_in_line(scalar),
                )

    def _quote_in_line(self, scalar: Scalar) -> str:
        line, span = self.reading.lines_of(scalar.span.file)[scalar.span.line - 1], scalar.span
        return f'{line[: span.column - 1]}"{scalar.text}"{line[span.end_column - 1 :]}'

    def _flow(self, revision_: str, included: tuple[str, ...]) -> Flow:
        read = Fields(document.DOCUMENT_FIELDS).read(self.root, self.reading)
        written = self.root.get("defaults")
        zone = written.entries.get("zone") if isinstance(written, MappingValue) else None
        defaults = self._defaults(read.get("defaults", {}))
        nodes: dict[str, Node] = {}
        listed = self.root.get("nodes")
        if isinstance(listed, MappingValue):
            for name, entry in listed.entries.items():
                if isinstance(entry.value, MappingValue):
                    nodes[name] = self._node(name, entry.key, entry.value, defaults)
        first = self.root.entries.get("start") or self.root.entries.get("nodes")
        return Flow(
            name=read.get("flow", ""),
            file=self.parsed.file,
            revision=revision_,
            start=read.get("start") or next(iter(nodes), ""),
            about=read.get("about", ""),
            args=read.get("args", {}),
            vars=read.get("vars", {}),
            defaults=defaults,
            always=read.get("always", ()),
            catch=read.get("catch", {}),
            nodes=nodes,
            span=first.value.span if first else self.root.span,
            hours=read.get("hours", {}),
            texts=read.get("texts", {}),
            tools=read.get("tools", {}),
            included=included,
            zone_span=zone.value.span if zone else None,
        )

    def _defaults(self, read: Mapping[str, Any]) -> Defaults:
        plain = Defaults()
        return replace(
            plain,
            **{
                **read,
                "timeouts": document.override(plain.timeouts, read.get("timeouts")),
                "limits": document.override(plain.limits, read.get("limits")),
            },
        )

    def _node(self, name: str, key: Scalar, value: MappingValue, defaults: Defaults) -> Node:
        present = [k for k in value.entries if k in self.types and k]
        if len(present) > 1:
            second = value.entries[present[1]].key
            self.report.error(
                "two-types",
                f'the node "{name}" is both {present[0]} and {present[1]}',
                second.span,
                about=present[1],
                help="make two nodes of it",
            )
        kind = self.types[present[0] if present else ""]
        read = Fields(document.NODE_FIELDS).read(value, self.reading)
        self.reading.node = value
        spec = kind.read(value.get(kind.key) if kind.key else None, self.reading)
        timeouts = document.override(defaults.timeouts, read.get("timeouts"))
        if not kind.timed and "node" not in read.get("timeouts", {}):
            timeouts = replace(timeouts, node=None)
        goto = value.entries.get("goto")
        reprompt = read.get("reprompt", ())
        return Node(
            name=name,
            span=value.span,
            name_span=key.span,
            type=kind,
            spec=spec,
            say=read.get("say"),
            reprompt=(reprompt,) if isinstance(reprompt, Prompt) else reprompt,
            barge_in=read.get("barge_in", defaults.barge_in),
            tries=read.get("tries", 3),
            catch=read.get("catch", {}),
            set=read.get("set", ()),
            add=read.get("add", ()),
            routes=self._routes(read.get("goto", {}), kind, spec),
            routes_span=goto.key.span if goto else None,
            always=read.get("always", True),
            timeouts=timeouts,
            voice=read.get("voice", defaults.voice),
            lang=read.get("lang"),
            max_visits=read.get("max_visits"),
            resume=read.get("resume"),
            type_span=value.entries[kind.key].value.span if kind.key else None,
            model=read.get("model", defaults.model),
            about=read.get("about", ""),
            tags=read.get("tags", ()),
        )

    def _routes(
        self, read: Mapping[str, tuple[tuple[Case, ...], Span]], kind: NodeType, spec: Any
    ) -> dict[str, tuple[Case, ...]]:
        """A plain `goto` serves every outcome; a map is held against the outcomes that there are."""
        outcomes = kind.outcomes(spec)
        if "" in read:
            return {"else": read[""][0]}
        for name, (_, span) in read.items():
            if name != "else" and name not in outcomes:
                near = did_you_mean(name, outcomes)
                known = f"its outcomes: {', '.join(outcomes)}" if outcomes else "it has no outcomes of its own"
                if name in {branch.name for branch in kind.branches(spec)}:
                    near = f'"{name}" has a `goto` of its own'
                self.report.error("unknown-outcome", f'unknown outcome "{name}"', span, about=name, help=near or known)
        return {name: cases for name, (cases, _) in read.items()}


def _under(value: Value | None, keys: set[str]) -> list[Scalar]:
    found: list[Scalar] = []
    if isinstance(value, source.Sequence):
        for item in value.items:
            found += _under(item, keys)
    elif isinstance(value, MappingValue):
        for key, entry in value.entries.items():
            if key in keys:
                found += _scalars(entry.value)
            else:
                found += _under(entry.value, keys)
    return found


def _scalars(value: Value) -> list[Scalar]:
    if isinstance(value, Scalar):
        return [value]
    items = value.items if isinstance(value, source.Sequence) else [e.value for e in value.entries.values()]
    return [scalar for item in items for scalar in _scalars(item)]


def compile_templates(flow: Flow) -> None:
    """Compile every template and condition, so that no caller waits for it."""
    for part in walk(parts(flow)):
        if isinstance(part, Template | Condition | Equalities):
            part.compile()
