"""Proves that queries that fail become small ones that fail in the same way."""

from __future__ import annotations

import pytest
from tests.sql.oracles import PostgresOracle
from tests.sql.random_queries import query
from tests.sql.shrinking import shrunk


@pytest.mark.parametrize(
    ("word", "seed", "most"),
    [("FULL JOIN", 1, 120), ("HAVING", 7, 120), ("string_agg", 3, 120), ("EXCEPT", 11, 120)],
)
async def test_a_query_shrinks_to_what_makes_it_fail(
    word: str, seed: int, most: int, oracle: PostgresOracle
) -> None:
    text = next(q.text for n in range(seed, 10_000) if word in (q := query(n)).text)

    async def fails(candidate: str) -> bool:
        if word.lower() not in candidate.lower().replace("full outer", "full"):
            return False
        return await oracle.can_answer(candidate)

    small = await shrunk(text, fails)
    assert await fails(small)
    assert len(small) <= most, small


async def test_a_union_in_order_shrinks() -> None:
    async def fails(candidate: str) -> bool:
        return "UNION" in candidate

    assert await shrunk("SELECT 1 AS a UNION SELECT 2 ORDER BY 1", fails) == (
        "SELECT 1 AS a UNION SELECT 2"
    )


async def test_a_query_that_does_not_fail_stays() -> None:
    async def fails(candidate: str) -> bool:
        return False

    assert await shrunk("SELECT 1 AS one", fails) == "SELECT 1 AS one"
