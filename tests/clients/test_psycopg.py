"""Proves that psycopg 3 works unmodified."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg.errors import InFailedSqlTransaction, QueryCanceled, ReadOnlySqlTransaction
from tests.clients.comparing import ALL, LONG, alike
from tests.wire.served import Served


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_rows_in_text_and_binary(served: Served, binary: bool) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection, connection.cursor(binary=binary) as cursor:
            rows = cursor.execute(ALL).fetchall()
            return rows, [(one.name, one.type_code) for one in cursor.description or ()]

    assert len((await alike(served, told))[0]) == 12


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
async def test_parameters_and_arrays(served: Served, binary: bool) -> None:
    def told(dsn: str) -> Any:
        found = []
        with psycopg.connect(dsn) as connection, connection.cursor(binary=binary) as cursor:
            for text, value in (
                ("SELECT ident FROM depot WHERE city = ANY(%s) ORDER BY 1", ["Ulm", "São Paulo"]),
                ("SELECT array_agg(code ORDER BY code) FROM depot WHERE ident < %s", 5),
            ):
                found.append(cursor.execute(text, (value,)).fetchall())
        return found

    await alike(served, told)


async def test_prepared_statements(served: Served) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection:
            text = "SELECT code FROM depot WHERE ident = %s"
            return [connection.execute(text, (one,)).fetchall() for one in range(8)]

    await alike(served, told)


async def test_pipelines(served: Served) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection, connection.pipeline():
            cursors = [connection.execute("SELECT %s::int + %s", (one, 1)) for one in range(5)]
            return [cursor.fetchone() for cursor in cursors]

    await alike(served, told)


async def test_server_cursors(served: Served) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection, connection.cursor("named") as cursor:
            cursor.execute("SELECT ident, city FROM depot ORDER BY ident")
            return cursor.fetchmany(2), cursor.fetchmany(2), cursor.fetchall()

    await alike(served, told)


async def test_streams(served: Served) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection:
            return list(connection.cursor().stream(ALL))

    await alike(served, told)


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
async def test_copy_as_text_and_csv_and_binary(served: Served, form: str) -> None:
    def told(dsn: str) -> Any:
        asked = "COPY (SELECT ident, budget, opened, city FROM depot ORDER BY 1) TO STDOUT"
        with psycopg.connect(dsn) as connection:
            with connection.cursor().copy(f"{asked} (FORMAT {form})") as copy:
                whole = b"".join(map(bytes, copy))
            if form == "csv":
                return whole
            with connection.cursor().copy(f"{asked} (FORMAT {form})") as copy:
                return whole, list(copy.rows())

    await alike(served, told)


async def test_failed_transactions(served: Served) -> None:
    def told(dsn: str) -> Any:
        with psycopg.connect(dsn) as connection:
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("SELECT 1 / 0")
            with pytest.raises(InFailedSqlTransaction):
                connection.execute("SELECT 1")
            connection.rollback()
            return connection.execute("SELECT 1").fetchall()

    await alike(served, told)


async def test_writes_are_refused(served: Served) -> None:
    async with await psycopg.AsyncConnection.connect(served.ours) as connection:
        for text in ("INSERT INTO depot (ident) VALUES (1)", "CREATE TABLE mine (a int)"):
            with pytest.raises(ReadOnlySqlTransaction):
                await connection.execute(text)
            await connection.rollback()


async def test_cancel(served: Served) -> None:
    async with await psycopg.AsyncConnection.connect(served.ours, autocommit=True) as connection:
        asked = asyncio.ensure_future(connection.execute(LONG))
        while not asked.done():
            await connection.cancel_safe()
            await asyncio.wait([asked], timeout=0.05)
        with pytest.raises(QueryCanceled):
            await asked
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
