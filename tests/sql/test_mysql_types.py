"""Proves that MySQL's own types compare as the values that they are shown as."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest
from tests.sql.asking import answer, asked, explained
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


DEAL = {"ident": "bigint", "day": "date", "amount": "decimal(12,2)", "note": "text"}
DEALS = Split(
    f"deals_{WORKER}",
    {"shop": "mariadb", "crm": "mariadb"},
    (Part("sale", "shop", "sales"), Part("offer", "crm", "offers")),
)
LINKS = ("day", "amount")
MADE = (
    "CREATE TABLE sale AS SELECT i AS ident, DATE '2024-01-01' + (i % 400)::INT AS day,"
    " CAST(i % 500 AS DECIMAL(12,2)) / 4 AS amount, 's' || i AS note FROM range(4000) r(i)",
    "CREATE TABLE offer AS SELECT i AS ident, DATE '2024-02-27' + (i * 7)::INT AS day,"
    " CAST(i AS DECIMAL(12,2)) * 1.25 AS amount, CASE WHEN i < 4 THEN 'few' ELSE 'o' END AS note"
    " FROM range(300) r(i)",
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


@pytest.mark.parametrize("column", LINKS)
async def test_days_and_amounts_are_keys(column: str, tmp_path: Path, servers: Servers) -> None:
    entities = [Entity(name, DEAL, ("ident",), LINKS) for name in ("sale", "offer")]
    with duckdb.connect() as truth:
        for statement in MADE:
            truth.execute(statement)
        text = (
            f"SELECT s.note, o.ident FROM sale s JOIN offer o ON o.{column} = s.{column}"
            " WHERE o.note = 'few'"
        )
        wanted = truth.execute(text).fetchall()
        async with await build(tmp_path, entities, DEALS, truth, servers) as connection:
            got = await asked(connection, text)
            assert sorted(got.answer.rows) == sorted(wanted)
            assert got.rows_fetched == len(wanted) + 4
