"""Pieces of SVG that all parts of a picture are made of: escaped texts, rows of words, rectangles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from flowengine.flow.layout import Rect
from flowengine.flow.style import LINE

# What XML 1.0 does not allow, written in any way.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(words: str) -> str:
    """Escape words; what XML forbids becomes the sign for an unknown letter."""
    return escape(_FORBIDDEN.sub("\ufffd", words))


def attribute(words: str) -> str:
    """Give words as the quoted value of an attribute."""
    return quoteattr(_FORBIDDEN.sub("\ufffd", words))


def rows(lines: Sequence[str], x: float, y: float, anchor: str = "middle", look: str = "small") -> str:
    """Draw lines of text below each other; ``y`` is the foot of the first one."""
    return "".join(
        f'<text class="{look}" x="{x:.1f}" y="{y + n * LINE:.1f}" text-anchor="{anchor}">{text(line)}</text>'
        for n, line in enumerate(lines)
    )


def rect(place: Rect, fill: str, stroke: str, corner: float, line: float = 1.2) -> str:
    """Draw a rectangle with round corners."""
    return (
        f'<rect x="{place.x:.1f}" y="{place.y:.1f}" width="{place.width:.1f}" height="{place.height:.1f}" '
        f'rx="{corner:g}" fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"/>'
    )


def point(place: tuple[float, float]) -> str:
    """Give the coordinates of a point in a path."""
    return f"{place[0]:.1f} {place[1]:.1f}"
