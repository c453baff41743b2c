"""`subflow`: run another flow and come back."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import Any

from flowengine.flow.diagnostics import Label, Span, did_you_mean, one_of
from flowengine.flow.expressions import Template
from flowengine.flow.kinds import NAME, Field, Fields, Pattern, Reading, Schema, by_shape
from flowengine.flow.model import Flow, Header, Node, walk
from flowengine.flow.source import Mapping, Value
from flowengine.flow.tooling import Arguments
from flowengine.flow.values import UnfitValueError, fit
from flowengine.runtime.node import AsksNothing, Context, NodeEvent, PromptOver

_NAME = Pattern(NAME, "must be the name of a flow")
_MAPPING = Fields(
    (
        Field("name", _NAME, "The flow.", required=True),
        Field("with", Arguments(), "Its arguments by name."),
    ),
    "must be the name of a flow, or a mapping such as `{name: verify, with: {tries: 2}}`",
)


@dataclass(frozen=True, slots=True)
class SubflowSpec:
    """Which flow runs, with which arguments; ``header`` is what is known of it, None where nothing is."""

    name: str
    span: Span
    values: MappingType[str, Any] = field(default_factory=dict)
    spans: MappingType[str, tuple[Span, Span]] = field(default_factory=dict)
    header: Header | None = None
    outcomes: tuple[str, ...] = ()


class Subflow(AsksNothing):
    """Another flow runs with arguments of its own, and returns by one of its `return` nodes."""

    key = "subflow"
    about = "Runs another flow of the folder and comes back with its outcome."
    example = """\
check:
  subflow: {name: verify, with: {account: "{{ account }}"}}
  goto: {verified: main, else: bye}
"""
    keeps_keys = True
    crosses = True
    fields = _MAPPING.fields

    def schema(self) -> Schema:
        """Give the schema: a flow's name, or a mapping."""
        return by_shape(scalar=_NAME.schema(), mapping=_MAPPING.schema(), sentence=str(_MAPPING.sentence))

    def read(self, value: Value | None, reading: Reading) -> SubflowSpec | None:
        """Read which flow runs; its outcomes are those of its `return` nodes, or, unknown, what `goto` maps."""
        if value is None:
            return None
        read: dict[str, Any] = _MAPPING.read(value, reading) if isinstance(value, Mapping) else {}
        name = read.get("name") if isinstance(value, Mapping) else _NAME.read(value, reading)
        if not name:
            return None
        place = value.entries["name"].value.span if isinstance(value, Mapping) else value.span
        header = reading.beside.flow(name) if reading.beside else None
        outcomes = header.outcomes if header else _mapped(reading.node)
        given = value.get("with") if isinstance(value, Mapping) else None
        entries = given.entries if isinstance(given, Mapping) else {}
        spans = {key: (entry.key.span, entry.value.span) for key, entry in entries.items()}
        return SubflowSpec(name, place, read.get("with", {}), spans, header, outcomes)

    def outcomes(self, spec: SubflowSpec | None) -> tuple[str, ...]:
        """Give the outcomes by which the flow returns."""
        return spec.outcomes if spec else ("done",)

    def runs(self, spec: SubflowSpec | None) -> str:
        """Name the flow that it runs."""
        return spec.name if spec else ""

    def shows(self, spec: SubflowSpec | None) -> str:
        """Show the flow."""
        return spec.name if spec else ""

    def check(self, node: Node, flow: Flow, reading: Reading) -> None:
        """The flow is there, does not come back to this one, and gets the arguments that it declares."""
        spec: SubflowSpec | None = node.spec
        if spec is None or reading.beside is None:
            return
        report = reading.report
        if spec.header is None:
            known = reading.beside.names()
            help_ = did_you_mean(spec.name, known) or f"known here: {one_of(sorted(known)) or 'none'}"
            report.error("unknown-flow", f'unknown flow "{spec.name}"', spec.span, about=spec.name, help=help_)
            return
        round_ = self._round(flow.name, spec.name, reading)
        if round_:
            report.error(
                "subflow-recursion",
                f"a flow that runs itself: {' → '.join(round_)}",
                spec.span,
                about=spec.name,
                help="go to a node with `goto` instead, or run another flow",
            )
        self._arguments(spec, spec.header, reading)

    @staticmethod
    def _round(start: str, name: str, reading: Reading) -> list[str]:
        """Find the way by which the flow comes back to where it started; empty for none."""
        waiting, seen = [[start, name]], {name}
        while waiting:
            path = waiting.pop(0)
            if path[-1] == start:
                return path
            header = reading.beside.flow(path[-1]) if reading.beside else None
            for further in header.subflows if header else ():
                if further == start or further not in seen:
                    seen.add(further)
                    waiting.append([*path, further])
        return []

    @staticmethod
    def _arguments(spec: SubflowSpec, header: Header, reading: Reading) -> None:
        report = reading.report
        reading.sources.setdefault(header.file, header.lines)
        for name, (key, value) in spec.spans.items():
            declared = header.args.get(name)
            if declared is None:
                help_ = did_you_mean(name, header.args) or f"it takes: {', '.join(header.args) or 'nothing'}"
                message = f'the flow "{header.name}" has no argument "{name}"'
                report.error("unknown-argument", message, key, about=name, help=help_)
                continue
            given = spec.values[name]
            if any(isinstance(part, Template) for part in walk(given)):
                continue
            try:
                fit(declared.kind, given, declared.choices)
            except UnfitValueError:
                report.error(
                    "wrong-type",
                    f'this does not fit the argument "{name}", which holds {declared.kind}',
                    value,
                    about=str(given),
                    related=(Label(declared.span, "declared here"),),
                )
        for name, declared in header.args.items():
            if declared.required and declared.default is None and name not in spec.spans:
                report.error(
                    "missing-argument",
                    f'the flow "{header.name}" needs the argument "{name}"',
                    spec.span,
                    about=name,
                    help=f"add it: `with: {{{name}: …}}`",
                    related=(Label(declared.span, "declared here"),),
                )

    def enter(self, ctx: Context) -> None:
        """Speak, and then run the flow."""
        ctx.speak()

    def handle(self, event: NodeEvent, ctx: Context) -> None:
        """Run the flow when the words were heard or cut."""
        if isinstance(event, PromptOver):
            spec: SubflowSpec = ctx.node.spec
            ctx.run_flow(spec.name, spec.values)


def _mapped(node: Mapping | None) -> tuple[str, ...]:
    goto = node.get("goto") if node else None
    if isinstance(goto, Mapping):
        return tuple(name for name in goto.entries if name != "else") or ("done",)
    return ("done",)


NODE = Subflow()
