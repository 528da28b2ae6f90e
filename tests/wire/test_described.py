"""Proves that columns are described as PostgreSQL describes them, with their declared sizes."""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest
from tests.wire.served import Served

SIZED = (
    "budget", "budget::numeric(15,1)", "budget::numeric", "code::varchar(5)", "code::varchar", "code",
    "budget + 1", "-budget", "abs(budget)", "round(budget, 1)", "coalesce(budget, 0)",
    "coalesce(budget, budget)", "nullif(budget, 0)",
    "greatest(budget, budget)", "CASE WHEN active THEN budget ELSE budget END",
    "CASE WHEN active THEN budget END", "CASE WHEN active THEN budget ELSE 1 END",
    "(SELECT max(b.amount) FROM badge b)", "(SELECT b.amount FROM badge b LIMIT 1)",
    "CASE WHEN active THEN code::varchar(5) ELSE code::varchar(6) END",
)  # fmt: skip
QUESTIONS = (
    *(f"SELECT {one} AS x FROM depot" for one in SIZED),
    "SELECT max(budget), min(budget), sum(budget), count(*) FROM depot",
    "SELECT m FROM (SELECT max(budget) AS m FROM depot) AS d",
    "SELECT d.budget FROM (SELECT budget FROM depot) AS d",
    "WITH d AS (SELECT budget FROM depot) SELECT budget FROM d",
    "SELECT budget FROM depot UNION ALL SELECT amount FROM badge",
    "SELECT budget FROM depot UNION ALL SELECT 1",
    "SELECT budget FROM depot UNION ALL SELECT NULL",
    "SELECT budget FROM depot UNION ALL SELECT weight FROM parcel",
    "SELECT sum(budget) OVER (), first_value(budget) OVER () FROM depot",
    "SELECT DISTINCT budget FROM depot",
    "SELECT x FROM (VALUES (1.5::numeric(3,1)), (2.5::numeric(3,1))) AS v(x)",
    "SELECT budget, d.amount FROM depot FULL JOIN badge d USING (ident)",
)


@pytest.mark.parametrize("text", QUESTIONS)
async def test_declared_sizes_are_those_of_postgresql(served: Served, text: str) -> None:
    async def described(dsn: str) -> list[tuple[bytes | None, int, int, int]]:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            cursor = await connection.execute(text)
            result = cursor.pgresult
            assert result is not None
            return [
                (result.fname(at), result.ftype(at), result.fmod(at), result.fsize(at))
                for at in range(result.nfields)
            ]

    ours, theirs = await asyncio.gather(described(served.ours), described(served.theirs))
    assert ours == theirs


async def test_explain_says_how_a_question_is_answered(served: Served) -> None:
    asked = "SELECT city, count(*) FROM depot WHERE ident = 3 GROUP BY city"
    async with await psycopg.AsyncConnection.connect(served.ours) as connection:
        for command in ("EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN (COSTS off)", "EXPLAIN (ANALYZE)"):
            cursor = await connection.execute(f"{command} {asked}")
            text = "\n".join(str(line) for (line,) in await cursor.fetchall())
            assert ": depot (" in text
            assert ("in the answer" in text) == ("ANALYZE" in command)
        cursor = await connection.execute(f"EXPLAIN (FORMAT JSON) {asked}")
        ((told,),) = await cursor.fetchall()
        assert (told if isinstance(told, list) else json.loads(told))[0]["reads"]
        assert cursor.description is not None
        assert cursor.description[0].name == "QUERY PLAN"


@pytest.mark.parametrize(
    ("text", "sqlstate"),
    [
        ("EXPLAIN", "42601"), ("EXPLAIN (NONSENSE) SELECT 1", "42601"),
        ("EXPLAIN (FORMAT XML) SELECT 1", "0A000"), ("EXPLAIN SELECT nope", "42703"),
        ("EXPLAIN INSERT INTO depot VALUES (1)", "0A000"), ("EXPLAIN (ANALYZE SELECT 1", "42601"),
    ],
)  # fmt: skip
async def test_explain_of_nothing_is_refused(served: Served, text: str, sqlstate: str) -> None:
    async with await psycopg.AsyncConnection.connect(served.ours) as connection:
        with pytest.raises(psycopg.Error) as raised:
            await connection.execute(text.encode())
        assert raised.value.sqlstate == sqlstate
