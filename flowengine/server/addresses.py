"""The server's public addresses, computed from `public_url` and never from what a request says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicAddresses:
    """``base`` is http(s)://host[:port][/path] without a slash at its end."""

    base: str

    def request(self, path: str, query: str) -> str:
        """Give the address of a request as the carrier used it."""
        return f"{self.base}{path}" + (f"?{query}" if query else "")

    def upgrade(self, path: str, query: str) -> str:
        """Give the address of a WebSocket upgrade as the carrier used it."""
        return self._socket(self.request(path, query))

    def stream(self, carrier: str, token: str) -> str:
        """Give the address of a media stream."""
        return self._socket(f"{self.base}/stream/{carrier}/{token}")

    def go_on(self, carrier: str, signed_call: str) -> str:
        """Give the address that is asked after a stream."""
        return f"{self.base}/continue/{carrier}/{signed_call}"

    def status(self, carrier: str) -> str:
        """Give the address of status callbacks."""
        return f"{self.base}/status/{carrier}"

    @staticmethod
    def _socket(url: str) -> str:
        return "ws" + url.removeprefix("http")
