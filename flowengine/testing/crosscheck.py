"""Tests held against their flow: every flow, node, variable, argument and tool that they name is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from flowengine.flow.diagnostics import Report, Span, did_you_mean
from flowengine.flow.loader import Loaded
from flowengine.flow.model import Flow, Variable
from flowengine.flow.source import Scalar
from flowengine.flow.values import UnfitValueError
from flowengine.testing.cases import Case, End, Enter, Given, Suite
from flowengine.testing.expected import typed


class Flows(Protocol):
    """The flows that a file of tests may name: the one beside it, and those of its folder."""

    def named(self, name: str) -> Loaded | None:
        """Give a flow by its name, with or without errors; None where there is none."""

    def names(self) -> list[str]:
        """Name every flow of the folder."""

    def unreadable(self) -> bool:
        """Whether the flow beside the tests is there, but its name can not be read."""


def run(suite: Suite, flows: Flows, report: Report) -> None:
    """Report everything that is not there. What follows from a flow that is missing or wrong is not reported."""
    for case in suite.tests:
        _ends(case, report)
    loaded = flows.named(suite.flow.text) if suite.flow.text else None
    if loaded is None:
        if suite.flow.text and not flows.unreadable():
            known = flows.names()
            help_ = did_you_mean(suite.flow.text, known) or (f"here: {', '.join(known)}" if known else "write the flow")
            message = f'there is no flow "{suite.flow.text}" in this folder'
            report.error("unknown-flow", message, suite.flow.span, about=suite.flow.text, help=help_)
        return
    if loaded.flow is None:
        return
    check = _Check(loaded.flow, flows, report)
    for case in suite.tests:
        check.case(case)


def _ends(case: Case, report: Report) -> None:
    """Nothing happens after the end."""
    for number, step in enumerate(case.talk[:-1]):
        if isinstance(step, End):
            after = case.talk[number + 1]
            report.error(
                "step-after-end",
                "nothing can happen after `end`",
                after.span,
                about="step",
                help="`end` is the last step; move it down, or delete what follows",
            )
            return


class _Check:
    """The names of one flow."""

    def __init__(self, flow: Flow, flows: Flows, report: Report) -> None:
        self.flow = flow
        self.flows = flows
        self.report = report

    def case(self, case: Case) -> None:
        for step in case.talk:
            if isinstance(step, Enter):
                self.node(step.node, step.span)
        for node in case.path or ():
            self.node(node.text, node.span)
        for given in case.vars:
            self.variable(given)
        for given in case.args:
            if self.known("argument", given.name, given.span, self.flow.args, "the flow has no arguments"):
                self.fits(given, self.flow.args[given.name])
        for name, argument in self.flow.args.items():
            if argument.required and argument.default is None and name not in {given.name for given in case.args}:
                self.missing(name, case)
        tools = self.tools()
        for given in case.tools:
            self.known("tool", given.name, given.span, tools, "the flow has no tools")

    def tools(self) -> set[str]:
        """Name the tools of the flow and of every flow that it can come to."""
        found: set[str] = set()
        seen = {self.flow.name}
        waiting = [self.flow]
        while waiting:
            flow = waiting.pop()
            found |= set(flow.tools)
            for name in {node.type.runs(node.spec) for node in flow.nodes.values()} - {"", *seen}:
                seen.add(name)
                loaded = self.flows.named(name)
                if loaded is not None and loaded.flow is not None:
                    waiting.append(loaded.flow)
        return found

    def missing(self, name: str, case: Case) -> None:
        self.report.error(
            "missing-argument",
            f'the flow "{self.flow.name}" does not start without the argument "{name}"',
            case.span,
            about=name,
            help=f"add `args: {{{name}: …}}` to the test",
        )

    def node(self, written: str, span: Span) -> None:
        found = self.within(written, span)
        if found:
            flow, name = found
            self.known("node", name, span, flow.nodes, f'the flow "{flow.name}" has no nodes')

    def variable(self, given: Given) -> None:
        found = self.within(given.name, given.span)
        if found:
            flow, name = found
            if self.known("variable", name, given.span, flow.vars, "the flow declares no variables"):
                self.fits(given, flow.vars[name])

    def within(self, written: str, span: Span) -> tuple[Flow, str] | None:
        """Give the flow that `FLOW/NAME` means, and the name; a bare name is of the tested flow."""
        flow_name, slash, name = written.rpartition("/")
        if not slash:
            return self.flow, written
        loaded = self.flows.named(flow_name)
        if loaded is None:
            names = self.flows.names()
            self.known("flow", flow_name, span, names, "there is no flow in this folder")
        return (loaded.flow, name) if loaded and loaded.flow else None

    def known(self, what: str, name: str, span: Span, names: Iterable[str], none: str) -> bool:
        listed = list(names)
        if name in listed:
            return True
        help_ = did_you_mean(name, listed) or (f"known here: {', '.join(sorted(listed))}" if listed else none)
        if not self.report.has_error_in(span):
            self.report.error(_UNKNOWN[what], f'unknown {what} "{name}"', span, about=name, help=help_)
        return False

    def fits(self, given: Given, variable: Variable) -> None:
        try:
            typed(variable, given.value)
        except UnfitValueError:
            about = given.value.text if isinstance(given.value, Scalar) else given.name
            listed = f"one of {', '.join(variable.choices)}" if variable.choices else f"of the type {variable.kind}"
            message = f"this value does not fit {given.name}, which is {listed}"
            self.report.error("wrong-type", message, given.value.span, about=about)


_UNKNOWN = {
    "argument": "unknown-argument",
    "flow": "unknown-flow",
    "node": "unknown-node",
    "tool": "unknown-tool",
    "variable": "unknown-variable",
}
