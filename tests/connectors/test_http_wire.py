"""Proves what every HTTP client makes of the wire: broken framing, TLS, cancelling, the pool."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.connectors.http_clients import CLIENTS, Client

from roundview_federation.connectors import http_client
from roundview_federation.connectors.http_aiohttp import AiohttpPort
from roundview_federation.connectors.http_client import open_port
from roundview_federation.connectors.http_httpx import HttpxPort
from roundview_federation.connectors.http_port import Failure, HttpError, Origin

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
FINE = HEAD + b"content-length: 3\r\n\r\nabc"
NAME = "api.example.org"
SECONDS = 5.0


@dataclass
class Wire:
    """A server that answers with prepared bytes; each part leaves as a packet of its own."""

    parts: tuple[bytes, ...] = (FINE,)
    ends: bool = False
    """Whether the connection is closed after an answer."""
    asked: list[bytes] = field(default_factory=list)
    opened: int = 0
    open: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds of the server."""
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(holds)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                parts, ends = self.parts, self.ends
                self.asked.append(head)
                await self._tell()
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    # Turns of the client's loop, which is ours: it reads part by part.
                    for _ in range(5):
                        await asyncio.sleep(0)
                if ends:
                    break
        writer.close()
        self.open -= 1
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def wired(tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    wire = Wire()
    server = await asyncio.start_server(wire._serve, "127.0.0.1", 0, ssl=tls)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        await wire.until(lambda: wire.open == 0)


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


@pytest.mark.parametrize(
    ("parts", "failure", "is_stale"),
    [
        ((), Failure.CUT, True),
        ((HEAD[:9],), Failure.CUT, True),
        ((HEAD + b"content-length: 9\r\n\r\n", b"abc"), Failure.CUT, False),
        ((CHUNKED, b"5\r\nab"), Failure.CUT, False),
        ((CHUNKED, b"2\r\nab\r\n"), Failure.CUT, False),
        ((bytes(range(256)) * 8,), Failure.GARBAGE, False),
        ((b"hello\r\n\r\n",), Failure.GARBAGE, False),
        ((b"HTTP/2 200 OK\r\n\r\n",), Failure.GARBAGE, False),
        ((b"HTTP/1.1 abc OK\r\n\r\n",), Failure.GARBAGE, False),
        ((b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",), Failure.GARBAGE, False),
        ((HEAD + b"content-length: -1\r\n\r\nabc",), Failure.GARBAGE, False),
        ((HEAD + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",), Failure.GARBAGE, False),
        ((CHUNKED + b"2\r\nab\r\nzz\r\nab",), Failure.GARBAGE, False),
        ((CHUNKED, b"2\r\nab\r\n", b"zz\r\nab"), Failure.GARBAGE, False),
        ((HEAD + b"x: " + b"a" * 300_000 + b"\r\n\r\n",), Failure.GARBAGE, False),
        ((HEAD + b"x: a\r\n" * 30_000 + b"\r\n",), Failure.GARBAGE, False),
    ],
)
async def test_broken_answers_are_told_apart(
    client: Client, parts: tuple[bytes, ...], failure: Failure, is_stale: bool
) -> None:
    async with wired() as wire:
        wire.parts, wire.ends = parts, failure is Failure.CUT
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        with pytest.raises(HttpError) as caught:
            async with asyncio.timeout(SECONDS):
                await port.get("/x", {}, 1_000_000)
        assert (caught.value.failure, caught.value.is_stale_connection) == (failure, is_stale)
        assert caught.value.__cause__ is None
        assert len(wire.asked) == 1
        await wire.until(lambda: wire.open == 0)
        wire.parts, wire.ends = (FINE,), False
        assert (await port.get("/x", {}, 1_000)).body == b"abc"
        await port.close()


async def test_what_is_odd_and_allowed(client: Client) -> None:
    async with wired() as wire:
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        wire.parts = (b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"content-length: 3\r\n\r\n", b"abc")
        assert (await port.get("/x", {}, 1_000)).body == b"abc"
        wire.parts = (HEAD + b"Link: a\r\nlink: b\r\ncontent-length: 0\r\n\r\n",)
        assert (await port.get("/x", {}, 1_000)).headers["link"] == "a, b"
        wire.parts = (HEAD + b"link: " + b"a" * 20_000 + b"\r\ncontent-length: 0\r\n\r\n",)
        assert len((await port.get("/x", {}, 1_000)).headers["link"]) == 20_000
        wire.parts = (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n",)
        assert (await port.get("/x", {}, 1_000)).status == 304
        wire.parts = (b"HTTP/1.1 302 Found\r\nlocation: http://[\r\ncontent-length: 0\r\n\r\n",)
        assert (await port.get("/x", {}, 1_000)).status == 302
        wire.parts = (HEAD + b"set-cookie: seen=1; path=/\r\ncontent-length: 0\r\n\r\n",)
        assert (await port.get("/x", {}, 1_000)).status == 200
        wire.parts = (HEAD + b"\r\n", b"abc")
        wire.ends = True
        assert (await port.get("/x", {}, 1_000)).body == b"abc"
        assert b"cookie" not in b"".join(wire.asked).lower()
        await port.close()


@pytest.mark.parametrize("tag", [b'"\xe9"', b'"\xc3\xa9\xff"', b'"\xe2\x82\xac"'])
async def test_a_tag_of_any_bytes_can_be_sent_back(client: Client, tag: bytes) -> None:
    async with wired() as wire:
        wire.parts = (HEAD + b"etag: " + tag + b"\r\ncontent-length: 0\r\n\r\n",)
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        answer = await port.get("/x", {}, 1_000)
        again = await port.get("/x", {"if-none-match": answer.headers["etag"]}, 1_000)
        assert again.status == 200
        await port.close()


@pytest.mark.parametrize("target", ["/a/../b/%2e%2e/./c", "//other/x", "/a%0D%0Ab?c=%2F&d=[1]|~"])
async def test_a_target_is_sent_as_it_is(client: Client, target: str) -> None:
    async with wired() as wire:
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        await port.get(target, {}, 1_000)
        assert wire.asked[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())
        assert wire.asked[0].lower().count(b"\r\nhost: ") == 1
        await port.close()


@pytest.mark.parametrize("target", ["", "x", "/a b", "/a\r\nX: y", "/a\n", "/ä", "/a#b", "/\x00"])
async def test_a_target_that_is_not_encoded_is_not_sent(client: Client, target: str) -> None:
    async with wired() as wire:
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        with pytest.raises(HttpError) as caught:
            await port.get(target, {}, 1_000)
        assert caught.value.failure is Failure.GARBAGE
        with pytest.raises(HttpError) as caught:
            await port.get("/", {"x": "a\r\nb: c"}, 1_000)
        assert caught.value.failure is Failure.GARBAGE
        assert wire.asked == []
        await port.close()


async def test_a_kept_connection_that_died_is_reported_and_not_asked_again(client: Client) -> None:
    async with wired() as wire:
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=2)
        await port.get("/x", {}, 1_000)
        wire.parts, wire.ends = (), True
        with pytest.raises(HttpError) as caught:
            await port.get("/x", {}, 1_000)
        assert (caught.value.failure, caught.value.is_stale_connection) == (Failure.CUT, True)
        assert (len(wire.asked), wire.opened) == (2, 1)
        await port.close()


async def test_connections_are_kept_and_bounded(client: Client) -> None:
    async with wired() as wire:
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=3)
        for _ in range(3):
            await asyncio.gather(*(port.get("/x", {}, 1_000) for _ in range(20)))
        assert len(wire.asked) == 60
        assert wire.opened <= 3
        await port.close()
        await wire.until(lambda: wire.open == 0)
        with pytest.raises(HttpError) as caught:
            await port.get("/x", {}, 1_000)
        assert caught.value.failure is Failure.UNREACHABLE


@pytest.mark.parametrize("parts", [(), (HEAD,), (CHUNKED, b"2\r\nab\r\n")])
async def test_cancelling_closes_the_connection(client: Client, parts: tuple[bytes, ...]) -> None:
    async with wired() as wire:
        wire.parts = parts
        port = client(Origin("http", "127.0.0.1", wire.port), private=True, connections=1)
        task = asyncio.create_task(port.get("/x", {}, 1_000))
        await wire.until(lambda: len(wire.asked) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wire.until(lambda: wire.open == 0)
        wire.parts = (FINE,)
        assert (await port.get("/x", {}, 1_000)).body == b"abc"
        await port.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Writes an authority (ca.pem) and what it says of api.example.org and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("CA", NAME)]
    served = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    extensions: list[list[tuple[x509.ExtensionType, bool]]] = [
        [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), False),
        ],
        [
            (x509.SubjectAlternativeName(served), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), False),
        ],
    ]
    for name, key, subject, added in zip(
        ("ca.pem", "server.pem"), keys, names, extensions, strict=True
    ):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        for extension, critical in added:
            builder = builder.add_extension(extension, critical)
        signed = builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / name).write_bytes(signed + secret)
    return folder


@pytest.mark.parametrize(
    ("host", "trusts", "is_served"),
    [
        (NAME, True, True),
        ("127.0.0.1", True, True),
        ("other.example.org", True, False),
        (NAME, False, False),
    ],
)
async def test_the_certificate_must_be_the_hosts(
    client: Client,
    authority: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    trusts: bool,
    is_served: bool,
) -> None:
    """The name counts, although the address is what is connected to."""
    loop = asyncio.get_running_loop()

    async def resolve(*_: object, **__: object) -> list[object]:
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    shown: list[str | None] = []
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(authority / "server.pem")
    ours.sni_callback = lambda _, name, __: shown.append(name)
    async with wired(ours) as wire:
        monkeypatch.setattr(type(loop), "getaddrinfo", resolve)
        tls = ssl.create_default_context(cafile=authority / "ca.pem") if trusts else None
        port = client(Origin("https", host, wire.port), private=True, connections=2, tls=tls)
        if is_served:
            assert (await port.get("/x", {}, 1_000)).body == b"abc"
            assert f"Host: {host}:{wire.port}".encode() in wire.asked[0]
        else:
            with pytest.raises(HttpError) as caught:
                await port.get("/x", {}, 1_000)
            assert caught.value.failure is Failure.UNREACHABLE
            assert wire.asked == []
        assert shown[0] == (None if host[0].isdigit() else host)
        await port.close()


async def test_the_fastest_client_that_is_installed_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    origin = Origin("http", "127.0.0.1", 9)
    assert isinstance(open_port(origin, private=True, connections=2), AiohttpPort)
    monkeypatch.setattr(http_client, "find_spec", lambda _: None)
    assert isinstance(open_port(origin, private=True, connections=2), HttpxPort)
