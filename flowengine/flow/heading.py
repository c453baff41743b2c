"""The head of an SVG picture: the flow's name, what leads away from everywhere, and what the signs mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from flowengine.flow.layout import Rect
from flowengine.flow.pen import rect, rows, text
from flowengine.flow.picture import Picture
from flowengine.flow.style import LINE, SMALL, TITLE, everywhere_lines, hue, text_width, wrapped

GAP = 28.0
WIDEST = 460.0
"""How wide a line of text in the head gets at most."""
SIGNS = (
    ("line", "a way"),
    ("line handler", "when something fails or happens"),
    ("line back", "a way back up"),
    ("post", "goes on at the box of that name"),
    ("last", "the call leaves the flow"),
    ("asks", "waits for the caller's answer"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a picture, drawn from its left upper corner on; without ``parts`` it takes up no room."""

    parts: str = ""
    width: float = 0.0
    height: float = 0.0


def heading(seen: Picture, signs: Collection[str], wanted: float) -> tuple[Block, Block]:
    """Draw the head and the foot of a picture about ``wanted`` wide.

    The legend stands in the head where it has room beside the rest, else in the foot; it explains those ``signs`` of
    `SIGNS` that there are.
    """
    title, everywhere, legend = _title(seen), _everywhere(seen), _legend(seen, signs)
    head = _beside((title, everywhere, legend))
    if head.width <= wanted:
        return head, Block()
    head = _beside((title, everywhere))
    return (head if head.width <= wanted else _below((title, everywhere))), legend


def _beside(blocks: Sequence[Block]) -> Block:
    drawn, x = "", 0.0
    for block in blocks:
        if block.parts:
            drawn += f'<g transform="translate({x:.1f} 0)">{block.parts}</g>'
            x += block.width + GAP
    return Block(drawn, x - GAP, max(block.height for block in blocks))


def _below(blocks: Sequence[Block]) -> Block:
    drawn, y = "", 0.0
    for block in blocks:
        if block.parts:
            drawn += f'<g transform="translate(0 {y:.1f})">{block.parts}</g>'
            y += block.height + GAP / 2
    return Block(drawn, max(block.width for block in blocks), y - GAP / 2)


def _title(seen: Picture) -> Block:
    about = wrapped(seen.about, SMALL, WIDEST, 4)
    size = f"{len(seen.places)} node{'s' * (len(seen.places) != 1)}, revision {seen.revision[:12]}"
    lines = [*about, size]
    parts = f'<text class="title" x="0" y="16">{text(seen.name)}</text>{rows(lines, 0.0, 36.0, "start")}'
    width = max(text_width(seen.name, TITLE, bold=True), *(text_width(line, SMALL) for line in lines))
    return Block(parts, width, 28 + LINE * len(lines))


def _everywhere(seen: Picture) -> Block:
    lines = [row for line in everywhere_lines(seen) for row in wrapped(line, SMALL, WIDEST, 3)]
    if not lines:
        return Block()
    title = "From everywhere"
    width = 20 + max(text_width(title, SMALL, bold=True), *(text_width(line, SMALL) for line in lines))
    height = LINE * (len(lines) + 1) + 14
    parts = (
        f'<g class="everywhere">{rect(Rect(0, 0, width, height), "#fafafa", "#b5b5b5", 4)}'
        f'<text class="small strong" x="10" y="17">{title}</text>{rows(lines, 10.0, 17 + LINE, "start")}</g>'
    )
    return Block(parts, width, height)


def _legend(seen: Picture, signs: Collection[str]) -> Block:
    kinds = list(dict.fromkeys(place.kind for place in seen.places))
    columns = [[_swatch(kind) for kind in kinds[n : n + 3]] for n in range(0, len(kinds), 3)]
    explained = [_sign(look, words) for look, words in SIGNS if look in signs]
    columns += [explained[n : n + 3] for n in range(0, len(explained), 3)]
    parts, x = "", 0.0
    for column in columns:
        for row, (sign, _) in enumerate(column):
            parts += f'<g transform="translate({x:.1f} {row * (LINE + 3):.1f})">{sign}</g>'
        x += max(width for _, width in column) + 18
    height = max(map(len, columns)) * (LINE + 3)
    return Block(f'<g class="legend">{parts}</g>', x - 18, height)


def _swatch(kind: str) -> tuple[str, float]:
    fill, stroke = hue(kind)
    return rect(Rect(0, 2, 18, 12), fill, stroke, 3) + rows([kind], 24, 12, "start"), 24 + text_width(kind, SMALL)


def _sign(look: str, words: str) -> tuple[str, float]:
    if look.startswith("line"):
        sign = f'<path class="{look}" d="M0 8H26" marker-end="url(#arrow)"/>'
    elif look == "post":
        sign = rect(Rect(0, 1, 28, 14), "#ffffff", "#8a8a8a", 7) + rows(["→"], 14, 12)
    else:
        sign = rect(
            Rect(2, 2, 24, 12), "#ffffff", "#555555", 6 if look == "last" else 3, 2.4 if look == "asks" else 1.2
        )
    return sign + rows([words], 34, 12, "start"), 34 + text_width(words, SMALL)
