"""The look of drawings that all forms share: colours by kind, joined labels, the width of text."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable
from functools import lru_cache

from flowengine.flow.picture import Picture, is_reserved

MARGIN = 24.0
NAME, SMALL, KIND, TITLE = 13.0, 11.0, 9.0, 18.0
"""Sizes of fonts in pictures."""
LINE = 14.0
"""The distance of two lines of text."""
STEP = ("#ffffff", "#8a8a8a")
END = ("#e8e8e8", "#555555")
"""The colours of a signpost to `end` and `back`."""
_HUES = (
    ("#e3effc", "#4a7fb5"),
    ("#e5f4e3", "#5a9a52"),
    ("#fdf0d9", "#c08a2e"),
    ("#efe6f8", "#8561ad"),
    ("#fbe4e6", "#b85c68"),
    ("#dff3f2", "#3f9590"),
    ("#f1efdf", "#8a8350"),
    ("#fde8d8", "#c2703a"),
    ("#e9e9fb", "#5f62b8"),
    ("#f9e2f2", "#b5578f"),
    ("#eaf6d9", "#7d9a34"),
    ("#dbeff0", "#3a8a9a"),
    ("#f6ead9", "#9a6b3f"),
    ("#e6ecf0", "#5c7480"),
    ("#fff3c9", "#a88a1a"),
    ("#e8f5ee", "#3f8f68"),
)
# With it no two kinds of ours have the same colour (a test holds that).
_SALT = 146358
# Widths in thousandths of the font size: those of a wide sans-serif (DejaVu Sans), so that narrower ones fit as well.
_WIDTHS = {
    width: set(letters)
    for width, letters in {
        300: "'IJijl",
        350: " ,./:;\\|",
        400: "()-[]ft",
        450: "!r",
        500: '"*_`',
        550: "?csz",
        600: "FLkvxy",
        700: "ABCKRVXZ",
        750: "NU",
        800: "&DGHOQ",
        850: "#+<=>^w~",
        900: "M",
        1000: "@Wm%",
    }.items()
}
_WIDTH = {letter: width for width, letters in _WIDTHS.items() for letter in letters}
_USUAL = 650
_FOREIGN = 850
_FULL = 1050
_KEYS = re.compile(r"key [0-9*#A-D]+( or [0-9*#A-D]+)*")
_DOES = {"repeat": "says it again", "louder": "speaks louder", "slower": "speaks slower"}
_BOLD = 1.16


def hue(kind: str) -> tuple[str, str]:
    """Give the fill and the line colour of a kind, also of one that nobody has thought of: always the same one."""
    return STEP if kind == "step" else _HUES[zlib.crc32(f"{_SALT}{kind}".encode()) % len(_HUES)]


def joined(labels: Iterable[str]) -> str:
    """Give several labels of one line as one; words that they all begin with are said once."""
    labels = list(labels)
    keys = [label.removeprefix("key ") for label in labels if _KEYS.fullmatch(label)]
    if len(keys) > 1:
        return ", ".join([f"keys {', '.join(keys)}", *(label for label in labels if not _KEYS.fullmatch(label))])
    return ", ".join(labels)


def post_name(target: str) -> str:
    """Give what stands on a signpost: `end` and `back`, or the place to which it points."""
    return target if is_reserved(target) else f"→ {target}"


def everywhere_lines(seen: Picture) -> list[str]:
    """Give the lines of the box that says what leads away from everywhere."""
    return [
        f"{joined(one.labels)} {f'→ {one.target}' if one.target else _DOES.get(one.do, one.do)}"
        for one in seen.everywhere
    ]


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Give the width that a text takes up at most, in the unit of the font's size."""
    return sum(map(_letter, text)) * size / 1000 * (_BOLD if bold else 1.0)


@lru_cache(maxsize=4096)
def _letter(letter: str) -> int:
    if letter < "\x7f":
        return _WIDTH.get(letter, _USUAL)
    if unicodedata.combining(letter):
        return 0
    return _FULL if unicodedata.east_asian_width(letter) in "WF" else _FOREIGN


def wrapped(text: str, size: float, width: float, lines: int) -> list[str]:
    """Break a text into at most ``lines`` lines of at most ``width``; what is too much becomes an ellipsis."""
    found: list[str] = []
    rest = text.split()
    while rest and len(found) < lines:
        line = rest.pop(0)
        while rest and text_width(f"{line} {rest[0]}", size) <= width:
            line += f" {rest.pop(0)}"
        if rest and len(found) == lines - 1:
            line += " …"
        found.append(_cut(line, size, width))
    return found


def _cut(line: str, size: float, width: float) -> str:
    if text_width(line, size) <= width:
        return line
    line = line.removesuffix(" …")
    while line and text_width(f"{line}…", size) > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
