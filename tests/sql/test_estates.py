"""Proves that the estates behind the tests of SQL hold the rows that their oracles hold."""

from __future__ import annotations

from tests.sql import odd_world, tpch_estate
from tests.sql.conftest import Estate
from tests.sql.oracles import Answer, answered_by_duckdb, difference
from tests.sql.scanning import scanned


async def test_the_sources_of_tpch_hold_its_rows(tpch: Estate) -> None:
    rows = await scanned(tpch.connection.federation, tpch_estate.ENTITIES)
    for entity in tpch_estate.ENTITIES:
        right = answered_by_duckdb(
            tpch.truth, f"SELECT {', '.join(entity.fields)} FROM {entity.name}"
        )
        got = Answer(tuple(entity.fields), rows[entity.name])
        assert difference(right, got, ordered=False) == "", entity.name


async def test_the_sources_of_the_odd_world_hold_its_rows(odd: Estate) -> None:
    rows = await scanned(odd.connection.federation, odd_world.ENTITIES)
    for entity in odd_world.ENTITIES:
        right = Answer(tuple(entity.fields), odd_world.rows()[entity.name])
        got = Answer(tuple(entity.fields), rows[entity.name])
        assert difference(right, got, ordered=False) == "", entity.name
