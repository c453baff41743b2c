"""Prompts -> parts to play: everything is rendered before any audio is sent, so that never half a text is spoken."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any

from flowengine.flow.expressions import EvaluationError, Template
from flowengine.flow.model import Prompt, Segment, Text, Voice, in_force
from flowengine.runtime.effects import Part, Pause, Recording, Speech

# The engine's own words, by language; English where a language has none.
SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "noinput": "Sorry, I did not hear you.",
        "nomatch": "Sorry, that is not one of the choices.",
        "invalid": "Sorry, that does not look right.",
        "still_there": "Are you still there?",
        "offer": "For {}, press {}.",
        "more": "For more, press {}.",
        "apology": "I am sorry, something went wrong. Please call again later. Goodbye.",
    },
    "de": {
        "noinput": "Entschuldigung, ich habe Sie nicht gehört.",
        "nomatch": "Entschuldigung, das steht nicht zur Wahl.",
        "invalid": "Entschuldigung, das passt leider nicht.",
        "still_there": "Sind Sie noch da?",
        "offer": "Für {} drücken Sie die {}.",
        "more": "Für mehr drücken Sie die {}.",
        "apology": "Es tut mir leid, etwas ist schiefgegangen. Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
    },
}


def sentence(name: str, lang: str) -> str:
    """Give one of the engine's own sentences."""
    return SENTENCES.get(lang.partition("-")[0], SENTENCES["en"]).get(name, "")


COVER = "•"


@dataclass(frozen=True, slots=True)
class Manner:
    """How words are spoken: by which voice, in which language, and which one counts where that is missing."""

    voice: Voice
    lang: str
    default: str

    def of(self, segment: Segment) -> Manner:
        """Give the manner of a segment that may have a voice and a language of its own."""
        return Manner(segment.voice or self.voice, segment.lang or self.lang, self.default)

    def choose(self, languages: Mapping[str, Prompt]) -> tuple[Prompt | None, Manner]:
        """Choose a prompt by the language in force; what is chosen is spoken in its own language."""
        tag = in_force(languages, self.lang, self.default)
        if tag is None:
            return None, self
        same = tag.partition("-")[0] == self.lang.partition("-")[0]
        return languages[tag], self if same else Manner(self.voice, tag, self.default)


class Renderer:
    """Renders the prompts of one node entry."""

    def __init__(
        self,
        scope: Mapping[str, Any],
        manner: Manner,
        texts: Mapping[str, Text],
        private: Collection[str],
        draw: tuple[int, int],
    ) -> None:
        self.scope = scope
        self.manner = manner
        self.texts = texts
        self.private = private
        self.draw = draw
        self.drawn = 0

    def words(self, text: str, *, constant: bool, shown: str | None = None, manner: Manner | None = None) -> list[Part]:
        """Give a text as parts; none for a text without a letter or digit."""
        text = " ".join(text.split())
        if not any(c.isalnum() for c in text):
            return []
        manner = manner or self.manner
        return [Speech(text, manner.voice.name, manner.lang, manner.voice.rate, constant, shown)]

    def prompt(self, prompt: Prompt | None, manner: Manner | None = None) -> list[Part]:
        """Render a prompt; raises ``EvaluationError``."""
        manner = manner or self.manner
        return [part for segment in (prompt.segments if prompt else ()) for part in self._segment(segment, manner)]

    def _segment(self, segment: Segment, manner: Manner) -> list[Part]:
        if segment.condition is not None and not segment.condition.holds(self.scope):
            return []
        manner = manner.of(segment)
        if segment.languages:
            return self.prompt(*manner.choose(segment.languages))
        if segment.named:
            return self.prompt(self.texts[segment.named.name].prompt, manner)
        if segment.pause:
            return [Pause(segment.pause)]
        if segment.one_of:
            return self._segment(segment.one_of[self._index(len(segment.one_of))], manner)
        parts: list[Part] = []
        if segment.text is not None:
            text = segment.text
            private = any(name in self.private for name in text.names)
            shown = self._masked(text) if private else None
            parts = self.words(text.text(self.scope), constant=text.constant, shown=shown, manner=manner)
        if segment.audio is not None:
            words = parts[0] if parts and isinstance(parts[0], Speech) else None
            return [Recording(audio_path(segment), words)]
        return parts

    def _masked(self, text: Template) -> str:
        """Render once more with every private value covered, for whoever reads along."""
        args = {k: _cover(v) if f"args.{k}" in self.private else v for k, v in self.scope["args"].items()}
        names = {name: _cover(value) for name, value in self.scope.items() if name in self.private}
        try:
            return " ".join(text.text({**self.scope, **names, "args": args}).split())
        except EvaluationError:
            return COVER * 3

    def _index(self, count: int) -> int:
        """Draw by a keyed hash of (seed, epoch, index): no generator state, the same in every replay."""
        seed, epoch = self.draw
        key = f"{seed}.{epoch}.{self.drawn}".encode()
        self.drawn += 1
        return int.from_bytes(blake2b(key, digest_size=8).digest()) % count


def audio_path(segment: Segment) -> str:
    """Give the path of a segment's file: as written, beside the flow."""
    return str(PurePosixPath(segment.span.file).parent / (segment.audio or ""))


def _cover(value: Any) -> Any:
    return None if value is None else COVER * len(str(value))


def constant_speech(prompt: Prompt, manner: Manner, texts: Mapping[str, Text]) -> Iterator[Speech]:
    """Give the parts of a prompt that are the same in every call, to be rendered before the first one."""
    for segment in prompt.segments:
        yield from _constant(segment, manner.of(segment), texts)


def _constant(segment: Segment, manner: Manner, texts: Mapping[str, Text]) -> Iterator[Speech]:
    if segment.text is not None and segment.text.constant:
        text = " ".join(segment.text.source.split())
        if any(c.isalnum() for c in text):
            yield Speech(text, manner.voice.name, manner.lang, manner.voice.rate, constant=True)
    for inner in segment.one_of:
        yield from _constant(inner, manner.of(inner), texts)
    if segment.named and segment.named.name in texts:
        yield from constant_speech(texts[segment.named.name].prompt, manner, texts)
    chosen, spoken = manner.choose(segment.languages)
    if chosen is not None:
        yield from constant_speech(chosen, spoken, texts)
