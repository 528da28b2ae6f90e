"""Proves what is special about SQLite: indexes, read-only twice, odd bytes, replaced files."""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.connectors import world
from tests.connectors.opening import Places, ask, fragment, opened

from roundview_catalog.errors import SourceError
from roundview_catalog.types import Kind
from roundview_federation.connectors.port import Connector
from roundview_federation.connectors.sqlite.connector import connect_read_only, json_keys
from roundview_federation.connectors.sqlite.schema import type_of
from roundview_federation.plan import Answer
from roundview_federation.resilience.deadline import Deadline

BY_KEY = "SELECT p.id AS c0, p.name AS c1 FROM people AS p WHERE p.id = ANY(:keys)"


@pytest.fixture
async def shop(places: Places) -> AsyncIterator[Connector]:
    connector = opened(places.source("sqlite"))
    yield connector
    await connector.close()


async def over(path: Path, **connection: Any) -> Connector:
    """Opens a file of one's own after introspecting it."""
    source = world.source("own", "sqlite", {"path": str(path), **connection}, {})
    first = opened(source)
    tables = await first.introspect()
    await first.close()
    return opened(world.source("own", "sqlite", {"path": str(path), **connection}, tables))


# -- indexes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (BY_KEY, "INTEGER PRIMARY KEY"),
        ("SELECT p.id AS c0 FROM people AS p WHERE p.email = ANY(:keys)", "people_email"),
        ("SELECT p.id AS c0 FROM people AS p WHERE p.name = ANY(:keys)", "people_name"),
        ("SELECT o.id AS c0 FROM orders AS o WHERE o.person_id = ANY(:keys)", "orders_person"),
    ],
)
async def test_key_sets_use_the_columns_own_index(
    shop: Connector, places: Places, sql: str, index: str
) -> None:
    text = shop.explain(shop.compile(fragment(sql)))
    with sqlite3.connect(places.sqlite) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", {"k0": "[1]"}).fetchall()
    connection.close()
    details = [row[3] for row in plan]
    assert any(d.startswith("SEARCH") and index in d for d in details), details
    assert not any(
        d.startswith("SCAN") and "json_each" not in d and "keys" not in d for d in details
    )


async def test_children_search_by_their_link(shop: Connector, places: Places) -> None:
    child = "SELECT o.id, o.total FROM orders AS o WHERE o.person_id = p.id"
    text = shop.explain(shop.compile(fragment(BY_KEY, children={"o": child})))
    with sqlite3.connect(places.sqlite) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", {"k0": "[1]"}).fetchall()
    connection.close()
    assert any("SEARCH o USING INDEX orders_person" in row[3] for row in plan)


# -- read-only -------------------------------------------------------------------------------


def test_each_layer_alone_refuses_writes(places: Places) -> None:
    connection = connect_read_only(places.sqlite, 1_000_000)
    for statement in ("DELETE FROM people", "CREATE TABLE x (y)", "PRAGMA user_version = 7"):
        with pytest.raises(sqlite3.OperationalError):
            connection.execute(statement)
    connection.execute("PRAGMA query_only = off")
    for statement in ("DELETE FROM people", "CREATE TABLE x (y)", "PRAGMA user_version = 7"):
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute(statement)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("ATTACH ':memory:' AS other")
    connection.close()


# -- values ----------------------------------------------------------------------------------


def make(path: Path, script: str, rows: dict[str, list[tuple[Any, ...]]]) -> Path:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
        for table, values in rows.items():
            marks = ", ".join("?" * len(values[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.close()
    return path


async def test_numbers_in_child_rows_are_the_numbers(tmp_path: Path) -> None:
    generator = random.Random(7)
    numbers = [generator.uniform(-1e9, 1e9) for _ in range(500)]
    numbers += [0.1, 0.30000000000000004, 1e308, 5e-324, 52.520008, -0.0, 1e20, math.inf, 3.0]
    path = make(
        tmp_path / "n.db",
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE n (a INTEGER, f REAL, d DECIMAL);",
        {"a": [(1,)], "n": [(1, number, number) for number in numbers]},
    )
    connector = await over(path)
    answer = await ask(
        connector,
        "SELECT a.id AS c0 FROM a WHERE a.id = ANY(:keys)",
        {"keys": [1]},
        children={"n": "SELECT n.f, n.d FROM n WHERE n.a = a.id"},
    )
    finite = [number if math.isfinite(number) else None for number in numbers]
    assert [f for f, _ in answer.rows[0][1]] == finite
    assert [float(d) if d is not None else None for _, d in answer.rows[0][1]] == finite
    await connector.close()


async def test_broken_text_and_blobs_cost_no_rows(tmp_path: Path) -> None:
    path = make(
        tmp_path / "b.db",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE b (a INTEGER, t TEXT);",
        {"a": [(1, "fine")], "b": [(1, b"blob")]},
    )
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO a VALUES (2, CAST(x'ff41' AS TEXT))")
    connection.close()
    connector = await over(path)
    answer = await ask(
        connector,
        "SELECT a.id AS c0, a.t AS c1 FROM a WHERE a.id = ANY(:keys)",
        {"keys": [1, 2]},
        children={"b": "SELECT b.t FROM b WHERE b.a = a.id"},
    )
    assert answer.rows == [(1, "fine", [["blob"]]), (2, "\ufffdA", [])]
    await connector.close()


def test_key_sets_leave_out_what_no_column_can_hold() -> None:
    assert json_keys([1, 2]) == "[1,2]"
    assert json_keys(["a", "b\0c", "\ud800"]) == '["a"]'
    assert json_keys([2**63, 5, -(2**70)]) in ("[5]", f"[{2**63},5]")
    assert json_keys([]) == "[]"


# -- life of the file ------------------------------------------------------------------------


async def test_changes_of_others_are_seen(tmp_path: Path) -> None:
    path = make(tmp_path / "c.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)", {"t": [(1,)]})
    connector = await over(path)
    sql = "SELECT t.id AS c0 FROM t"
    assert (await ask(connector, sql, is_scan=True)).rows == [(1,)]
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    assert (await ask(connector, sql, is_scan=True)).rows == [(1,), (2,)]
    new = make(tmp_path / "new.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)", {"t": [(9,)]})
    new.replace(path)
    assert (await ask(connector, sql, is_scan=True)).rows == [(9,)]
    await connector.close()


async def test_a_locked_file_is_waited_for_within_the_deadline(tmp_path: Path) -> None:
    path = make(tmp_path / "l.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)", {"t": [(1,)]})
    connector = await over(path)
    call = connector.compile(fragment("SELECT t.id AS c0 FROM t", is_scan=True))
    await connector.rows(call, {}, Deadline.after(5))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(SourceError) as caught:
        await connector.rows(call, {}, Deadline.after(0.1))
    assert caught.value.code == "RV401"
    waiting = asyncio.create_task(connector.rows(call, {}, Deadline.after(5)))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    writer.execute("ROLLBACK")
    answer: Answer = await waiting
    assert answer.rows == [(1,)]
    writer.close()
    await connector.close()


async def test_a_column_that_is_gone_is_a_difference_from_the_schema(
    tmp_path: Path, places: Places
) -> None:
    path = make(
        tmp_path / "d.db", "CREATE TABLE people (id INTEGER PRIMARY KEY)", {"people": [(1,)]}
    )
    source = world.source("own", "sqlite", {"path": str(path)}, world.tables({}, {}))
    connector = opened(source)
    with pytest.raises(SourceError) as caught:
        await ask(connector, BY_KEY, {"keys": [1]})
    assert caught.value.code == "RV403"
    assert "introspect" in caught.value.hint
    await connector.close()


# -- introspection ---------------------------------------------------------------------------


async def test_introspection_reads_keys_indexes_and_collations(tmp_path: Path) -> None:
    path = make(
        tmp_path / "i.db",
        """
        CREATE TABLE ospos_people (
          id INTEGER PRIMARY KEY, email VARCHAR(80) COLLATE NOCASE NOT NULL UNIQUE,
          "first name" TEXT, price DECIMAL(15,2), done TINYINT(1), at DATETIME, photo BLOB,
          low TEXT GENERATED ALWAYS AS (lower(email)) VIRTUAL);
        CREATE TABLE ospos_links (a INT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
        CREATE INDEX by_price ON ospos_people (price, at);
        CREATE INDEX by_lower ON ospos_people (lower(email));
        CREATE UNIQUE INDEX some ON ospos_people (price) WHERE done = 1;
        CREATE VIEW ospos_shown AS SELECT id FROM ospos_people;
        CREATE TABLE other (x);
        """,
        {"ospos_people(id, email)": [(5, "a"), (9, "b")]},
    )
    connector = await over(path, table_prefix="ospos_")
    tables = await connector.introspect()
    assert set(tables) == {"people", "links", "shown"}
    people = tables["people"]
    assert people.physical == "ospos_people"
    assert {name: str(c.type) for name, c in people.columns.items()} == {
        "id": "bigint",
        "email": "text",
        "first name": "text",
        "price": "decimal(15,2)",
        "done": "boolean",
        "at": "timestamp",
        "low": "text",
    }
    assert people.columns["email"].collation == "ci"
    assert people.columns["first name"].collation == "exact"
    assert not people.columns["id"].is_nullable
    assert not people.columns["email"].is_nullable
    assert people.primary_key == ("id",)
    assert people.unique == (("email",),)
    assert people.indexes == (("price", "at"),)
    assert people.rows_estimate == 9
    assert tables["links"].primary_key == ("b", "a")
    answer = await ask(connector, 'SELECT p."first name" AS c0 FROM people AS p', is_scan=True)
    assert answer.rows == [(None,), (None,)]
    await connector.close()


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("INTEGER", Kind.BIGINT),
        ("smallint", Kind.INTEGER),
        ("unsigned big int", Kind.BIGINT),
        ("NVARCHAR(100)", Kind.TEXT),
        ("DOUBLE PRECISION", Kind.FLOAT),
        ("timestamp with time zone", Kind.TIMESTAMPTZ),
        ("date", Kind.DATE),
        ("uuid", Kind.UUID),
        ("", Kind.TEXT),
    ],
)
def test_declared_types(declared: str, kind: Kind) -> None:
    found = type_of(declared)
    assert found is not None
    assert found.kind is kind


def test_blobs_have_no_type() -> None:
    assert type_of("BLOB") is None


def test_limits_above_what_sqlite_can_be_told_are_its_own(tmp_path: Path) -> None:
    path = tmp_path / "small.db"
    sqlite3.connect(path).close()
    connection = connect_read_only(path, 2**33)
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
    assert connection.execute("SELECT length(zeroblob(1000))").fetchone() == (1000,)
    connection.close()
    assert most >= 10**9
