"""Draws a flow: as Mermaid or DOT for other tools, as JSON for programs, as SVG for people. Text in, text out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

from flowengine.flow.caption import shortened
from flowengine.flow.model import Flow
from flowengine.flow.picture import WORDS, Link, Picture, Place, picture
from flowengine.flow.signpost import plan
from flowengine.flow.style import END, everywhere_lines, hue, joined, post_name
from flowengine.flow.svg import svg

Form = Literal["mermaid", "dot", "json", "svg"]

_MERMAID_SHAPES = {"asks": ("[", "]"), "last": ("([", "])"), "plain": ("[", "]")}
_DOT_LOOKS = {"asks": "penwidth=2.4", "last": "peripheries=2", "plain": "penwidth=1"}


def draw(flow: Flow, form: Form) -> str:
    """Give the drawing of a flow, with a line feed at its end; the same flow gives the same text.

    Places are the nodes, lines the transitions of the machine that calls run on (those with the same two ends are one
    line) and, dashed, what the nodes' handlers do. Where many lines lead to one place, or a line would lead far, it
    ends in a signpost with that place's name. Keys and events that lead away from everywhere stand in a box.
    """
    seen = picture(flow)
    forms = {"mermaid": _mermaid, "dot": _dot, "json": _json, "svg": svg}
    return forms[form](seen)


def _json(seen: Picture) -> str:
    """Give a picture as data; later versions only add fields.

    `nodes` are `Place`s, `transitions` `Transition`s (`kind` is `goto`, `option` or, for handlers and `resume`,
    `event`; `target` may be `again`, `back` or `end`), `everywhere` what leads away from every node: `labels` with a
    `target`, or with what they `do` where that is empty.
    """
    value = {
        "flow": seen.name,
        "revision": seen.revision,
        "about": seen.about,
        "start": seen.start,
        "nodes": [asdict(place) for place in seen.places],
        "transitions": [asdict(way) for way in seen.transitions],
        "everywhere": [asdict(one) for one in seen.everywhere],
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class _Names:
    """Short names for places and ends: those of an author may be words of the drawing's language.

    ``ends`` are those of lines that lead to no place, or not as far as that: a signpost for each source and target.
    """

    def __init__(self, seen: Picture) -> None:
        self._names = {place.name: f"n{n}" for n, place in enumerate(seen.places)}
        self._posts = frozenset(plan(seen, dict.fromkeys(self._names, 0.0)).posts)
        self.ends: dict[str, str] = {}

    def target(self, link: Link) -> str:
        """Give the name of a line's end; `again` is the source."""
        if link not in self._posts:
            return self._names[link.source if link.target == "again" else link.target]
        name = f"to_{self._names.get(link.target, link.target)}_from_{self._names[link.source]}"
        self.ends[name] = link.target
        return name

    def source(self, name: str) -> str:
        """Give the name of a place."""
        return self._names[name]


def _mermaid(seen: Picture) -> str:
    names = _Names(seen)
    lines = ["flowchart TD", "  start((start))"]
    for place in seen.places:
        left, right = _MERMAID_SHAPES[place.role]
        text = "<br/>".join(_mermaid_text(part) for part in _place_lines(place))
        lines.append(f'  {names.source(place.name)}{left}"{text}"{right}')
    lines.append(f"  start --> {names.source(seen.start)}")
    for link in seen.links:
        arrow = "-.->" if link.handler else "-->"
        label = _mermaid_text(_label(link.target, link.labels))
        lines.append(
            f"  {names.source(link.source)} {arrow}" + (f'|"{label}"|' if label else "") + f" {names.target(link)}"
        )
    lines += [f'  {name}(["{post_name(target)}"])' for name, target in names.ends.items()]
    if seen.everywhere:
        text = "<br/>".join(_mermaid_text(line) for line in ("From everywhere", *everywhere_lines(seen)))
        lines.append(f'  everywhere["{text}"]')
    return "\n".join([*lines, *_mermaid_classes(seen, names)]) + "\n"


def _mermaid_classes(seen: Picture, names: _Names) -> Iterator[str]:
    """Colour places, and the signposts that point to them, by kind. Classes have numbers: a kind may be any word."""
    members: dict[str, list[str]] = defaultdict(list)
    kinds = {place.name: place.kind for place in seen.places}
    for place in seen.places:
        members[place.kind].append(names.source(place.name))
    for name, target in names.ends.items():
        if target in kinds:
            members[kinds[target]].append(name)
    for number, (kind, those) in enumerate(members.items()):
        fill, stroke = hue(kind)
        yield f"  classDef kind{number} fill:{fill},stroke:{stroke},color:#1a1a1a"
        yield f"  class {','.join(those)} kind{number}"
    asking = [names.source(place.name) for place in seen.places if place.role == "asks"]
    if asking:
        yield "  classDef asks stroke-width:3px"
        yield f"  class {','.join(asking)} asks"


def _mermaid_text(text: str) -> str:
    # Mermaid reads HTML and Markdown inside quotes; its own escape is a number between # and ;.
    return "".join(c if c.isalnum() or c in " .,:!?…'{}()/+-_=→×“”" else f"#{ord(c)};" for c in text)


def _dot(seen: Picture) -> str:
    names = _Names(seen)
    lines = [
        f"digraph {_quoted(seen.name)} {{",
        '  node [shape=box, fontname="Helvetica", fontsize=11, style="filled,rounded"];',
        '  edge [fontname="Helvetica", fontsize=10, color="#555555"];',
        '  start [shape=circle, label="", width=0.2, fillcolor="#333333"];',
    ]
    kinds = {place.name: place.kind for place in seen.places}
    for place in seen.places:
        fill, stroke = hue(place.kind)
        look = f'{_DOT_LOOKS[place.role]}, fillcolor="{fill}", color="{stroke}"'
        label = _quoted("\n".join(_place_lines(place)))
        lines.append(f"  {names.source(place.name)} [label={label}, {look}];")
    lines.append(f"  start -> {names.source(seen.start)};")
    for link in seen.links:
        style = ", style=dashed" if link.handler else ""
        label = _quoted(_label(link.target, link.labels))
        lines.append(f"  {names.source(link.source)} -> {names.target(link)} [label={label}{style}];")
    for name, target in names.ends.items():
        fill, stroke = hue(kinds[target]) if target in kinds else END
        look = f'height=0.2, margin="0.1,0.03", fillcolor="{fill}", color="{stroke}"'
        lines.append(f"  {name} [label={_quoted(post_name(target))}, {look}];")
    if seen.everywhere:
        text = _quoted("\n".join(("From everywhere", *everywhere_lines(seen))))
        lines.append(f'  everywhere [shape=note, style=filled, fillcolor="#ffffff", label={text}];')
    return "\n".join([*lines, "}"]) + "\n"


def _place_lines(place: Place) -> list[str]:
    kind = f"{place.kind}: {place.detail}" if place.detail else place.kind
    return [line for line in (place.name, shortened(kind, WORDS), place.text) if line]


def _label(target: str, labels: tuple[str, ...]) -> str:
    words = joined(labels)
    return words if target != "again" else f"again: {words}" if words else "again"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
