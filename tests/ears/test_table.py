from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from tests.ears.picture import picture
from tests.ears.scoring import Aside, Hold, Interruption, Turn, Undisturbed
from tests.ears.table import ALL, Scores, ends, falsely, table, together, yields


def scores() -> Scores:
    return Scores(
        undisturbed={
            "car -25": [Undisturbed(300.0, False, 2, 3.0)],
            "car -35": [Undisturbed(300.0, True, 0, 0.0)],
            "tv -25": [Undisturbed(600.0, False, 0, 0.0)],
        },
        interruptions={"clean": [Interruption(0.2), Interruption(0.3), Interruption(None), Interruption(None, True)]},
        asides={"backchannel": [Aside(True, True), Aside(True, False), Aside(False, False), Aside(True, True)]},
        turns={
            "hold 1 s": [
                Turn(0, 0.7, True, (Hold(1.0, False), Hold(0.15, False))),
                Turn(1, None, True, (Hold(1.0, True),)),
                Turn(0, None, False),
            ]
        },
    )


def test_false_stops_are_per_10_minutes_of_what_was_played() -> None:
    found = falsely(together(scores(), "undisturbed", "car *"))
    assert (found.minutes, found.rate, found.pause_rate) == (10.0, 1.0, 2.0)
    assert found.bound == pytest.approx(4.744, abs=0.001)
    assert found.paused_share == pytest.approx(3 / 603)
    assert falsely(together(scores(), "undisturbed", ALL)).rate == 0.5
    assert falsely([]).bound == math.inf
    assert (falsely([]).rate, falsely([]).pause_rate, falsely([]).paused_share) == (0.0, 0.0, 0.0)


def test_interruptions_that_had_nothing_to_interrupt_do_not_count() -> None:
    found = yields(scores().interruptions["clean"])
    assert (found.count, found.yielded, found.early, found.p50, found.p95) == (3, 2, 1, 0.2, 0.3)


def test_ends_of_turns() -> None:
    found = ends(scores().turns["hold 1 s"])
    assert (found.count, found.cut, found.missed, found.holds, found.cut_holds) == (3, 1, 1, 3, 1)
    assert (found.p50, found.p95) == (0.7, 0.7)


def test_a_row_that_nobody_has_is_empty() -> None:
    assert together(scores(), "asides", "vocal tic") == []


def test_the_table() -> None:
    lines = table({"ours": scores(), "none": Scores()}).splitlines()
    figures = {line[:18].strip(): line[18:].split() for line in lines if line}
    assert figures["car *"] == ["1.0", "(<4.7)", "2.0", "0%", "-"]
    assert figures["clean"] == ["2/3", "early", "1", "200", "ms", "/", "300", "ms", "-"]
    assert figures["backchannel"] == ["0.75", "(0.50)", "of", "4", "-"]
    assert figures["hold 1 s"] == ["1/3", "1", "1/3", "700", "ms", "/", "700", "ms", "-"]


def test_a_rate_that_means_nothing_but_often_is_not_spelled_out() -> None:
    text = table({"ours": Scores(undisturbed={"tv -25": [Undisturbed(0.2, True, 0, 0.0)]})})
    assert "tv -25" in text
    assert ">99 (<>99)" in text


def test_the_picture_is_whole_xml_and_says_what_it_shows() -> None:
    drawn = picture({"ours": scores(), "<none>": Scores()}, "seed 1 & more")
    root = ElementTree.fromstring(drawn)  # noqa: S314  # we drew it
    words = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"seed 1 & more", "<none>", "car", "tv", "backchannel", "2000 ms"} <= set(words)
    height = float(root.attrib["height"])
    assert all(
        float(node.attrib["y"]) < height for node in root.iter("{http://www.w3.org/2000/svg}rect") if "y" in node.attrib
    )
