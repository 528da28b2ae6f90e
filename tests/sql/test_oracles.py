"""Proves that the oracles of SQL are right about what they are asked, and agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import duckdb
import pytest
from tests.sql import odd_world
from tests.sql.conftest import WORKER, Estate
from tests.sql.judging import Judge, Verdict
from tests.sql.oracles import Answer, PostgresOracle, answered_by_duckdb, difference
from tests.sql.random_queries import query
from tests.sql.stores import Servers
from tests.sql.tpch_estate import QUERIES

SEEDS = range(400)


@pytest.fixture(scope="module")
async def reversed_oracle(servers: Servers) -> AsyncIterator[PostgresOracle]:
    """Opens a PostgreSQL with the same rows in another order, which joins in other ways."""
    opened = await PostgresOracle.of(
        servers.postgres,
        f"odd_reversed_{WORKER}",
        odd_world.ENTITIES,
        {name: rows[::-1] for name, rows in odd_world.rows().items()},
    )
    await opened.run("SET enable_hashjoin = off; SET enable_hashagg = off")
    yield opened
    await opened.close()


async def test_random_queries_run_and_have_one_answer(
    oracle: PostgresOracle, reversed_oracle: PostgresOracle
) -> None:
    filled = 0
    for seed in SEEDS:
        made = query(seed)
        first = await oracle.answer(made.text)
        again = await reversed_oracle.answer(made.text)
        assert difference(first, again, ordered=made.is_ordered) == "", (seed, made.text)
        filled += bool(first.rows)
    assert filled > len(SEEDS) / 2


async def test_duckdb_agrees_where_it_speaks_the_same(oracle: PostgresOracle, odd: Estate) -> None:
    agreed = 0
    for seed in SEEDS:
        made = query(seed)
        if made.hard:
            continue
        try:
            other = answered_by_duckdb(odd.truth, made.text)
        except duckdb.Error:
            continue
        right = await oracle.answer(made.text)
        assert difference(right, other, ordered=made.is_ordered, typed=False) == "", made.text
        agreed += 1
    assert agreed > len(SEEDS) / 3


def test_a_seed_names_a_query() -> None:
    assert [query(seed) for seed in range(50)] == [query(seed) for seed in range(50)]
    assert len({query(seed).text for seed in range(50)}) == 50


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_tpch_has_rows(name: str, tpch_truth: duckdb.DuckDBPyConnection) -> None:
    assert answered_by_duckdb(tpch_truth, QUERIES[name]).rows


def test_all_queries_of_tpch_are_asked() -> None:
    assert list(QUERIES) == [f"q{number:02}" for number in range(1, 23)]


@pytest.mark.parametrize(
    ("right", "got", "ordered", "is_equal"),
    [
        ([(1, None), (2, "a")], [(2, "a"), (1, None)], False, True),
        ([(1, None), (2, "a")], [(2, "a"), (1, None)], True, False),
        ([(1,), (1,)], [(1,)], False, False),
        ([(1,)], [(Decimal(1),)], False, False),
        ([(1,)], [(True,)], False, False),
        ([(Decimal("1.0"),)], [(Decimal("1.00"),)], False, True),
        ([("a",)], [("a ",)], False, False),
    ],
)
def test_answers_are_compared_as_rows_of_typed_values(
    right: list[tuple[object, ...]],
    got: list[tuple[object, ...]],
    ordered: bool,
    is_equal: bool,
) -> None:
    names = tuple(f"c{at}" for at in range(len(right[0])))
    told = difference(Answer(names, right), Answer(names, got), ordered=ordered)
    assert (told == "") == is_equal


def test_sums_are_compared_exactly_and_quotients_to_twelve_digits() -> None:
    def loose(one: object, other: object) -> bool:
        names = ("c",)
        answers = Answer(names, [(one,)]), Answer(names, [(other,)])
        return difference(*answers, ordered=True, typed=False) == ""

    assert loose(Decimal("532348211.65"), Decimal("532348211.65"))
    assert not loose(Decimal("532348211.65"), Decimal("532348211.64"))
    assert loose(25.575154611454693, Decimal("25.5751546114546923"))
    assert not loose(25.575154611454693, Decimal("25.57515462"))
    assert loose(1995, Decimal(1995))
    assert not loose(None, 0)


async def test_a_wrong_answer_is_found_and_made_small(oracle: PostgresOracle, odd: Estate) -> None:
    async def by_duckdb(text: str) -> Answer:
        return answered_by_duckdb(odd.truth, text)

    judge = Judge(by_duckdb, oracle)
    text = """
      SELECT p.ident AS one, p.grade / 2 AS half, d.city AS city FROM parcel AS p
      LEFT JOIN depot AS d ON d.ident = p.depot_ident WHERE p.active OR p.code IS NOT NULL"""
    right = await judge.verdict("SELECT ident AS one FROM depot", is_ordered=False)
    wrong = await judge.verdict(text, is_ordered=False)
    failed = await judge.verdict("SELECT btrim(code, 'a') AS one FROM depot", is_ordered=False)
    assert right == Verdict()
    assert wrong.wrong.startswith("40 rows expected") or "missing" in wrong.wrong
    assert failed.wrong.startswith("failed with CatalogException")
    assert not (await judge.verdict("SELECT nothing", is_ordered=False)).is_asked
    assert await judge.smallest(text, wrong) == "SELECT p.grade / 2 AS half FROM parcel AS p"
