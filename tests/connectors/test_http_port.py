"""Proves where a source may be: the address that was checked is the one that is used."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.connectors.http_clients import CLIENTS, Client
from tests.connectors.rest_app import serving

from roundview_federation.connectors.http_port import (
    Failure,
    HttpError,
    Origin,
    is_allowed,
)


@pytest.fixture(params=CLIENTS, ids=lambda client: client.__name__)
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen


@pytest.mark.parametrize(
    ("text", "in_public", "in_private"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("10.1.2.3", False, True),
        ("172.16.0.1", False, True),
        ("192.168.1.1", False, True),
        ("100.64.0.1", False, True),
        ("fd12::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("64:ff9b::7f00:1", False, True),
        ("2002:7f00:1::", False, True),
        ("169.254.169.254", False, False),
        ("169.254.1.1", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("255.255.255.255", False, False),
        ("240.0.0.1", False, False),
    ],
)
def test_addresses(text: str, in_public: bool, in_private: bool) -> None:
    address = ipaddress.ip_address(text)
    assert is_allowed(address, private=False) is in_public
    assert is_allowed(address, private=True) is in_private


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "::ffff:127.0.0.1"]
)
async def test_a_loopback_by_any_name_needs_private(client: Client, host: str) -> None:
    port = client(Origin("http", host, 9), private=False, connections=2)
    with pytest.raises(HttpError) as caught:
        await port.get("/", {}, 1_000)
    assert caught.value.failure is Failure.FORBIDDEN_ADDRESS
    await port.close()


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    async def answer(request: Request) -> Response:
        kind = request.path_params["kind"]
        body = b"[" + b"1," * 20_000 + b"1]"
        if kind == "gzip":
            return Response(gzip.compress(body), headers={"content-encoding": "gzip"})
        if kind == "deflate":
            return Response(zlib.compress(body), headers={"content-encoding": "deflate"})
        if kind == "short":
            return Response(gzip.compress(body)[:-20], headers={"content-encoding": "gzip"})
        if kind == "lies":
            return Response(body, headers={"content-encoding": "gzip"})
        if kind == "brotli":
            return Response(body, headers={"content-encoding": "br"})
        if kind == "host":
            return Response(request.headers["host"])
        return Response(body)

    with serving(Starlette(routes=[Route("/{kind}", answer, methods=["GET", "POST"])])) as port:
        yield port


@pytest.mark.parametrize("kind", ["plain", "gzip", "deflate"])
async def test_bodies_arrive_decoded_up_to_the_limit(client: Client, echo: int, kind: str) -> None:
    port = client(Origin("http", "127.0.0.1", echo), private=True, connections=2)
    answer = await port.get(f"/{kind}", {}, 40_003)
    assert answer.status == 200
    assert len(answer.body) == 40_003
    with pytest.raises(HttpError) as caught:
        await port.get(f"/{kind}", {}, 40_002)
    assert caught.value.failure is Failure.TOO_LARGE
    assert (await port.post(f"/{kind}", {}, 40_003, b"{}")).status == 200
    await port.close()


@pytest.mark.parametrize(
    ("kind", "failure"),
    [("short", Failure.CUT), ("lies", Failure.GARBAGE), ("brotli", Failure.GARBAGE)],
)
async def test_encodings_that_are_not_what_they_say(
    client: Client, echo: int, kind: str, failure: Failure
) -> None:
    port = client(Origin("http", "127.0.0.1", echo), private=True, connections=2)
    with pytest.raises(HttpError) as caught:
        await port.get(f"/{kind}", {}, 1_000_000)
    assert caught.value.failure is failure
    await port.close()


async def test_a_name_is_resolved_once_and_its_address_kept(
    client: Client, echo: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name whose address changes between check and connect leads where it was checked."""
    loop = asyncio.get_running_loop()
    asked: list[Any] = []

    async def resolve(host: str, number: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, number))]

    monkeypatch.setattr(type(loop), "getaddrinfo", lambda _, *a, **k: resolve(*a, **k))
    port = client(Origin("http", "api.example.org", echo), private=True, connections=2)
    for _ in range(3):
        answer = await port.get("/host", {}, 1_000)
        assert answer.body == f"api.example.org:{echo}".encode()
    assert asked == ["api.example.org"]
    await port.close()


async def test_one_bad_address_of_several_is_enough(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()

    async def resolve(host: str, number: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, number))
            for address in ("93.184.216.34", "10.0.0.1")
        ]

    monkeypatch.setattr(type(loop), "getaddrinfo", lambda _, *a, **k: resolve(*a, **k))
    port = client(Origin("http", "api.example.org", 80), private=False, connections=2)
    with pytest.raises(HttpError) as caught:
        await port.get("/", {}, 1_000)
    assert caught.value.failure is Failure.FORBIDDEN_ADDRESS
    await port.close()
