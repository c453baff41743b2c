"""The kinds of fields that hold what is said in several languages, and names of what is declared elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flowengine.flow import model
from flowengine.flow.kinds import NAME, Kind, Reading, Schema, Text, by_shape, say
from flowengine.flow.model import Phrase, Phrases
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value

# Two letters and perhaps a script or region; `if` is a field wherever this may stand.
TAG = r"^(?!if$)[a-z]{2}(-[A-Za-z0-9]{2,8})*$"


@dataclass(frozen=True)
class ByLanguage(Kind):
    """A mapping from language tags to values of one kind."""

    inner: Kind

    def schema(self) -> Schema:
        return {"type": "object", "propertyNames": {"pattern": TAG}, "additionalProperties": self.inner.schema()}

    def read(self, value: Value, reading: Reading) -> dict[str, Any]:
        if not isinstance(value, MappingValue):
            return {}
        found = {tag: self.inner.read(entry.value, reading) for tag, entry in value.entries.items()}
        return {tag: inner for tag, inner in found.items() if inner is not None}


def by_language(value: Value) -> bool:
    """Say whether this is a mapping from language tags, and not from fields."""
    return isinstance(value, MappingValue) and bool(value.entries) and all(re.match(TAG, key) for key in value.entries)


def unless_by_language(languages: Schema, fields: Schema) -> Schema:
    """Give the schema of a mapping that is from languages where its keys are tags, and else has fields."""
    return {"if": {"propertyNames": {"pattern": TAG}, "minProperties": 1}, "then": languages, "else": fields}


class PhrasesKind(Kind):
    """What a caller may say: a list of phrases, or such a list for each language."""

    _SENTENCE = "must be a list of phrases such as [sales, to buy], or a map from languages to such lists"

    def schema(self) -> Schema:
        phrases = say({"type": "array", "items": Text().schema(), "minItems": 1}, self._SENTENCE)
        names = {"pattern": TAG, "errorMessage": "must be a language tag such as en or de-AT"}
        mapping = {"type": "object", "propertyNames": names, "additionalProperties": phrases, "minProperties": 1}
        return by_shape(sequence=phrases, mapping=say(mapping, self._SENTENCE), sentence=self._SENTENCE)

    def read(self, value: Value, reading: Reading) -> Phrases | None:
        if isinstance(value, Sequence):
            return Phrases({"": _phrases(value)})
        if not isinstance(value, MappingValue):
            return None
        return Phrases({tag: _phrases(e.value) for tag, e in value.entries.items() if isinstance(e.value, Sequence)})


def _phrases(value: Sequence) -> tuple[Phrase, ...]:
    return tuple(Phrase(item.text, item.span) for item in value.items if isinstance(item, Scalar))


@dataclass(frozen=True)
class Named(Kind):
    """A name that refers to something declared elsewhere."""

    sentence: str
    pattern: str = NAME

    def schema(self) -> Schema:
        return say({"type": "string", "pattern": self.pattern}, self.sentence)

    def read(self, value: Value, reading: Reading) -> model.Named | None:
        if isinstance(value, Scalar) and re.match(self.pattern, value.text):
            return model.Named(value.text, value.span)
        return None
