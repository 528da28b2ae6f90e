"""Proves that TPC-H over sources that Trino reads has the answers of one database.

ROUNDVIEW_TPCH_SCALE=0.1 asks ten times the rows.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import duckdb
import pytest
from tests.sql import tpch_estate
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.estate import Split
from tests.sql.oracles import answered_by_duckdb, difference
from tests.sql.stores import Servers
from tests.sql.tpch_estate import QUERIES
from tests.trino.conftest import WORKER
from tests.trino.engines_compared import assert_engines_agree, golden_queries
from tests.trino.estates import estate_on_trino
from tests.trino.trino_server import TrinoServer

GOLDEN = {split.name: golden_queries(split.name) for split in tpch_estate.SPLITS}


@pytest.fixture(scope="session")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Returns TPC-H as plain tables."""
    scale = float(os.environ.get("ROUNDVIEW_TPCH_SCALE", tpch_estate.TINY))
    with tpch_estate.truth(tmp_path_factory.mktemp("tpch"), scale) as database:
        yield database


@pytest.fixture(scope="session", params=tpch_estate.SPLITS, ids=lambda split: split.name)
async def tpch(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    truth: duckdb.DuckDBPyConnection,
    servers: Servers,
    server: TrinoServer,
) -> AsyncIterator[Estate]:
    """Opens TPC-H in each of its splits over four kinds of sources."""
    split: Split = request.param
    folder = tmp_path_factory.mktemp("estates")
    named = split.named(f"{split.name}_on_trino_{WORKER}")
    async with estate_on_trino(
        folder, tpch_estate.ENTITIES, named, truth, servers, server
    ) as estate:
        yield estate


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_of_tpch_has_the_answer_of_one_database(name: str, tpch: Estate) -> None:
    right = answered_by_duckdb(tpch.truth, QUERIES[name])
    got = await answer(tpch.connection, QUERIES[name], "trino")
    assert right.rows
    assert got.names == right.names
    assert difference(right, got, ordered=True, typed=False) == ""


@pytest.mark.parametrize(
    ("tpch", "name"),
    [(split, name) for split in tpch_estate.SPLITS for name in GOLDEN[split.name]],
    indirect=["tpch"],
)
async def test_a_golden_query_has_one_answer_on_every_engine(name: str, tpch: Estate) -> None:
    await assert_engines_agree(tpch, next(some[name] for some in GOLDEN.values() if name in some))
