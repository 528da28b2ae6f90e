"""Proves that no input breaks a door: identifiers, bytes, HTTP and the command line."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.front.conftest import RunningDemo
from typer.testing import CliRunner

from roundview.cli import app as command_line
from roundview.client import connect_async
from roundview.connection_limits import LimitedHttp
from roundview.demo.estate import Estate
from roundview_graphql.http import graphql_app

HEROINE = "Leonie Vogt"
FIND = "query($by: CustomerBy!) {customer(by: $by) {fullName}}"
SPELLINGS = {
    "phone": (
        "0171/3920042", "\u202e0171 3920042", "０１７１３９２００４２", "0171\u200b3920042",
        "\ufeff0171 3920042", "0171\u00a03920042", "tel:01713920042", " +49 171 392 00 42 ",
    ),
    "email": (
        "\u202eleonie.vogt@mail.example", "leonie\u200d.vogt@mail.example",
        "LEONIE.VOGT@MAIL.EXAMPLE", "mailto:leonie.vogt@mail.example", "ｌeonie.vogt@mail.example",
    ),
}  # fmt: skip
HOSTILE = (
    "%", "_", "*", "?", "'", '"', "\\", "' OR '1'='1", "x'; DROP TABLE users--", "{$gt: ''}",
    "a\x00b", "a\x1b[31mb", "1" * 1_000_000, "9" * 300, "9" * 321, "-1", "1e400", "NaN", "😀",
    "0171\n3920042", "leonie.vogt@mail.example\r\nBcc: x@y.de", "0171\t3920042", "", "   ",
    "\u200b", "\u202e", "leonie%@mail.example", "leonie*@mail.example", "leonie_vogt@mail.example",
    "leonie.vogt@mail", "l\u0435onie.vogt@mail.example", "leonie.vogt@mail.ex\u03b1mple",
    "٠١٧١٣٩٢٠٠٤٢", "\u212aelvin@mail.example", "a" + "\u0301" * 300, "\ufdfa" * 300,
    "\U0001f468\u200d\U0001f469", "½", "0171²", "../../etc/passwd", "%2e%2e%2f", "http://x/",
    "${env:SUPPORT_TOKEN}", "{{7*7}}", "x@xn--mnchen-3ya.de", '"a b"@c.de', "\uffff", "\U0010ffff",
)  # fmt: skip


class Raw:
    """One kept connection to the real server."""

    def __init__(self, base: str) -> None:
        self.host, _, port = base.removeprefix("http://").partition(":")
        self.port = int(port)
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=20)

    def post(self, body: bytes | str) -> tuple[int, bytes]:
        """Posts JSON and returns status and body."""
        self._connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def send(self, content: bytes, *, until_closed: bool = True) -> bytes:
        """Sends bytes on a new connection and returns what comes until the server closes it."""
        return talk(self.port, content, until_closed=until_closed)

    def close(self) -> None:
        """Closes the kept connection."""
        self._connection.close()


def talk(port: int, content: bytes, *, until_closed: bool = True) -> bytes:
    """Speaks with a port as no client library would."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        received = b""
        try:
            stream.sendall(content)
            while data := stream.recv(65_536):
                received += data
                if not until_closed:
                    break
        except ConnectionError:
            # Who closes on somebody still sending resets; what arrived before counts.
            return received
        return received


@pytest.fixture(scope="module")
def raw(running_demo: RunningDemo) -> Iterator[Raw]:
    connection = Raw(running_demo.base)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def kinds(raw: Raw) -> list[str]:
    """Returns every kind of identifier that the door takes."""
    _, body = raw.post(json.dumps({"query": '{__type(name: "CustomerBy") {inputFields {name}}}'}))
    fields = json.loads(body)["data"]["__type"]["inputFields"]
    assert len(fields) > 6
    return [field["name"] for field in fields]


# -- identifiers -----------------------------------------------------------------------------


@pytest.mark.row("B1")
@pytest.mark.parametrize("kind", SPELLINGS)
def test_odd_spellings_find_the_same_customer(raw: Raw, kind: str) -> None:
    for text in SPELLINGS[kind]:
        status, body = raw.post(json.dumps({"query": FIND, "variables": {"by": {kind: text}}}))
        assert status == 200, (text, body)
        assert json.loads(body)["data"]["customer"]["fullName"] == HEROINE, text


def test_no_odd_identifier_finds_anybody_or_breaks_anything(raw: Raw, kinds: list[str]) -> None:
    for kind in kinds:
        for text in HOSTILE:
            body = json.dumps({"query": FIND, "variables": {"by": {kind: text}}})
            status, content = raw.post(body)
            answer = json.loads(content)
            assert status in (200, 400), (kind, text[:40], content)
            if status == 200:
                assert answer["data"] == {"customer": None}, (kind, text[:40])
                assert "errors" not in answer, (kind, text[:40], content)
            else:
                assert answer["errors"][0]["extensions"]["rv"] == "RV101", (kind, text[:40])
                assert len(text) < 9 or text not in content.decode()
                assert len(content) < 1_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{__typename}", "variables": {"by": "\\ud800"}}',
        b'{"query": "{__typename \xff\xfe}"}',
        '{"query": "{__typename}"}'.encode("utf-16"),
        b'{"query": "{__typename}", "variables": {"n": NaN}}',
        b'{"query": "{__typename}", "variables": {"n": 1e400}}',
        b'{"query": "{__typename}", "variables": {"n": ' + b"9" * 1_900_000 + b"}}",
        b'{"query": "{__typename}", "extensions": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"query": "{__typename}", "variables": {"a": ' + b'{"a":' * 900 + b"1" + b"}" * 901 + b"}",
        b'[{"query": "{__typename}"}]',
        b'{"query": {"text": "{__typename}"}}',
        b'{"query": null}',
        b'"{__typename}"',
        b"\x00" * 1_000_000,
        b"",
    ],
    ids=[
        "surrogate", "UTF-8", "UTF-16", "NaN", "infinite", "digits", "deep", "variables", "batch",
        "object", "null", "text", "NUL", "nothing",
    ],
)  # fmt: skip
def test_odd_bodies_are_bad_requests(raw: Raw, body: bytes) -> None:
    status, content = raw.post(body)
    assert status == 400
    assert json.loads(content)["errors"][0]["extensions"]["rv"] in ("RV100", "RV111")


@pytest.mark.parametrize(
    "argument",
    ["phone=\udcff\udcfe", "\udcff=abc", "\x1b[31mphone=1", "phöne=1", "phone=", "=x", "phone",
     "email=a\nb@c.de", "phone=\u202e", "phone=%", "order_number=" + "9" * 100_000, "a b=c",
     "email=' OR 1=1 --", "customer_id=../../etc/passwd"],
    ids=lambda text: ascii(text[:16]),
)  # fmt: skip
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["", "json"])
def test_odd_arguments_end_with_two_and_one_line(
    made_estate: Estate, monkeypatch: pytest.MonkeyPatch, argument: str, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ROUNDVIEW_CATALOG", str(made_estate.catalog))
    result = CliRunner().invoke(command_line, ["customer", argument, *options])
    if argument.startswith("customer_id"):
        # An id that is none of ours is nobody's.
        assert result.exit_code in (0, 2)
        return
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("RV101 ")
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.output
    if options:
        assert json.loads(result.stdout)["error"]["code"] == "RV101"


# -- HTTP ------------------------------------------------------------------------------------

QUERY = b'{"query":"{__typename}"}'
LENGTH = b"Content-Length: %d\r\n" % len(QUERY)


def request(
    *lines: bytes, host: bytes = b"localhost", line: bytes = b"POST /graphql HTTP/1.1"
) -> bytes:
    """Returns a request for the type of the root, with some lines of its own."""
    fields = [b"Host: " + host, *lines, b"Connection: close"]
    return line + b"\r\n" + b"\r\n".join(fields) + b"\r\n"


def asked(content_type: bytes, **options: Any) -> bytes:
    """Returns a whole POST of one content type."""
    return request(b"Content-Type: " + content_type, **options) + LENGTH + b"\r\n" + QUERY


JSON = b"application/json"
REQUESTS = {
    "plain": (asked(JSON), 200),
    "capital host": (asked(JSON, host=b"LOCALHOST:80"), 200),
    # Another site's name that leads here: rebinding.
    "other host": (asked(JSON, host=b"evil.example"), 400),
    "other host with our port": (asked(JSON, host=b"evil.example:8360"), 400),
    "prefix": (asked(JSON, host=b"127.0.0.1.evil.example"), 400),
    "user": (asked(JSON, host=b"127.0.0.1@evil.example"), 400),
    "user of ours": (asked(JSON, host=b"evil.example@127.0.0.1"), 400),
    "broken address": (asked(JSON, host=b"[::1]evil.example"), 400),
    "no host": (asked(JSON).replace(b"Host: localhost\r\n", b""), 400),
    "two hosts": (asked(JSON, host=b"localhost\r\nHost: evil.example"), 400),
    "forwarded host": (
        request(b"X-Forwarded-Host: localhost", host=b"evil.example") + LENGTH + b"\r\n" + QUERY,
        400,
    ),
    # What a form of another site can send without asking first.
    "text": (asked(b"text/plain"), 415),
    "text that names JSON": (asked(b"text/plain; application/json"), 415),
    "two types": (asked(b"text/plain, application/json"), 415),
    "form": (asked(b"application/x-www-form-urlencoded"), 415),
    "multipart": (asked(b"multipart/form-data; boundary=x"), 415),
    "no type": (request() + LENGTH + b"\r\n" + QUERY, 415),
    "GET": (request(line=b"GET /graphql?query={__typename} HTTP/1.1") + b"\r\n", 400),
    "GET mutation": (request(line=b"GET /graphql?query=mutation{x} HTTP/1.1") + b"\r\n", 400),
    "preflight": (
        request(b"Origin: http://evil.example", line=b"OPTIONS /graphql HTTP/1.1") + b"\r\n", 405,
    ),
    "trace": (request(b"X-Secret: a", line=b"TRACE /desk HTTP/1.1") + b"\r\n", 405),
    "delete": (request(line=b"DELETE /graphql HTTP/1.1") + b"\r\n", 405),
    # Who is asked must not depend on who reads the message.
    "length and chunks": (
        request(b"Content-Type: " + JSON, b"Transfer-Encoding: chunked") + LENGTH
        + b"\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400,
    ),
    "two encodings": (
        request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity") + b"\r\n0\r\n\r\n",
        400,
    ),
    "odd encoding": (request(b"Transfer-Encoding: xchunked") + b"\r\n0\r\n\r\n", 400),
    "two lengths": (request(b"Content-Length: 0") + LENGTH + b"\r\n" + QUERY, 400),
    "signed length": (request(b"Content-Length: +24") + b"\r\n" + QUERY, 400),
    "negative length": (request(b"Content-Length: -1") + b"\r\n" + QUERY, 400),
    "length of a lie": (request(b"Content-Length: 99999999999999999999999") + b"\r\n", 400),
    "blank before the colon": (request(b"Content-Length : 24") + b"\r\n" + QUERY, 400),
    "folded": (request(b"X: a\r\n b") + LENGTH + b"\r\n" + QUERY, 400),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: localhost\n\n", 400),
    "chunk of no size": (
        request(b"Content-Type: " + JSON, b"Transfer-Encoding: chunked") + b"\r\nzz\r\n", 400,
    ),
    "bytes": (bytes(range(256)), 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100, 400),
    "HTTP 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "declared 3 MB": (
        request(b"Content-Type: " + JSON, b"Content-Length: 3000000") + b"\r\n", 413,
    ),
    # Nothing but the page's own files is there.
    "parent": (request(line=b"GET /desk/../../../etc/passwd HTTP/1.1") + b"\r\n", 404),
    "encoded parent": (request(line=b"GET /desk/%2e%2e/%2e%2e/x HTTP/1.1") + b"\r\n", 404),
    "encoded slash": (request(line=b"GET /desk/..%2f..%2fx HTTP/1.1") + b"\r\n", 404),
    "template": (request(line=b"GET /desk/desk.html HTTP/1.1") + b"\r\n", 404),
    "our code": (request(line=b"GET /desk/app.py HTTP/1.1") + b"\r\n", 404),
    "NUL in a name": (request(line=b"GET /desk/desk.js%00.css HTTP/1.1") + b"\r\n", 404),
    "double slash": (request(line=b"GET //desk HTTP/1.1") + b"\r\n", 404),
    "dot file": (request(line=b"GET /.env HTTP/1.1") + b"\r\n", 404),
    "API pages": (request(line=b"GET /openapi.json HTTP/1.1") + b"\r\n", 404),
    "no text": (request(line=b"GET /desk?phone=%ff%fe HTTP/1.1") + b"\r\n", 200),
    "no text in a path": (request(line=b"GET /\xff\xfe HTTP/1.1") + b"\r\n", 400),
    "long path": (request(line=b"GET /" + b"a" * 70_000 + b" HTTP/1.1") + b"\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_odd_http_is_refused_and_tells_nothing(raw: Raw, name: str) -> None:
    content, status = REQUESTS[name]
    answer = raw.send(content, until_closed=status != 413)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    # One request is one answer.
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"access-control-" not in head.lower()
    assert b"server:" not in head.lower()
    assert b"Traceback" not in body
    if status != 200:
        assert b"evil" not in answer
        assert b"X-Secret" not in answer
        assert len(body) < 1_000


def test_a_websocket_is_not_opened(raw: Raw) -> None:
    lines = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: eA==")
    head = request(*lines, line=b"GET /graphql HTTP/1.1").replace(b"close", b"Upgrade")
    assert raw.send(head + b"\r\n", until_closed=False).startswith(b"HTTP/1.1 400 ")


class Hasty(LimitedHttp):
    """The server's protocol with little patience."""

    head_seconds = 0.2
    refused_bytes = 1024 * 1024


async def early(_: Request) -> Response:
    """Answers without reading the body."""
    return PlainTextResponse("no body was read")


@pytest.fixture(scope="module")
def hasty_port() -> Iterator[int]:
    """Serves one early answer with bounds that a test can wait for."""
    with serving(Starlette(routes=[Route("/early", early, methods=["POST"])])) as port:
        yield port


@contextmanager
def serving(app: Starlette) -> Iterator[int]:
    """Runs a server with the hasty protocol in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=Hasty, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: local", b"HTTP/1.1 408 "),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 400_000, b"HTTP/1.1 431 "),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 80_000, b"HTTP/1.1 431 "),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 404 "),
    ],
    ids=["silent", "slow head", "long field", "many fields", "whole"],
)
def test_heads_are_small_and_come_in_time(hasty_port: int, content: bytes, answer: bytes) -> None:
    received = talk(hasty_port, content, until_closed=not content.endswith(b"\r\n\r\n"))
    assert received.startswith(answer)
    assert received == b"" or answer


def test_a_refused_body_without_end_is_cut_off(hasty_port: int) -> None:
    chunk = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", hasty_port), timeout=20) as stream:
        stream.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert flooded(stream, chunk, most=500 * 1024 * 1024) < 100 * 1024 * 1024


def flooded(stream: socket.socket, chunk: bytes, most: int) -> int:
    """Sends chunks until the other side has enough; returns how many bytes it took."""
    sent = 0
    try:
        while sent < most:
            stream.sendall(chunk)
            sent += len(chunk)
    except ConnectionError:
        return sent
    return sent


# -- what a refusal costs --------------------------------------------------------------------

MANY = "query($v: [CustomerBy!]!) {customers(by: $v) {customerId}}"
COSTLY = {
    "identifiers": (MANY, {"v": [{"phone": f"0171 39{n:05}"} for n in range(9_900)]}),
    "numbers for identifiers": (MANY, {"v": [1] * 19_000}),
    "objects for identifiers": (MANY, {"v": [{"email": 1}] * 9_500}),
    "identifiers that unfold": (MANY, {"v": [{"email": "\ufdfa" * 300}] * 100}),
    "one identifier": (FIND, {"by": {"email": "x" * 1_900_000}}),
    "keys for an identifier": (FIND, {"by": {f"k{n}": 1 for n in range(19_000)}}),
    "a filter": (
        'query($v: [String!]) {customer(by: {email: "a@b.de"})'
        " {salesOrder(where: {orderNumber: {in: $v}}) {complete}}}",
        {"v": [f"x{n}" for n in range(19_000)]},
    ),
    "variables": (f"query({' '.join(f'$v{n}: Int' for n in range(480))}) {{__typename}}", {}),
    "arguments": (
        f"{{customer({' '.join(f'a{n}: 1' for n in range(600))}) {{customerId}}}}", {},
    ),
    "fields": (f'{{customer(by: {{email: "a"}}) {{{"nope " * 900}}}}}', {}),
    "a number": (f'{{customer(by: {{email: {"9" * 90_000}}}) {{customerId}}}}', {}),
    "escapes": (f'{{customer(by: {{email: "{chr(92)}u0041{"x" * 90_000}"}}) {{customerId}}}}', {}),
    "spreads": (
        '{customer(by: {email: "a"}) {...A}} fragment A on Customer {' + "...A " * 600 + "}", {},
    ),
    "operations": (" ".join(f"query A{n} {{__typename}}" for n in range(390)), {}),
}  # fmt: skip


@pytest.fixture(scope="module")
async def door(made_estate: Estate) -> AsyncIterator[httpx.AsyncClient]:
    """Returns a client of the GraphQL door in this process, whose schema is made."""
    async with connect_async(made_estate.catalog) as connection:
        app = FastAPI()
        app.include_router(graphql_app(connection.federation))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            await client.post("/graphql", json={"query": "{__typename}"})
            yield client


@pytest.mark.parametrize("name", COSTLY)
async def test_a_refusal_costs_less_than_a_tenth_of_a_second(
    door: httpx.AsyncClient, name: str
) -> None:
    query, variables = COSTLY[name]
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"Content-Type": "application/json"}
    spent = []
    # Processor time, of the best of some: others work on this machine.
    for _ in range(5):
        started = time.process_time()
        response = await door.post("/graphql", content=body, headers=headers)
        spent.append(time.process_time() - started)
        assert response.status_code == 400
        assert len(response.content) < 20_000
    assert min(spent) < 0.1
