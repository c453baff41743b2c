"""A flow as an SVG picture: one text without scripts, fonts or outside references, light enough to be printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowengine.flow import pen
from flowengine.flow.heading import heading
from flowengine.flow.layout import Page, Rect, Route, Shape, Tie, arrange
from flowengine.flow.picture import Link, Picture, Place
from flowengine.flow.signpost import Plan, plan
from flowengine.flow.style import END, KIND, LINE, MARGIN, NAME, SMALL, hue, joined, post_name, text_width, wrapped

TEXT_WIDTH = 176.0
LABEL_WIDTH = 132.0
WIDEST_SWEEP = 420.0
"""How far a line leads sideways before it ends in a signpost instead."""
LOOP = 30.0
NARROWEST = 620.0
"""How wide a picture may become for what stands in its head."""
POST = 16.0
"""How much wider a signpost is than its words."""

_START = "\0start"
_STYLE = (
    "text{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif;fill:#1a1a1a}"
    ".kind{font-size:9px;letter-spacing:.4px;font-weight:bold;fill:#444}.name{font-size:13px;font-weight:bold}"
    ".small{font-size:11px;fill:#333}.strong{font-weight:bold}.title{font-size:18px;font-weight:bold}"
    ".detail{font-size:11px;font-style:italic;fill:#333}"
    ".line{fill:none;stroke:#555;stroke-width:1.2}.back{stroke:#8a8a8a}.handler{stroke-dasharray:4 3}"
)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with what it says; ``link`` is None for the one from the start, ``post``: it ends in a signpost."""

    source: str
    target: str
    link: Link | None
    words: tuple[str, ...] = ()
    post: bool = False

    @property
    def tie(self) -> Tie:
        """The line for the layout, with the room of its label or its signpost."""
        if self.post:
            width = max(_words_width(self.words), text_width(post_name(self.target), SMALL, bold=True)) + POST
            return Tie(self.source, "", width, LINE * (len(self.words) + 1) + 6)
        if not self.words:
            return Tie(self.source, self.target)
        return Tie(self.source, self.target, _words_width(self.words) + 8, LINE * len(self.words) + 4)


def svg(seen: Picture) -> str:
    """Give the picture. Places carry ``data-name``, lines ``data-source`` and ``data-target``."""
    planned = plan(seen, _widths(seen))
    lines, page = _laid_out(seen, planned)
    # The first line is that of the start, those of the plan follow in their order, then the signposts.
    shorter = planned.within([_sweep(route) for route in page.routes[1 : len(planned.lines) + 1]], WIDEST_SWEEP)
    if shorter != planned:
        planned = shorter
        lines, page = _laid_out(seen, planned)
    head, foot = heading(seen, _signs(seen, planned, page), max(page.width, NARROWEST))
    width = max(page.width, head.width, foot.width) + 2 * MARGIN
    top = head.height + 2 * MARGIN
    bottom = top + page.height + MARGIN
    height = bottom + (foot.height + MARGIN if foot.parts else 0.0)
    left = (width - page.width) / 2
    kinds = {place.name: place.kind for place in seen.places}
    body = [
        *(_route(line, route) for line, route in zip(lines, page.routes, strict=True)),
        _drawn_start(page.boxes[_START]),
        *_drawn_places(seen, page, planned),
        *(_sign(line, route, kinds) for line, route in zip(lines, page.routes, strict=True)),
    ]
    about = f"{seen.about} " if seen.about else ""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{pen.text(seen.name)}</title>',
            f'<desc id="desc">{pen.text(about)}{len(seen.places)} nodes; begins at {pen.text(seen.start)}.</desc>',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto" markerUnits="userSpaceOnUse"><path d="M0 0.8 7.5 4 0 7.2z" fill="#555"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            f'<g class="head" transform="translate({MARGIN:g} {MARGIN:g})">{head.parts}</g>',
            f'<g class="flow" transform="translate({left:.1f} {top:.1f})">',
            *body,
            "</g>",
            f'<g class="foot" transform="translate({MARGIN:g} {bottom:.1f})">{foot.parts}</g>',
            "</svg>",
            "",
        ]
    )


def _laid_out(seen: Picture, planned: Plan) -> tuple[list[_Line], Page]:
    lines = [_Line(_START, seen.start, None), *_lines(planned.lines, post=False), *_lines(planned.posts, post=True)]
    rank = {_START: 0, **{name: row + 1 for name, row in planned.rank.items()}}
    return lines, arrange(_shapes(seen, planned), [line.tie for line in lines], rank)


def _signs(seen: Picture, planned: Plan, page: Page) -> set[str]:
    """Give which of the legend's signs there are."""
    signs = {"line", *(place.role for place in seen.places)}
    signs |= {"line handler"} if any(link.handler for link in seen.links) else set()
    signs |= {"line back"} if any(route.back for route in page.routes) else set()
    return signs | ({"post"} if planned.posts else set())


def _sweep(route: Route) -> float:
    """Give how far a line leads sideways."""
    across = [x for x, _ in route.points]
    return max(across) - min(across)


def _lines(links: Iterable[Link], *, post: bool) -> list[_Line]:
    return [_Line(link.source, link.target, link, _label_words(link.labels), post) for link in links]


def _label_words(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(wrapped(joined(labels), SMALL, LABEL_WIDTH, 3))


def _widths(seen: Picture) -> dict[str, float]:
    """Give about how much room each place takes up in its row: its own, or that of what hangs below it."""
    below: dict[str, float] = {}
    for link in seen.links:
        words = (*_label_words(link.labels), f"→ {link.target}")
        below[link.source] = below.get(link.source, 0.0) + _words_width(words) + POST
    return {place.name: max(_place_width(place), below.get(place.name, 0.0)) + 26 for place in seen.places}


def _shapes(seen: Picture, planned: Plan) -> list[Shape]:
    shapes = [Shape(_START, 14.0, 14.0)]
    for place in seen.places:
        loops = planned.loops.get(place.name)
        beside = LOOP + _words_width(_loop_words(loops)) if loops else 0.0
        shapes.append(Shape(place.name, _place_width(place), _place_height(place), beside))
    return shapes


def _place_width(place: Place) -> float:
    kind = text_width(place.kind.upper(), KIND, bold=True) + 0.4 * len(place.kind)
    widths = [text_width(place.name, NAME, bold=True), kind, _words_width(_place_texts(place))]
    return max(*widths, _words_width(_details(place)), 90.0) + 20


def _place_height(place: Place) -> float:
    return 38.0 + LINE * (len(_details(place)) + len(_place_texts(place)))


def _place_texts(place: Place) -> list[str]:
    return wrapped(place.words or place.text, SMALL, TEXT_WIDTH, 2)


def _details(place: Place) -> list[str]:
    return wrapped(place.detail, SMALL, TEXT_WIDTH, 1)


def _words_width(words: Sequence[str]) -> float:
    return max((text_width(line, SMALL) for line in words), default=0.0)


def _loop_words(links: Sequence[Link]) -> list[str]:
    return wrapped(joined([label for link in links for label in link.labels]) or "again", SMALL, LABEL_WIDTH, 3)


def _route(line: _Line, route: Route) -> str:
    points = route.points
    path = [f"M{pen.point(points[0])}"]
    for n in range(0, len(points), 2):
        if n:
            (x, y), (to_x, to_y) = points[n - 1], points[n]
            middle = (y + to_y) / 2
            path.append(f"C{pen.point((x, middle))} {pen.point((to_x, middle))} {pen.point((to_x, to_y))}")
        path.append(f"L{pen.point(points[n + 1])}")
    look = "line" + (" back" if route.back else "")
    drawn = f'd="{"".join(path)}" marker-end="url(#arrow)"'
    if line.link is None:
        return f'<path class="{look}" {drawn}/>'
    return _link(line.link, f'<path class="{look}{" handler" if line.link.handler else ""}" {drawn}/>')


def _link(link: Link, inner: str) -> str:
    """Wrap the drawing of a line: its ends as attributes, its whole label as the text that a pointer shows."""
    return f'<g class="link" {_ends(link)}><title>{pen.text(_whole(link))}</title>{inner}</g>'


def _ends(link: Link) -> str:
    return f"data-source={pen.attribute(link.source)} data-target={pen.attribute(link.target)}"


def _whole(link: Link) -> str:
    return ": ".join(part for part in (f"{link.source} → {link.target}", joined(link.labels)) if part)


def _sign(line: _Line, route: Route, kinds: Mapping[str, str]) -> str:
    """Draw a line's label, or the signpost in which it ends: in the colours of the place to which it points."""
    if route.label is None or line.link is None:
        return ""
    rect = route.label
    x, y = rect.x + rect.width / 2, rect.y + LINE - 1
    if not line.post:
        box = (
            f'<rect x="{rect.x:.1f}" y="{rect.y:.1f}" width="{rect.width:.1f}" height="{rect.height:.1f}" '
            'fill="#ffffff" fill-opacity=".92"/>'
        )
        return f'<g class="label">{box}{pen.rows(line.words, x, y)}</g>'
    fill, stroke = hue(kinds[line.target]) if line.target in kinds else END
    name = pen.rows([post_name(line.target)], x, y + LINE * len(line.words) + 2, look="small strong")
    box = pen.rect(rect, fill, stroke, 10)
    title = f"<title>{pen.text(_whole(line.link))}</title>"
    return f'<g class="post" {_ends(line.link)}>{title}{box}{pen.rows(line.words, x, y + 1)}{name}</g>'


def _drawn_start(rect: Rect) -> str:
    centre = f'cx="{rect.x + 7:.1f}" cy="{rect.y + 7:.1f}"'
    return f'<circle class="start" {centre} r="7" fill="#333"><title>start</title></circle>'


def _drawn_places(seen: Picture, page: Page, planned: Plan) -> list[str]:
    drawn = []
    came: dict[str, list[str]] = {}
    for link in seen.links:
        came.setdefault(link.target, []).append(link.source)
    for one in seen.everywhere:
        came.setdefault(one.target, []).append(f"everywhere ({joined(one.labels)})")
    for place in seen.places:
        rect = page.boxes[place.name]
        drawn.append(_drawn_place(place, rect, came.get(place.name, ())))
        if place.name in planned.loops:
            drawn += _drawn_loop(planned.loops[place.name], rect)
    return drawn


def _drawn_place(place: Place, rect: Rect, came: Sequence[str]) -> str:
    fill, stroke = hue(place.kind)
    x, details = rect.x + rect.width / 2, _details(place)
    corner = 18.0 if place.role == "last" else 5.0
    kind = (
        f'<text class="kind" x="{x:.1f}" y="{rect.y + 14:.1f}" text-anchor="middle">'
        f"{pen.text(place.kind.upper())}</text>"
    )
    return (
        f'<g class="place" data-name={pen.attribute(place.name)}><title>{pen.text(_tooltip(place, came))}</title>'
        + pen.rect(rect, fill, stroke, corner, 2.4 if place.role == "asks" else 1.2)
        + kind
        + pen.rows([place.name], x, rect.y + 28, look="name")
        + pen.rows(details, x, rect.y + 42, look="detail")
        + pen.rows(_place_texts(place), x, rect.y + 43 + LINE * len(details))
        + "</g>"
    )


def _tooltip(place: Place, came: Sequence[str]) -> str:
    """Give all that is known of a place, for a pointer that rests on it."""
    where = f"{place.file}:{place.line}" if place.file else ""
    sources = ", ".join(dict.fromkeys(came))
    rows = [
        f"{place.name} ({place.kind})",
        place.detail,
        place.words or place.text,
        place.about,
        f"tags: {', '.join(place.tags)}" if place.tags else "",
        f"from: {sources}" if sources else "",
        where,
    ]
    return "\n".join(row for row in rows if row)


def _drawn_loop(links: Sequence[Link], rect: Rect) -> list[str]:
    right, middle = rect.x + rect.width, rect.y + rect.height / 2
    curve = (
        f"M{pen.point((right, middle - 9))}C{pen.point((right + 28, middle - 16))} "
        f"{pen.point((right + 28, middle + 16))} {pen.point((right, middle + 9))}"
    )
    handler = " handler" if all(link.handler for link in links) else ""
    path = f'<path class="line{handler}" d="{curve}" marker-end="url(#arrow)"/>'
    words = _loop_words(links)
    top = middle - LINE * len(words) / 2
    label = pen.rows(words, right + 26, top + LINE - 3, "start")
    # One curve for all loops of a place; the others are there for who reads the text.
    return [*(_link(link, path if n == 0 else "") for n, link in enumerate(links)), f'<g class="loop">{label}</g>']
