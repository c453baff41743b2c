"""A choice from a list at run time: its entries are offered a page at a time, and taken by key, rank or words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowengine.flow.collecting import Choosing
from flowengine.flow.expressions import EvaluationError, Template
from flowengine.flow.model import Prompt, Segment
from flowengine.runtime.node import Context
from flowengine.runtime.prompts import sentence
from flowengine.runtime.understanding import inside, rank, wants_more, without_fillers, words

MORE = "9"


def entries(ctx: Context, choosing: Choosing) -> list[Any]:
    """Give the entries of the list; raises ``EvaluationError`` where it is none."""
    found = choosing.entries.value(ctx.scope())
    if found is None:
        return []
    if not isinstance(found, list | tuple):
        raise EvaluationError("`from` gives no list", choosing.entries.span)
    return list(found)


def page(ctx: Context, choosing: Choosing) -> list[Any]:
    """Give the entries of the page that is offered."""
    listed = entries(ctx, choosing)
    begin = ctx.local.get("page", 0) * choosing.page
    return listed[begin : begin + choosing.page]


def shown(ctx: Context, choosing: Choosing, entry: Any) -> str:
    """Give what is said of one entry."""
    return ctx.words(choosing.show.part, {"it": entry})


def offer(ctx: Context, choosing: Choosing, lead: Prompt | None) -> Prompt:
    """Give the words that offer a page: "For …, press 1." and so on, behind the node's own."""
    place = choosing.entries.span
    texts = [
        sentence("offer", ctx.lang).format(shown(ctx, choosing, entry), number)
        for number, entry in enumerate(page(ctx, choosing), 1)
    ]
    if not _last(ctx, choosing):
        texts.append(sentence("more", ctx.lang).format(MORE))
    offered = tuple(Segment(place, Template.literal(text, place)) for text in texts)
    return Prompt((*(lead.segments if lead else ()), *offered), place)


def turn_page(ctx: Context, choosing: Choosing) -> None:
    """Go to the next page; after the last the first follows."""
    ctx.local["page"] = 0 if _last(ctx, choosing) else ctx.local.get("page", 0) + 1


def _last(ctx: Context, choosing: Choosing) -> bool:
    page_number: int = ctx.local.get("page", 0)
    return (page_number + 1) * choosing.page >= len(entries(ctx, choosing))


def by_key(ctx: Context, choosing: Choosing, key: str) -> Any | None:
    """Give the entry of a key within the page; None where there is none."""
    here = page(ctx, choosing)
    number = int(key) if key.isdigit() else 0
    return here[number - 1] if 1 <= number <= len(here) else None


def phrases(ctx: Context, choosing: Choosing) -> tuple[str, ...]:
    """Give what may be said to take an entry: its words, and its key within the page."""
    keys = (str(number) for number, _ in enumerate(page(ctx, choosing), 1))
    return (*(shown(ctx, choosing, entry) for entry in entries(ctx, choosing)), *keys)


def more(ctx: Context, choosing: Choosing, key: str = "", text: str = "") -> bool:
    """Say whether the caller asks for the next page; that is no failure."""
    if key:
        return key == MORE and not _last(ctx, choosing)
    return wants_more(text, ctx.lang)


def by_words(ctx: Context, choosing: Choosing, text: str) -> Any | None:
    """Give the entry that was said: by its key or rank within the page, or by words of any entry; None for no one."""
    here = page(ctx, choosing)
    said = without_fillers(words(text, ctx.lang), ctx.lang)
    number = rank(text, ctx.lang)
    if number is not None:
        at = number - 1 if number > 0 else len(here) + number
        return here[at] if 0 <= at < len(here) else None
    if len(said) == 1 and said[0].isdigit():
        return by_key(ctx, choosing, said[0])
    return _named(ctx, choosing, said)


def _named(ctx: Context, choosing: Choosing, said: Sequence[str]) -> Any | None:
    found = []
    for entry in entries(ctx, choosing):
        told = words(shown(ctx, choosing, entry), ctx.lang)
        if inside(said, told) or inside(told, said):
            found.append(entry)
    return found[0] if len(found) == 1 else None
