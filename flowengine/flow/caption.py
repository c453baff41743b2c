"""The words by which drawings name things: a prompt's as they are written, a value by its name, a time."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowengine.flow.model import Flow, Prompt, Segment, in_force

_VALUE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MARKUP = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FILTERS = re.compile(r"\s*\|.*", re.DOTALL)


def plain(source: str) -> str:
    """Give the text of a template for people: values as `{balance}` without their filters, no statements."""
    return " ".join(_VALUE.sub(_value, _MARKUP.sub("", source)).split())


def _value(match: re.Match[str]) -> str:
    inner = match[1].strip().strip("-").strip()
    short = _FILTERS.sub("", inner)
    # A filter in the middle of an expression: what stands before it is not the whole.
    whole = short.count("(") == short.count(")")
    return f"{{{short if whole else inner}}}"


def words(prompt: Prompt | None, flow: Flow, lang: str | None = None) -> str:
    """Give what a prompt says, in a language or the flow's own; of a draw the first, of a file its words."""
    spoken = _segments(prompt.segments if prompt else (), flow, lang or flow.defaults.lang)
    return " ".join(part for part in spoken if part)


def _segments(segments: tuple[Segment, ...], flow: Flow, lang: str) -> Iterator[str]:
    for segment in segments:
        if segment.text is not None:
            yield plain(segment.text.source)
        elif segment.audio is not None:
            yield segment.audio
        elif segment.one_of:
            yield from _segments(segment.one_of[:1], flow, lang)
        elif segment.named is not None and segment.named.name in flow.texts:
            yield words(flow.texts[segment.named.name].prompt, flow, segment.lang or lang)
        elif segment.languages:
            tag = in_force(segment.languages, segment.lang or lang, flow.defaults.lang)
            yield words(segment.languages[tag], flow, lang) if tag is not None else ""


def shortened(text: str, count: int) -> str:
    """Give the first words of a text; an ellipsis stands for the others."""
    parts = text.split()
    return " ".join(parts[:count]) + ("…" if len(parts) > count else "")


def duration(seconds: float) -> str:
    """Give a time as authors write it, in its largest whole unit: `5m`, `800ms`."""
    for unit, size in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"
