"""Holds plain values against our schemas by `jsonschema`, and gives its errors in the order in which they explain.

Of one place the wrong type comes first: it is the cause of whatever else does not fit there. Our schemas tell the form
of a value by its shape (`if`/`then` on the type), so that every error is a leaf.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

Schema = dict[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value at ``path`` that breaks one ``keyword`` of ``schema``; ``name`` is the property's for names."""

    path: Path
    keyword: str
    schema: Schema
    value: Any
    name: str = ""


class Validator:
    """One schema made ready."""

    def __init__(self, schema: Schema) -> None:
        self._validator = Draft202012Validator(schema)

    def misfits(self, value: Any) -> Iterator[Misfit]:
        """Give what does not fit, the first misfit of a place being its cause."""
        for error in sorted(self._validator.iter_errors(value), key=_rank):
            yield _misfit(error)


def _rank(error: ValidationError) -> tuple[Any, ...]:
    keywords = {"type": 0, "required": 2}
    place = [step if isinstance(step, str) else f"{step:09}" for step in error.absolute_path]
    return place, keywords.get(str(error.validator), 1)


def _misfit(error: ValidationError) -> Misfit:
    schema = error.schema if isinstance(error.schema, dict) else {}
    path = tuple(error.absolute_path)
    # What `propertyNames` finds is told of the name itself, at the path of the mapping.
    if "propertyNames" in error.absolute_schema_path:
        return Misfit(path, "propertyNames", dict(schema), error.instance, str(error.instance))
    return Misfit(path, str(error.validator), dict(schema), error.instance)
