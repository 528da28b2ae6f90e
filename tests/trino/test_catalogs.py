"""Proves that the catalogs that we write for Trino are those it reads the sources by."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.connectors import mariadb_server, postgres_server
from tests.sql.conftest import Estate
from tests.sql.stores import Servers
from tests.trino.conftest import WORKER
from tests.trino.trino_server import TrinoServer

from roundview.settings import Workspace
from roundview.trino_catalogs import apply, properties_of, variables_in, write
from roundview_catalog.engines import Engines
from roundview_catalog.errors import EngineError, RequestError
from roundview_catalog.loader import load
from roundview_federation.engines.trino.catalogs import (
    ServerAddress,
    bridge_properties,
    server_properties,
)

DATABASE = f"applied_{WORKER}"
SHOP = """
source: shop
connector: postgres
connection: {url: "${env:SHOP_URL}"}
trino_catalog: applied
entities: {}
"""
SHOP_SCHEMA = "tables: {orders: {columns: {id: {type: integer}}, primary_key: [id]}}"


def test_passwords_are_references(estate: Estate, tmp_path: Path) -> None:
    federation: Any = estate.connection.federation
    made = properties_of(federation.catalog, federation._env, "10.0.0.5:8362")
    assert [one["connector.name"] for one in made.values()] == [
        "postgresql",
        "mariadb",
        "trino_thrift",
    ]
    for path in write(made, tmp_path):
        text = path.read_text(encoding="utf-8")
        assert "wo%rd" not in text
        assert ("${ENV:" in text) == ("connection-password" in text)
    bridge = next(one for one in made.values() if one["connector.name"] == "trino_thrift")
    assert bridge["trino.thrift.client.addresses"] == "10.0.0.5:8362"


def test_a_catalog_without_trino_is_said_to_be(estate: Estate) -> None:
    federation: Any = estate.connection.federation
    known = federation.catalog
    sources = {name: replace(one, trino_catalog="") for name, one in known.sources.items()}
    with pytest.raises(RequestError) as raised:
        properties_of(replace(known, engines=Engines(), sources=sources), federation._env)
    assert raised.value.code == "RV102"


async def shop(folder: Path, servers: Servers, server: TrinoServer) -> Workspace:
    """Writes a catalog whose one source lies in PostgreSQL."""
    await servers.postgres.make(
        DATABASE,
        'CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE "Mixed" ("Id" int);'
        'INSERT INTO orders VALUES (1), (2); INSERT INTO "Mixed" VALUES (3)',
    )
    (folder / "sources").mkdir()
    (folder / "roundview.yaml").write_text(
        "roundview: 1\nname: shop\nengines: {trino: {url: '${env:TRINO_URL}', user: tests}}\n"
    )
    (folder / "sources/shop.yaml").write_text(SHOP)
    (folder / "sources/shop.schema.yaml").write_text(SHOP_SCHEMA)
    env = {"SHOP_URL": servers.postgres.url(DATABASE), "TRINO_URL": server.url}
    return Workspace(folder, folder, folder / "secret", env, folder / "heads", 1)


async def test_catalogs_are_made_on_a_trino_that_runs(
    tmp_path: Path, servers: Servers, server: TrinoServer
) -> None:
    place = await shop(tmp_path, servers, server)
    catalog = load(place.catalog, env=place.env)
    told = catalog.engines.trino
    assert told is not None
    made = properties_of(catalog, place.env)
    assert variables_in(made) == ["APPLIED_PASSWORD"]
    for _ in range(2):
        await apply(made, told, place)
    table = 'applied.public."orders"'
    assert await asyncio.to_thread(server.ask, f"SELECT count(*) FROM {table}") == [[2]]
    # Names in any case are found.
    assert await asyncio.to_thread(server.ask, "SELECT id FROM applied.public.mixed") == [[3]]
    with pytest.raises(EngineError) as raised:
        await apply({"applied": {"connector.name": "postgresql", "no.such": "x"}}, told, place)
    assert raised.value.code == "RV506"
    gone = replace(told, url="http://127.0.0.1:1")
    with pytest.raises(EngineError) as raised:
        await apply(made, gone, place)
    assert raised.value.code == "RV505"


@pytest.mark.parametrize("technology", ["postgres", "mysql"])
async def test_trino_reads_over_tls_whom_it_was_told_to_trust(
    servers: Servers, server: TrinoServer, technology: str
) -> None:
    is_postgres = technology == "postgres"
    one = servers.postgres if is_postgres else servers.mariadb
    known = postgres_server if is_postgres else mariadb_server
    database = "postgres" if is_postgres else "information_schema"
    address = ServerAddress("127.0.0.1", one.port, database, known.READER, known.PASSWORD, "verify")
    told = f"encrypted_{technology}_{WORKER}"
    ask = f"SELECT count(*) FROM {told}.information_schema.schemata"
    await asyncio.to_thread(server.make_catalog, told, server_properties(technology, address))
    with pytest.raises(Exception, match=r"JDBC|SSL|PKIX|certif"):
        # Java does not trust a server that is its own authority.
        await asyncio.to_thread(server.ask, ask)
    trusting = server_properties(technology, replace(address, ca=str(one.ca)))
    await asyncio.to_thread(server.make_catalog, told, trusting)
    ((found,),) = await asyncio.to_thread(server.ask, ask)
    assert found > 0


def test_properties_have_what_a_deployment_needs() -> None:
    address = ServerAddress(
        "db", 5432, "crm", "reader", "${ENV:CRM_PASSWORD}", "verify", "${ENV:X}"
    )
    for technology in ("postgres", "mysql"):
        made = server_properties(technology, address)
        assert made["metadata.cache-ttl"] == "10m"
        assert made["case-insensitive-name-matching"] == "true"
        assert "$TRACE_TOKEN" in made["query.comment-format"]
        url = made["connection-url"]
        assert "connectTimeout=" in url
        assert "socketTimeout=" in url
        assert "verify-full" in url
        assert "${ENV:X}" in url
    bridge = bridge_properties("10.0.0.5:8362", is_encrypted=True)
    assert bridge["trino.thrift.client.ssl.enabled"] == "true"
    assert variables_in({"one": bridge}) == ["ROUNDVIEW_BRIDGE_CA", "ROUNDVIEW_BRIDGE_KEY"]
