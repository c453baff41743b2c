from __future__ import annotations

import base64

import pytest

from flowengine.telephony.signature import base64_hmac, matches, split


def test_base64_hmac() -> None:
    # RFC 4231, test case 2
    digest = bytes.fromhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    assert base64_hmac("sha256", "Jefe", "what do ya want for nothing?") == base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("given", "candidates", "expected"),
    [("a", ["b", "a"], True), (" a ", ["a"], True), ("a", ["b"], False), ("a", [], False), ("\udcff", ["a"], False)],
)
def test_matches(given: str, candidates: list[str], expected: bool) -> None:
    assert matches(given, candidates) is expected


@pytest.mark.parametrize("url", ["https://[x", "https://a.example:port/", "https://a.example:99999/"])
def test_what_is_no_address(url: str) -> None:
    assert split(url) is None
