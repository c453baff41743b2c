"""The kinds of fields that hold what is spoken and what may interrupt it."""

from __future__ import annotations

from flowengine.flow.diagnostics import one_of
from flowengine.flow.finding import quoted
from flowengine.flow.kinds import (
    Decimal,
    Duration,
    Field,
    Fields,
    Kind,
    ListOf,
    Pattern,
    Reading,
    Reference,
    Schema,
    Test,
    Text,
    Whole,
    Words,
    by_shape,
    say,
)
from flowengine.flow.model import BargeIn, Prompt, Segment, Voice
from flowengine.flow.source import Mapping as MappingValue
from flowengine.flow.source import Scalar, Sequence, Value
from flowengine.flow.wording import ByLanguage, Named, by_language, unless_by_language


class PromptKind(Kind):
    """What is played: a text, a mapping, or a list of both."""

    def schema(self) -> Schema:
        one = {"$ref": "#/$defs/segment"}
        return by_shape(
            scalar=Text().schema(),
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


class VoiceKind(Kind):
    """Who speaks: a name, or a mapping."""

    mapping = Fields(
        (
            Field("name", Text(), "The provider's name of the voice.", default="default"),
            Field("rate", Decimal(0.5, 2.0), "A factor of the normal speaking rate.", default=1.0),
        )
    )

    def schema(self) -> Schema:
        return by_shape(scalar=Text().schema(), mapping=self.mapping.schema(), sentence="must be a voice's name")

    def read(self, value: Value, reading: Reading) -> Voice | None:
        if isinstance(value, MappingValue):
            return Voice(**self.mapping.read(value, reading))
        return Voice(value.text) if isinstance(value, Scalar) else None


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


LANG = Pattern(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "must be a language tag such as en-US or de")


class _Prompts(Kind):
    """The list of prompts under `one_of`, as segments."""

    def schema(self) -> Schema:
        items = {"$ref": "#/$defs/segment"}
        return say({"type": "array", "items": items, "minItems": 1}, "must be a list of prompts")

    def read(self, value: Value, reading: Reading) -> tuple[Segment, ...]:
        items = value.items if isinstance(value, Sequence) else []
        return tuple(segment for item in items if (segment := _segment(item, reading)))


FORMS = ("text", "audio", "one_of", "t", "pause")
SEGMENT_FIELDS = (
    Field("text", Words(), "The words."),
    Field(
        "audio", Text(), "A WAV file beside the flow; `text` holds its words and is spoken when the file is missing."
    ),
    Field("one_of", _Prompts(), "A list of prompts of which each call draws one."),
    Field("t", Named("must be the name of a text under `texts`"), "A named text, declared under `texts`."),
    Field("pause", Duration(), "Silence of this length."),
    Field("if", Test(), "Left out unless this holds."),
    Field("voice", VoiceKind(), "Who speaks this."),
    Field("lang", LANG, "The language of this."),
    Field("barge_in", BargeInKind(), "What may interrupt this."),
)


def segment_schema() -> Schema:
    """Give the schema of one segment of a prompt."""
    fields = {**Fields(SEGMENT_FIELDS).schema(), "minProperties": 1}
    languages = ByLanguage(Reference("prompt", PromptKind)).schema()
    mapping = unless_by_language(languages, fields)
    return by_shape(scalar=Words().schema(), mapping=mapping, sentence="must be a text or a mapping")


def _segment(value: Value, reading: Reading) -> Segment | None:
    if isinstance(value, Scalar):
        text = Words().read(value, reading)
        return Segment(value.span, text) if text is not None else None
    if not isinstance(value, MappingValue):
        return None
    if by_language(value):
        return Segment(value.span, languages=ByLanguage(PromptKind()).read(value, reading))
    forms = [name for name in FORMS if name in value.entries]
    if not forms or (len(forms) > 1 and forms != ["text", "audio"]):
        if reading.report.has_error_in(value.span):
            return None
        reading.report.error(
            "prompt-form",
            f"a prompt's mapping holds one of {one_of(FORMS)}",
            value.span.start() if not forms else value.entries[forms[-1]].key.span,
            about=forms[-1] if forms else "text",
            help="only `audio` may have `text` beside it; make a list of several prompts",
        )
        return None
    read = Fields(SEGMENT_FIELDS).read(value, reading)
    names = {"if": "condition", "t": "named"}
    return Segment(value.span, **{names.get(name, name): part for name, part in read.items()})
