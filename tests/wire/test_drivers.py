"""Proves that unmodified clients work: psql, psycopg, psycopg2, asyncpg and pg8000."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import asyncpg
import pg8000.native
import psycopg
import psycopg2
import pytest
from tests.wire.conftest import Served

ALL = "SELECT ident, code, grade, opened, active, budget FROM depot ORDER BY ident"


async def psql(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs psql."""
    return await asyncio.to_thread(
        subprocess.run,
        ["psql", "-X", "-At", dsn, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", ALL),
        ("-c", "SELECT 1; SELECT 'a;b' AS x; SELECT 2"),
        ("-c", "SELECT ident AS a, city FROM depot \\gdesc"),
        ("-c", ALL, "--set", "FETCH_COUNT=3"),
        ("-c", "COPY (SELECT ident, city, note FROM parcel ORDER BY ident) TO STDOUT"),
        ("-c", "COPY (SELECT ident, mark, city FROM depot ORDER BY 1) TO STDOUT (FORMAT csv, HEADER)"),
        ("-c", "COPY depot (ident, code) TO STDOUT WITH NULL '-' DELIMITER '|'"),
        ("-c", "PREPARE p (bigint) AS SELECT code FROM depot WHERE ident = $1", "-c", "EXECUTE p(3)",
         "-c", "DEALLOCATE p"),
        ("-c", "BEGIN", "-c", "DECLARE c CURSOR FOR SELECT ident FROM depot ORDER BY 1",
         "-c", "FETCH 2 FROM c", "-c", "MOVE 1 FROM c", "-c", "FETCH NEXT FROM c",
         "-c", "FETCH ALL FROM c", "-c", "CLOSE c", "-c", "COMMIT"),
        ("-c", "DECLARE h CURSOR WITH HOLD FOR SELECT ident FROM depot ORDER BY 1",
         "-c", "FETCH 3 FROM h", "-c", "CLOSE h"),
        ("-c", "BEGIN; SELECT 1 / 0;", "-c", "SELECT 1", "-c", "ROLLBACK", "-c", "SELECT 2"),
        ("-c", "BEGIN", "-c", "SAVEPOINT a", "-c", "SELECT nope", "-c", "ROLLBACK TO a",
         "-c", "SELECT 1", "-c", "COMMIT"),
        ("-c", "COMMIT", "-c", "BEGIN", "-c", "BEGIN", "-c", "END"),
        ("-c", "SET application_name = 'x'", "-c", "SHOW application_name", "-c", "RESET ALL",
         "-c", "SHOW application_name"),
        ("-c", "BEGIN", "-c", "SET LOCAL statement_timeout = '5min'", "-c", "SHOW statement_timeout",
         "-c", "COMMIT", "-c", "SHOW statement_timeout"),
        ("-c", "DECLARE c CURSOR FOR VALUES (1), (2); FETCH 1 FROM c; FETCH ALL FROM c",
         "-c", "FETCH 1 FROM c"),
        ("-c", ""),
        ("-c", "-- nothing"),
    ],
    ids=range(18),
)  # fmt: skip
async def test_psql_says_what_it_says_of_postgresql(
    served: Served, arguments: tuple[str, ...]
) -> None:
    ours, theirs = await asyncio.gather(
        psql(served.ours, *arguments), psql(served.theirs, *arguments)
    )
    if "COPY depot" in arguments[-1]:
        assert sorted(ours.stdout) == sorted(theirs.stdout)
    else:
        assert ours.stdout == theirs.stdout
    assert (ours.returncode, bool(ours.stderr)) == (theirs.returncode, bool(theirs.stderr))


async def test_psycopg_pipelines_cursors_and_copies(served: Served) -> None:
    async def told(dsn: str) -> list[Any]:
        found: list[Any] = []
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            async with connection.pipeline():
                cursors = [
                    await connection.execute("SELECT %s::int + %s", (one, 1)) for one in range(5)
                ]
                found += [await cursor.fetchone() for cursor in cursors]
            async with connection.cursor("named") as cursor:
                await cursor.execute("SELECT ident, city FROM depot ORDER BY ident")
                found += [await cursor.fetchmany(2), await cursor.fetchmany(2)]
                found.append(await cursor.fetchall())
            for format_ in ("text", "csv", "binary"):
                copied = f"COPY (SELECT ident, budget, opened, city FROM depot ORDER BY 1) TO STDOUT (FORMAT {format_})"
                async with connection.cursor().copy(copied) as copy:
                    found.append(b"".join([bytes(part) async for part in copy]))
            for _ in range(7):
                # From the fifth time on it is prepared.
                cursor = await connection.execute(
                    "SELECT code FROM depot WHERE ident = %s", (2,), prepare=True
                )
                found.append(await cursor.fetchall())
            found += [row async for row in connection.cursor().stream(ALL)]
        return found

    ours, theirs = await asyncio.gather(told(served.ours), told(served.theirs))
    assert ours == theirs


async def test_asyncpg_declares_no_type(served: Served) -> None:
    async def told(dsn: str) -> list[Any]:
        parts = dict(part.split("=", 1) for part in dsn.split(" options")[0].split())
        connection = await asyncpg.connect(
            host=parts["host"], port=int(parts["port"]), user=parts["user"],
            password=parts.get("password"), database=parts["dbname"], ssl=False,
        )  # fmt: skip
        try:
            found: list[Any] = [tuple(row) for row in await connection.fetch(ALL)]
            for text, value in (
                ("SELECT ident FROM depot WHERE city = $1 ORDER BY 1", "Oslo"),
                ("SELECT ident FROM depot WHERE grade >= $1 ORDER BY 1", 1),
                ("SELECT ident FROM depot WHERE city = ANY($1) ORDER BY 1", ["Oslo", "Bern"]),
                ("SELECT ident FROM depot ORDER BY 1 LIMIT $1", 2),
            ):
                found.append([tuple(row) for row in await connection.fetch(text, value)])
            async with connection.transaction(readonly=True):
                cursor = await connection.cursor("SELECT ident FROM depot ORDER BY 1")
                found += [tuple(row) for row in await cursor.fetch(2)]
                found += [tuple(row) for row in await cursor.fetch(100)]
            return found
        finally:
            await connection.close()

    ours, theirs = await asyncio.gather(told(served.ours), told(served.theirs))
    assert ours == theirs


async def test_psycopg2_and_pg8000_see_the_same_rows(served: Served) -> None:
    def by_psycopg2() -> list[Any]:
        connection = psycopg2.connect(served.ours)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"{ALL} LIMIT %s", (5,))
                return [list(row) for row in cursor.fetchall()]
        finally:
            connection.close()

    def by_pg8000() -> list[Any]:
        connection = pg8000.native.Connection(
            "demo", host="127.0.0.1", port=served.port, database="c360"
        )
        try:
            return list(connection.run(f"{ALL} LIMIT :most", most=5))
        finally:
            connection.close()

    async with await psycopg.AsyncConnection.connect(served.theirs) as connection:
        truth = [list(row) for row in await (await connection.execute(f"{ALL} LIMIT 5")).fetchall()]
    assert await asyncio.to_thread(by_psycopg2) == truth
    assert await asyncio.to_thread(by_pg8000) == truth
