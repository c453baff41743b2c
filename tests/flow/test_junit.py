"""JUnit XML: what is counted, escaped, and left out."""

from __future__ import annotations

from xml.etree import ElementTree

from flowengine.flow.junit import JunitCase, document


def test_cases_are_counted_by_suite_and_in_all() -> None:
    cases = [
        JunitCase("good", 3, seconds=0.25),
        JunitCase("bad & <ugly>\x1b", 9, ("no", "failed", "a < b\ud800"), "said"),
    ]
    root = ElementTree.fromstring(document('all "of" it', [("a&b.yaml", cases), ("empty.yaml", [])]))  # noqa: S314
    assert dict(root.attrib) == {"name": 'all "of" it', "tests": "2", "failures": "1", "errors": "0"}
    first, second = root
    assert first.attrib == {"name": "a&b.yaml", "tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    assert second.attrib["tests"] == "0"
    good, bad = first
    assert good.attrib == {
        "name": "good",
        "classname": "a&b.yaml",
        "file": "a&b.yaml",
        "line": "3",
        "time": "0.250000",
    }
    assert not list(good)
    assert bad.attrib["name"] == "bad & <ugly>\ufffd"
    failure, output = bad
    assert (failure.attrib, failure.text) == ({"message": "no", "type": "failed"}, "a < b\ufffd")
    assert output.text == "said"
