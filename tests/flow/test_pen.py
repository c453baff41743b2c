from __future__ import annotations

from flowengine.flow import pen
from flowengine.flow.layout import Rect


def test_words_are_escaped_and_what_xml_forbids_is_replaced() -> None:
    assert pen.text("a<b>&\0\ud800\ufffe") == "a&lt;b&gt;&amp;\ufffd\ufffd\ufffd"
    assert pen.attribute("\"'<\x07") == '"&quot;\'&lt;\ufffd"'


def test_rows_stand_below_each_other() -> None:
    assert pen.rows(["a", "&"], 1, 2.25, "start", "name") == (
        '<text class="name" x="1.0" y="2.2" text-anchor="start">a</text>'
        '<text class="name" x="1.0" y="16.2" text-anchor="start">&amp;</text>'
    )


def test_a_rectangle_and_a_point() -> None:
    drawn = pen.rect(Rect(1, 2, 3, 4), "#fff", "#000", 5)
    assert (
        drawn == '<rect x="1.0" y="2.0" width="3.0" height="4.0" rx="5" fill="#fff" stroke="#000" stroke-width="1.2"/>'
    )
    assert pen.point((1.26, 2)) == "1.3 2.0"
