"""Comparing signatures, and the parts of addresses that carriers sign."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from typing import Literal
from urllib.parse import SplitResult, urlsplit


def base64_hmac(algorithm: Literal["sha1", "sha256"], secret: str, text: str) -> str:
    """Return base64(HMAC(secret, text)) of their UTF-8 bytes."""
    digest = hmac.digest(secret.encode(), text.encode(errors="surrogatepass"), algorithm)
    return base64.b64encode(digest).decode()


def matches(given: str, candidates: Iterable[str]) -> bool:
    """Whether ``given`` is one of ``candidates``; each comparison takes constant time and all are made."""
    wanted = given.strip().encode(errors="surrogatepass")
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(wanted, candidate.encode())
    return found


def split(url: str) -> SplitResult | None:
    """Split an address; None when it is not one, so that verifying never raises."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises when the port is no number
    except ValueError:
        return None
    return parts
