"""Proves that TPC-H over split sources has the answers of one database.

ROUNDVIEW_TPCH_SCALE=0.1 asks ten times the rows.
"""

from __future__ import annotations

import pytest
from tests.sql.asking import answer
from tests.sql.conftest import Estate
from tests.sql.oracles import answered_by_duckdb, difference
from tests.sql.tpch_estate import QUERIES


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_of_tpch_has_the_answer_of_one_database(name: str, tpch: Estate) -> None:
    right = answered_by_duckdb(tpch.truth, QUERIES[name])
    got = await answer(tpch.connection, QUERIES[name])
    assert right.rows
    assert got.names == right.names
    assert difference(right, got, ordered=True, typed=False) == ""
