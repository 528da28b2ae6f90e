"""Proves that TPC-H over servers that Trino reads has the answers of one database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.sql import tpch_estate
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.estate import Part, Split
from tests.sql.oracles import answered_by_duckdb, difference
from tests.sql.stores import Servers
from tests.sql.tpch_estate import QUERIES, bare, cents, prefixed
from tests.trino.conftest import WORKER
from tests.trino.estates import build_on_trino
from tests.trino.trino_server import TrinoServer

SERVERS = Split(
    "tpch_servers",
    {"sales": "postgres", "depot": "mariadb"},
    (
        Part("trade_region", "sales", "regions", rename=bare),
        Part("nation", "sales", "nations", rename=bare),
        Part("supplier", "depot", "vendors", rename=bare, forms=cents("s_acctbal")),
        Part("buyer", "sales", "clients", rename=prefixed("client")),
        Part("part", "depot", "parts", rename=bare),
        Part("partsupp", "depot", "vendor_parts", rename=bare),
        Part("orders", "depot", "orders", rename=prefixed("so")),
        Part("lineitem", "sales", "order_lines", rename=str.upper),
    ),
)


@pytest.fixture(scope="session")
async def tpch(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers, server: TrinoServer
) -> AsyncIterator[Estate]:
    """Opens TPC-H with its lines in PostgreSQL and its orders in MariaDB."""
    with tpch_estate.truth(tmp_path_factory.mktemp("tpch"), tpch_estate.TINY) as truth:
        split = SERVERS.named(f"tpch_trino_{WORKER}")
        folder = tmp_path_factory.mktemp("estates")
        connection = await build_on_trino(
            folder, tpch_estate.ENTITIES, split, truth, servers, server
        )
        async with connection:
            yield Estate(split, connection, truth)


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_of_tpch_has_the_answer_of_one_database(name: str, tpch: Estate) -> None:
    right = answered_by_duckdb(tpch.truth, QUERIES[name])
    got = await answer(tpch.connection, QUERIES[name], "trino")
    assert right.rows
    assert got.names == right.names
    assert difference(right, got, ordered=True, typed=False) == ""
