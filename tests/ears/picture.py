"""The scores as a picture: SVG 1.1, written by hand, that shows on any page and reaches out for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from tests.ears.table import ALL, Scores, ends, falsely, rows, together, yields

WIDTH = 960
COLOURS = ("#2166ac", "#d6604d", "#999999", "#5aae61", "#9970ab")

_LEFT, _RIGHT = 170, 30
_ROW = 15
_INK = "#333333"
_SHOWN = 30.0  # stops per 10 minutes at the end of the scale
_SECONDS = 2.0  # of the scale of delays


def picture(systems: Mapping[str, Scores], title: str) -> str:
    """Draw false stops by noise, onsets to silence and ends of turns as distributions, and selectivity."""
    pieces: list[str] = [_text(_LEFT, 28, title, size=16)]
    for number, name in enumerate(systems):
        x = _LEFT + number * 120
        pieces.append(f'<rect x="{x}" y="40" width="12" height="12" fill="{_colour(number)}"/>')
        pieces.append(_text(x + 18, 50, name))
    y = 80
    for panel in (_false_stops, _delays, _selectivity):
        drawn, height = panel(systems, y)
        pieces += drawn
        y += height + 36
    body = "\n".join(pieces)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
        f' font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _false_stops(systems: Mapping[str, Scores], top: int) -> tuple[list[str], int]:
    names = list(dict.fromkeys(name.rpartition(" ")[0] + " *" for name in rows(systems, "undisturbed")))
    pieces = [_text(_LEFT, top, "False stops per 10 min of prompt; the thin line ends at the 95 % bound", size=13)]
    y = top + 14
    pieces += _axis(y, y + _ROW * (len(names) + 1), _SHOWN, 5, "")
    for row in (ALL, *names):
        pieces.append(_text(_LEFT - 8, y + 11, row.removesuffix(" *"), anchor="end"))
        for number, scores in enumerate(systems.values()):
            found = falsely(together(scores, "undisturbed", row))
            height = (_ROW - 2) / len(systems)
            at = y + number * height
            if found.minutes:
                wide = _scaled(found.rate, _SHOWN)
                middle = at + height / 2
                colour = _colour(number)
                pieces.append(_line(_LEFT, middle, _LEFT + _scaled(found.bound, _SHOWN), middle, colour))
                pieces.append(_bar(_LEFT, at, wide, height, colour))
        y += _ROW
    return pieces, y - top + 16


def _delays(systems: Mapping[str, Scores], top: int) -> tuple[list[str], int]:
    """Draw how many interruptions stopped the prompt, and how many turns were answered, by a time."""
    pieces: list[str] = []
    y = top
    for title, values in (
        ("Interruptions that had silenced the prompt, by ms after the caller's onset", _yield_values),
        ("Turns that had been answered, by ms after the caller's end (those cut into, never)", _end_values),
    ):
        pieces.append(_text(_LEFT, y, title, size=13))
        pieces += _axis(y + 10, y + 100, _SECONDS * 1000, 4, " ms")
        for number, scores in enumerate(systems.values()):
            latencies, count = values(scores)
            pieces.append(_steps(latencies, count, y + 10, 90, _colour(number)))
        pieces.append(_text(_LEFT - 8, y + 18, "100 %", anchor="end"))
        pieces.append(_text(_LEFT - 8, y + 100, "0 %", anchor="end"))
        y += 140
    return pieces, y - top - 24


def _yield_values(scores: Scores) -> tuple[list[float], int]:
    found = [one for one in together(scores, "interruptions", ALL) if not one.early]
    return [one.latency for one in found if one.latency is not None], yields(found).count


def _end_values(scores: Scores) -> tuple[list[float], int]:
    found = together(scores, "turns", ALL)
    return [one.latency for one in found if one.latency is not None], ends(found).count


def _selectivity(systems: Mapping[str, Scores], top: int) -> tuple[list[str], int]:
    pieces = [_text(_LEFT, top, "Share that did not cut the prompt; pale: but paused it for 200 ms", size=13)]
    y = top + 14
    names = rows(systems, "asides")
    pieces += _axis(y, y + _ROW * 2 * len(names), 1.0, 4, "")
    for row in names:
        pieces.append(_text(_LEFT - 8, y + 11, row, anchor="end"))
        for number, scores in enumerate(systems.values()):
            found = together(scores, "asides", row)
            height = (_ROW * 2 - 4) / len(systems)
            at = y + number * height
            for share, opacity in ((sum(one.kept for one in found), 0.4), (sum(one.unbroken for one in found), 1.0)):
                wide = _scaled(share / len(found), 1.0) if found else 0.0
                pieces.append(_bar(_LEFT, at, wide, height, _colour(number), opacity))
        y += _ROW * 2
    return pieces, y - top + 16


def _steps(latencies: Sequence[float], count: int, top: float, height: float, colour: str) -> str:
    """Draw a cumulative distribution; what never happened keeps it below the top."""
    points: list[tuple[float, float]] = [(_LEFT, top + height)]
    for number, latency in enumerate(sorted(latencies)):
        x = round(_LEFT + _scaled(latency, _SECONDS), 1)
        points.append((x, points[-1][1]))
        points.append((x, round(top + height * (1 - (number + 1) / count), 1)))
    points.append((WIDTH - _RIGHT, points[-1][1]))
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _axis(top: float, bottom: float, end: float, parts: int, unit: str) -> list[str]:
    pieces = []
    for number in range(parts + 1):
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * number / parts
        pieces.append(_line(x, top, x, bottom, "#dddddd"))
        pieces.append(_text(x, bottom + 14, f"{end * number / parts:g}{unit}", anchor="middle", size=10))
    return pieces


def _scaled(value: float, end: float) -> float:
    return min(1.0, value / end) * (WIDTH - _LEFT - _RIGHT)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _bar(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0) -> str:
    pale = "" if opacity == 1.0 else f' fill-opacity="{opacity:g}"'
    return f'<rect x="{x:g}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"{pale}/>'


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, words: str, *, size: int = 11, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{_INK}" text-anchor="{anchor}">{escape(words)}</text>'
    )
