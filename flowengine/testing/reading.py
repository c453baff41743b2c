"""`NAME.test.yaml` -> typed tests, or diagnostics: the same strict reader, kinds and findings as for a flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flowengine.flow import source
from flowengine.flow.diagnostics import Diagnostic, Label, Report, Span
from flowengine.flow.kinds import (
    NAME,
    VARIABLE,
    Choice,
    Field,
    Fields,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Schema,
    Shaped,
    Text,
    Whole,
    say,
)
from flowengine.flow.schema import Checker
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Value, to_plain
from flowengine.testing import clock, crosscheck
from flowengine.testing.cases import CALLED, CALLER, CLOCK, Case, Given, Named, Suite
from flowengine.testing.scripted import Answer
from flowengine.testing.steps import NODE_NAME, StepKind

ID = "https://flowengine.dev/schemas/tests.schema.json"
_FAILS = r"^(timeout|error|http\.[1-5][0-9]{2})$"
_TOOL_NAME = r"^[A-Za-z][A-Za-z0-9_-]*$"
# Of the tested flow, or FLOW/NAME inside a subflow.
_VARIABLE_NAME = rf"^([a-z][a-z0-9_-]*/)?{VARIABLE.strip('^$')}$"


@dataclass(frozen=True, slots=True)
class LoadedTests:
    """The outcome of reading a file of tests: the suite when there is no error, and everything that was found."""

    suite: Suite | None
    diagnostics: tuple[Diagnostic, ...]
    lines: tuple[str, ...]
    file: str = ""
    readable: bool = False


@dataclass(frozen=True)
class MapOf(Kind):
    """Names to values: read as a tuple of ``Given``."""

    names: str
    sentence: str
    value: Schema

    def schema(self) -> Schema:
        names = {"pattern": self.names, "errorMessage": "must be a name such as account"}
        inner = {"type": "object", "propertyNames": names, "additionalProperties": self.value}
        return say(inner, self.sentence)

    def read(self, value: Value, reading: Reading) -> tuple[Given, ...]:
        if not isinstance(value, MappingValue):
            return ()
        return tuple(Given(name, entry.key.span, entry.value) for name, entry in value.entries.items())


class NamedKind(Pattern):
    """A name that keeps its place."""

    def read(self, value: Value, reading: Reading) -> Any:
        text = super().read(value, reading)
        return None if text is None else Named(text, value.span)


class Clock(Kind):
    """A moment of the calendar; without an offset it is local to the flow."""

    sentence = 'must be a date and time such as "2026-12-25T10:00" or "2026-12-25T10:00+01:00"'

    def schema(self) -> Schema:
        return say({"type": "string", "pattern": clock.PATTERN}, self.sentence)

    def read(self, value: Value, reading: Reading) -> str | None:
        if not isinstance(value, Scalar):
            return None
        if clock.moment(value.text) is None:
            reading.report.error(
                "wrong-value",
                f"`clock` {self.sentence}",
                value.span,
                about=value.text,
                help="there is no such day or time in the calendar",
            )
            return None
        return value.text


class Answers(Kind):
    """What the model does, one entry for each answer: one act, or several."""

    def __init__(self) -> None:
        one = Fields(
            (
                Field("say", Text(), "It says this."),
                Field("tool", Text(), "It runs this tool."),
                Field("with", _Free(), "The arguments of the tool."),
                Field("exit", Pattern(NAME, "must be the name of an exit"), "It takes this exit."),
                Field("fill", _Free(), "The values that it fills in at the exit."),
                Field("option", Pattern(NAME, "must be the name of an option"), "In a menu: it picks this option."),
            ),
            "must be an answer such as `{say: Which order?}` or `{exit: done}`, or a list of several acts",
        )
        self.listed = ListOf(Shaped(one.sentence, mapping=one, sequence=ListOf(one, 1)))

    def schema(self) -> Schema:
        return self.listed.schema()

    def read(self, value: Value, reading: Reading) -> tuple[Answer, ...]:
        found = self.listed.read(value, reading)
        return tuple(_answer(entry if isinstance(entry, tuple) else (entry,)) for entry in found)


def _answer(entries: tuple[dict[str, Any], ...]) -> Answer:
    """Join the acts of one answer: what is said comes first."""
    text = " ".join(entry["say"] for entry in entries if "say" in entry)
    acts: list[tuple[str, str, dict[str, Any]]] = []
    for entry in entries:
        acts += [(kind, entry[kind], entry.get(with_, {})) for kind, with_ in _ACTS if kind in entry]
    return Answer(text, tuple(acts))


_ACTS = (("tool", "with"), ("exit", "fill"), ("option", ""))


class _Free(Kind):
    """Names to any data."""

    def schema(self) -> Schema:
        return say({"type": "object"}, "must be a map from names to values")

    def read(self, value: Value, reading: Reading) -> Any:
        return to_plain(value)


def _outcome_of_a_tool() -> Schema:
    """Give the schema of what a tool gives back: any data, but `{fails: …}` has one of three forms."""
    sentence = "must be timeout, error, or http. and a number such as http.404"
    fails = {"type": "string", "pattern": _FAILS, "errorMessage": sentence, "description": "How the tool fails."}
    form = {"properties": {"fails": fails}, "additionalProperties": False}
    return {"if": {"type": "object", "required": ["fails"]}, "then": form}


def _tool_runs() -> Schema:
    one = _outcome_of_a_tool()
    return {"if": {"type": "array"}, "then": {"items": one}, "else": one}


_PATH = ListOf(NamedKind(NODE_NAME, "must be the name of a node, or FLOW/NODE"))
_NUMBER = Text()
_CALL = Fields(
    (
        Field("from", _NUMBER, "The caller's number.", default=CALLER),
        Field("to", _NUMBER, "The number that was called.", default=CALLED),
        Field("direction", Choice(("inbound", "outbound")), "Who called whom.", default="inbound"),
    )
)
_ENV = MapOf(r"^[A-Za-z_][A-Za-z0-9_]*$", "must be a map from names to texts", Text().schema())
_CASE = Fields(
    (
        Field("name", NamedKind(r"\S", "must be a sentence that says what is tested"), "What is tested.", True),
        Field("talk", ListOf(StepKind()), "The conversation, step by step.", True),
        Field("path", _PATH, "Every node that the call has entered, in order."),
        Field("vars", MapOf(_VARIABLE_NAME, "must be a map from variables to values", {}), "What variables hold then."),
        Field("args", MapOf(VARIABLE, "must be a map from arguments to values", {}), "The arguments of the flow."),
        Field("env", _ENV, "What `env.NAME` reads; a name that is not given here reads as itself."),
        Field("call", _CALL, "Who calls whom."),
        Field("clock", Clock(), "When the call begins; local to the flow unless it has an offset.", default=CLOCK),
        Field("seed", Whole(0, 2**53), "What `one_of` draws by.", default=1),
        Field("tools", MapOf(_TOOL_NAME, "must be a map from tools to answers", _tool_runs()), "What tools give back."),
        Field("model", Answers(), "What the language model does, one entry for each of its answers."),
    ),
    "must be a test: a mapping with name and talk",
)


class CaseKind(Kind):
    """One test."""

    def schema(self) -> Schema:
        return _CASE.schema()

    def read(self, value: Value, reading: Reading) -> Case | None:
        if not isinstance(value, MappingValue):
            return None
        read = _CASE.read(value, reading)
        name = read.pop("name", None)
        call = read.pop("call", {})
        names = {"from": "caller", "to": "called", "direction": "direction"}
        env = {given.name: given.value.text for given in read.pop("env", ()) if isinstance(given.value, Scalar)}
        fields = {**read, "env": env, **{names[key]: text for key, text in call.items()}}
        return Case(name.text if name else "", name.span if name else value.span.start(), **fields)


TEST_FIELDS = (
    Field("flow", NamedKind(NAME, "must be the name of a flow"), "The flow that is tested.", required=True),
    Field("tests", ListOf(CaseKind()), "The tests.", required=True),
)


def tests_schema() -> Schema:
    """Give the JSON Schema (draft 2020-12) of a file of tests."""
    fields = Fields(TEST_FIELDS, "must be tests of a flow: a mapping with flow and tests").schema()
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": ID, "description": "Tests of a flow."}
    return {**head, **fields}


@lru_cache(maxsize=1)
def _checker() -> Checker:
    return Checker(tests_schema(), "in a file of tests")


def load_tests(file: str, data: bytes | str, flows: crosscheck.Flows) -> LoadedTests:
    """Read one file of tests and hold it against its flow. Never raises for what an author wrote."""
    report = Report()
    parsed = source.read(file, data, report)
    root = parsed.root
    suite = None
    if isinstance(root, MappingValue):
        _checker().check(parsed, to_plain(root), report)
        _checker().check_repeated(parsed, report)
        suite = _suite(root, Reading(report, parsed.lines), file)
        _duplicates(suite, report)
        crosscheck.run(suite, flows, report)
    elif not report.failed:
        start = Span(file, 1, 1, 1, 1)
        report.error(
            "not-a-test", "there are no tests in this file", start, help="begin with `flow: NAME` and `tests:`"
        )
    found = tuple(report.sorted())
    return LoadedTests(None if report.failed else suite, found, parsed.lines, file, isinstance(root, MappingValue))


def _suite(root: MappingValue, reading: Reading, file: str) -> Suite:
    read: Mapping[str, Any] = Fields(TEST_FIELDS).read(root, reading)
    return Suite(file, read.get("flow", Named("", Span(file, 1, 1, 1, 1))), read.get("tests", ()))


def _duplicates(suite: Suite, report: Report) -> None:
    first: dict[str, Span] = {}
    for case in suite.tests:
        if case.name in first and case.name:
            report.error(
                "duplicate-test",
                f'a second test is called "{case.name}"',
                case.span,
                about=case.name,
                help="say what is different about it",
                related=(Label(first[case.name], "first here"),),
            )
        first.setdefault(case.name, case.span)
