"""The rules about what is spoken, and to whom: length, languages, private values, and the time of day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowengine.flow.conversing import ChatSpec
from flowengine.flow.diagnostics import Span
from flowengine.flow.expressions import Condition, Template
from flowengine.flow.kinds import Reading
from flowengine.flow.model import BargeIn, Flow, NodeType, Phrases, Prompt, Segment, Text, parts, walk

# Speech lasts about so long for each character (as in tests of flows).
SECONDS_PER_CHARACTER = 0.06
LONGEST = 15.0


def long_prompt(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """What nobody can interrupt is short."""
    for node in flow.nodes.values():
        seconds = _fixed(node.say, node.barge_in, flow) if node.say else 0.0
        if node.say and seconds > LONGEST:
            reading.report.warning(
                "long-prompt",
                f"nobody can interrupt these words, and they last about {seconds:.0f} s",
                node.say.span,
                about=node.name,
                help="shorten them, or let keys or speech interrupt: `barge_in: keys`",
            )


def _fixed(prompt: Prompt | None, barge_in: BargeIn, flow: Flow) -> float:
    """Give the seconds of a prompt that can not be interrupted."""
    return sum(_fixed_segment(segment, barge_in, flow) for segment in (prompt.segments if prompt else ()))


def _fixed_segment(segment: Segment, barge_in: BargeIn, flow: Flow) -> float:
    barge_in = segment.barge_in or barge_in
    if barge_in.keys or barge_in.speech:
        return 0.0
    seconds = segment.pause
    if segment.text is not None:
        seconds += len(" ".join(segment.text.source.split())) * SECONDS_PER_CHARACTER
    seconds += max((_fixed_segment(one, barge_in, flow) for one in segment.one_of), default=0.0)
    seconds += max((_fixed(one, barge_in, flow) for one in segment.languages.values()), default=0.0)
    named: Text | None = flow.texts.get(segment.named.name) if segment.named else None
    return seconds + (_fixed(named.prompt, barge_in, flow) if named else 0.0)


def missing_translation(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """What is written in several languages is written in each that the flow speaks."""
    written = list(_by_language(flow))
    spoken: dict[str, None] = {}
    for lang in (flow.defaults.lang, *(node.lang for node in flow.nodes.values() if node.lang)):
        spoken[lang.partition("-")[0]] = None
    for tags, _ in written:
        spoken |= dict.fromkeys(tag.partition("-")[0] for tag in tags)
    for tags, span in written:
        present = {tag.partition("-")[0] for tag in tags}
        missing = [lang for lang in spoken if lang not in present]
        if missing:
            languages = ", ".join(missing)
            reading.report.warning(
                "missing-translation",
                f"this is missing in a language that the flow speaks elsewhere: {languages}",
                span,
                about=languages,
                help=f"add `{missing[0]}: …`",
            )


def _by_language(flow: Flow) -> Iterator[tuple[list[str], Span]]:
    """Give the language tags of everything that is written in several, and its place."""
    for part in walk((parts(flow), flow.vars, flow.args)):
        if isinstance(part, Segment) and part.languages:
            yield list(part.languages), part.span
        elif isinstance(part, Phrases) and part and "" not in part.by_language:
            yield list(part.by_language), next(said[0].span for said in part.by_language.values() if said)


def private_in_prompt(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """A language model sees a private value only where the flow prints its last digits."""
    private = {v.name for v in flow.vars.values() if v.private} | {
        f"args.{v.name}" for v in flow.args.values() if v.private
    }
    if not private:
        return
    texts: list[Any] = [flow.defaults.persona]
    for node in flow.nodes.values():
        if isinstance(node.spec, ChatSpec):
            texts += [node.spec.prompt, *(one.when for one in node.spec.exits)]
    for template in walk(texts):
        for name in template.shown if isinstance(template, Template) else ():
            if name in private:
                reading.report.warning(
                    "private-in-prompt",
                    f'the private "{name}" goes to a language model here',
                    reading.locate(template.span, name.rpartition(".")[2], unless=r"\s*\|\s*last4"),
                    about=name,
                    help=f"leave it out, or print `{name} | last4`",
                )


def no_zone(flow: Flow, _types: Mapping[str, NodeType], reading: Reading) -> None:
    """The time of day is that of a place."""
    if flow.zone_span is not None or any(d.code == "unknown-zone" for d in reading.report.diagnostics):
        return
    help_ = "write `defaults: {zone: Europe/Berlin}`; without it the time is that of UTC"
    for name, hours in flow.hours.items():
        if not hours.zone:
            message = f'the hours "{name}" have no time zone'
            reading.report.warning("no-zone", message, hours.span or flow.span, about=name, help=help_)
    for part in walk(parts(flow)):
        if isinstance(part, Template | Condition):
            for name in part.names:
                if name.partition(".")[0] in ("now", "today"):
                    word = name.partition(".")[0]
                    message = f"`{word}` has no time zone"
                    reading.report.warning("no-zone", message, reading.locate(part.span, word), about=word, help=help_)
