"""HTTP tools against a server on loopback that answers as badly as the world does."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from flowengine.call.ports import ANSWER, ToolRequest
from flowengine.errors import ToolError
from flowengine.testing.virtual_time import let_pass
from flowengine.tools import http
from flowengine.tools.hosts import Hosts
from flowengine.tools.http import HttpTools

Respond = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: Any


@dataclass
class Site:
    """A server that writes down what it is asked, and answers by what it was told."""

    respond: Respond
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split(" ")
                headers: dict[str, str] = {}
                while (text := (await reader.readline()).decode().strip()) != "":
                    name, _, value = text.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                one = Asked(method, target, headers, body, writer.get_extra_info("peername"))
                self.asked.append(one)
                await self.respond(one, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.close()


def answer(body: bytes = b"{}", head: str = "Content-Type: application/json", status: str = "200 OK") -> bytes:
    lines = "".join(f"{line}\r\n" for line in head.split("|") if line)
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def always(data: bytes) -> Respond:
    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return respond


@asynccontextmanager
async def site(respond: Respond | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[Site]:
    made = Site(always(respond) if isinstance(respond, bytes) else respond)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def request(url: str, method: str = "GET", **sent: Any) -> ToolRequest:
    given = {"method": method, "url": url, "headers": {}, "query": {}, "body": None, **sent}
    return ToolRequest("tool", method, {}, given, "CALL.1.t1")


def ask(
    respond: Respond | bytes,
    *paths: str,
    hosts: Sequence[str] = ("127.0.0.1",),
    base: str = "http://127.0.0.1:{port}",
    within: float = 10.0,
    resolve: Names | None = None,
    **sent: Any,
) -> tuple[list[Any], Site]:
    """Ask a site for each path with one client; give the answers, an error as its word."""

    async def go() -> tuple[list[Any], Site]:
        tools = HttpTools(Hosts(hosts), resolve=resolve)
        found: list[Any] = []
        async with site(respond) as one:
            await tools.start()
            for path in paths or ("/",):
                try:
                    async with asyncio.timeout(within):
                        found.append(await tools.run(request(base.format(port=one.port) + path, **sent)))
                except ToolError as error:
                    found.append(str(error))
                except TimeoutError:
                    found.append("timeout")
            await tools.aclose()
            await tools.aclose()
            return found, one

    return asyncio.run(go())


# --- what is sent


def test_a_get_has_its_query_and_no_key_and_the_connection_is_used_again() -> None:
    query = {"a": "ü &", "n": 12.5, "yes": True, "none": None, "many": [1, 2], "day": date(2026, 11, 26)}
    found, one = ask(answer(b'{"a": [1, 2.5, null]}'), "/x?z=1", "/y%2Fz", query=query)
    assert found == [{"a": [1, 2.5, None]}] * 2
    assert one.asked[0].target == "/x?z=1&a=%C3%BC+%26&n=12.5&yes=true&many=1&many=2&day=2026-11-26"
    assert one.asked[1].target.startswith("/y%2Fz?a=")
    assert "idempotency-key" not in one.asked[0].headers
    assert one.asked[0].headers["host"] == f"127.0.0.1:{one.port}"
    assert one.asked[0].peer == one.asked[1].peer


def test_a_body_that_a_flow_writes_is_sent_with_any_method() -> None:
    _, one = ask(answer(), method="GET", body={"query": 1})
    assert (one.asked[0].method, one.asked[0].body) == ("GET", b'{"query":1}')


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_has_the_key_of_its_run(method: str) -> None:
    body = {"what": "bröd", "price": Decimal("12.50"), "day": date(2026, 11, 26), "no": None}
    _, one = ask(answer(), method=method, body=body, headers={"X-Token": "täst"})
    sent = one.asked[0]
    assert sent.method == method
    assert sent.headers["idempotency-key"] == "CALL.1.t1"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-token"] == "täst"
    assert json.loads(sent.body) == {"what": "bröd", "price": 12.5, "day": "2026-11-26", "no": None}


def test_the_flow_may_have_a_key_of_its_own() -> None:
    _, one = ask(answer(), method="POST", headers={"Idempotency-Key": "mine"})
    assert one.asked[0].headers["idempotency-key"] == "mine"


def test_nothing_of_one_run_is_in_the_next() -> None:
    found, one = ask(answer(head="Set-Cookie: caller=1; Path=/|Content-Type: application/json"), "/", "/")
    assert found == [{}, {}]
    assert "cookie" not in one.asked[1].headers


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Connection"])
def test_headers_that_frame_the_message_are_ours(name: str) -> None:
    found, one = ask(answer(), headers={name: "5"})
    assert found == [f"error (the header {name} is not the flow's to set)"]
    assert one.asked == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\0"])
def test_a_value_can_not_add_a_header(value: str) -> None:
    found, one = ask(answer(), headers={"X-Name": value})
    assert found[0].startswith("error")
    assert one.asked == []


def test_a_body_that_is_no_json_is_not_sent() -> None:
    found, one = ask(answer(), method="POST", body={"x": object()})
    assert found == ["error (what is to be sent is no JSON)"]
    assert one.asked == []


# --- what is answered


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (answer(b"[1]", "Content-Type: application/json; charset=utf-8"), [1]),
        (answer(b'{"a":1}', "Content-Type: application/problem+json"), {"a": 1}),
        (answer(b"", "Content-Type: application/json"), None),
        (answer("grün".encode(), "Content-Type: text/plain"), "grün"),
        (answer("grün".encode("latin-1"), "Content-Type: text/plain; charset=ISO-8859-1"), "grün"),
        (answer(b"x", "Content-Type: text/plain; charset=nonsense"), "x"),
        (answer(b'{"a":1}', ""), '{"a":1}'),
        (b"HTTP/1.1 204 No Content\r\n\r\n", None),
        (answer(b"{}", status="201 Created"), {}),
        (answer(gzip.compress(b'{"z":1}'), "Content-Type: application/json|Content-Encoding: gzip"), {"z": 1}),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", "ab"),
    ],
)
def test_json_is_read_and_the_rest_is_text(data: bytes, expected: Any) -> None:
    assert ask(data)[0] == [expected]


def test_a_head_has_no_answer() -> None:
    found, _ = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", method="HEAD")
    assert found == [None]


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "429 Slow", "500 Oops", "503 Later", "304 Same"])
def test_an_answer_that_is_no_success_is_told_by_its_status(status: str) -> None:
    assert ask(answer(b"secret", status=status))[0] == [f"http.{status[:3]}"]


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"\xff\xfe{}", b"1" * 5000])
def test_json_that_is_none_is_an_error(body: bytes) -> None:
    assert ask(answer(body))[0] == ["error (the answer says that it is JSON, and is none)"]


def test_a_body_without_end_is_cut_off() -> None:
    taken = 0

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"a" * 65536
        for _ in range(320):  # 20 MiB
            writer.write(b"10000\r\n" + piece + b"\r\n")
            await writer.drain()
            taken += len(piece)

    found, _ = ask(respond)
    assert found == [f"error (the answer has more than {ANSWER} bytes)"]
    assert taken < 20 * 2**20


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    found, _ = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 20971520\r\n\r\n")
    assert found == [f"error (the answer has more than {ANSWER} bytes)"]


def test_a_body_that_is_small_until_it_is_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    assert len(bomb) < ANSWER
    found, _ = ask(answer(bomb, "Content-Encoding: gzip"))
    assert found == [f"error (the answer has more than {ANSWER} bytes)"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (answer(b"x" * 20, "Content-Encoding: gzip"), "error (the answer can not be unpacked)"),
        (answer(gzip.compress(b"abc" * 50)[:-4], "Content-Encoding: gzip"), "error (the answer ends in its middle)"),
        (answer(b"x", "Content-Encoding: br"), "error (the answer is packed in a way that was not asked for)"),
    ],
)
def test_a_body_that_can_not_be_unpacked(data: bytes, told: str) -> None:
    assert ask(data)[0] == [told]


def test_a_body_that_trickles_is_cut_off_by_who_waits() -> None:
    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"a")
            await let_pass(0.02)

    assert ask(respond, within=0.3)[0] == ["timeout"]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
        b"this is no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
    ],
)
def test_a_connection_that_ends_midway_or_speaks_nonsense(data: bytes) -> None:
    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    assert ask(respond)[0][0].startswith("error (httpcore.")


def test_nobody_listens() -> None:
    assert ask(answer(), base="http://127.0.0.1:1")[0] == ["error (httpcore.ConnectError)"]


def test_a_client_that_was_cut_off_is_as_good_as_new() -> None:
    """A run that is cancelled takes its connection with it, not the pool's place for it."""

    async def go() -> Any:
        full = asyncio.Event()

        async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if asked.target == "/now":
                writer.write(answer(b"1"))
            elif len(one.asked) == http.CONNECTIONS:
                full.set()

        tools = HttpTools(Hosts(["127.0.0.1"]))
        async with site(respond) as one:
            address = f"http://127.0.0.1:{one.port}"
            hanging = [asyncio.create_task(tools.run(request(address))) for _ in range(http.CONNECTIONS)]
            async with asyncio.timeout(10):
                await full.wait()
            for task in hanging:
                task.cancel()
            await asyncio.wait(hanging)
            async with asyncio.timeout(5):
                found = await tools.run(request(address + "/now"))
            await tools.aclose()
            return found

    assert asyncio.run(go()) == 1


# --- where it leads


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:///etc/passwd", "error (the address is neither http nor https)"),
        ("ftp://127.0.0.1/", "error (the address is neither http nor https)"),
        ("gopher://127.0.0.1/", "error (the address is neither http nor https)"),
        ("/relative", "error (the address is neither http nor https)"),
        ("", "error (the address is neither http nor https)"),
        ("http://", "error (the address is neither http nor https)"),
        ("http://user:secret@127.0.0.1/", "error (the address has a user or a password in it; use a header)"),
        ("http://127.0.0.1:99999/", "error (the address is none)"),
        ("http://127.0.0.1\n/", "error (the address is none)"),
        ("http://[::1", "error (the address is none)"),
        ("http://[::1]/", "error (tools.hosts does not name the host)"),
        ("http://[::ffff:127.0.0.2]/", "error (tools.hosts does not name the host)"),
        ("http://localhost/", "error (tools.hosts does not name the host)"),
        ("http://169.254.169.254/latest/", "error (tools.hosts does not name the host)"),
        ("http://2130706433/", "error (tools.hosts does not name the host)"),
        ("http://127.0.0.1.evil.example/", "error (tools.hosts does not name the host)"),
    ],
)
def test_an_address_that_is_not_allowed_is_not_asked(url: str, told: str) -> None:
    found, one = ask(answer(), "", base=url)
    assert (found, one.asked) == ([told], [])


class Names:
    """A resolver to which every name has these addresses, the next one each time; ``asked`` is what for."""

    def __init__(self, *answers: str) -> None:
        self.asked: list[str] = []
        self._answers = answers

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return [self._answers[min(len(self.asked), len(self._answers)) - 1]]


def test_an_allowed_name_that_resolves_to_this_machine_is_not_reached() -> None:
    names = Names("127.0.0.1")
    found, one = ask(answer(), hosts=["api.example.com"], base="http://api.example.com:{port}", resolve=names)
    assert found == ["error (api.example.com has only private addresses, which tools.hosts does not name)"]
    assert one.asked == []


def test_the_address_that_was_judged_is_the_one_that_is_reached() -> None:
    """DNS rebinding: the second answer is never asked for."""
    names, hosts = Names("127.0.0.1", "169.254.169.254"), ["api.example.com", "127.0.0.1"]
    found, one = ask(answer(b"1"), hosts=hosts, base="http://api.example.com:{port}", resolve=names)
    assert found == [1]
    assert names.asked == ["api.example.com"]
    assert one.asked[0].headers["host"] == f"api.example.com:{one.port}"


def test_localhost_is_reached_where_it_is_named() -> None:
    found, one = ask(answer(b"1"), hosts=["localhost"], base="http://localhost:{port}")
    assert found == [1]
    assert one.asked[0].headers["host"] == f"localhost:{one.port}"


def test_a_mapped_address_is_the_address_that_it_maps() -> None:
    found, _ = ask(answer(b"1"), hosts=["127.0.0.1"], base="http://[::ffff:127.0.0.1]:{port}")
    assert found == [1]
    found, _ = ask(answer(b"1"), hosts=["127.0.0.2"], base="http://[::ffff:127.0.0.1]:{port}")
    assert found == ["error (tools.hosts does not name the host)"]


def test_a_name_that_nobody_knows() -> None:
    found, _ = ask(answer(), hosts=["nowhere.invalid"], base="http://nowhere.invalid")
    assert found == ["error (nowhere.invalid can not be resolved)"]


def certified(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Give the TLS of a server with a certificate for a name, and that of a client which trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        server.load_cert_chain(file.name)
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize(("name", "answers"), [("api.example.com", True), ("other.example.com", False)])
def test_tls_goes_by_the_name_though_the_address_is_ours(name: str, answers: bool) -> None:
    named: list[str | None] = []

    async def go() -> Any:
        server, client = certified(name)
        server.sni_callback = lambda _, asked, __: named.append(asked)
        tools = HttpTools(Hosts(["api.example.com", "127.0.0.1"]), client, Names("127.0.0.1"))
        async with site(answer(b"1"), tls=server) as one:
            try:
                return await tools.run(request(f"https://api.example.com:{one.port}/"))
            finally:
                await tools.aclose()

    if answers:
        assert asyncio.run(go()) == 1
    else:
        with pytest.raises(ToolError, match=r"^error \(httpcore\.ConnectError\)$"):
            asyncio.run(go())
    assert named == ["api.example.com"]


# --- redirects


def redirects(status: str, location: str) -> Respond:
    """Lead from / to somewhere; every other path is answered."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.target == "/":
            port = writer.get_extra_info("sockname")[1]
            writer.write(answer(b"", f"Location: {location.format(port=port)}", status))
        else:
            writer.write(answer(b"1"))

    return respond


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
@pytest.mark.parametrize("location", ["/there", "there?x=1#y", "http://127.0.0.1:{port}/there"])
def test_a_redirect_on_the_same_host_is_followed(status: str, location: str) -> None:
    found, one = ask(redirects(status, location), headers={"Authorization": "t"})
    assert found == [1]
    assert one.asked[1].target.startswith("/there")
    assert one.asked[1].headers["authorization"] == "t"


@pytest.mark.parametrize(
    ("status", "method"), [("302 F", "GET"), ("303 S", "GET"), ("307 T", "POST"), ("308 P", "POST")]
)
def test_what_a_redirect_makes_of_a_post(status: str, method: str) -> None:
    _, one = ask(redirects(status, "/there"), method="POST", body={"a": 1})
    assert one.asked[1].method == method
    assert one.asked[1].body == (b'{"a":1}' if method == "POST" else b"")


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/there",
        "http://169.254.169.254/latest/meta-data/",
        "//evil.example/",
        "http://127.0.0.1.evil.example/",
        "file:///etc/passwd",
        "http://[::ffff:127.0.0.1]:{port}/there",
    ],
)
def test_a_redirect_to_another_host_is_not_followed(location: str) -> None:
    found, one = ask(redirects("302 F", location), hosts=["127.0.0.1", "localhost"])
    assert found == ["http.302 (a redirect to another host, or away from TLS, is not followed)"]
    assert len(one.asked) == 1


def test_a_redirect_to_another_port_is_judged_anew() -> None:
    async def go() -> Any:
        async with site(answer(b"1")) as inner, site(redirects("302 F", f"http://127.0.0.1:{inner.port}/in")) as outer:
            tools = HttpTools(Hosts([f"127.0.0.1:{outer.port}"]))
            with pytest.raises(ToolError, match=r"tools\.hosts does not name"):
                await tools.run(request(f"http://127.0.0.1:{outer.port}/"))
            await tools.aclose()
            return inner.asked

    assert asyncio.run(go()) == []


def test_a_redirect_to_nowhere_and_one_without_an_end() -> None:
    assert ask(redirects("302 F", "http://127.0.0.1:x/"))[0] == ["http.302 (a redirect to no address)"]
    found, one = ask(redirects("302 F", "/"))
    assert found == [f"error (more than {http.REDIRECTS} redirects)"]
    assert len(one.asked) == http.REDIRECTS + 1
