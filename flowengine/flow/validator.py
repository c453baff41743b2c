"""Holds plain values against the part of JSON Schema that our schemas use.

A general validator costs more time at start than all the rest of ``check`` and tells about a value from the outside
in; this one follows the shape, so that the first misfit of a place is its cause. Whole numbers are those without a
decimal point. The tests hold it against ``jsonschema``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flowengine.errors import Bug

Schema = dict[str, Any]
Path = tuple[str | int, ...]
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "default", "errorMessage", "x-types", "if", "then"}
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value at ``path`` that breaks one ``keyword`` of ``schema``; ``name`` is the property's for names."""

    path: Path
    keyword: str
    schema: Schema
    value: Any
    name: str = ""


def misfits(schema: Schema, root: Schema, value: Any, path: Path = ()) -> Iterator[Misfit]:
    """Give what does not fit; ``root`` is the schema whose ``$defs`` are meant by ``$ref``."""
    types = schema.get("type")
    if types is not None and not _is_type(types, value):
        yield Misfit(path, "type", schema, value)
        return
    for keyword, wanted in schema.items():
        if keyword in _PLAIN:
            if not _PLAIN[keyword](wanted, value):
                yield Misfit(path, keyword, schema, value)
        elif keyword in _DEEP:
            yield from _DEEP[keyword](wanted, schema, root, value, path)
        elif keyword != "type" and keyword not in _ANNOTATIONS:
            raise Bug(f"the keyword {keyword} of JSON Schema is not known here")


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def _is_type(types: str | list[str], value: Any) -> bool:
    return any(_TYPES[name](value) for name in ([types] if isinstance(types, str) else types))


def _is_number(value: Any) -> bool:
    return _TYPES["number"](value)


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _in(words: list[Any], value: Any) -> bool:
    return any(word == value and isinstance(word, bool) == isinstance(value, bool) for word in words)


_PLAIN: Mapping[str, Callable[[Any, Any], bool]] = {
    "enum": _in,
    "not": lambda wanted, v: not _in(wanted["enum"], v),
    "pattern": lambda wanted, v: not isinstance(v, str) or bool(_pattern(wanted).search(v)),
    "minimum": lambda wanted, v: not _is_number(v) or v >= wanted,
    "maximum": lambda wanted, v: not _is_number(v) or v <= wanted,
    "minItems": lambda wanted, v: not isinstance(v, list) or len(v) >= wanted,
    "minProperties": lambda wanted, v: not isinstance(v, dict) or len(v) >= wanted,
    "required": lambda wanted, v: not isinstance(v, dict) or all(name in v for name in wanted),
}


def _reference(wanted: str, schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    yield from misfits(root["$defs"][wanted.removeprefix("#/$defs/")], root, value, path)


def _items(wanted: Schema, schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from misfits(wanted, root, item, (*path, index))


def _properties(wanted: Schema, schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if name in wanted:
            yield from misfits(wanted[name], root, inner, (*path, name))


def _additional(wanted: Schema | bool, schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    known = schema.get("properties", {})
    unknown = [name for name in value if name not in known] if isinstance(value, dict) else []
    if not isinstance(wanted, dict):
        if unknown and not wanted:
            yield Misfit(path, "additionalProperties", schema, value)
        return
    for name in unknown:
        yield from misfits(wanted, root, value[name], (*path, name))


def _names(wanted: Schema, schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    for name in value if isinstance(value, dict) else ():
        for misfit in misfits(wanted, root, name, path):
            yield Misfit(path, "propertyNames", misfit.schema, name, name)
            break


def _all(wanted: list[Schema], schema: Schema, root: Schema, value: Any, path: Path) -> Iterator[Misfit]:
    for part in wanted:
        if "if" not in part:
            yield from misfits(part, root, value, path)
        elif not any(misfits(part["if"], root, value)):
            yield from misfits(part["then"], root, value, path)


_DEEP: Mapping[str, Callable[[Any, Schema, Schema, Any, Path], Iterator[Misfit]]] = {
    "$ref": _reference,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "allOf": _all,
}
