"""Proves that the ends of types, and blanks at the end of a text, are what they are."""

from __future__ import annotations

from collections.abc import AsyncIterator

import duckdb
import pytest
from tests.sql.asking import answer
from tests.sql.conftest import WORKER, Estate
from tests.sql.estate import Entity, Part, Split, build
from tests.sql.stores import Servers

LEASE = Entity(
    "lease",
    {
        "ident": "bigint",
        "until": "date",
        "ends_at": "timestamptz",
        "mark": "text",
        "size": "bigint",
    },
    ("ident",),
)
SPLIT = Split(
    f"ends_{WORKER}",
    {"crm": "postgres", "pos": "mariadb"},
    (
        Part(
            "lease",
            "crm",
            "leases",
            "ident <= 4",
            natives={"mark": "character(3)", "size": "smallint"},
        ),
        Part(
            "lease", "pos", "leases", "ident > 4", natives={"mark": "CHAR(3)", "size": "SMALLINT"}
        ),
    ),
)
ROWS = """
SELECT ident, until::DATE AS until, ends_at::TIMESTAMPTZ AS ends_at, mark,
  (ident - 3) * 10000 AS size FROM (VALUES
  (1, '9999-12-31', '9999-12-31 23:59:59.999999+00', 'a'),
  (2, '0001-01-01', '0001-01-01 00:00:00+00', 'A'),
  (3, '2024-02-29', '2024-02-29 12:00:00+00', NULL),
  (4, NULL, NULL, 'ab'),
  (5, '9999-12-31', '9999-12-31 23:59:59.999999+00', 'a'),
  (6, '2024-02-29', '2024-02-29 12:00:00+00', 'A')
) t (ident, until, ends_at, mark)
"""
# The driver that fills the table writes them as infinity.
AS_THEY_ARE = """
UPDATE leases SET until = '9999-12-31', ends_at = '9999-12-31 23:59:59.999999+00' WHERE ident = 1;
UPDATE leases SET until = '0001-01-01', ends_at = '0001-01-01 00:00:00+00' WHERE ident = 2
"""
CONDITIONS = (
    *(
        f"until {way} DATE '{day}'"
        for day in ("9999-12-31", "0001-01-01")
        for way in ("=", "<", "<=", ">", ">=", "<>")
    ),
    *(
        f"ends_at {way} TIMESTAMPTZ '{moment}+00'"
        for moment in ("9999-12-31 23:59:59.999999", "0001-01-01 00:00:00")
        for way in ("=", "<", "<=", ">", ">=")
    ),
    "until IN ('9999-12-31', '0001-01-01')",
    *(
        f"size {way} {number}"
        for number in (-10_000, 100_000, -9_000_000_000)
        for way in ("=", "<", "<=", ">", ">=")
    ),
    "size BETWEEN -100000 AND 100000",
    "mark = 'a'",
    "mark = 'a '",
    "mark IN ('a ', 'ab')",
)


@pytest.fixture(scope="module")
async def leases(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[Estate]:
    with duckdb.connect() as truth:
        truth.execute("SET TimeZone = 'UTC'")
        truth.execute(f"CREATE TABLE lease AS {ROWS}")
        folder = tmp_path_factory.mktemp("ends")
        connection = await build(folder, [LEASE], SPLIT, truth, servers)
        owner = await servers.postgres.admin(f"{SPLIT.name}_crm")
        await owner.execute(AS_THEY_ARE)
        await owner.close()
        async with connection:
            yield Estate(SPLIT, connection, truth)


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_ends_are_what_they_are(leases: Estate, condition: str) -> None:
    for what in ("ident", "count(*)"):
        text = f"SELECT {what} FROM lease WHERE {condition}"
        wanted = leases.truth.execute(text).fetchall()
        assert sorted((await answer(leases.connection, text)).rows) == sorted(wanted), text
