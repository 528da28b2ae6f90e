"""Decides which servers, estates and oracles the tests of SQL share."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from tests.sql import odd_world, tpch_estate
from tests.sql.estate import Split, build
from tests.sql.oracles import PostgresOracle, duckdb_of
from tests.sql.stores import Servers

from roundview.client import AsyncConnection

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "master")


@dataclass(frozen=True, slots=True)
class Estate:
    """A split that is open, and the database that knows the right answers."""

    split: Split
    connection: AsyncConnection
    truth: duckdb.DuckDBPyConnection


@pytest.fixture(scope="session")
def tpch_scale() -> float:
    """Returns how large TPC-H is: ROUNDVIEW_TPCH_SCALE, a hundredth by default."""
    return float(os.environ.get("ROUNDVIEW_TPCH_SCALE", tpch_estate.TINY))


@pytest.fixture(scope="session")
def tpch_truth(
    tmp_path_factory: pytest.TempPathFactory, tpch_scale: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Returns TPC-H as plain tables."""
    with tpch_estate.truth(tmp_path_factory.mktemp("tpch"), tpch_scale) as database:
        yield database


@pytest.fixture(scope="session", params=tpch_estate.SPLITS, ids=lambda split: split.name)
async def tpch(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    tpch_truth: duckdb.DuckDBPyConnection,
    servers: Servers,
) -> AsyncIterator[Estate]:
    """Opens TPC-H in each of its splits."""
    split: Split = request.param
    folder = tmp_path_factory.mktemp("estates")
    async with opened(split, f"{split.name}_{WORKER}", tpch_truth, folder, servers) as estate:
        yield estate


@asynccontextmanager
async def opened(
    split: Split, name: str, truth: duckdb.DuckDBPyConnection, folder: Path, servers: Servers
) -> AsyncIterator[Estate]:
    """Opens TPC-H in a split; its databases bear the name."""
    place = folder / name
    place.mkdir()
    connection = await build(place, tpch_estate.ENTITIES, split.named(name), truth, servers)
    async with connection:
        yield Estate(split, connection, truth)


@pytest.fixture(scope="session")
async def odd(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> AsyncIterator[Estate]:
    """Opens the world of odd rows over its sources."""
    async with odd_opened(f"odd_{WORKER}", tmp_path_factory.mktemp("odd"), servers) as estate:
        yield estate


@asynccontextmanager
async def odd_opened(name: str, folder: Path, servers: Servers) -> AsyncIterator[Estate]:
    """Opens the world of odd rows; its databases bear the name."""
    split = odd_world.SPLIT
    with (
        duckdb_of(odd_world.ENTITIES, odd_world.raw_rows()) as raw,
        duckdb_of(odd_world.ENTITIES, odd_world.rows()) as truth,
    ):
        connection = await build(folder, odd_world.ENTITIES, split.named(name), raw, servers)
        async with connection:
            yield Estate(split, connection, truth)


@pytest.fixture(scope="session")
async def oracle(servers: Servers) -> AsyncIterator[PostgresOracle]:
    """Opens the PostgreSQL that has every odd row as plain tables."""
    opened = await PostgresOracle.of(
        servers.postgres, f"odd_truth_{WORKER}", odd_world.ENTITIES, odd_world.rows()
    )
    yield opened
    await opened.close()
