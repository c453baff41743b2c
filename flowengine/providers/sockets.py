"""What providers with sockets share: their addresses, one TLS context, bounded openings and closings, failures."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from flowengine.errors import EnvironmentProblem, ProviderError

LARGEST = 1 << 20
"""Bytes of a message: ten times the largest that vendors send."""

_HTTP = re.compile(r"https?://[^\s/?#]+[^\s#]*")
_EITHER = re.compile(r"(https?|wss?)://[^\s/?#@]+(/[^\s?#]*)?")
# At its debugging level the library writes headers, which hold keys, and frames, which hold what callers say.
_QUIET = logging.getLogger("flowengine.sockets")
_QUIET.setLevel(logging.WARNING)


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Give the process's TLS context: making one takes 15 ms of the event loop, so no socket makes its own."""
    return ssl.create_default_context()


def websocket_address(setting: str, url: str) -> str:
    """Give a base address as ``ws://`` or ``wss://``, without a slash at its end.

    Raises ``EnvironmentProblem`` with the name of the ``setting`` for what is no http, https, ws or wss address.
    """
    return re.sub("^http", "ws", _address(setting, url, _EITHER).rstrip("/"))


def http_address(setting: str, url: str) -> str:
    """Give an address as it is; as ``websocket_address``, for what is no http or https address."""
    return _address(setting, url, _HTTP)


def _address(setting: str, url: str, form: re.Pattern[str]) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is none
        host = (parts.hostname or "").encode("idna")
    except ValueError:  # of which a UnicodeError is one; who connects would not say a ProviderError
        host = b""
    if not host or not form.fullmatch(url):
        raise EnvironmentProblem(f"{setting} must be the address of a server: https://example.com")
    return url


def options(url: str, *, ping_every: float, ping_within: float) -> dict[str, Any]:
    """Give what our sockets have in common as arguments of ``websockets.connect``; times in seconds.

    Without a deadline for the handshake: who opens one has a deadline around it.
    """
    common: dict[str, Any] = {
        "compression": None,
        "proxy": None,
        "max_size": LARGEST,
        "open_timeout": None,
        "close_timeout": 1.0,
        "ping_interval": ping_every,
        "ping_timeout": ping_within,
        "logger": _QUIET,
    }
    return {**common, "ssl": tls()} if url.startswith("wss:") else common


async def opened(
    provider: str, url: str, headers: dict[str, str], *, within: float, ping_every: float, ping_within: float
) -> ClientConnection:
    """Open a socket in ``within`` seconds; raises ``ProviderError``."""
    try:
        async with asyncio.timeout(within):
            shared = options(url, ping_every=ping_every, ping_within=ping_within)
            return await connect(url, additional_headers=headers, **shared)
    except (OSError, WebSocketException, EOFError) as error:
        raise failure(provider, error) from None


async def closed(socket: ClientConnection) -> None:
    """Close a socket, in 1.5 s at most, whatever the other side does."""
    try:
        with suppress(TimeoutError, OSError, WebSocketException):
            async with asyncio.timeout(1.5):
                await socket.close()
    finally:
        socket.transport.abort()


def failure(provider: str, error: Exception) -> ProviderError:
    """Say what an error of a socket or of its handshake means; nothing of what was sent or answered is in it."""
    if isinstance(error, TimeoutError):
        return ProviderError(provider, "timeout", retryable=True, detail="no connection in time")
    if isinstance(error, InvalidStatus):
        return refusal(provider, error.response.status_code)
    if isinstance(error, ConnectionClosed):
        return _closing(provider, error)
    if isinstance(error, InvalidHandshake | EOFError):
        return ProviderError(provider, "garbage", retryable=True, detail=type(error).__name__)
    return ProviderError(provider, "unavailable", retryable=True, detail=type(error).__name__)


def refusal(provider: str, status: int) -> ProviderError:
    """Say what an HTTP status means, of a handshake or in a message."""
    detail = f"HTTP {status}"
    if status == 429:  # too much at once
        return ProviderError(provider, "quota", retryable=True, detail=detail)
    if status == 402:  # no credit left
        return ProviderError(provider, "quota", retryable=False, detail=detail, lasting=True)
    if status == 408:
        return ProviderError(provider, "timeout", retryable=True, detail=detail)
    if 400 <= status < 500:
        return ProviderError(provider, "rejected", retryable=False, detail=detail, lasting=status in (401, 403))
    return ProviderError(provider, "unavailable", retryable=True, detail=detail)


def _closing(provider: str, error: ConnectionClosed) -> ProviderError:
    code = error.rcvd.code if error.rcvd is not None else None
    if code == 1008:  # what we sent is against their rules: it will be the next time, too
        return ProviderError(provider, "rejected", retryable=False, detail="closed with 1008")
    detail = "the connection was lost" if code is None else f"closed with {code}"
    return ProviderError(provider, "unavailable", retryable=True, detail=detail)
