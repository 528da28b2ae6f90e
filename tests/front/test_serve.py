"""The server: both doors over one federation, on loopback names only."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from roundview import connect
from roundview.demo.estate import make
from roundview.serve import make_app
from roundview_federation.federation import Federation
from roundview_federation.refresh import refresh_identity

VIEW = """
query View($phone: PhoneIdentifier!) {
  customer(by: {phone: $phone}) {
    fullName
    provenance(fields: [givenName]) { field source rule losing { value source } }
    salesOrder(first: 2) {
      nodes { orderNumber grandTotal salesOrderProduct { nodes { name } } provenance { source } }
      complete
      missingSources
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Federation, Path]]:
    """Returns a client of a running server, its federation and the estate's folder."""
    estate = make(tmp_path, people=40)
    federation = connect(estate.catalog, env=estate.env).federation
    await refresh_identity(federation)
    app = make_app(federation)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client, federation, tmp_path


Served = tuple[httpx.AsyncClient, Federation, Path]


async def ask(client: httpx.AsyncClient, phone: str) -> httpx.Response:
    """Posts the view of one phone number."""
    return await client.post("/graphql", json={"query": VIEW, "variables": {"phone": phone}})


@pytest.mark.row("B4")
async def test_one_request_shows_every_system(served: Served) -> None:
    client, _, _ = served
    response = await ask(client, "030/4007919")
    body = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "errors" not in body
    assert body["data"]["customer"]["fullName"] == "Anna Keller"
    orders = body["data"]["customer"]["salesOrder"]
    assert len(orders["nodes"]) == 2
    assert orders["nodes"][0]["salesOrderProduct"]["nodes"]
    assert orders["pageInfo"] == {"hasNextPage": True, "endCursor": orders["pageInfo"]["endCursor"]}
    assert {s["name"]: s["status"] for s in body["extensions"]["sources"]} == {
        "crm": "ok",
        "pos": "ok",
    }
    assert body["extensions"]["complete"] is True


async def test_a_source_that_goes_away_is_a_labelled_gap(served: Served) -> None:
    client, federation, folder = served
    (folder / "pos.db").unlink()
    await federation.current.connectors["pos"].close()
    federation.current.connectors["pos"].__init__(  # type: ignore[misc]
        federation.catalog.sources["pos"], env={"ROUNDVIEW_DEMO": str(folder)}
    )
    body = (await ask(client, "030/4007919")).json()
    assert body["data"]["customer"]["fullName"] == "Anna Keller"
    assert body["data"]["customer"]["salesOrder"] is None
    assert body["extensions"]["complete"] is False
    (error,) = (e for e in body["errors"] if e["path"] == ["customer", "salesOrder"])
    assert error["extensions"]["code"] == "SOURCE_UNAVAILABLE"
    assert error["extensions"]["source"] == "pos"
    ready = (await client.get("/ready")).json()
    assert {s["name"]: s["state"] for s in ready["sources"]} == {
        "crm": "ready",
        "pos": "unavailable",
    }


async def test_impossible_identifiers_are_request_errors(served: Served) -> None:
    client, _, _ = served
    response = await ask(client, "not a phone")
    assert response.json().get("data") is None
    assert response.json()["errors"]


async def test_unknown_is_null(served: Served) -> None:
    client, _, _ = served
    assert (await ask(client, "+49 30 1234567")).json()["data"] == {"customer": None}


async def test_the_desk_is_served_under_a_strict_policy(served: Served) -> None:
    client, _, _ = served
    page = await client.get("/desk", params={"phone": "030 4007919"})
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    settings = (await client.get("/desk/context")).json()
    found = await client.post(
        "/graphql",
        json={
            "documentId": settings["documents"]["view"],
            "variables": {"by": {"phone": "030 4007919"}},
        },
    )
    assert found.json()["data"]["customer"]["fullName"] == "Anna Keller"
    wrong = {"documentId": "sha256:" + hashlib.sha256(b"x").hexdigest()}
    assert (await client.post("/graphql", json=wrong)).status_code == 400


async def test_other_hosts_are_refused(served: Served) -> None:
    client, _, _ = served
    refused = await client.get("/health", headers={"host": "evil.example"})
    assert refused.status_code == 400
    assert (await client.get("/health")).json() == {"status": "alive"}


async def test_a_catalog_edit_is_live_without_a_failed_request(served: Served) -> None:
    client, federation, folder = served
    copied = folder / "catalog/sources/till.yaml"
    text = (folder / "catalog/sources/pos.yaml").read_text(encoding="utf-8")
    text = text.replace("source: pos", "source: till").replace("pos.db", "till.db")
    shutil.copy(folder / "pos.db", folder / "till.db")
    shutil.copy(folder / "catalog/sources/pos.schema.yaml", copied.with_name("till.schema.yaml"))
    copied.write_text(text, encoding="utf-8")
    before = federation.catalog.version
    until = time.monotonic() + 60
    while time.monotonic() < until:
        response = await ask(client, "030/4007919")
        assert response.status_code == 200
        assert "errors" not in response.json()
        owners = federation.xref.assignments()
        if federation.catalog.version != before and any(s == "till" for s, _ in owners):
            break
    body = (await ask(client, "030/4007919")).json()
    assert {s["name"] for s in body["extensions"]["sources"]} == {"crm", "pos", "till"}
