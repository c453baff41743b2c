"""The kinds of fields that say where a node leads and what it assigns on the way."""

from __future__ import annotations

import re

from flowengine.flow.diagnostics import Span
from flowengine.flow.kinds import NAME, Field, Fields, Kind, Reading, Schema, Test, by_shape, proposing, rendered, say
from flowengine.flow.model import Assignment, Case, Target
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value


class TargetName(Kind):
    """A node's name, or `again`, `back`, `end`."""

    def schema(self) -> Schema:
        name = say({"type": "string", "pattern": NAME}, "must be the name of a node, or again, back or end")
        return proposing(name, "again", "back", "end")

    def read(self, value: Value, reading: Reading) -> Target | None:
        if isinstance(value, Scalar) and isinstance(value.value, str) and re.match(NAME, value.text):
            return Target(value.text, value.span)
        return None


class Assignments(Kind):
    """`set` and `add`: a map of variable names to values; templates inside maps and lists are rendered."""

    def schema(self) -> Schema:
        pattern = r"^(shared\.|call\.|args\.|env\.|node\.)?[A-Za-z][A-Za-z0-9_]*$"
        names = {"pattern": pattern, "errorMessage": "must be the name of a variable"}
        return say({"type": "object", "propertyNames": names}, "must be a map of variables to values")

    def read(self, value: Value, reading: Reading) -> tuple[Assignment, ...]:
        if not isinstance(value, MappingValue):
            return ()
        return tuple(
            Assignment(key, rendered(entry.value, reading), entry.key.span, entry.value.span)
            for key, entry in value.entries.items()
        )


_CASE = (
    Field("if", Test(), "When this case is taken: an expression, or names and values."),
    Field("set", Assignments(), "Assigned when this case is taken."),
    Field("add", Assignments(), "Added when this case is taken."),
    Field("goto", TargetName(), "Where it leads."),
    Field("else", TargetName(), "Where it leads when no other case is taken."),
)


class Route(Kind):
    """A `goto` without outcomes: a target, or a list of cases tried in order."""

    def schema(self) -> Schema:
        case = Fields(_CASE, "must be a case: `{if: …, goto: …}`, the last one `{else: NODE}`").schema()
        cases = {"type": "array", "items": case, "minItems": 1}
        return by_shape(scalar=TargetName().schema(), sequence=cases, sentence="must be a node or a list of cases")

    def read(self, value: Value, reading: Reading) -> tuple[Case, ...]:
        if not isinstance(value, Sequence):
            target = TargetName().read(value, reading)
            return (Case(None, target),) if target else ()
        cases: list[Case] = []
        broken = False
        for item in value.items:
            case = _case(item, reading) if isinstance(item, MappingValue) else None
            broken = broken or case is None
            if case:
                cases.append(case)
        self._else_last(value, cases, reading)
        if cases and all(case.condition is not None for case in cases) and not broken:
            reading.report.error(
                "no-else",
                "the list of cases ends without `else`",
                value.items[-1].span,
                about="else",
                help="add a last case `{else: NODE}`",
            )
        return tuple(cases)

    def _else_last(self, value: Sequence, cases: list[Case], reading: Reading) -> None:
        """A case without a condition is always taken: those after it are dead."""
        for case in cases[:-1]:
            if case.condition is None:
                reading.report.error(
                    "case-after-else",
                    "the cases after this one are never tried",
                    case.target.span,
                    about=case.target.node,
                    help="make it the last case",
                )


def _case(item: MappingValue, reading: Reading) -> Case | None:
    test = item.get("if")
    goto = item.get("goto") or item.get("else")
    target = TargetName().read(goto, reading) if goto else None
    if target is None:
        if goto is None and not reading.report.has_error_in(item.span):
            reading.report.error(
                "case-without-goto", "this case leads nowhere", item.span, about="goto", help="add `goto`"
            )
        return None
    assigned = {
        name: Assignments().read(value, reading) for name in ("set", "add") if (value := item.get(name)) is not None
    }
    condition = Test().read(test, reading) if test is not None else None
    if test is not None and condition is None:
        return None
    return Case(condition, target, assigned.get("set", ()), assigned.get("add", ()))


class Goto(Kind):
    """A `goto`: a route, or a map from outcome to route. Reads as a dict; the plain form is under ``""``."""

    def schema(self) -> Schema:
        inner = {"$ref": "#/$defs/route"}
        return by_shape(
            scalar=TargetName().schema(),
            sequence=inner,
            mapping={"type": "object", "additionalProperties": inner, "minProperties": 1},
            sentence="must be a node, a list of cases, or a map from outcome to either",
        )

    def read(self, value: Value, reading: Reading) -> dict[str, tuple[tuple[Case, ...], Span]]:
        if isinstance(value, MappingValue):
            return {key: (Route().read(entry.value, reading), entry.key.span) for key, entry in value.entries.items()}
        return {"": (Route().read(value, reading), value.span)}
