from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET  # our own output
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowengine import plugins
from flowengine.flow.folder import Folder
from flowengine.flow.layout import Rect
from flowengine.flow.loader import load
from flowengine.flow.model import Flow
from flowengine.flow.picture import Everywhere, Link, Picture, Place, Transition
from flowengine.flow.picture import picture as picture_of
from flowengine.flow.style import KIND, NAME, SMALL, TITLE, text_width
from flowengine.flow.svg import svg

HERE = Path(__file__).parent
SHIPPED = sorted(path for path in (HERE.parents[1] / "flows").glob("*.yaml") if not path.stem.endswith(".test"))
FLOWS = [*SHIPPED, *sorted(path for path in (HERE / "flows").glob("*.yaml") if not path.stem.endswith(".test"))]
SIZES = {
    "kind": (KIND, True),
    "name": (NAME, True),
    "title": (TITLE, True),
    "small strong": (SMALL, True),
    "small": (SMALL, False),
    "detail": (SMALL, False),
}
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
        (Everywhere(names[0], "", ("key *", "error")), Everywhere("", "repeat", ("key #",))),
    )


def loaded(path: Path) -> Flow:
    """Load a flow with the flows beside it."""
    folder = Folder(
        lambda: [file.as_posix() for file in sorted(path.parent.glob("*.yaml"))],
        lambda file: Path(file).read_bytes() if Path(file).is_file() else None,
        plugins.node_types(),
    )
    flow = load(path.as_posix(), path.read_bytes(), plugins.node_types(), folder).flow
    assert flow is not None
    return flow


@pytest.fixture(params=[1, 2, 10, 40, *FLOWS], ids=lambda one: f"{one} nodes" if isinstance(one, int) else one.stem)
def root(request: pytest.FixtureRequest) -> ET.Element:
    """Give the picture of a flow with so many nodes, or of one of our flows."""
    picture = seen(request.param) if isinstance(request.param, int) else picture_of(loaded(request.param))
    return ET.fromstring(svg(picture))  # noqa: S314  # our own output


def groups(root: ET.Element, kind: str) -> list[ET.Element]:
    return [group for group in root.iter(f"{SVG}g") if group.get("class") == kind]


def rect_of(group: ET.Element) -> Rect:
    rect = group.find(f"{SVG}rect")
    assert rect is not None
    return Rect(*(float(rect.get(key, "nan")) for key in ("x", "y", "width", "height")))


def rects(root: ET.Element, *kinds: str) -> list[Rect]:
    return [rect_of(group) for kind in kinds for group in groups(root, kind)]


def words_of(group: ET.Element) -> list[Rect]:
    """Give the room that each text of a group takes up."""
    found = []
    for text in group.iter(f"{SVG}text"):
        size, bold = SIZES[text.get("class", "")]
        width = text_width(text.text or "", size, bold=bold)
        x, y = float(text.get("x", "nan")), float(text.get("y", "nan"))
        left = x - width / 2 if text.get("text-anchor") == "middle" else x
        found.append(Rect(left, y - size * 0.8, width, size))
    return found


def ends_of(group: ET.Element) -> tuple[tuple[float, float], tuple[float, float]]:
    path = group.find(f"{SVG}path")
    assert path is not None
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


def touches(rect: Rect, point: tuple[float, float]) -> bool:
    """Say whether a point is on the edge of a rectangle, as exactly as numbers are written."""
    x, y = point
    inside = rect.x - 0.11 <= x <= rect.x + rect.width + 0.11 and rect.y - 0.11 <= y <= rect.y + rect.height + 0.11
    edges = (abs(x - rect.x), abs(x - rect.x - rect.width), abs(y - rect.y), abs(y - rect.y - rect.height))
    return inside and min(edges) <= 0.11


def same_ends(one: ET.Element, two: ET.Element) -> bool:
    return all(one.get(key) == two.get(key) for key in ("data-source", "data-target"))


def test_no_two_boxes_overlap(root: ET.Element) -> None:
    boxes = rects(root, "place", "post")
    assert boxes
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].overlaps(pair[1])]


def test_no_label_lies_on_a_box_or_on_a_label(root: ET.Element) -> None:
    boxes, labels = rects(root, "place", "post"), rects(root, "label")
    labels += [words for loop in groups(root, "loop") for words in words_of(loop)]
    assert not [pair for pair in itertools.product(labels, boxes) if pair[0].overlaps(pair[1])]
    assert not [pair for pair in itertools.combinations(labels, 2) if pair[0].overlaps(pair[1])]


def test_words_are_inside_their_boxes(root: ET.Element) -> None:
    for group in (*groups(root, "place"), *groups(root, "post"), *groups(root, "label"), *groups(root, "everywhere")):
        box = rect_of(group)
        for words in words_of(group):
            assert box.x <= words.x
            assert words.x + words.width <= box.x + box.width
            assert box.y <= words.y
            assert words.y + words.height <= box.y + box.height + 1


def test_lines_lead_from_box_to_box_or_to_their_signpost(root: ET.Element) -> None:
    boxes = {str(place.get("data-name")): rect_of(place) for place in groups(root, "place")}
    posts = groups(root, "post")
    for link in groups(root, "link"):
        source, target = str(link.get("data-source")), str(link.get("data-target"))
        if link.find(f"{SVG}path") is None:
            assert target in ("again", source)
            continue
        start, end = ends_of(link)
        assert touches(boxes[source], start)
        aims = [rect_of(post) for post in posts if same_ends(post, link)]
        aims += [box for name, box in boxes.items() if name == (source if target == "again" else target)]
        assert any(touches(aim, end) for aim in aims), (source, target)


def test_every_way_is_there(root: ET.Element, request: pytest.FixtureRequest) -> None:
    one = request.node.callspec.params["root"]
    picture = seen(one) if isinstance(one, int) else picture_of(loaded(one))
    drawn = Counter((link.get("data-source"), link.get("data-target")) for link in groups(root, "link"))
    assert drawn == Counter((link.source, link.target) for link in picture.links)
    assert [place.get("data-name") for place in groups(root, "place")] == [place.name for place in picture.places]


def test_everything_is_on_the_page(root: ET.Element) -> None:
    width, height = float(root.get("width", "nan")), float(root.get("height", "nan"))
    assert root.get("viewBox") == f"0 0 {width:.0f} {height:.0f}"

    def visit(element: ET.Element, left: float, top: float) -> Iterator[Rect]:
        move = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", "translate(0 0)"))
        assert move is not None
        left, top = left + float(move[1]), top + float(move[2])
        found = words_of(element) if element.tag == f"{SVG}text" else []
        if element.tag == f"{SVG}rect":
            found = [Rect(*(float(element.get(key, "0")) for key in ("x", "y", "width", "height")))]
        yield from (Rect(rect.x + left, rect.y + top, rect.width, rect.height) for rect in found)
        for inner in element:
            yield from visit(inner, left, top)

    for rect in visit(root, 0.0, 0.0):
        assert 0 <= rect.x <= width - rect.width
        assert 0 <= rect.y <= height - rect.height


def test_it_needs_nothing_from_elsewhere(root: ET.Element) -> None:
    names = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert names <= {"svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text", "circle"}
    assert not [key for element in root.iter() for key in element.attrib if "href" in key or key.startswith("on")]


def test_a_pointer_is_told_all_of_a_place() -> None:
    root = ET.fromstring(svg(picture_of(loaded(HERE / "flows/bank.yaml"))))  # noqa: S314  # our own output
    place = next(place for place in groups(root, "place") if place.get("data-name") == "pager")
    title = str(place.findtext(f"{SVG}title")).splitlines()
    assert title[:3] == ["pager (press)", "w1ww{phone}#", "Tells the people of the night shift."]
    assert title[3] == "from: leave"
    assert re.fullmatch(r".*flows/bank\.yaml:\d+", title[4])
    main = next(place for place in groups(root, "place") if place.get("data-name") == "main")
    assert "everywhere (key #, “main menu”)" in str(main.findtext(f"{SVG}title"))


def test_it_says_what_it_is() -> None:
    root = ET.fromstring(svg(seen(10)))  # noqa: S314  # our own output
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "many"
    assert "10 nodes; begins at node_0" in str(root.findtext(f"{SVG}desc"))


def test_what_xml_forbids_is_replaced() -> None:
    picture = Picture('a\0b\ud800<&"', "r", "", "n", (Place("n", "x'\">", "\x07", "last"),), (), (), ())
    root = ET.fromstring(svg(picture))  # noqa: S314  # our own output
    assert root.findtext(f"{SVG}title") == 'a\ufffdb\ufffd<&"'
