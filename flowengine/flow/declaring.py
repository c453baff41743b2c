"""The kinds of fields that declare variables and arguments."""

from __future__ import annotations

from flowengine.flow import values
from flowengine.flow.kinds import (
    VARIABLE,
    Choice,
    Field,
    Fields,
    Flag,
    Kind,
    Reading,
    Schema,
    Text,
    by_shape,
    proposing,
    say,
)
from flowengine.flow.model import Phrases, Variable
from flowengine.flow.source import Mapping, Scalar, Sequence, Value, to_plain
from flowengine.flow.wording import PhrasesKind


class AnyValue(Kind):
    """A value of any type; which one fits is the variable's matter."""

    def schema(self) -> Schema:
        return proposing({})

    def read(self, value: Value, reading: Reading) -> Value:
        return value


class EnumValues(Kind):
    """The values of an enum: a list, or a map from each value to what a caller says for it."""

    def schema(self) -> Schema:
        sentence = "must be a list of values, or a map from value to phrases"
        one = {"type": ["string", "integer"], "pattern": r"\S"}
        listed = {"type": "array", "items": say(one, "must be a value such as small"), "minItems": 1}
        mapping = {"type": "object", "additionalProperties": PhrasesKind().schema(), "minProperties": 1}
        return by_shape(sequence=say(listed, sentence), mapping=say(mapping, sentence), sentence=sentence)

    def read(self, value: Value, reading: Reading) -> dict[str, Phrases]:
        if isinstance(value, Sequence):
            return {item.text: Phrases() for item in value.items if isinstance(item, Scalar)}
        if not isinstance(value, Mapping):
            return {}
        return {name: PhrasesKind().read(e.value, reading) or Phrases() for name, e in value.entries.items()}


class VariablesKind(Kind):
    """`vars` and `args`: a name and its type, or a mapping."""

    mapping = Fields(
        (
            Field("type", Choice(values.TYPES), "The type of the values it may hold.", default="text"),
            Field("default", AnyValue(), "Its first value; without one it is null."),
            Field("private", Flag(), "Masked wherever it would be written down.", default=False),
            Field("required", Flag(), "An argument without which the flow does not start.", default=False),
            Field("values", EnumValues(), "The values of an enum: a list, or a map from value to phrases."),
            Field("about", Text(), "For people."),
        )
    )

    def schema(self) -> Schema:
        kind = Choice(values.TYPES).schema()
        one = by_shape(scalar=kind, mapping=self.mapping.schema(), sentence="must be a type or a mapping")
        names = say({"title": "variable", "pattern": VARIABLE}, "must be a name such as account or order_id")
        return {
            "type": "object",
            "propertyNames": names,
            "additionalProperties": one,
            "errorMessage": "must be a map from names to types",
        }

    def read(self, value: Value, reading: Reading) -> dict[str, Variable]:
        found: dict[str, Variable] = {}
        if not isinstance(value, Mapping):
            return found
        for name, entry in value.entries.items():
            found[name] = _variable(name, entry.key, entry.value, reading)
        return found


def _variable(name: str, key: Scalar, value: Value, reading: Reading) -> Variable:
    if isinstance(value, Scalar):
        return Variable(name, value.text if value.text in values.TYPES else "text", key.span)
    read = VariablesKind.mapping.read(value, reading)
    kind = read.get("type", "text")
    phrases: dict[str, Phrases] = read.get("values", {})
    choices = tuple(phrases)
    if kind == "enum" and not choices:
        reading.report.error("enum-without-values", "an enum needs its values", key.span, about="values")
    given = value.get("default") if isinstance(value, Mapping) else None
    default = None
    if given is not None:
        # A text keeps the characters as written: `default: 007` is digits.
        as_text = isinstance(given, Scalar) and kind in ("text", "digits", "phone", "enum", "date", "time", "money")
        raw = given.text if as_text and isinstance(given, Scalar) else to_plain(given)
        try:
            default = values.fit(kind, raw, choices)
        except values.UnfitValueError:
            reading.report.error("wrong-type", f"this default does not fit the type {kind}", given.span, about=str(raw))
    return Variable(
        name,
        kind,
        key.span,
        default,
        read.get("private", False),
        read.get("required", False),
        choices,
        read.get("about", ""),
        {name: said for name, said in phrases.items() if said},
    )
