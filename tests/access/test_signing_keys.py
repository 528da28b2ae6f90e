"""Proves when keys of an issuer are read, and which of them may check a signature."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from joserfc.jwk import OctKey
from tests.access.issuing import Provider

from roundview_catalog.access_file import is_key_place
from roundview_catalog.errors import AccessError
from roundview_federation.access.signing_keys import MOST_BYTES, SigningKeys, read_url


class Shelf:
    """Holds what an issuer publishes, and counts how often it is read."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.reads = 0
        self.now = 0.0
        self.is_down = False

    async def read(self) -> bytes:
        self.reads += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise OSError
        return json.dumps({"keys": self.keys}).encode()

    def signing_keys(self) -> SigningKeys:
        return SigningKeys(self.read, "staff", lambda: self.now)


def _public(key: Any, **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": "a", **more}


async def test_many_unknown_keys_are_one_reading_a_minute(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa))
    keys = shelf.signing_keys()
    assert await keys.find("a", "RS256")
    assert shelf.reads == 1
    found = await asyncio.gather(*(keys.find(f"b{n}", "RS256") for n in range(10_000)))
    assert not any(found)
    assert shelf.reads == 1
    shelf.now = 61
    await asyncio.gather(*(keys.find(f"b{n}", "RS256") for n in range(10_000)))
    assert shelf.reads == 2


async def test_a_new_key_is_found_a_minute_after_the_last_reading(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa))
    keys = shelf.signing_keys()
    await keys.find("a", "RS256")
    shelf.keys.append(_public(provider.stranger, kid="b"))
    assert not await keys.find("b", "RS256")
    shelf.now = 61
    assert await keys.find("b", "RS256")


async def test_first_callers_share_one_reading(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa))
    keys = shelf.signing_keys()
    first = asyncio.ensure_future(keys.find("a", "RS256"))
    rest = [asyncio.ensure_future(keys.find("a", "RS256")) for _ in range(20)]
    await asyncio.sleep(0)
    first.cancel()
    assert all(await asyncio.gather(*rest))
    assert shelf.reads == 1


async def test_a_key_that_is_withdrawn_ends(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa), _public(provider.stranger, kid="b"))
    keys = shelf.signing_keys()
    assert await keys.find("b", "RS256")
    del shelf.keys[1]
    shelf.now = 601
    # Nobody waits for this reading: who asks now still has the keys of before.
    await keys.find("a", "RS256")
    await keys.find("c", "RS256")
    assert not await keys.find("b", "RS256")


async def test_keys_outlive_an_issuer_that_is_down_for_an_hour(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa))
    keys = shelf.signing_keys()
    assert await keys.find("a", "RS256")
    shelf.is_down, shelf.now = True, 3_599
    assert await keys.find("a", "RS256")
    shelf.now = 3_700
    with pytest.raises(AccessError) as refused:
        await keys.find("a", "RS256")
    assert (refused.value.code, refused.value.retryable) == ("RV303", True)
    shelf.is_down, shelf.now = False, 3_800
    assert await keys.find("a", "RS256")


async def test_an_issuer_that_is_down_is_not_asked_all_the_time() -> None:
    shelf = Shelf()
    shelf.is_down = True
    keys = shelf.signing_keys()
    for _ in range(100):
        with pytest.raises(AccessError):
            await keys.find("a", "RS256")
    assert shelf.reads == 1


def _odd(provider: Provider) -> dict[str, dict[str, Any]]:
    return {
        "private": {**provider.rsa.as_dict(private=True), "kid": "a"},
        "a shared secret": {**OctKey.generate_key(256).as_dict(private=True), "kid": "a"},
        "for encryption": _public(provider.rsa, use="enc"),
        "for signing": _public(provider.rsa, key_ops=["sign"]),
        "for another algorithm": _public(provider.rsa, alg="RS512"),
        "weak": {**_WEAK, "kid": "a"},
        "another kind": _public(provider.ec),
        "no modulus": {"kty": "RSA", "kid": "a", "e": "AQAB"},
        "operations that are no list": _public(provider.rsa, key_ops=1),
        "a number as kind": _public(provider.rsa, kty=7),
    }


@pytest.mark.parametrize(
    "name",
    [
        "private",
        "a shared secret",
        "for encryption",
        "for signing",
        "for another algorithm",
        "weak",
        "another kind",
        "no modulus",
        "operations that are no list",
        "a number as kind",
    ],
)
async def test_odd_keys_check_nothing(provider: Provider, name: str) -> None:
    shelf = Shelf(_odd(provider)[name], _public(provider.stranger, kid="good"))
    keys = shelf.signing_keys()
    assert not await keys.find("a", "RS256")
    # One that is odd takes no other away.
    assert await keys.find("good", "RS256")


async def test_without_a_name_the_only_key_is_meant(provider: Provider) -> None:
    shelf = Shelf(_public(provider.rsa), _public(provider.ec, kid="b"))
    assert len(await shelf.signing_keys().find(None, "RS256")) == 1
    shelf.keys.append(_public(provider.stranger, kid="c"))
    assert not await shelf.signing_keys().find(None, "RS256")


@pytest.fixture
async def served() -> AsyncIterator[str]:
    """Returns the address of a server of key sets, good and bad."""
    app = FastAPI()
    app.add_route("/keys", lambda _: Response(b'{"keys": []}'))
    app.add_route("/large", lambda _: Response(bytes(MOST_BYTES + 1)))
    app.add_route("/away", lambda _: RedirectResponse("/keys"))
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.wait([running], timeout=0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await running


async def test_key_sets_are_read_over_http(served: str) -> None:
    assert await read_url(f"{served}/keys") == b'{"keys": []}'
    for path in ("large", "away", "nothing"):
        with pytest.raises(ValueError, match="key set"):
            await read_url(f"{served}/{path}")


@pytest.mark.parametrize(
    "place",
    [
        "http://id.example/keys",
        "http://10.0.0.1/keys",
        "ftp://id.example/keys",
        "https://",
        "https://user@id.example/keys",
        "https://id.example/keys#a",
        "https://id.example:port/keys",
        "file:///etc/passwd",
    ],
)
def test_keys_come_over_https_only(place: str) -> None:
    assert not is_key_place(place)
    assert is_key_place("https://id.example:8443/keys?a=b")
    assert is_key_place("http://127.0.0.1:8080/keys")
    assert is_key_place("keys.json")


_WEAK = {
    "kty": "RSA",
    "e": "AQAB",
    "n": "nBzADaQQiMggoQycQxf2zu1HGq6SvIgAufvf9ZvXRfS6zsolD_JV_Rdq8T834Y2_nOacESGLlTjPFRFbKcHfx"
    "HuSeE1rEjlZFRLtvBELyixhZvmVQubNUan_OSrACuDXGFODhFfnVcSnArbZdF04EQ_BmbZVLjT_g22pmeNsGKs",
}
