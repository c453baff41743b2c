"""Kinds of fields: one definition gives the JSON Schema that editors and the checker use, and the typed value.

``schema()`` never uses `oneOf`: which form a value has is told by its shape (text, mapping, list), tested with
`if`/`then`, so that an error names its true cause. Every schema that constrains a text carries ``errorMessage``, the
sentence that both editors and our diagnostics show, and has no rule beside it that would be told in its words: a
mapping's type is tested apart from its fields, or every unknown field "must be a mapping". ``read()`` is called after
validation; what the validator has reported reads as None and is not reported again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flowengine.flow.diagnostics import Diagnostic, Report, Span
from flowengine.flow.expressions import Condition, Equalities, ExpressionError, Template
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value

if TYPE_CHECKING:
    from flowengine.flow.model import Beside

Schema = dict[str, Any]
NAME = r"^[a-z][a-z0-9_-]*$"
VARIABLE = r"^[A-Za-z][A-Za-z0-9_]*$"
DURATION = r"^(0|[0-9]+(\.[0-9]+)?(ms|s|m|h))$"
KEYS = r"^([0-9A-D*#]+|star|hash)$"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SCALARS = ["string", "number", "boolean"]


@dataclass(slots=True)
class Reading:
    """What readers share: where findings go, and the files' lines to place a word inside a text.

    ``beside`` is what stands beside the file, where that is known; ``node`` the mapping of the node that is being read.
    """

    report: Report
    lines: tuple[str, ...]
    beside: Beside | None = None
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    node: MappingValue | None = None

    def lines_of(self, file: str) -> tuple[str, ...]:
        """Give the lines of the flow's file, or of a file that it includes."""
        return self.sources.get(file, self.lines)

    def locate(self, span: Span, word: str, *, unless: str = "") -> Span:
        """Find a word inside a span, not where the pattern ``unless`` follows; else the whole span."""
        if not word:
            return span
        left, right = (r"(?<![A-Za-z0-9_])", r"(?![A-Za-z0-9_])") if word[0].isalnum() or word[0] == "_" else ("", "")
        pattern = re.compile(left + re.escape(word) + right + (f"(?!{unless})" if unless else ""))
        first: Span | None = None
        lines = self.lines_of(span.file)
        for number in range(span.line, min(span.end_line, len(lines)) + 1):
            line = lines[number - 1]
            begin = span.column - 1 if number == span.line else 0
            end = span.end_column - 1 if number == span.end_line and span.end_column > 1 else len(line)
            for match in pattern.finditer(line, begin, end):
                place = Span(span.file, number, match.start() + 1, number, match.end() + 1)
                # The same word may stand in the spoken text before the braces.
                if _in_braces(line, match.start()):
                    return place
                first = first or place
        return first or span

    def expression_error(self, code: str, error: ExpressionError, span: Span) -> None:
        """Report a text that is not a template or condition."""
        for one in (error, *error.more):
            place = self.locate(span, one.about)
            self.report.add(Diagnostic(code, one.reason, place, about=one.about, help=one.help))


def _in_braces(line: str, column: int) -> bool:
    return any(
        line.rfind(begin, 0, column + 1) > line.rfind(end, 0, column) for begin, end in (("{{", "}}"), ("{%", "%}"))
    )


class Kind:
    """What a field may hold."""

    def schema(self) -> Schema:
        """Give the JSON Schema."""
        raise TypeError(f"{type(self).__name__} has no schema")

    def read(self, value: Value, reading: Reading) -> Any:
        """Give the typed value."""
        raise TypeError(f"{type(self).__name__} can not be read")


@dataclass(frozen=True)
class Field:
    """A field of a mapping: its kind, and what an author should know about it. ``default`` as an author writes it."""

    name: str
    kind: Kind
    about: str
    required: bool = False
    default: Any = None
    examples: tuple[Any, ...] = ()


def say(schema: Schema, sentence: str) -> Schema:
    """Give a schema with the sentence that tells an author what it wants."""
    return {**schema, "errorMessage": sentence}


def typed(types: str | list[str], sentence: str) -> Schema:
    """Give a schema that tests the type and nothing else, for rules to stand beside that have other words."""
    return {"if": {"type": types}, "else": say({"type": types}, sentence)}


def proposing(schema: Schema, *words: str | bool) -> Schema:
    """Give the schema of a value that may be written in the line of its key, with the words that an editor proposes.

    By a type that it finds here an editor would propose true, false and null for every text; without any hint of a
    value it would not even write the colon after the key.
    """
    if not words:
        return {"anyOf": [{}], **schema}
    snippets = [{"label": str(word).lower(), "body": word} for word in words]
    return {"defaultSnippets": snippets, **schema}


def sentence_of(schema: Schema) -> str:
    """Give what a schema wants, in the words of its own error; empty where it wants nothing by itself."""
    while "errorMessage" not in schema and "else" in schema:
        schema = schema["else"]
    return str(schema.get("errorMessage", ""))


class Text(Kind):
    """Words as they were written: `12.50` stays `12.50`."""

    def schema(self) -> Schema:
        return proposing(typed(SCALARS, "must be a text"))

    def read(self, value: Value, reading: Reading) -> str | None:
        return value.text if isinstance(value, Scalar) else None


@dataclass(frozen=True)
class Pattern(Kind):
    """A text of a certain form."""

    pattern: str
    sentence: str

    def schema(self) -> Schema:
        # JSON Schema holds only texts against a pattern: a number fits where all numbers do.
        numbers = all(re.match(self.pattern, number) for number in ("7", "12", "1.5"))
        kinds = ["string", "number"] if numbers else ["string", "integer"] if self._integers() else ["string"]
        return say({"type": kinds, "pattern": self.pattern}, self.sentence)

    def _integers(self) -> bool:
        return all(re.match(self.pattern, number) for number in ("7", "12"))

    def read(self, value: Value, reading: Reading) -> str | None:
        return value.text if isinstance(value, Scalar) and re.match(self.pattern, value.text) else None


@dataclass(frozen=True)
class Choice(Kind):
    """One word of a closed list."""

    words: tuple[str, ...]

    def schema(self) -> Schema:
        return {"enum": list(self.words)}

    def read(self, value: Value, reading: Reading) -> str | None:
        return value.text if isinstance(value, Scalar) and value.text in self.words else None


class Flag(Kind):
    """true or false."""

    def schema(self) -> Schema:
        return say({"type": "boolean"}, "must be true or false")

    def read(self, value: Value, reading: Reading) -> bool | None:
        return value.value if isinstance(value, Scalar) and isinstance(value.value, bool) else None


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number between two bounds."""

    least: int = 1
    most: int = 1_000_000

    def schema(self) -> Schema:
        bounds = f"a whole number from {self.least} to {self.most}" if self.least < self.most else str(self.least)
        sentence = f"must be {bounds}"
        return say({"type": "integer", "minimum": self.least, "maximum": self.most}, sentence)

    def read(self, value: Value, reading: Reading) -> int | None:
        found = value.value if isinstance(value, Scalar) else None
        if isinstance(found, float) and found.is_integer():
            return int(found)  # JSON Schema counts 3.0 as an integer
        return found if isinstance(found, int) and not isinstance(found, bool) else None


@dataclass(frozen=True)
class Decimal(Kind):
    """A number between two bounds."""

    least: float
    most: float

    def schema(self) -> Schema:
        sentence = f"must be a number from {self.least} to {self.most}"
        return say({"type": "number", "minimum": self.least, "maximum": self.most}, sentence)

    def read(self, value: Value, reading: Reading) -> float | None:
        found = value.value if isinstance(value, Scalar) else None
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


class Duration(Kind):
    """A number with a unit, as seconds."""

    def schema(self) -> Schema:
        sentence = "must be a duration with its unit, such as 800ms, 6s, 2m or 1h"
        return say({"type": "string", "pattern": DURATION}, sentence)

    def read(self, value: Value, reading: Reading) -> float | None:
        if not isinstance(value, Scalar) or not re.match(DURATION, value.text):
            return None
        number, unit = re.match(r"([0-9.]+)([a-z]*)", value.text).groups()  # type: ignore[union-attr]  # DURATION matched
        return float(number) * _UNITS.get(unit, 1.0)


class KeySequences(Kind):
    """Keys of the telephone: a sequence, or a list of alternatives; `star` and `hash` become `*` and `#`."""

    def schema(self) -> Schema:
        sentence = 'must be keys of a telephone: 0 to 9, star, hash, A to D, several in a row such as 12 or "*1"'
        one = say({"type": ["string", "integer"], "pattern": KEYS, "minimum": 0}, sentence)
        return by_shape(scalar=one, sequence={"type": "array", "items": one, "minItems": 1}, sentence=sentence)

    def read(self, value: Value, reading: Reading) -> tuple[str, ...]:
        return tuple({"star": "*", "hash": "#"}.get(scalar.text, scalar.text) for scalar in self._scalars(value))

    @classmethod
    def places(cls, value: Value) -> tuple[Span, ...]:
        """Give the place of each of the sequences that ``read`` gives."""
        return tuple(scalar.span for scalar in cls._scalars(value))

    @staticmethod
    def _scalars(value: Value) -> list[Scalar]:
        items = value.items if isinstance(value, Sequence) else [value]
        return [item for item in items if isinstance(item, Scalar) and re.match(KEYS, item.text)]


@dataclass(frozen=True)
class OneKey(Kind):
    """A single key, or `none`."""

    def schema(self) -> Schema:
        sentence = "must be one key (0 to 9, star, hash, A to D) or none"
        pattern = r"^([0-9A-D*#]|star|hash|none)$"
        return say({"type": ["string", "integer"], "pattern": pattern, "minimum": 0, "maximum": 9}, sentence)

    def read(self, value: Value, reading: Reading) -> str | None:
        if not isinstance(value, Scalar) or value.text == "none":
            return ""
        return {"star": "*", "hash": "#"}.get(value.text, value.text)


class Words(Kind):
    """A template: text with `{{ }}`."""

    def schema(self) -> Schema:
        return proposing(typed(SCALARS, "must be a text"))

    def read(self, value: Value, reading: Reading) -> Template | None:
        if not isinstance(value, Scalar) or (value.plain and value.value is None):
            return None
        return template(value, reading)


def template(value: Scalar, reading: Reading) -> Template:
    """Parse a template; one that does not parse is reported and reads as empty."""
    try:
        return Template(value.text, value.span)
    except ExpressionError as error:
        reading.expression_error("bad-template", error, value.span)
        return Template("", value.span)


class Test(Kind):
    """An `if` or `check`: an expression, or a map of names to values that must all be equal."""

    def __init__(self, *, maps: bool = True) -> None:
        self.maps = maps

    def schema(self) -> Schema:
        text = proposing(typed(["string", "boolean"], "must be an expression such as `balance < 0`"))
        if not self.maps:
            return text
        mapping = {"type": "object", "additionalProperties": {"type": [*SCALARS, "null"]}, "minProperties": 1}
        return by_shape(scalar=text, mapping=mapping, sentence="must be an expression or a map of names to values")

    def read(self, value: Value, reading: Reading) -> Condition | Equalities | None:
        if isinstance(value, MappingValue):
            scalars = {key: e.value for key, e in value.entries.items() if isinstance(e.value, Scalar)}
            pairs = {key: scalar.value for key, scalar in scalars.items()}
            places = {key: (value.entries[key].key.span, scalar.span) for key, scalar in scalars.items()}
            return Equalities(pairs, value.span, places)
        if not isinstance(value, Scalar):
            return None
        try:
            return Condition(value.text, value.span)
        except ExpressionError as error:
            reading.expression_error("bad-expression", error, value.span)
            return None


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of one kind."""

    item: Kind
    least: int = 0

    def schema(self) -> Schema:
        sentence = "must be a list with one entry at least" if self.least else "must be a list"
        return say({"type": "array", "items": self.item.schema(), "minItems": self.least}, sentence)

    def read(self, value: Value, reading: Reading) -> tuple[Any, ...]:
        if not isinstance(value, Sequence):
            return ()
        found = (self.item.read(item, reading) for item in value.items)
        return tuple(item for item in found if item is not None)


@dataclass(frozen=True)
class Fields(Kind):
    """A mapping with known fields, as a dict of what was read; absent and unreadable ones are left out."""

    fields: tuple[Field, ...]
    sentence: str = "must be a mapping"

    def schema(self) -> Schema:
        properties = {f.name: described(f) for f in self.fields}
        required = [f.name for f in self.fields if f.required]
        schema: Schema = {"properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = required
        return {**schema, **typed("object", self.sentence)}

    def read(self, value: Value, reading: Reading) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if isinstance(value, MappingValue):
            for f in self.fields:
                inner = value.get(f.name)
                if inner is not None:
                    typed = f.kind.read(inner, reading)
                    if typed is not None:
                        found[f.name] = typed
        return found


@dataclass(frozen=True)
class Shaped(Kind):
    """A value that may be a scalar, a mapping or a list, each with a kind of its own."""

    sentence: str
    scalar: Kind | None = None
    mapping: Kind | None = None
    sequence: Kind | None = None

    def schema(self) -> Schema:
        shapes = {name: getattr(self, name) for name in ("scalar", "mapping", "sequence")}
        return by_shape(sentence=self.sentence, **{name: kind.schema() for name, kind in shapes.items() if kind})

    def read(self, value: Value, reading: Reading) -> Any:
        if isinstance(value, MappingValue):
            return self.mapping.read(value, reading) if self.mapping else None
        if isinstance(value, Sequence):
            return self.sequence.read(value, reading) if self.sequence else None
        return self.scalar.read(value, reading) if self.scalar else None


class Values(Kind):
    """Any value; the templates in it are rendered, also inside maps and lists."""

    def schema(self) -> Schema:
        return proposing({})

    def read(self, value: Value, reading: Reading) -> Any:
        return rendered(value, reading)


def rendered(value: Value, reading: Reading) -> Any:
    """Give a value as it is written, with a Template where a text has braces."""
    if isinstance(value, MappingValue):
        return {key: rendered(entry.value, reading) for key, entry in value.entries.items()}
    if isinstance(value, Sequence):
        return [rendered(item, reading) for item in value.items]
    if isinstance(value.value, str):
        parsed = template(value, reading)
        return value.text if parsed.constant else parsed
    return value.value


@dataclass(frozen=True)
class Reference(Kind):
    """A kind that the schema states once, under `$defs`."""

    name: str
    kind: Callable[[], Kind] = field(compare=False)

    def schema(self) -> Schema:
        return {"$ref": f"#/$defs/{self.name}"}

    def read(self, value: Value, reading: Reading) -> Any:
        return self.kind().read(value, reading)


def by_shape(
    *,
    sentence: str,
    scalar: Schema | None = None,
    mapping: Schema | None = None,
    sequence: Schema | None = None,
) -> Schema:
    """Join schemas by the shape of the value, so that only the form that was meant is judged."""
    shapes = {"array": sequence, "object": mapping, "scalar": scalar}
    scalars = ["string", "number", "boolean", "null"]
    types = [*(scalars if scalar else []), *(["object"] if mapping else []), *(["array"] if sequence else [])]
    schema = say({"type": types}, sentence)
    for shape, inner in shapes.items():
        if inner:
            schema = {"if": {"type": scalars if shape == "scalar" else shape}, "then": inner, "else": schema}
    return proposing(schema, *words_of(scalar or {}))


def words_of(schema: Schema) -> list[str | bool]:
    """Give the words that can stand for a value of this schema, where they are known."""
    if schema.get("type") == "boolean":
        return [True, False]
    return list(schema.get("enum", ())) or [snippet["body"] for snippet in schema.get("defaultSnippets", ())]


def described(f: Field) -> Schema:
    """Give a field's schema with the description that an editor shows."""
    schema = {**f.kind.schema(), **about(f.about)}
    if f.default is not None:
        schema["default"] = f.default
    if f.examples:
        schema["examples"] = list(f.examples)
    return schema


def about(text: str) -> Schema:
    """Give a description as an editor shows it: code stands in backticks, which only Markdown knows."""
    return {"description": text, "markdownDescription": text} if "`" in text else {"description": text}
