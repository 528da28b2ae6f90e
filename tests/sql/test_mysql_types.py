"""Proves that MySQL's own types compare as the values that they are shown as."""

from __future__ import annotations

from collections.abc import AsyncIterator

import duckdb
import pytest
from tests.sql.asking import answer, explained
from tests.sql.conftest import WORKER, Estate
from tests.sql.estate import Entity, Part, Split, build
from tests.sql.stores import Servers

from roundview_federation.sql import shrinking

EVENT = Entity(
    "event",
    {"ident": "bigint", "made": "integer", "flags": "bigint", "starts": "text"},
    ("ident",),
)
NATIVES = {"made": "YEAR", "flags": "BIT(8)", "starts": "TIME(3)"}
SPLIT = Split(
    f"types_{WORKER}", {"pos": "mariadb"}, (Part("event", "pos", "events", natives=NATIVES),)
)
ROWS = """
SELECT * FROM (VALUES
  (1, 2024, 49, '00:00:00.000'), (2, 1999, 255, '-00:00:00.500'), (3, 2024, 0, '100:00:00.000'),
  (4, NULL, NULL, NULL)
) t (ident, made, flags, starts)
"""
CONDITIONS = (
    *(f"made {way} {year}" for year in (24, 49, 1999) for way in ("=", "<", "<=", ">", ">=")),
    "made BETWEEN 1 AND 70",
    "made IN (24, 1999)",
    "starts = 'a'",
    "starts = '0'",
    "starts = '00:00:00'",
    "starts = '00:00:00.000'",
    "flags = 49",
    "flags >= 49",
)


@pytest.fixture(scope="module")
async def events(
    tmp_path_factory: pytest.TempPathFactory, servers: Servers
) -> AsyncIterator[Estate]:
    folder = tmp_path_factory.mktemp("types")
    with duckdb.connect() as truth, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shrinking, "ROWS_PER_GROUP", 0)
        truth.execute(f"CREATE TABLE event AS {ROWS}")
        async with await build(folder, [EVENT], SPLIT, truth, servers) as connection:
            yield Estate(SPLIT, connection, truth)


@pytest.mark.parametrize("condition", CONDITIONS)
async def test_conditions_are_those_of_shown_values(events: Estate, condition: str) -> None:
    for what in ("ident", "count(*)"):
        text = f"SELECT {what} FROM event WHERE {condition}"
        wanted = events.truth.execute(text).fetchall()
        assert sorted((await answer(events.connection, text)).rows) == sorted(wanted), text


async def test_bits_are_folded_as_numbers(events: Estate) -> None:
    text = "SELECT made, count(flags), min(flags), max(flags) FROM event GROUP BY made"
    assert "folded by made" in await explained(events.connection, text)
    found = (await answer(events.connection, text)).rows
    assert set(found) == {(2024, 2, 0, 49), (1999, 1, 255, 255), (None, 0, None, None)}
