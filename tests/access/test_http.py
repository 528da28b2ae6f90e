"""Proves that every door over HTTP knows who asks, and shows each role its own schema only."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.access.issuing import Provider, claims, make_catalog

from roundview.serve import make_app
from roundview_federation.access.api_keys import FILE, ApiKeys, Holder
from roundview_federation.federation import Federation

TYPENAME = {"query": "{ __typename }"}
OPEN = "graphql:open"
Call = Callable[..., Any]


@pytest.fixture
async def client(federation: Federation) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(federation))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


def _with(token: str, **more: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", **more}


def _documents(page: str) -> dict[str, str]:
    """Returns the ids of the documents that a page of the desk asks with."""
    found: dict[str, str] = json.loads(page)["documents"]
    return found


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/graphql"), ("GET", "/graphql/schema"), ("GET", "/desk"), ("GET", "/desk/context")],
)
async def test_nobody_gets_in_without_a_credential(
    client: httpx.AsyncClient, provider: Provider, method: str, path: str
) -> None:
    bare = await client.request(method, path, json=TYPENAME)
    assert (bare.status_code, bare.headers["www-authenticate"]) == (401, "Bearer")
    # A browser gets the page that asks who they are.
    assert ("RV302" in bare.text) != ('data-state="login"' in bare.text) == (path == "/desk")
    for token in (provider.token(claims(exp=1)), "rvk_" + "A" * 43, "x"):
        bad = await client.request(method, path, json=TYPENAME, headers=_with(token))
        assert bad.status_code == 401
        assert bad.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert "no-store" in bad.headers["cache-control"]
    twice = [("authorization", f"Bearer {provider.token()}")] * 2
    assert (await client.request(method, path, json=TYPENAME, headers=twice)).status_code == 401


async def test_credentials_in_an_address_are_none(
    client: httpx.AsyncClient, provider: Provider
) -> None:
    token = provider.token(claims(scope=OPEN))
    answer = await client.post(f"/graphql?access_token={token}", json=TYPENAME)
    assert answer.status_code == 401


async def test_errors_are_graphql_errors(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/graphql", json=TYPENAME)).json()
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["extensions"]["rv"] == "RV302"


async def test_documents_of_ones_own_need_the_scope(
    client: httpx.AsyncClient, provider: Provider
) -> None:
    closed, opened = provider.token(), provider.token(claims(scope=f"profile {OPEN}"))
    for method, path in (("POST", "/graphql"), ("GET", "/graphql/schema")):
        refused = await client.request(method, path, json=TYPENAME, headers=_with(closed))
        assert refused.status_code == 403
        assert f'error="insufficient_scope", scope="{OPEN}"' in refused.headers["www-authenticate"]
        allowed = await client.request(method, path, json=TYPENAME, headers=_with(opened))
        assert allowed.status_code == 200


async def test_the_desk_asks_its_documents_without_the_scope(
    client: httpx.AsyncClient, provider: Provider
) -> None:
    headers = _with(provider.token())
    documents = _documents((await client.get("/desk/context", headers=headers)).text)
    body = {
        "documentId": documents["view"],
        "variables": {"by": {"customerId": "00000000-0000-7000-8000-000000000000"}},
    }
    answer = await client.post("/graphql", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"customer": None}
    body["documentId"] = "sha256:" + "0" * 64
    unknown = await client.post("/graphql", json=body, headers=headers)
    assert unknown.json()["errors"][0]["extensions"]["rv"] == "RV102"


async def test_each_role_has_its_own_page_and_schema(
    client: httpx.AsyncClient, provider: Provider
) -> None:
    agent = _with(provider.token(claims(scope=OPEN)))
    admin = _with(
        provider.token(claims(scope=OPEN, roles=["admin"])), **{"roundview-purpose": "service"}
    )
    schemas = [(await client.get("/graphql/schema", headers=one)).text for one in (agent, admin)]
    assert "type SalesOrder " not in schemas[0]
    assert "type SalesOrder " in schemas[1]
    assert not re.search(r"\b(birthDate|familyName)\b", schemas[0])
    pages = [(await client.get("/desk/context", headers=one)).text for one in (agent, admin)]
    assert "birthDate" not in pages[0]
    assert "birthDate" in pages[1]
    names = await client.post(
        "/graphql",
        json={"query": "{ customer { salesOrders { nodes { orderNumber } } } }"},
        headers=agent,
    )
    # A name that is hidden is told of as one that does not exist, and nothing alike is suggested.
    absent = await client.post(
        "/graphql",
        json={"query": "{ customer { salesTables { nodes { orderNumber } } } }"},
        headers=agent,
    )
    assert names.text.replace("salesOrders", "x") == absent.text.replace("salesTables", "x")


async def test_the_purpose_must_be_one_of_the_principals(
    client: httpx.AsyncClient, provider: Provider
) -> None:
    admin = provider.token(claims(scope=OPEN, roles=["admin"]))
    for purpose, status in (("", 403), ("service", 200), ("analytics", 200), ("fraud", 403)):
        headers = _with(admin, **{"roundview-purpose": purpose})
        for answer in (
            await client.post("/graphql", json=TYPENAME, headers=headers),
            await client.get("/graphql/schema", headers=headers),
        ):
            assert answer.status_code == status
            assert ("RV301" in answer.text) == (status == 403)
    # The page is where a purpose is chosen: it begins with one of the caller's.
    for purpose, status in (("", 200), ("service", 200), ("fraud", 403)):
        headers = _with(admin, **{"roundview-purpose": purpose})
        assert (await client.get("/desk", headers=headers)).status_code == status
    page = (await client.get("/desk/context", headers=_with(admin))).json()
    assert (page["purpose"], set(page["purposes"])) == ("analytics", {"analytics", "service"})


async def test_a_revoked_key_is_refused_by_the_next_request(
    client: httpx.AsyncClient, federation: Federation, tmp_path: Path
) -> None:
    keys = ApiKeys(tmp_path / "data" / FILE)
    now = federation.clock()
    text, kept = keys.create(Holder("app", ("agent",), scopes=(OPEN,)), now, timedelta(days=1))
    answers = []
    for step in range(2):
        answers.append(await client.post("/graphql", json=TYPENAME, headers=_with(text)))
        if step == 0:
            keys.revoke(kept.key_id, now)
    assert [one.status_code for one in answers] == [200, 401]
    keys.close()


async def test_health_needs_no_credential_and_tells_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "alive"}
    assert (await client.get("/ready")).json().keys() == {"ready", "complete"}


async def test_without_configuration_others_than_this_machine_are_refused(
    tmp_path: Path, provider: Provider
) -> None:
    root = make_catalog(tmp_path, provider, access=None)
    policy = root / "policy.yaml"
    policy.write_text(policy.read_text().replace("  admin:", "  demo:"))
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    app = make_app(federation)
    for peer, status in (("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 401), ("", 401)):
        transport = httpx.ASGITransport(app=app, client=(peer, 5_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.post("/graphql", json=TYPENAME)).status_code == status
            assert (await client.get("/desk")).status_code == status
    await federation.close()


async def test_only_configured_names_are_answered(tmp_path: Path, provider: Provider) -> None:
    access = "api_keys: true\nhosts: [View.acme.example]\n"
    root = make_catalog(tmp_path, provider, access)
    federation = Federation.open(root, data_dir=tmp_path / "data", secret=bytes(32), env={})
    transport = httpx.ASGITransport(app=make_app(federation))
    async with httpx.AsyncClient(transport=transport) as client:
        for host, status in (("view.acme.example", 200), ("localhost", 200), ("evil.example", 400)):
            assert (await client.get(f"http://{host}/health")).status_code == status
    await federation.close()
