"""The rule that words and keys agree: what a prompt tells to press can be pressed, and every key of a menu is told.

By language, because "press 3" is written in words. A language without a table here is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from flowengine.flow.choosing import spoken_key
from flowengine.flow.diagnostics import one_of
from flowengine.flow.expressions import Template
from flowengine.flow.kinds import Reading
from flowengine.flow.model import Flow, Node, NodeType, Prompt, Segment

_NUMBERED = "0123456789*#"


@dataclass(frozen=True)
class KeyWords:
    """How a language speaks of keys: the keys' names in the order of 0-9, star, hash, and what calls for one.

    ``press`` is a pattern that ends where the key's name begins; ``joins`` stand between several keys.
    """

    names: tuple[str, ...]
    press: str
    joins: str
    not_before: str = r"(?!)"

    @cached_property
    def key(self) -> str:
        """A pattern of one key or sequence of keys."""
        words = "|".join(self.names)
        return rf"(?:[0-9*#](?:\s?[0-9*#])*|(?:{words}))(?!\w)(?!{self.not_before})(?![.,][0-9])"

    @cached_property
    def called(self) -> re.Pattern[str]:
        """Finds the keys that a text tells to press."""
        return re.compile(rf"(?<!\w){self.press}({self.key}(?:(?:{self.joins}){self.key})*)", re.IGNORECASE)

    @cached_property
    def named(self) -> re.Pattern[str]:
        """Finds every word that could be a key's name."""
        return re.compile(rf"(?<![\w.]){self.key}", re.IGNORECASE)

    def sequence(self, text: str) -> str:
        """Give the key sequence that a name means."""
        plain = re.sub(r"\s", "", text.lower())
        for number, name in enumerate(self.names):
            if re.fullmatch(name, plain):
                return _NUMBERED[number]
        return plain


LANGUAGES: Mapping[str, KeyWords] = {
    "en": KeyWords(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "star", "hash|pound"),
        r"(?:press|hit|push)(?:ing)?\s+(?:the\s+)?(?:key\s+|button\s+|number\s+)?",
        r"\s*,\s*(?:or\s+|and\s+)?|\s+or\s+|\s+and\s+",
        r"\s+(?:of|or more)\b",
    ),
    "de": KeyWords(
        ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "stern", "raute"),
        r"(?:drück|wähl|tast)\w*\s+(?:sie\s+)?(?:bitte\s+)?(?:die\s+|den\s+)?(?:taste\s+|ziffer\s+)?",
        r"\s*,\s*(?:oder\s+|und\s+)?(?:die\s+)?|\s+(?:oder|und)\s+(?:die\s+)?",
    ),
}


def announced_keys(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """The keys in a prompt's words and the keys that the node takes are the same."""
    everywhere = {command.name: command.keys for command in flow.always}
    for node in flow.nodes.values():
        taken = node.type.takes(node.spec)
        if taken is None or reading.report.has_error_in(node.span):
            continue
        alive = [keys for name, keys in everywhere.items() if node.always is True or name in (node.always or ())]
        known = {*taken, *(key for keys in alive for key in keys)}
        for prompt in (node.say, *node.reprompt):
            for template, words in _texts(prompt, node.lang or flow.defaults.lang):
                _told_in_vain(template, words, known, taken, reading)
        if node.say and taken:
            _not_told(node, node.lang or flow.defaults.lang, reading)


def _texts(prompt: Prompt | None, lang: str) -> Iterator[tuple[Template, KeyWords]]:
    """Give the texts of a prompt, each with the words of its language, where that has some."""
    for segment in prompt.segments if prompt else ():
        yield from _segment_texts(segment, lang)


def _segment_texts(segment: Segment, lang: str) -> Iterator[tuple[Template, KeyWords]]:
    lang = segment.lang or lang
    words = LANGUAGES.get(lang.partition("-")[0])
    if segment.text is not None and words is not None:
        yield segment.text, words
    for one in segment.one_of:
        yield from _segment_texts(one, lang)
    for tag, prompt in segment.languages.items():
        yield from _texts(prompt, tag)


def _told_in_vain(
    template: Template, words: KeyWords, known: Iterable[str], taken: tuple[str, ...], reading: Reading
) -> None:
    for called in words.called.finditer(template.source):
        for found in words.named.finditer(called[1]):
            key = words.sequence(found[0])
            if key not in known:
                reading.report.warning(
                    "press-without-key",
                    f"the words say to press {spoken_key(key)}, but nothing here takes that key",
                    reading.locate(template.span, called[0]),
                    about=found[0],
                    help=f"keys here: {one_of([spoken_key(k) for k in taken]) or 'none'}",
                )


def _not_told(node: Node, lang: str, reading: Reading) -> None:
    """Report the keys of options that the words leave out, where they tell of any."""
    texts = list(_texts(node.say, lang))
    if not any(words.called.search(template.source) for template, words in texts):
        return
    told = {words.sequence(found[0]) for template, words in texts for found in words.named.finditer(template.source)}
    for option in getattr(node.spec, "options", getattr(node.spec, "exits", ())):
        if option.keys and not told & set(option.keys):
            key = spoken_key(option.keys[0])
            reading.report.warning(
                "key-not-told",
                f"the key {key} can be pressed here, but the words do not tell of it",
                option.key_spans[0],
                about=key,
                help="say what it is for; beside a key that nobody shall know, `# flowengine: ignore[key-not-told]`",
            )
