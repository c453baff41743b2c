"""The HTTP beneath the SDKs of language models: connections that outlast a caller's turn, and what their failures mean.

`anthropic` and `openai` share one HTTP library (httpx2), whose pools forget a connection after 5 s: less than a caller
speaks, so nearly every answer would pay for TCP and TLS. Here they are kept for 300 s. An answer that is broken off
closes its connection; another one is then opened at once, by a request that costs nothing. Both SDKs have the same
exceptions under the same names, and neither wraps all that httpx2 raises (anthropic: a connection that drops in the
middle of an answer).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from flowengine.errors import ProviderError

_KEPT = 300.0  # seconds that an idle connection is kept
_MOST, _IDLE = 1000, 200  # connections at once, and idle ones
_CONNECT = 2.0
_SPARES = 4  # that are opened at once
_SPARE = 5.0  # seconds for opening one
_CLOSE = 2.0

# What vendors name the reason of a failure in the body of an error.
_REASONS = {
    "authentication_error": "rejected",
    "permission_error": "rejected",
    "invalid_request_error": "rejected",
    "not_found_error": "rejected",
    "request_too_large": "rejected",
    "billing_error": "rejected",
    "insufficient_quota": "rejected",
    "rate_limit_error": "quota",
    "rate_limit_exceeded": "quota",
    "timeout_error": "timeout",
}

# Of the refusals those that are about the account, and not about what was asked.
_LASTING = frozenset({
    "HTTP 401", "HTTP 402", "HTTP 403", "authentication_error", "permission_error", "billing_error",
    "insufficient_quota",
})  # fmt: skip


class Connections:
    """One vendor's clients: ``client`` by the pool, ``fresh`` past it, by connections that nobody used before.

    ``sdk`` is the vendor's module, ``url`` where it asks, ``made`` makes a client of an HTTP client. What listens on
    plain HTTP is near: it is asked without a proxy.
    """

    def __init__(self, sdk: ModuleType, url: str, made: Callable[[Any], Any]) -> None:
        import httpx2  # imported by the SDK anyway, and as slow as it is

        # Below this level the SDKs log whole requests: what callers said.
        logging.getLogger(sdk.__name__).setLevel(logging.WARNING)
        self._http = httpx2
        self._sdk: Any = sdk
        context = httpx2.create_ssl_context()  # 15 ms: once for both
        mounts: Any = {} if url.startswith("https://") else dict.fromkeys(("http://", "https://", "all://"))
        kept = httpx2.Limits(max_connections=_MOST, max_keepalive_connections=_IDLE, keepalive_expiry=_KEPT)
        once = httpx2.Limits(max_connections=_MOST, max_keepalive_connections=0)
        self.client, self.fresh = (
            made(self._sdk.DefaultAsyncHttpxClient(limits=limits, verify=context, mounts=mounts))
            for limits in (kept, once)
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def timeout(self, read: float) -> Any:
        """Give the SDK's timeouts: behind the deadlines that an answer has of its own, so that nothing hangs."""
        return self._http.Timeout(read, connect=_CONNECT)

    def open_spare(self) -> None:
        """Open a connection for the next answer, by asking for the list of models; a few at once at most."""
        if len(self._tasks) < _SPARES:
            task = asyncio.create_task(self._spare(), name="spare connection")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _spare(self) -> None:
        with suppress(Exception):  # whoever needs the connection opens one and learns what is wrong
            async with asyncio.timeout(_SPARE):
                await self.client.models.list()

    async def aclose(self) -> None:
        """Close every connection, in 2 s at most."""
        for task in self._tasks:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE):
                await asyncio.gather(*self._tasks, self.client.close(), self.fresh.close(), return_exceptions=True)

    def explained(self, name: str, error: Exception) -> tuple[ProviderError, float]:
        """Say what an exception of the SDK or of httpx2 means, and after how many seconds asking again may help."""
        sdk, http = self._sdk, self._http
        kind, pause, again = "garbage", 0.0, True
        detail = type(error.__cause__ or error).__name__  # the SDK's own names say less
        if isinstance(error, sdk.APITimeoutError | http.TimeoutException):
            kind = "timeout"
        elif isinstance(error, sdk.APIConnectionError | http.TransportError):
            kind = "unavailable"
        elif isinstance(error, sdk.APIStatusError) and error.status_code >= 300:
            detail = f"HTTP {error.status_code}"
            kind, again = _status(error.status_code)
            if kind == "quota":
                pause = _seconds(error.response.headers.get("retry-after"))
        elif isinstance(error, sdk.APIError) and not isinstance(error, sdk.APIResponseValidationError):
            kind, again, detail = _reason(error.body)
            pause = math.inf if kind == "quota" else 0.0
        lasting = kind == "rejected" and detail in _LASTING
        return ProviderError(name, kind, retryable=again, detail=detail, lasting=lasting), pause


def _status(status: int) -> tuple[str, bool]:
    if status == 429:
        return "quota", True
    if status in (408, 409) or status >= 500:
        return "unavailable", True
    return "rejected", False


def _seconds(header: str | None) -> float:
    """Read `retry-after`; where nobody says when, asking again at once only makes it worse."""
    try:
        return max(0.0, float(header or ""))
    except ValueError:
        return math.inf


def _reason(body: object) -> tuple[str, bool, str]:
    """Read the error of a response that had begun well."""
    error = body.get("error", body) if isinstance(body, dict) else {}
    names = [error.get(key) for key in ("type", "code")] if isinstance(error, dict) else []
    known = next((name for name in names if isinstance(name, str) and name in _REASONS), "")
    kind = _REASONS.get(known, "unavailable")
    return kind, kind != "rejected", known or "an error in the answer"
