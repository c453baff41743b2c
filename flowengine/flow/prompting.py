"""The kinds of fields that hold what is spoken and what may interrupt it."""

from __future__ import annotations

from flowengine.flow.finding import quoted
from flowengine.flow.kinds import (
    SCALARS,
    Duration,
    Field,
    Fields,
    Kind,
    ListOf,
    Reading,
    Schema,
    Test,
    Text,
    Whole,
    Words,
    by_shape,
    described,
    say,
)
from flowengine.flow.model import BargeIn, Prompt, Segment
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value


class PromptKind(Kind):
    """What is played: a text, a mapping, or a list of both."""

    def schema(self) -> Schema:
        one = {"$ref": "#/$defs/segment"}
        text = say({"type": SCALARS}, "must be a text")
        return by_shape(
            scalar=text,
            mapping=one,
            sequence={"type": "array", "items": one, "minItems": 1},
            sentence="must be a prompt",
        )

    def read(self, value: Value, reading: Reading) -> Prompt | None:
        items = value.items if isinstance(value, Sequence) else [value]
        if isinstance(value, Sequence) and value.flow:
            _split_by_comma(value, reading)
        segments = tuple(s for s in (_segment(item, reading) for item in items) if s)
        return Prompt(segments, value.span)


def _split_by_comma(value: Sequence, reading: Reading) -> None:
    # Every part of one text has the same remedy: from its first word to its last, in quotes.
    texts: list[list[Value]] = []
    for item in value.items:
        if texts and _second_half(item):
            texts[-1].append(item)
        else:
            texts.append([item])
    for parts in texts:
        for item in parts[1:]:
            reading.report.error(
                "comma-splits-text",
                "a comma inside [ ] ends a text; this looks like its second half",
                item.span,
                about=item.text if isinstance(item, Scalar) else "",
                help="put the whole text in quotes",
                fix=_joined(parts[0], parts[-1], reading),
            )


def _second_half(item: Value) -> bool:
    return isinstance(item, Scalar) and item.plain and item.text[:1].islower()


def _joined(first: Value, last: Value, reading: Reading) -> str | None:
    if not isinstance(first, Scalar) or not first.plain or first.span.line != last.span.end_line:
        return None
    line = reading.lines[first.span.line - 1]
    start, end = first.span.column - 1, last.span.end_column - 1
    return line[:start] + quoted(line[start:end]) + line[end:]


SEGMENT_FIELDS = (
    Field("text", Words(), "The words."),
    Field(
        "audio", Text(), "A WAV file beside the flow; `text` holds its words and is spoken when the file is missing."
    ),
    Field("pause", Duration(), "Silence of this length."),
    Field("one_of", Text(), "A list of prompts of which each call draws one."),
    Field("if", Test(), "Left out unless this holds."),
)


def segment_schema() -> Schema:
    """Give the schema of one segment of a prompt."""
    properties = {f.name: described(f) for f in SEGMENT_FIELDS}
    properties["one_of"] = {
        "type": "array",
        "items": {"$ref": "#/$defs/segment"},
        "minItems": 1,
        "errorMessage": "must be a list of prompts",
        "description": SEGMENT_FIELDS[3].about,
    }
    mapping = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
    return by_shape(scalar=Words().schema(), mapping=mapping, sentence="must be a text or a mapping")


def _segment(value: Value, reading: Reading) -> Segment | None:
    if isinstance(value, Scalar):
        text = Words().read(value, reading)
        return Segment(value.span, text) if text is not None else None
    if not isinstance(value, MappingValue):
        return None
    forms = [name for name in ("text", "audio", "pause", "one_of") if name in value.entries]
    if not forms or (len(forms) > 1 and forms != ["text", "audio"]):
        if reading.report.has_error_in(value.span):
            return None
        reading.report.error(
            "prompt-form",
            "a prompt's mapping holds one of text, audio, pause or one_of",
            value.span.start() if not forms else value.entries[forms[-1]].key.span,
            about=forms[-1] if forms else "text",
            help="only `audio` may have `text` beside it; make a list of several prompts",
        )
        return None
    read = Fields(SEGMENT_FIELDS).read(value, reading)
    draws = value.get("one_of")
    choices = (
        tuple(s for s in (_segment(item, reading) for item in draws.items) if s) if isinstance(draws, Sequence) else ()
    )
    return Segment(value.span, read.get("text"), read.get("audio"), read.get("pause", 0.0), choices, read.get("if"))


class BargeInKind(Kind):
    """What may interrupt: true, false, keys, speech, or a mapping."""

    fields = (
        Field("after", Duration(), "Not in the prompt's first seconds."),
        Field("words", Whole(1, 20), "At least so many words."),
        Field("ignore", ListOf(Text()), "Words that never interrupt."),
    )

    def schema(self) -> Schema:
        sentence = "must be true, false, keys, speech, or a mapping"
        scalar = say({"enum": [True, False, "keys", "speech"]}, sentence)
        return by_shape(scalar=scalar, mapping=Fields(self.fields).schema(), sentence=sentence)

    def read(self, value: Value, reading: Reading) -> BargeIn | None:
        if isinstance(value, MappingValue):
            return BargeIn(**Fields(self.fields).read(value, reading))
        if not isinstance(value, Scalar):
            return None
        if isinstance(value.value, bool):
            return BargeIn(value.value, value.value)
        return BargeIn(keys=value.text == "keys", speech=value.text == "speech")
