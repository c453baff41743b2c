"""Draws a flow: as Mermaid or DOT for other tools, as JSON for programs, as SVG for people. Text in, text out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

from flowengine.flow.caption import shortened
from flowengine.flow.model import Flow
from flowengine.flow.picture import WORDS, Picture, Place, is_reserved, picture
from flowengine.flow.style import everywhere_lines, hue, joined
from flowengine.flow.svg import svg

Form = Literal["mermaid", "dot", "json", "svg"]

_MERMAID_SHAPES = {"asks": ("[/", "/]"), "last": ("([", "])"), "plain": ("[", "]")}
_DOT_SHAPES = {"asks": "parallelogram", "last": "ellipse", "plain": "box"}


def draw(flow: Flow, form: Form) -> str:
    """Give the drawing of a flow, with a line feed at its end; the same flow gives the same text.

    Places are the nodes, lines the transitions of the machine that calls run on (those with the same two ends are one
    line) and, dashed, what the nodes' handlers do. Keys and events that lead away from everywhere stand in a box.
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
    """Short names for places and ends: those of an author may be words of the drawing's language."""

    def __init__(self, seen: Picture) -> None:
        self._names = {place.name: f"n{n}" for n, place in enumerate(seen.places)}
        self.ends: dict[str, str] = {}

    def target(self, source: str, target: str) -> str:
        """Give the name of a line's end; `back` has an end of its own at each source, `again` is the source."""
        if not is_reserved(target):
            return self._names[target]
        if target == "again":
            return self._names[source]
        name = f"{target}_{self._names[source]}" if target == "back" else f"the_{target}"
        self.ends[name] = target
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
        target = names.target(link.source, link.target)
        lines.append(f"  {names.source(link.source)} {arrow}" + (f'|"{label}"|' if label else "") + f" {target}")
    lines += [f'  {name}(("{target}"))' for name, target in names.ends.items()]
    if seen.everywhere:
        text = "<br/>".join(_mermaid_text(line) for line in ("From everywhere", *everywhere_lines(seen)))
        lines.append(f'  everywhere["{text}"]')
    for kind in dict.fromkeys(place.kind for place in seen.places):
        fill, stroke = hue(kind)
        number = hue_class(kind, seen.places)
        members = ",".join(names.source(place.name) for place in seen.places if place.kind == kind)
        lines.append(f"  classDef {number} fill:{fill},stroke:{stroke},color:#1a1a1a")
        lines.append(f"  class {members} {number}")
    return "\n".join(lines) + "\n"


def hue_class(kind: str, places: Sequence[Place]) -> str:
    """Give the class of a kind: numbered, for a kind may be called like a word of Mermaid."""
    kinds = list(dict.fromkeys(place.kind for place in places))
    return f"kind{kinds.index(kind)}"


def _mermaid_text(text: str) -> str:
    # Mermaid reads HTML and Markdown inside quotes; its own escape is a number between # and ;.
    return "".join(c if c.isalnum() or c in " .,:!?…'{}()/+-_=→×“”" else f"#{ord(c)};" for c in text)


def _dot(seen: Picture) -> str:
    names = _Names(seen)
    lines = [
        f"digraph {_quoted(seen.name)} {{",
        '  node [fontname="Helvetica", fontsize=11, style="filled,rounded"];',
        '  edge [fontname="Helvetica", fontsize=10, color="#555555"];',
        '  start [shape=circle, label="", width=0.2, fillcolor="#333333"];',
    ]
    for place in seen.places:
        fill, stroke = hue(place.kind)
        look = f'shape={_DOT_SHAPES[place.role]}, fillcolor="{fill}", color="{stroke}"'
        label = _quoted("\n".join(_place_lines(place)))
        lines.append(f"  {names.source(place.name)} [label={label}, {look}];")
    lines.append(f"  start -> {names.source(seen.start)};")
    for link in seen.links:
        style = ", style=dashed" if link.handler else ""
        label = _quoted(_label(link.target, link.labels))
        target = names.target(link.source, link.target)
        lines.append(f"  {names.source(link.source)} -> {target} [label={label}{style}];")
    lines += [f"  {name} [shape=circle, label={_quoted(target)}];" for name, target in names.ends.items()]
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
