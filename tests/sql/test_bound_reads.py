"""Proves that a read bound by many keys comes in batches, and brings the rows that few keys would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import duckdb
import pytest
from tests.sql.estate import Entity, Part, Split, build
from tests.sql.oracles import rows_of
from tests.sql.stores import Servers

from roundview_federation.request import Request

PEOPLE, ORDERS = 4_000, 20_000
FEW, MANY = 20, 1_000
ENTITIES = (
    Entity("person", {"ident": "bigint", "segment": "text"}, ("ident",), ("segment",)),
    Entity(
        "purchase",
        {"ident": "bigint", "person_ident": "bigint", "total": "decimal(12,2)", "note": "text"},
        ("ident",),
        ("person_ident",),
    ),
)
SPLIT = Split(
    "bound",
    {"crm": "sqlite", "shop": "sqlite"},
    (Part("person", "crm", "person"), Part("purchase", "shop", "purchase")),
)
MADE = (
    "CREATE TABLE person AS SELECT i AS ident, CASE"
    f" WHEN i < {FEW} THEN 'few' WHEN i < {FEW + MANY} THEN 'many' ELSE 'rest' END AS segment"
    f" FROM range({PEOPLE}) r(i)",
    f"CREATE TABLE purchase AS SELECT i AS ident, i % {PEOPLE} AS person_ident,"
    " (i / 7)::DECIMAL(12,2) AS total, CASE WHEN i % 5 > 0 THEN 'n' || i END AS note"
    f" FROM range({ORDERS}) r(i)",
)


@pytest.fixture(scope="module")
async def estate(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Any, duckdb.DuckDBPyConnection]]:
    """Opens people and what they bought, in a source each, with the truth beside them."""
    with duckdb.connect() as truth:
        for statement in MADE:
            truth.execute(statement)
        folder = tmp_path_factory.mktemp("bound")
        connection = await build(folder, ENTITIES, SPLIT, truth, cast(Servers, None))
        async with connection:
            yield connection.federation, truth


@pytest.mark.parametrize(("segment", "keys"), [("few", FEW), ("many", MANY)])
async def test_many_keys_bring_batches_of_exactly_their_rows(
    estate: tuple[Any, duckdb.DuckDBPyConnection], segment: str, keys: int
) -> None:
    federation, truth = estate
    text = (
        "SELECT p.ident, o.ident, o.total, o.note FROM purchase AS o"
        f" JOIN person AS p ON p.ident = o.person_ident WHERE p.segment = '{segment}' ORDER BY 2"
    )
    result = await federation.sql(text, Request(federation.principal, timeout_seconds=60))
    assert rows_of(await result.table()) == truth.execute(text).fetchall()
    (bound,) = (run for run in result.fetched.runs.values() if run.keys is not None)
    assert (bound.keys, bound.is_streamed) == (keys, keys == MANY)
    assert result.rows_fetched == keys + keys * ORDERS // PEOPLE


async def test_what_is_bound_by_many_keys_may_be_grouped(
    estate: tuple[Any, duckdb.DuckDBPyConnection],
) -> None:
    federation, truth = estate
    text = (
        "SELECT count(*), count(o.note), sum(o.total), max(o.note) FROM purchase AS o"
        " JOIN person AS p ON p.ident = o.person_ident WHERE p.segment = 'many'"
    )
    result = await federation.sql(text, Request(federation.principal, timeout_seconds=60))
    assert rows_of(await result.table()) == truth.execute(text).fetchall()
    assert result.rows_fetched == MANY + MANY * ORDERS // PEOPLE
