"""Self-contained tokens: what a stream or a continue request may do, signed, so that any process can take it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LIFETIME = 60.0
Entropy = Callable[[int], bytes]
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class StreamToken:
    """The right to open one stream of one call, once, until ``expires`` (seconds since 1970)."""

    call: str
    carrier: str
    revision: str
    args: Mapping[str, Any]
    expires: float
    nonce: str


class Signer:
    """Signs and checks with one secret; ``entropy`` gives random bytes."""

    def __init__(self, secret: bytes, entropy: Entropy = secrets.token_bytes) -> None:
        self._secret = secret
        self._entropy = entropy

    def stream_token(self, call: str, carrier: str, revision: str, args: Mapping[str, Any], now: float) -> str:
        """Make a token for a stream's path."""
        payload = {
            "c": call,
            "k": carrier,
            "r": revision,
            "a": dict(args),
            "e": round(now + LIFETIME, 3),
            "n": base64.urlsafe_b64encode(self._entropy(12)).decode(),
        }
        body = base64.urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).rstrip(b"=").decode()
        return f"{body}.{self._mac('stream', body)}"

    def read_stream_token(self, text: str, carrier: str, now: float) -> StreamToken | None:
        """Give what a token says; None when it is forged, of another carrier, or too old."""
        body, _, mac = text.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac("stream", body).encode()):
            return None
        payload = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        token = StreamToken(payload["c"], payload["k"], payload["r"], payload["a"], float(payload["e"]), payload["n"])
        return token if token.carrier == carrier and now <= token.expires else None

    def call_address(self, call: str) -> str:
        """Give the signed call id of a continue address: ``id.hmac``."""
        return f"{call}.{self._mac('call', call)}"

    def read_call_address(self, text: str) -> str | None:
        """Give the call id of a continue address; None when it is forged."""
        call, _, mac = text.partition(".")
        return call if hmac.compare_digest(mac.encode(), self._mac("call", call).encode()) else None

    def _mac(self, purpose: str, text: str) -> str:
        digest = hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:18]).decode()


def new_id(now: float | None = None, entropy: Entropy = secrets.token_bytes) -> str:
    """Give a ULID: 48 bits of milliseconds and 80 random bits, in Crockford's base 32 (github.com/ulid/spec)."""
    milliseconds = int((time.time() if now is None else now) * 1000)
    number = (milliseconds << 80) | int.from_bytes(entropy(10))
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
