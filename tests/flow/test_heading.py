from __future__ import annotations

from flowengine.flow.heading import SIGNS, heading
from flowengine.flow.picture import Everywhere, Picture, Place

SEEN = Picture(
    "small",
    "0123456789abcdef",
    "About <it>.",
    "a",
    (Place("a", "menu", "", "asks"), Place("b", "odd", "", "last")),
    (),
    (),
    (Everywhere("b", "", ("key *", "key 9")), Everywhere("", "louder", ("“louder”",))),
)


def test_it_says_what_the_picture_is_and_what_leads_away_from_everywhere() -> None:
    head, _ = heading(SEEN, (), 2000.0)
    for words in (
        "small",
        "About &lt;it&gt;.",
        "2 nodes, revision 0123456789ab",
        "keys *, 9 → b",
        "“louder” speaks louder",
    ):
        assert f">{words}</text>" in head.parts


def test_the_legend_explains_what_there_is() -> None:
    head, _ = heading(SEEN, {"line", "last"}, 2000.0)
    assert [look for look, words in SIGNS if f">{words}</text>" in head.parts] == ["line", "last"]
    assert ">menu</text>" in head.parts
    assert ">odd</text>" in head.parts


def test_what_has_no_room_beside_the_rest_stands_below_it_or_in_the_foot() -> None:
    signs = {look for look, _ in SIGNS}
    wide, nothing = heading(SEEN, signs, 2000.0)
    assert (nothing.parts, nothing.height) == ("", 0.0)
    head, foot = heading(SEEN, signs, wide.width - 1)
    assert head.height == wide.height
    assert 'class="legend"' in foot.parts
    narrow, _ = heading(SEEN, signs, 10.0)
    assert narrow.width < head.width
    assert narrow.height > head.height


def test_without_commands_there_is_no_box_for_them() -> None:
    bare = Picture("small", "", "", "a", SEEN.places, (), (), ())
    assert "everywhere" not in heading(bare, (), 2000.0)[0].parts
