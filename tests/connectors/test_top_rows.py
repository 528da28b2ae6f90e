"""Proves that of each key the first rows are asked for alone, and that none of them is missing.

Times are NULL, equal, infinite, zero or written oddly; what comes is compared with all rows, put
in order as lists are.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.connectors import mariadb_server, postgres_server, world
from tests.connectors.opening import Places, fragment, opened

from roundview_catalog import coerce
from roundview_catalog.model import SourceColumn, SourceTable
from roundview_catalog.tables import FileTable
from roundview_catalog.types import Kind, Type
from roundview_federation.connectors.port import Connector
from roundview_federation.plan import Answer, Fragment
from roundview_federation.resilience.deadline import Deadline
from roundview_federation.top_rows import TOP, Top

TECHNOLOGIES = ("postgres", "mysql", "sqlite", "files")
BUYERS = 250
FREQUENT = 3
"""the buyer who has most of the visits"""
SHOWN = 5
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DATABASE = "top_" + postgres_server.WORLD
COLUMNS = {
    "id": Type(Kind.BIGINT),
    "buyer": Type(Kind.BIGINT),
    "code": Type(Kind.TEXT),
    "made": Type(Kind.TIMESTAMP),
    "day": Type(Kind.DATE),
}
SQL = (
    "SELECT v.id AS c0, v.{key} AS c1, v.{by} AS c2 FROM visits AS v JOIN shops AS s"
    " ON s.id = v.shop WHERE v.kind <> 'test' AND v.{key} = ANY(:keys)"
)
TABLES = """
CREATE TABLE shops (id {int} PRIMARY KEY);
CREATE TABLE visits (id {int} PRIMARY KEY, buyer {int}, code VARCHAR(20), shop {int} NOT NULL,
  kind VARCHAR(9) NOT NULL, made {time}, day DATE, sure {time} NOT NULL);
CREATE INDEX visits_buyer ON visits (buyer, made);
CREATE INDEX visits_sure ON visits (buyer, sure);
CREATE INDEX visits_code ON visits (code);
"""


INDEXES = {"buyer": {"visits_buyer", "visits_sure"}, "code": {"visits_code"}}


@dataclass(frozen=True, slots=True)
class Shop:
    """One technology's visits and how their times are made."""

    connector: Connector
    technology: str


def visits(odd: Sequence[str]) -> list[tuple[Any, ...]]:
    """Returns the same visits every time: one buyer has most, and some times are odd."""
    chance = random.Random(7)
    rows = []
    for at in range(6_000):
        buyer = FREQUENT if at % 2 else chance.randrange(BUYERS)
        moment = START + timedelta(hours=chance.randrange(900))
        made: str | None = f"{moment:%Y-%m-%d %H:%M:%S}"
        if chance.random() < 0.1:
            made = chance.choice([None, *odd])
        # A and a are two keys, whatever the column thinks.
        code = f"{'aA'[at // 2 % 2]}{buyer}"
        kind = chance.choice(["shop", "web", "test"])
        sure = f"{moment:%Y-%m-%d %H:%M:%S}"
        rows.append((at, buyer, code, buyer % 3, kind, made, sure[:10], sure))
    return rows


ODD = {
    "postgres": ("infinity", "-infinity", "0044-03-15 12:00:00 BC"),
    "mysql": ("0000-00-00 00:00:00", "2026-00-20 10:00:00", "2026-04-00 10:00:00"),
    "sqlite": ("2026-03-04T10:00:00", "2026-03-05 10:00", "2026-02-31 10:00:00", "soon", "1772000000"),
    "files": ("infinity", "-infinity"),
}  # fmt: skip


@pytest.fixture(params=TECHNOLOGIES, scope="module")
async def shop(
    request: pytest.FixtureRequest, places: Places, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    technology = request.param
    rows = visits(ODD[technology])
    folder = tmp_path_factory.mktemp(technology)
    if technology == "files":
        source = world.source("shop", "files", {"root": str(folder)}, _files(folder, rows))
    else:
        connection = await _made(technology, places, folder, rows)
        first = opened(world.source("shop", technology, connection, {}))
        tables = await first.introspect()
        await first.close()
        source = world.source("shop", technology, connection, tables)
    connector = opened(source)
    yield Shop(connector, technology)
    await connector.close()


@pytest.mark.parametrize("is_loose", [False, True], ids=["exact", "loose"])
@pytest.mark.parametrize("is_descending", [True, False], ids=["newest", "oldest"])
@pytest.mark.parametrize("by", ["made", "day", "sure"])
@pytest.mark.parametrize("key", ["buyer", "code"])
async def test_no_row_of_the_page_is_missing(
    shop: Shop, key: str, by: str, is_descending: bool, is_loose: bool
) -> None:
    asked, top = _asked(key, by, is_descending, is_loose=is_loose)
    keys: list[Any] = [*range(4, 40), FREQUENT]
    if key == "code":
        keys = ["a1", "A3", "A1", "none", "a3"]
    for some in (keys, keys[-1:], keys[:1]):
        every = await _rows(shop.connector, asked, some)
        first = await _rows(shop.connector, top, some)
        assert set(first.rows) <= set(every.rows)
        for one in some:
            pages = [_page(answer, one, is_descending) for answer in (every, first)]
            assert pages[0] == pages[1], one
        if FREQUENT in some and (not is_loose or shop.technology != "files"):
            assert len(first.rows) < len(every.rows)


async def test_rows_without_their_time_may_stay_away(shop: Shop) -> None:
    asked, top = _asked("buyer", "made", is_descending=True)
    assert top.top is not None
    present = replace(top, top=replace(top.top, is_present=True))
    keys = list(range(BUYERS))
    every, first = [await _rows(shop.connector, one, keys) for one in (asked, present)]
    for key in keys:
        pages = [_page(answer, key, is_descending=True) for answer in (every, first)]
        known = [[row for row in page if row[2] is not None] for page in pages]
        assert known[0] == known[1]


async def test_what_comes_is_about_what_is_shown(shop: Shop) -> None:
    asked, top = _asked("buyer", "sure", is_descending=True)
    for keys in ([FREQUENT], list(range(40))):
        every, first = [await _rows(shop.connector, one, keys) for one in (asked, top)]
        assert len(every.rows) > 1_500
        # Equal times come together.
        assert len(first.rows) <= len(keys) * (SHOWN + 4)


@pytest.mark.parametrize("key", ["buyer", "code"])
async def test_the_source_finds_the_first_rows_by_index(shop: Shop, key: str) -> None:
    _, asked = _asked(key, "sure", is_descending=True)
    keys: list[Any] = [5, 4] if key == "buyer" else ["a1", "A4"]
    for some in (keys, keys[:1]):
        accesses = await shop.connector.accesses(
            shop.connector.compile(asked), {"keys": some, TOP: SHOWN}, Deadline.after(10)
        )
        if shop.technology == "files":
            # There is no index: each table is read, and not twice.
            assert sorted(one.alias for one in accesses) == ["s", "v"]
            continue
        found = {one.alias: one for one in accesses if one.alias.endswith("v")}
        assert set(found) == {"v", "roundview_below_v"}
        assert not [one for one in found.values() if one.is_scan]
        assert {one.index for one in found.values()} <= INDEXES[key]


async def test_children_are_those_of_the_rows_that_come(shop: Shop) -> None:
    sql = SQL.format(key="buyer", by="sure")
    below = {"k": "SELECT k.id FROM shops AS k WHERE k.id = v.shop"}
    asked = fragment(sql, children=below)
    _, cut = _asked("buyer", "sure", is_descending=True)
    every, first = [
        await _rows(shop.connector, one, [FREQUENT, 4])
        for one in (asked, replace(asked, top=cut.top))
    ]
    found = {row[0]: row[3] for row in every.rows}
    assert first.rows
    assert all(found[row[0]] == row[3] for row in first.rows)
    assert all([tuple(one) for one in row[3]] == [(row[1] % 3,)] for row in first.rows)


async def _rows(connector: Connector, asked: Fragment, keys: list[Any]) -> Answer:
    params = {"keys": keys, TOP: SHOWN}
    return await connector.rows(connector.compile(asked), params, Deadline.after(10))


def _asked(
    key: str, by: str, is_descending: bool, *, is_loose: bool = False
) -> tuple[Fragment, Fragment]:
    every = fragment(SQL.format(key=key, by=by))
    owner, time = (one.this for one in every.tree.expressions[1:])
    return every, replace(every, top=Top(owner, time, is_descending, is_loose, is_present=False))


def _page(answer: Answer, key: Any, is_descending: bool) -> list[tuple[Any, ...]]:
    """Returns what a list of one key shows, and whether there is more."""
    read = coerce.converter(COLUMNS["made"], Type(Kind.TIMESTAMPTZ), "UTC")
    assert read is not None
    rows = []
    for row in answer.rows:
        try:
            time = read(row[2])
        except ValueError:
            time = None
        if row[1] == key:
            rows.append((str(row[0]), row[1], time))
    rows.sort(key=lambda row: row[0])
    known = [row for row in rows if row[2] is not None]
    known.sort(key=lambda row: row[2], reverse=is_descending)
    return (known + [row for row in rows if row[2] is None])[: SHOWN + 1]


async def _made(
    technology: str, places: Places, folder: Path, rows: list[tuple[Any, ...]]
) -> dict[str, Any]:
    """Makes the tables in a technology and returns the connection to them."""
    values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
    fill = f"INSERT INTO visits VALUES {values}"
    shops = "INSERT INTO shops VALUES (0), (1), (2)"
    if technology == "sqlite":
        with sqlite3.connect(folder / "shop.db") as database:
            database.executescript(TABLES.format(int="INTEGER", time="TIMESTAMP"))
            database.execute(shops)
            database.execute(fill)
        return {"path": str(folder / "shop.db")}
    if technology == "postgres":
        if places.postgres is None:
            pytest.skip(postgres_server.MISSING)
        script = TABLES.format(int="bigint", time="timestamp") + f"{shops};\n{fill};"
        await places.postgres.make(DATABASE, script)
        return {"url": places.postgres.url(DATABASE)}
    if places.mariadb is None:
        pytest.skip(mariadb_server.MISSING)
    tables = TABLES.format(int="BIGINT", time="DATETIME").split(";\n")
    statements = [one for one in tables if one.strip()]
    odd = "SET STATEMENT sql_mode = '' FOR "
    await places.mariadb.make(DATABASE, [*statements, shops, odd + fill])
    return {"url": places.mariadb.url(DATABASE)}


def _files(folder: Path, rows: list[tuple[Any, ...]]) -> dict[str, SourceTable]:
    names = ("id", "buyer", "code", "shop", "kind", "made", "day", "sure")
    lines = [json.dumps(dict(zip(names, row, strict=True))) for row in rows]
    (folder / "visits.json").write_text("\n".join(lines))
    types = {**COLUMNS, "shop": COLUMNS["id"], "kind": COLUMNS["code"], "sure": COLUMNS["made"]}
    with duckdb.connect() as engine:
        columns = ", ".join(f"{name}: '{types[name].kind.value}'" for name in names)
        read = f"read_json('{folder}/visits.json', columns = {{{columns}}})"
        engine.execute(f"COPY (FROM {read}) TO '{folder}/visits.parquet'")
        engine.execute(f"COPY (SELECT range AS id FROM range(3)) TO '{folder}/shops.parquet'")
    declared = {"visits": types, "shops": {"id": COLUMNS["id"]}}
    return {
        table: SourceTable(
            name=table,
            physical=table,
            columns={name: SourceColumn(name, type_) for name, type_ in columns.items()},
            primary_key=("id",),
            access=FileTable.model_validate({"path": f"{table}.parquet", "key": "id"}),
        )
        for table, columns in declared.items()
    }


def _literal(value: Any) -> str:
    return "NULL" if value is None else repr(value)
