"""Proves that a real PostgreSQL reads relations as foreign tables and joins them with its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from tests.connectors.postgres_server import ADMIN
from tests.sql import odd_world
from tests.wire.served import Served

Connection = psycopg.AsyncConnection[tuple[object, ...]]
COLUMNS = {
    "depot": "ident bigint, code text, city text, grade integer, opened date, active boolean, budget numeric(12,2)",
    "parcel": "ident bigint, depot_ident bigint, note text, weight numeric(10,3), sent_at timestamptz",
}


@pytest.fixture(scope="module")
async def linked(served: Served) -> AsyncIterator[Connection]:
    """Yields a connection to PostgreSQL, whose schema `far` is ours."""
    async with await psycopg.AsyncConnection.connect(served.theirs, autocommit=True) as connection:
        await connection.execute("CREATE EXTENSION postgres_fdw")
        await connection.execute(
            "CREATE SERVER roundview FOREIGN DATA WRAPPER postgres_fdw OPTIONS"
            f" (host '127.0.0.1', port '{served.port}', dbname 'c360', sslmode 'disable',"
            # The fewer questions, the better: joins are sent whole.
            " fdw_startup_cost '100000')"
        )
        await connection.execute(
            f"CREATE USER MAPPING FOR {ADMIN} SERVER roundview"
            " OPTIONS (user 'demo', password_required 'false')"
        )
        await connection.execute("CREATE SCHEMA far")
        for name, columns in COLUMNS.items():
            await connection.execute(
                f"CREATE FOREIGN TABLE far.{name} ({columns}) SERVER roundview"
                " OPTIONS (schema_name 'c360')"
            )
        yield connection


async def rows(connection: Connection, text: str) -> list[tuple[object, ...]]:
    """Returns the rows of a question."""
    return await (await connection.execute(text)).fetchall()


@pytest.mark.parametrize("relation", sorted(COLUMNS))
async def test_foreign_tables_have_the_rows(linked: Connection, relation: str) -> None:
    columns = ", ".join(part.split()[0] for part in COLUMNS[relation].split(", ") if part[0] > "9")
    asked = f"SELECT {columns} FROM {{}}.{relation} ORDER BY ident"
    found = await rows(linked, asked.format("far"))
    assert len(found) == odd_world.ROWS[relation]
    assert found == await rows(linked, asked.format("public"))


@pytest.mark.parametrize(
    "condition",
    [
        "city = 'Ulm'", "grade > 1 AND active", "budget BETWEEN 0 AND 1000", "opened >= '2020-01-01'",
        "city IN ('Ulm', 'São Paulo', 'Bad Tölz')", "code IS NULL", "city LIKE '%o%'",
        "ident = ANY (ARRAY[1, 2, 3])", "grade IS DISTINCT FROM 3", "upper(city) = 'ULM'",
    ],
)  # fmt: skip
async def test_conditions_that_it_sends(linked: Connection, condition: str) -> None:
    asked = f"SELECT ident FROM {{}}.depot WHERE {condition} ORDER BY ident"
    assert await rows(linked, asked.format("far")) == await rows(linked, asked.format("public"))


async def test_joins_with_its_own_tables(linked: Connection) -> None:
    asked = (
        "SELECT d.ident, d.city, p.ident, p.weight FROM {}.depot d JOIN public.parcel p"
        " ON p.depot_ident = d.ident ORDER BY 1, 3"
    )
    found = await rows(linked, asked.format("far"))
    assert found == await rows(linked, asked.format("public"))
    assert found


async def test_joins_and_sums_that_it_sends_whole(linked: Connection) -> None:
    asked = (
        "SELECT d.city, count(*), sum(p.weight), max(p.sent_at) FROM {0}.depot d"
        " JOIN {0}.parcel p ON p.depot_ident = d.ident GROUP BY d.city ORDER BY d.city"
    )
    assert await rows(linked, asked.format("far")) == await rows(linked, asked.format("public"))
    sent = str(await rows(linked, f"EXPLAIN (VERBOSE) {asked.format('far')}"))
    assert "INNER JOIN" in sent
    sent = str(await rows(linked, "EXPLAIN (VERBOSE) SELECT count(*), sum(weight) FROM far.parcel"))
    assert "SELECT count(*), sum(weight) FROM c360.parcel" in sent


async def test_writes_are_refused(linked: Connection) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await linked.execute("INSERT INTO far.depot (ident) VALUES (99)")
