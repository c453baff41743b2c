from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from flowengine.telephony.xml import Element, document


def test_a_document() -> None:
    tree = Element("Response", {}, (Element("A", {"b": "1", "c": None}), Element("D", {}, ("<é>&",))))
    expected = '<?xml version="1.0" encoding="UTF-8"?>\n<Response><A b="1"/><D>&lt;é&gt;&amp;</D></Response>\n'
    assert document(tree) == expected


@given(value=st.text(st.characters()))
def test_any_value_makes_a_document_that_says_the_same(value: str) -> None:
    text = document(Element("A", {"b": value}, (value or "-",)))
    read = ElementTree.fromstring(text.encode())  # noqa: S314  # our own document
    legal = "".join(
        c for c in value if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
    assert read.attrib["b"] == legal
