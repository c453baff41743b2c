from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET  # our own output

import pytest

from flowengine.flow.layout import Rect
from flowengine.flow.picture import Link, Picture, Place, Transition
from flowengine.flow.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
WORDS = "Please tell me in a few words what this call is about and who"


def seen(count: int) -> Picture:
    """Give a picture with many lines: to the next, far down, back up, to itself, to hubs and to the ends."""
    names = [f"node_{n}" for n in range(count)]
    pairs = [
        *((n, n + 1) for n in range(count - 1)),
        *((n, (n * 7 + 3) % count) for n in range(count)),
        *((n, 1 % count) for n in range(0, count, 3)),
    ]
    ways = [Transition(names[a], names[b], f"o{a}", f"key {b} if something_{a} holds", "goto") for a, b in pairs]
    ways += [Transition(names[n], end, "x", f"to {end}", "goto") for n in (0, count - 1) for end in ("back", "end")]
    ways += [Transition(names[0], "again", "x", "", "goto")]
    labels: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        labels.setdefault((way.source, way.target), []).append(way.label)
    return Picture(
        "many",
        "rev",
        WORDS,
        names[0],
        tuple(Place(name, ("step", "menu", "odd")[n % 3], WORDS * (n % 2), "plain") for n, name in enumerate(names)),
        tuple(ways),
        tuple(Link(*ends, tuple(words), handler=len(words) > 1) for ends, words in labels.items()),
        ((names[0], ("key *", "error")),),
    )


def rects(root: ET.Element, kind: str) -> list[Rect]:
    boxes = []
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == kind:
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            boxes.append(Rect(*(float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))))
    return boxes


@pytest.fixture(params=[1, 2, 10, 40], ids=lambda count: f"{count} nodes")
def root(request: pytest.FixtureRequest) -> ET.Element:
    """Give the picture of a flow with so many nodes."""
    return ET.fromstring(svg(seen(request.param)))  # noqa: S314  # our own output


def test_no_two_boxes_overlap(root: ET.Element) -> None:
    boxes = rects(root, "place") + rects(root, "end")
    assert boxes
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_no_label_lies_on_a_box_or_on_a_label(root: ET.Element) -> None:
    boxes, labels = rects(root, "place") + rects(root, "end"), rects(root, "label")
    assert labels
    assert not [pair for pair in itertools.product(labels, boxes) if pair[0].overlaps(pair[1])]
    assert not [pair for pair in itertools.combinations(labels, 2) if pair[0].overlaps(pair[1])]


def test_everything_is_on_the_page(root: ET.Element) -> None:
    width, height = float(root.get("width", "nan")), float(root.get("height", "nan"))
    move = next(group.get("transform", "") for group in root.iter(f"{SVG}g") if group.get("transform"))
    left, top = map(float, re.findall(r"[\d.]+", move))
    for box in rects(root, "place") + rects(root, "end") + rects(root, "label"):
        assert 0 <= box.x + left <= width - box.width
        assert 0 <= box.y + top <= height - box.height


def test_it_says_what_it_is(root: ET.Element) -> None:
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "many"
    assert "nodes; begins at node_0" in str(root.findtext(f"{SVG}desc"))


def test_what_xml_forbids_is_replaced() -> None:
    picture = Picture('a\0b\ud800<&"', "r", "", "n", (Place("n", "x'\">", "\x07", "last"),), (), (), ())
    root = ET.fromstring(svg(picture))  # noqa: S314  # our own output
    assert root.findtext(f"{SVG}title") == 'a\ufffdb\ufffd<&"'
