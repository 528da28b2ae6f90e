"""Decides what questions are compared with: a real PostgreSQL and an engine, one world in both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import duckdb
import pytest
from tests.connectors import postgres_server
from tests.connectors.postgres_server import ADMIN, PASSWORD, PostgresServer
from tests.dialect import oracle


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Starts PostgreSQL."""
    with postgres_server.serving(tmp_path_factory.getbasetemp()) as server:
        yield server


@pytest.fixture(scope="session")
async def asked(postgres: PostgresServer) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Yields a connection to a database with the world in the schema c360."""
    name = f"dialect_{postgres_server.WORLD}"
    await postgres.make(name, f"CREATE SCHEMA c360; SET search_path = c360; {oracle.world()}")
    connection = await asyncpg.connect(
        host="127.0.0.1", port=postgres.port, user=ADMIN, password=PASSWORD, database=name,
        ssl=False, server_settings={"timezone": "UTC", "search_path": "c360"},
    )  # fmt: skip
    await oracle.prepare(connection)
    yield connection
    await connection.close()
    await postgres.drop(name)


@pytest.fixture(scope="session")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yields an engine with the world in it."""
    engine = oracle.open_duckdb()
    yield engine
    engine.close()
