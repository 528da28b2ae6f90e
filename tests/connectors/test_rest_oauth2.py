"""Proves how tokens are got, kept, renewed and never shown."""

from __future__ import annotations

import asyncio
import base64
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.connectors import world
from tests.connectors.json_api import Api, Apis, Opener
from tests.connectors.opening import ask, fragment, opened

from roundview_catalog.errors import CatalogError, SourceError
from roundview_federation.connectors import open_connector
from roundview_federation.connectors.port import Connector
from roundview_federation.resilience.deadline import Deadline

ITEMS = {"get": "/items", "key": "id", "columns": {"id": "bigint"}}
SQL = "SELECT i.id AS c0 FROM items AS i"


class Guarded:
    """An API behind tokens: `tokens` are given out in turn, `good` are those it takes."""

    def __init__(self, **said: Any) -> None:
        self.said = {"token_type": "Bearer", "expires_in": 3600, **said}
        self.status = 200
        self.given = 0
        self.good: set[str] = set()
        self.refused = 0

    def __call__(self, request: Request) -> Response:
        if request.url.path.endswith("/token"):
            self.given += 1
            token = f"tok3n-{self.given}"
            self.good = {token}
            return JSONResponse({"access_token": token, **self.said}, self.status)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.good:
            self.refused += 1
            return JSONResponse({"error": "secret words of the source"}, 401)
        return JSONResponse([{"id": 1}])


def guarded(apis: Apis, answer: Any, **declared: Any) -> tuple[Api, Connector]:
    running, open_tables = apis.run(answer)
    return running, opened_with(apis, running, open_tables, **declared)


def opened_with(apis: Apis, running: Api, open_tables: Opener, **declared: Any) -> Connector:
    oauth2 = {
        "token_url": f"http://127.0.0.1:{apis.port}/{running.name}/token",
        "client_id": "round:view",
        "client_secret": "${env:TOKEN}",
        **declared,
    }
    return open_tables({"items": ITEMS}, auth={"oauth2": oauth2})


def asked_for_tokens(running: Api) -> list[Request]:
    return [request for request in running.requests if request.url.path.endswith("/token")]


async def test_a_token_is_asked_for_once_and_carried(apis: Apis) -> None:
    api = Guarded()
    running, connector = guarded(apis, api, scope="read:people read:orders")
    answers = await asyncio.gather(*(ask(connector, SQL, is_scan=True) for _ in range(6)))
    assert {tuple(answer.rows) for answer in answers} == {((1,),)}
    await ask(connector, SQL, is_scan=True)
    (asked,) = asked_for_tokens(running)
    assert asked.method == "POST"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked._body.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["read:people read:orders"],
    }  # fmt: skip
    said = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert said == "round%3Aview:conformance-token"
    assert api.refused == 0
    await connector.close()


async def test_the_client_can_prove_itself_in_the_form(apis: Apis) -> None:
    running, connector = guarded(apis, Guarded(), send="body")
    await ask(connector, SQL, is_scan=True)
    (asked,) = asked_for_tokens(running)
    assert "authorization" not in asked.headers
    assert parse_qs(asked._body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["round:view"],
        "client_secret": ["conformance-token"],
    }
    await connector.close()


@pytest.mark.parametrize("seconds", [0, -5, "0"])
async def test_a_token_is_renewed_before_it_expires(apis: Apis, seconds: Any) -> None:
    running, connector = guarded(apis, Guarded(expires_in=seconds))
    for _ in range(3):
        assert (await ask(connector, SQL, is_scan=True)).rows == [(1,)]
    assert len(asked_for_tokens(running)) == 3
    await connector.close()


@pytest.mark.parametrize("seconds", [None, "soon", "3600", 3600.5, 1e300])
async def test_a_lifetime_in_any_form_is_read(apis: Apis, seconds: Any) -> None:
    running, connector = guarded(apis, Guarded(expires_in=seconds))
    for _ in range(3):
        assert (await ask(connector, SQL, is_scan=True)).rows == [(1,)]
    assert len(asked_for_tokens(running)) == 1
    await connector.close()


async def test_a_refused_token_is_renewed_once(apis: Apis) -> None:
    api = Guarded()
    running, connector = guarded(apis, api)
    await ask(connector, SQL, is_scan=True)
    api.good = set()
    answers = await asyncio.gather(
        *(ask(connector, f"{SQL} WHERE i.id = {n}", is_scan=True) for n in (1, 2, 3))
    )
    assert [answer.rows for answer in answers] == [[(1,)], [], []]
    assert len(asked_for_tokens(running)) == 2
    await connector.close()


async def test_a_client_that_may_not_is_not_tried_for_ever(apis: Apis) -> None:
    def answer(request: Request) -> Response:
        if request.url.path.endswith("/token"):
            return JSONResponse({"access_token": "t0ken", "token_type": "bearer"})
        return JSONResponse({"error": "secret words"}, 401)

    running, connector = guarded(apis, answer)
    with pytest.raises(SourceError) as caught:
        await ask(connector, SQL, is_scan=True)
    assert (caught.value.code, caught.value.retryable) == ("RV404", False)
    assert len(running.requests) == 4
    await connector.close()


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (401, {"error": "invalid_client"}, "RV404"),
        (400, {"error": "invalid_scope"}, "RV404"),
        (500, {}, "RV400"),
        (302, {}, "RV400"),
        (200, {"access_token": None}, "RV403"),
        (200, {"access_token": ""}, "RV403"),
        (200, {"access_token": "a b"}, "RV403"),
        (200, {"access_token": "a\r\nX-Evil: y"}, "RV403"),
        (200, {"token_type": "mac"}, "RV403"),
        (200, {"token_type": 5}, "RV403"),
    ],
)
async def test_a_token_that_is_not_given_is_an_error(
    apis: Apis, status: int, said: dict[str, Any], code: str
) -> None:
    api = Guarded(**said)
    api.status = status
    running, connector = guarded(apis, api)
    with pytest.raises(SourceError) as caught:
        await ask(connector, SQL, is_scan=True)
    assert caught.value.code == code
    text = str(caught.value) + repr(caught.value.extensions)
    for hidden in ("tok3n", "conformance-token", "127.0.0.1", "invalid_", "Evil"):
        assert hidden not in text
    assert len(asked_for_tokens(running)) == len(running.requests) == 1
    await connector.close()


async def test_a_mute_token_endpoint_costs_no_more_than_the_deadline(apis: Apis) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    running, open_tables = apis.run(Guarded())
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connector = opened_with(apis, running, open_tables, token_url=f"http://127.0.0.1:{port}/token")
    call = connector.compile(fragment(SQL, is_scan=True))
    answers = await asyncio.gather(
        *(connector.rows(call, {}, Deadline.after(0.2)) for _ in range(3)), return_exceptions=True
    )
    assert [getattr(answer, "code", answer) for answer in answers] == ["RV401"] * 3
    assert running.requests == []
    await connector.close()
    server.close()
    await server.wait_closed()


async def test_an_answer_that_is_no_json_is_an_error(apis: Apis) -> None:
    _, connector = guarded(apis, lambda _: Response("<html>conformance-token</html>"))
    with pytest.raises(SourceError, match="no bearer token"):
        await ask(connector, SQL, is_scan=True)
    await connector.close()


@pytest.mark.row("C9")
async def test_tokens_come_from_allowed_addresses_only(apis: Apis) -> None:
    running, _ = apis.run(Guarded())
    source = world.source(
        "api",
        "rest",
        {
            "base_url": "http://192.0.2.1/",
            "auth": {
                "oauth2": {
                    "token_url": f"http://127.0.0.1:{apis.port}/{running.name}/token",
                    "client_id": "x",
                    "client_secret": "${env:TOKEN}",
                }
            },
        },
        world.tables(world.REST_ACCESS, {}),
    )
    connector = opened(source)
    with pytest.raises(SourceError, match="not allowed"):
        await ask(connector, "SELECT p.id AS c0 FROM people AS p WHERE p.id = 1")
    assert running.requests == []
    await connector.close()


@pytest.mark.parametrize(
    "url", ["ftp://h/t", "http://u:hunter2@h/t", "http://h/t?x=1", "h/t", "http://h/a/../t"]
)
def test_a_token_url_is_scheme_host_and_path(url: str) -> None:
    oauth2 = {"token_url": url, "client_id": "x", "client_secret": "y"}
    base = {"base_url": "https://host/", "auth": {"oauth2": oauth2}}
    with pytest.raises(CatalogError, match="token_url") as caught:
        open_connector(world.source("api", "rest", base, {}), env={})
    assert "hunter2" not in str(caught.value)
