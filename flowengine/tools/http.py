"""HTTP tools: one pool of connections for the process, to the hosts that the settings allow.

httpx reads addresses, httpcore (which httpx stands on) speaks the protocol: it lets us connect, so that the address
that was judged is the one that is connected to, whatever the name resolves to a moment later, while TLS and `Host`
still go by the name. No cookies, no proxies, no netrc: nothing of one call is in the request of another.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import httpcore
import httpx
import msgspec

from flowengine.call.ports import ANSWER, ToolRequest
from flowengine.errors import ToolError
from flowengine.tools.hosts import Hosts

CONNECTIONS = 100  # at once; who wants one more waits, as long as the tool may take
IDLE_CONNECTIONS = 20
IDLE = 30.0  # seconds
CONNECT_WITHIN = 3.0  # seconds, for each address
REDIRECTS = 3
PORTS = {"http": 80, "https": 443}
SAFE = ("GET", "HEAD")
# What frames a message or names its host is ours.
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"})
# What the caller's line measures and money are is a number; a date is ISO 8601.
_encoder = msgspec.json.Encoder(decimal_format="number")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class HttpTools:
    """Implements the port ``ToolRunner`` for `http`."""

    def __init__(self, hosts: Hosts, trust: ssl.SSLContext | None = None, resolve: Resolve | None = None) -> None:
        """``trust`` says which certificates are believed (by default those of the package certifi).

        ``resolve`` gives the addresses of a host and port; by default the system's resolver.
        """
        self._resolve = resolve or _addresses
        self._hosts = hosts
        self._trust = trust
        self._pool: httpcore.AsyncConnectionPool | None = None

    async def start(self) -> None:
        """Make the pool: reading the certificates takes a moment that no caller should wait for."""
        self._ready()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.aclose()

    def _ready(self) -> httpcore.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=self._trust or httpx.create_ssl_context(trust_env=False),
                max_connections=CONNECTIONS,
                max_keepalive_connections=IDLE_CONNECTIONS,
                keepalive_expiry=IDLE,
                network_backend=_Guarded(self._hosts, self._resolve),
            )
        return self._pool

    async def run(self, request: ToolRequest) -> Any:
        """Make the request; raises ``ToolError``: `http.STATUS` for every answer but success."""
        sent = request.sent
        method = str(sent["method"])
        headers, body = _headers(request, method), None
        if sent.get("body") is not None:
            body = _json(sent["body"])
            headers.setdefault("content-type", b"application/json")
        url = _with_query(_address(str(sent["url"])), sent.get("query") or {})
        for _ in range(REDIRECTS + 1):
            self._judge(url)
            try:
                status, answer, location = await self._exchange(method, url, headers, body)
            except httpcore.TimeoutException:
                raise ToolError("timeout", "no connection in time") from None
            except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
                raise ToolError("error", f"{type(error).__module__}.{type(error).__qualname__}") from None
            if not location:
                return answer
            url = _redirected(url, location, status)
            if status in (301, 302, 303) and method not in SAFE:
                # As every browser does it; RFC 9110 (15.4) allows it for a POST and demands it for a 303.
                method, body = "GET", None
                headers.pop("content-type", None)
        raise ToolError("error", f"more than {REDIRECTS} redirects")

    def _judge(self, url: httpx.URL) -> None:
        """Raise ``ToolError`` for an address that may not be asked."""
        if url.scheme not in PORTS or not url.host:
            raise ToolError("error", "the address is neither http nor https")
        if not 0 < _port(url) < 65536:
            raise ToolError("error", "the address is none")
        if url.userinfo:
            raise ToolError("error", "the address has a user or a password in it; use a header")
        if not self._hosts.allows(_host(url), _port(url)):
            # Not which: a host that is not known before a call may be made of what the caller said.
            raise ToolError("error", "tools.hosts does not name the host")

    async def _exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, bytes], body: bytes | None
    ) -> tuple[int, Any, str]:
        """Give the status, the answer, and where a redirect leads; raises ``ToolError`` for a refusal."""
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._ready().stream(
            method,
            target,
            headers=[(name.encode("ascii", "replace"), value) for name, value in headers.items()],
            content=body,
            extensions={"timeout": {"connect": CONNECT_WITHIN}},
        ) as response:
            told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            status = response.status
            location = told.get("location", "") if status in (301, 302, 303, 307, 308) else ""
            if location:
                return status, None, location
            if not 200 <= status < 300:
                raise ToolError(f"http.{status}")
            if method == "HEAD" or status in (204, 205):
                return status, None, ""
            return status, _read(await _body(response, told), told.get("content-type", "")), ""


class _Guarded(httpcore.AsyncNetworkBackend):
    """Resolves by itself, and connects to nothing but an address that it has judged."""

    def __init__(self, hosts: Hosts, resolve: Resolve) -> None:
        self._hosts = hosts
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the host that may be reached, and can be."""
        failure: Exception = ToolError("error", f"{host} has only private addresses, which tools.hosts does not name")
        for address in await self._resolved(host, port, timeout):
            if not self._hosts.connects(host, address, port):
                continue
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _resolved(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            async with asyncio.timeout(timeout):
                return await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise ToolError("error", f"{host} can not be resolved") from None

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """No tool reaches a socket of this machine."""
        raise ToolError("error", "sockets of the machine are not reached")

    async def sleep(self, seconds: float) -> None:
        """Wait, between attempts of the pool (which makes none)."""
        await asyncio.sleep(seconds)


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _address(text: str) -> httpx.URL:
    try:
        return httpx.URL(text).copy_with(fragment=None)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise ToolError("error", "the address is none") from None


def host_of(address: str) -> tuple[str, int] | None:
    """Give the host and port that a request to this address goes to; None where it is no address of HTTP."""
    try:
        url = _address(address)
    except ToolError:
        return None
    return (_host(url), _port(url)) if url.scheme in PORTS and url.host else None


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").removeprefix("[").removesuffix("]")


def _port(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


def _redirected(url: httpx.URL, location: str, status: int) -> httpx.URL:
    """Give where a redirect leads, on the same host and never away from TLS; raises ``ToolError`` else."""
    try:
        target = url.join(location).copy_with(fragment=None)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise ToolError(f"http.{status}", "a redirect to no address") from None
    if target.host != url.host or target.scheme not in (url.scheme, "https"):
        raise ToolError(f"http.{status}", "a redirect to another host, or away from TLS, is not followed")
    return target


def _with_query(url: httpx.URL, query: Mapping[str, Any]) -> httpx.URL:
    """Add to an address what follows its `?`: a list gives its name several times, null leaves it out."""
    pairs = [
        (name, _word(one))
        for name, value in query.items()
        for one in (value if isinstance(value, list | tuple) else [value])
        if one is not None
    ]
    if not pairs:
        return url
    given = url.query.decode("ascii")
    return url.copy_with(query=(given + "&" * bool(given) + urlencode(pairs)).encode("ascii"))


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    # As in JSON: true, 12.5, 2026-11-26.
    return _json(value).decode().strip('"')


def _json(value: Any) -> bytes:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise ToolError("error", "what is to be sent is no JSON") from None


def _headers(request: ToolRequest, method: str) -> dict[str, bytes]:
    headers = {
        "user-agent": b"flowengine",
        "accept": b"application/json, */*;q=0.5",
        "accept-encoding": b"gzip",
    }
    if method not in SAFE:
        headers["idempotency-key"] = request.key.encode()
    for name, value in (request.sent.get("headers") or {}).items():
        if name.lower() in OURS:
            raise ToolError("error", f"the header {name} is not the flow's to set")
        headers[name.lower()] = str(value).encode()
    return headers


async def _body(response: httpcore.Response, told: Mapping[str, str]) -> bytes:
    """Read an answer of at most ``ANSWER`` bytes, before and after it is unpacked; raises ``ToolError``."""
    length = told.get("content-length", "")
    if length.isdigit() and int(length) > ANSWER:
        raise _too_long()
    read = bytearray()
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) > ANSWER:
            raise _too_long()
    packed = told.get("content-encoding", "identity").strip().lower()
    if packed in ("identity", ""):
        return bytes(read)
    if packed not in ("gzip", "x-gzip"):
        raise ToolError("error", "the answer is packed in a way that was not asked for")
    unpacking = zlib.decompressobj(wbits=31)
    try:
        plain = unpacking.decompress(read, ANSWER + 1)
    except zlib.error:
        raise ToolError("error", "the answer can not be unpacked") from None
    if len(plain) > ANSWER:
        raise _too_long()
    if not unpacking.eof:
        raise ToolError("error", "the answer ends in its middle")
    return plain


def _too_long() -> ToolError:
    return ToolError("error", f"the answer has more than {ANSWER} bytes")


def _read(body: bytes, content_type: str) -> Any:
    """Give an answer's JSON as data, any other as text; nothing at all is null."""
    if not body:
        return None
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if media == "application/json" or media.endswith("+json"):
        try:
            return json.loads(body, parse_constant=_no_number)
        except (ValueError, RecursionError):
            raise ToolError("error", "the answer says that it is JSON, and is none") from None
    charset = parameters.lower().partition("charset=")[2].strip(' "').partition(";")[0]
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
