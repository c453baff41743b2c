"""The server's public addresses: from the settings, never from what a request says of itself."""

from __future__ import annotations

import pytest

from flowengine.server.addresses import PublicAddresses

BASES = [
    # public address, of requests, of sockets
    ("https://voice.example.com", "https://voice.example.com", "wss://voice.example.com"),
    ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "ws://127.0.0.1:8080"),
    ("https://example.com/phone", "https://example.com/phone", "wss://example.com/phone"),
    ("http://[::1]:8080", "http://[::1]:8080", "ws://[::1]:8080"),
]


@pytest.mark.parametrize(("base", "http", "ws"), BASES)
def test_every_address_has_the_public_base(base: str, http: str, ws: str) -> None:
    addresses = PublicAddresses(base)
    assert addresses.stream("twilio", "a.b") == f"{ws}/stream/twilio/a.b"
    assert addresses.go_on("vobiz", "id.mac") == f"{http}/continue/vobiz/id.mac"
    assert addresses.status("vobiz") == f"{http}/status/vobiz"
    assert addresses.request("/answer/twilio", "") == f"{http}/answer/twilio"
    assert addresses.request("/answer/twilio", "a=1&b=%20") == f"{http}/answer/twilio?a=1&b=%20"
    assert addresses.upgrade("/stream/twilio", "key=x") == f"{ws}/stream/twilio?key=x"
