"""A flow as an SVG picture: one text without scripts, fonts or outside references, light enough to be printed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from flowengine.flow.layout import Page, Rect, Route, Shape, Tie, arrange, ranks
from flowengine.flow.picture import Link, Picture, Place, is_reserved
from flowengine.flow.style import everywhere_lines, hue, joined, text_width, wrapped

MARGIN = 24.0
NAME, SMALL, KIND = 13.0, 11.0, 9.0
LINE = 14.0
TEXT_WIDTH = 176.0
LABEL_WIDTH = 132.0
HUB = 5
"""From how many lines on a place is a hub: lines from afar to it end in a small signpost instead."""
NEAR = 2
"""How many ranks down a line to a hub is still drawn to its end."""
LOOP = 30.0

_START = "\0start"
_END = "\0end"
# What XML 1.0 does not allow, written in any way.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE = (
    "text{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#1a1a1a}"
    ".kind{font-size:9px;letter-spacing:.4px;fill:#555}.name{font-size:13px;font-weight:bold}"
    ".small{font-size:11px;fill:#333}.title{font-size:18px;font-weight:bold}"
    ".line{fill:none;stroke:#666;stroke-width:1.2}.back{stroke:#9a9a9a}.handler{stroke-dasharray:4 3}"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line between two shapes, with what it says; ``link`` is None for the one from the start."""

    source: str
    target: str
    link: Link | None
    words: tuple[str, ...] = ()


def svg(seen: Picture) -> str:
    """Give the picture. Places carry ``data-name``, lines ``data-source`` and ``data-target``."""
    lines, loops = _lines(seen)
    page = arrange(_shapes(seen, lines, loops), [_tie(line) for line in lines])
    head, head_width, head_height = _head(seen)
    width = max(page.width, head_width) + 2 * MARGIN
    height = head_height + page.height + 2 * MARGIN
    body = [
        *(_route(line, route) for line, route in zip(lines, page.routes, strict=True)),
        *_drawn_places(seen, page, loops),
        *_drawn_ends(page),
        *(_label(line.words, route.label) for line, route in zip(lines, page.routes, strict=True) if route.label),
    ]
    about = f"{seen.about} " if seen.about else ""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{_text(seen.name)}</title>',
            f'<desc id="desc">{_text(about)}{len(seen.places)} nodes; begins at {_text(seen.start)}.</desc>',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0.8 7.5 4 0 7.2z" fill="#666"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            *head,
            f'<g transform="translate({MARGIN:g} {head_height + MARGIN:.1f})">',
            *body,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _lines(seen: Picture) -> tuple[list[_Line], dict[str, list[Link]]]:
    """Give the lines between shapes, and the loops of each place."""
    loops: dict[str, list[Link]] = {}
    ways: list[Link] = []
    for link in seen.links:
        if link.target in ("again", link.source):
            loops.setdefault(link.source, []).append(link)
        else:
            ways.append(link)
    incoming = Counter(link.target for link in ways)
    rank = ranks(
        [seen.start, *(place.name for place in seen.places if place.name != seen.start)],
        [(link.source, link.target) for link in ways if not is_reserved(link.target)],
    )
    lines = [_Line(_START, seen.start, None)]
    for link in ways:
        target = _END if link.target == "end" else link.target
        far = not is_reserved(target) and target != _END and not 0 < rank[target] - rank[link.source] <= NEAR
        if target == "back" or (far and incoming[target] >= HUB):
            target = f"\0{link.source}\0{target}"
        lines.append(_Line(link.source, target, link, tuple(wrapped(joined(link.labels), SMALL, LABEL_WIDTH, 3))))
    return lines, loops


def _shapes(seen: Picture, lines: Sequence[_Line], loops: dict[str, list[Link]]) -> list[Shape]:
    shapes = [Shape(_START, 14.0, 14.0)]
    for place in seen.places:
        words = _loop_words(loops[place.name]) if place.name in loops else []
        beside = LOOP + _words_width(words) if place.name in loops else 0.0
        texts = _place_texts(place)
        widths = [text_width(place.name, NAME, bold=True), text_width(place.kind, KIND) + 2 * len(place.kind)]
        width = max(*widths, _words_width(texts)) + 20
        shapes.append(Shape(place.name, max(width, 84.0), 38.0 + LINE * len(texts), beside))
    ends = dict.fromkeys(line.target for line in lines if line.target.startswith("\0"))
    shapes += [Shape(end, text_width(_end_name(end), SMALL) + 22, 22.0) for end in ends]
    return shapes


def _tie(line: _Line) -> Tie:
    if not line.words:
        return Tie(line.source, line.target)
    return Tie(line.source, line.target, _words_width(line.words) + 8, LINE * len(line.words) + 4)


def _end_name(name: str) -> str:
    """Give the words of an end: `end`, `back`, or the hub that a signpost points to."""
    last = name.split("\0")[-1]
    return last if is_reserved(last) else f"→ {last}"


def _place_texts(place: Place) -> list[str]:
    return wrapped(place.text, SMALL, TEXT_WIDTH, 2)


def _words_width(words: Sequence[str]) -> float:
    return max((text_width(line, SMALL) for line in words), default=0.0)


def _loop_words(links: Sequence[Link]) -> list[str]:
    return wrapped(joined([label for link in links for label in link.labels]) or "again", SMALL, LABEL_WIDTH, 3)


def _head(seen: Picture) -> tuple[list[str], float, float]:
    """Draw the title, what the flow is about, and the box of what leads away from everywhere; with its size."""
    parts = [f'<text class="title" x="{MARGIN:g}" y="{MARGIN + 16:g}">{_text(seen.name)}</text>']
    y, width = MARGIN + 22, text_width(seen.name, 18, bold=True)
    about = wrapped(seen.about, SMALL, 520, 3)
    for line in about:
        y += LINE + 1
        parts.append(f'<text class="small" x="{MARGIN:g}" y="{y:g}">{_text(line)}</text>')
    width = max(width, _words_width(about))
    rows = [row for line in everywhere_lines(seen) for row in wrapped(line, SMALL, 520, 3)]
    if rows:
        y += 12
        inner = max(_words_width(rows), text_width("From everywhere", SMALL, bold=True))
        parts.append('<g class="everywhere">')
        parts.append(_rect(Rect(MARGIN, y, inner + 20, (len(rows) + 1) * (LINE + 1) + 10), "#fafafa", "#b5b5b5", 4))
        y += LINE + 3
        parts.append(f'<text class="small" font-weight="bold" x="{MARGIN + 10:g}" y="{y:g}">From everywhere</text>')
        for row in rows:
            y += LINE + 1
            parts.append(f'<text class="small" x="{MARGIN + 10:g}" y="{y:g}">{_text(row)}</text>')
        parts.append("</g>")
        y += 10
        width = max(width, inner + 20)
    return parts, width, y


def _route(line: _Line, route: Route) -> str:
    points = route.points
    path = [f"M{_point(points[0])}"]
    for n in range(0, len(points), 2):
        if n:
            (x, y), (to_x, to_y) = points[n - 1], points[n]
            middle = (y + to_y) / 2
            path.append(f"C{_point((x, middle))} {_point((to_x, middle))} {_point((to_x, to_y))}")
        path.append(f"L{_point(points[n + 1])}")
    look = "line" + (" back" if route.back else "")
    drawn = f'd="{"".join(path)}" marker-end="url(#arrow)"'
    if line.link is None:
        return f'<path class="{look}" {drawn}/>'
    return _link(line.link, f'<path class="{look}{" handler" if line.link.handler else ""}" {drawn}/>')


def _link(link: Link, inner: str) -> str:
    """Wrap the drawing of a line: its ends as attributes, its whole label as the text that a pointer shows."""
    ends = f"data-source={_attribute(link.source)} data-target={_attribute(link.target)}"
    title = ": ".join(part for part in (f"{link.source} → {link.target}", joined(link.labels)) if part)
    return f'<g class="link" {ends}><title>{_text(title)}</title>{inner}</g>'


def _label(words: Sequence[str], rect: Rect) -> str:
    box = (
        f'<rect x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}" '
        'fill="#ffffff" fill-opacity=".92"/>'
    )
    x = rect.x + rect.width / 2
    return f'<g class="label">{box}{_rows(words, x, rect.y + LINE - 1, "middle")}</g>'


def _rows(words: Sequence[str], x: float, y: float, anchor: str) -> str:
    return "".join(
        f'<text class="small" x="{x:.1f}" y="{y + n * LINE:.1f}" text-anchor="{anchor}">{_text(word)}</text>'
        for n, word in enumerate(words)
    )


def _drawn_places(seen: Picture, page: Page, loops: dict[str, list[Link]]) -> list[str]:
    drawn = []
    for place in seen.places:
        rect = page.boxes[place.name]
        fill, stroke = hue(place.kind)
        x, kind = rect.x + rect.width / 2, place.kind.upper()
        corner = 16.0 if place.role == "last" else 5.0
        drawn.append(
            f'<g class="place" data-name={_attribute(place.name)}><title>{_text(place.text or place.name)}</title>'
            + _rect(rect, fill, stroke, corner, 2.0 if place.role == "asks" else 1.2)
            + f'<text class="kind" x="{x:.1f}" y="{rect.y + 14:.1f}" text-anchor="middle">{_text(kind)}</text>'
            + f'<text class="name" x="{x:.1f}" y="{rect.y + 28:.1f}" text-anchor="middle">{_text(place.name)}</text>'
            + _rows(_place_texts(place), x, rect.y + 43, "middle")
            + "</g>"
        )
        if place.name in loops:
            drawn += _drawn_loop(loops[place.name], rect)
    return drawn


def _drawn_loop(links: Sequence[Link], rect: Rect) -> list[str]:
    right, middle = rect.x + rect.width, rect.y + rect.height / 2
    curve = (
        f"M{_point((right, middle - 9))}C{_point((right + 28, middle - 16))} {_point((right + 28, middle + 16))} "
        f"{_point((right, middle + 9))}"
    )
    handler = " handler" if all(link.handler for link in links) else ""
    path = f'<path class="line{handler}" d="{curve}" marker-end="url(#arrow)"/>'
    words = _loop_words(links)
    top = middle - LINE * len(words) / 2
    label = _rows(words, right + 26, top + LINE - 3, "start")
    # One curve for all loops of a place; the others are there for who reads the text.
    return [*(_link(link, path if n == 0 else "") for n, link in enumerate(links)), f'<g class="loop">{label}</g>']


def _drawn_ends(page: Page) -> list[str]:
    drawn = []
    for name, rect in page.boxes.items():
        if name == _START:
            centre = f'cx="{rect.x + 7:.1f}" cy="{rect.y + 7:.1f}"'
            drawn.append(f'<circle class="start" {centre} r="7" fill="#333"><title>start</title></circle>')
        elif name.startswith("\0"):
            words = _rows([_end_name(name)], rect.x + rect.width / 2, rect.y + 15, "middle")
            fill = "#e8e8e8" if name == _END else "#ffffff"
            drawn.append(f'<g class="end">{_rect(rect, fill, "#8a8a8a", 11)}{words}</g>')
    return drawn


def _rect(rect: Rect, fill: str, stroke: str, corner: float, line: float = 1.2) -> str:
    return (
        f'<rect x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}" rx="{corner:g}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
    )


def _point(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
