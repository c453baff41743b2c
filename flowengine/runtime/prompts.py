"""Prompts -> parts to play: everything is rendered before any audio is sent, so that never half a text is spoken."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any

from flowengine.flow.expressions import EvaluationError, Template
from flowengine.flow.model import Prompt, Segment, Voice
from flowengine.runtime.effects import Part, Pause, Recording, Speech

# The engine's own words, by language; English where a language has none.
SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "noinput": "Sorry, I did not hear you.",
        "nomatch": "Sorry, that is not one of the choices.",
        "invalid": "Sorry, that does not look right.",
        "apology": "I am sorry, something went wrong. Please call again later. Goodbye.",
    },
    "de": {
        "noinput": "Entschuldigung, ich habe Sie nicht gehört.",
        "nomatch": "Entschuldigung, das steht nicht zur Wahl.",
        "invalid": "Entschuldigung, das passt leider nicht.",
        "apology": "Es tut mir leid, etwas ist schiefgegangen. Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
    },
}


def sentence(name: str, lang: str) -> str:
    """Give one of the engine's own sentences."""
    return SENTENCES.get(lang.partition("-")[0], SENTENCES["en"]).get(name, "")


COVER = "•"


class Renderer:
    """Renders the prompts of one node entry."""

    def __init__(
        self, scope: Mapping[str, Any], voice: Voice, lang: str, private: Collection[str], draw: tuple[int, int]
    ) -> None:
        self.scope = scope
        self.voice = voice
        self.lang = lang
        self.private = private
        self.draw = draw
        self.drawn = 0

    def words(self, text: str, *, constant: bool, shown: str | None = None) -> list[Part]:
        """Give a text as parts; none for a text without a letter or digit."""
        text = " ".join(text.split())
        if not any(c.isalnum() for c in text):
            return []
        return [Speech(text, self.voice.name, self.lang, self.voice.rate, constant, shown)]

    def prompt(self, prompt: Prompt | None) -> list[Part]:
        """Render a prompt; raises ``EvaluationError``."""
        return [part for segment in (prompt.segments if prompt else ()) for part in self._segment(segment)]

    def _segment(self, segment: Segment) -> list[Part]:
        if segment.condition is not None and not segment.condition.holds(self.scope):
            return []
        if segment.pause:
            return [Pause(segment.pause)]
        if segment.one_of:
            return self._segment(segment.one_of[self._index(len(segment.one_of))])
        parts: list[Part] = []
        if segment.text is not None:
            text = segment.text
            private = any(name in self.private for name in text.names)
            parts = self.words(
                text.text(self.scope), constant=text.constant, shown=self._masked(text) if private else None
            )
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


def constant_speech(prompt: Prompt, voice: Voice, lang: str) -> list[Speech]:
    """Give the parts of a prompt that are the same in every call, to be rendered before the first one."""
    found: list[Speech] = []
    for segment in prompt.segments:
        for inner in segment.one_of or (segment,):
            if inner.text is not None and inner.text.constant:
                text = " ".join(inner.text.source.split())
                if any(c.isalnum() for c in text):
                    found.append(Speech(text, voice.name, lang, voice.rate, constant=True))
    return found
